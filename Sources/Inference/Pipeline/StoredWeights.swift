import Catalog

/// The packed weights of variants as a catalog keeps them.
public enum StoredWeights {
  /// The problem with packed bytes as the weights of a layer of this size, for `verify` and `salvage`; nil: none, or
  /// only that a newer evodb packed them.
  public static func problem(_ packed: [UInt8], outputCount: Int, inputCount: Int) -> String? {
    do {
      let (rows, columns) = try WeightPacking.dimensions(packed)
      guard (rows, columns) == (outputCount, inputCount) else {
        return "they are \(rows) × \(columns) weights, not \(outputCount) × \(inputCount)"
      }
      return nil
    } catch InferenceError.invalidData(_, let detail) {
      return detail
    } catch {
      return nil
    }
  }

  /// The weights [out, in] of a variant.
  ///
  /// - Parameters:
  ///   - packed: the bytes that `CatalogTransaction.packedWeights` returns.
  ///   - outputCount: rows that its layer has.
  ///   - inputCount: columns that its layer has.
  /// - Throws: `CatalogError.damaged` naming the variant; `InferenceError.unsupported` for the format of a newer evodb.
  static func matrix(
    _ packed: [UInt8], ofVariant id: Int64, outputCount: Int, inputCount: Int, store: CatalogStore
  ) throws -> Matrix {
    var detail: String
    do {
      let matrix = try WeightPacking.unpack(packed)
      if (matrix.rows, matrix.columns) == (outputCount, inputCount) { return matrix }
      detail = "they are \(matrix.rows) × \(matrix.columns) weights, not \(outputCount) × \(inputCount)"
    } catch InferenceError.invalidData(_, let reason) {
      detail = reason
    }
    let name = try store.read { tx in try tx.words(try tx.variant(id: id)) }
    throw CatalogError.damaged("\(store.path): \(name): its packed bytes are no weights of its layer: \(detail)")
  }
}
