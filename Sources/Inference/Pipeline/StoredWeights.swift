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

  /// A variant's weights, decoded where they are wanted.
  ///
  /// They throw `CatalogError.damaged` naming the variant, or `InferenceError.unsupported` for the format of a newer evodb.
  struct Variant: WeightSource {
    let id: Int64
    /// The bytes that `CatalogTransaction.packedWeights` returns.
    let bytes: [UInt8]
    /// Rows that its layer has.
    let outputCount: Int
    /// Columns that its layer has.
    let inputCount: Int
    let store: CatalogStore

    func matrix() throws -> Matrix {
      try checked(ofVariant: id, outputCount: outputCount, inputCount: inputCount, store: store) {
        let matrix = try WeightPacking.unpack(bytes)
        return (matrix, matrix.rows, matrix.columns)
      }
    }

    func packed(for arithmetic: Arithmetic) throws -> PackedWeights {
      try checked(ofVariant: id, outputCount: outputCount, inputCount: inputCount, store: store) {
        let weights = try WeightPacking.packed(bytes, for: arithmetic)
        return (weights, weights.columns, weights.depth)
      }
    }
  }

  /// What `decode` makes of a variant's packed bytes, if it is of the layer's size.
  ///
  /// - Parameter decode: reads the bytes, and says how many rows and columns they hold.
  /// - Throws: `CatalogError.damaged` naming the variant; `InferenceError.unsupported` for the format of a newer evodb.
  static func checked<Weight>(
    ofVariant id: Int64, outputCount: Int, inputCount: Int, store: CatalogStore,
    decode: () throws -> (weight: Weight, rows: Int, columns: Int)
  ) throws -> Weight {
    var detail: String
    do {
      let (weight, rows, columns) = try decode()
      if (rows, columns) == (outputCount, inputCount) { return weight }
      detail = "they are \(rows) × \(columns) weights, not \(outputCount) × \(inputCount)"
    } catch InferenceError.invalidData(_, let reason) {
      detail = reason
    }
    let name = try store.read { tx in try tx.words(try tx.variant(id: id)) }
    throw CatalogError.damaged("\(store.path): \(name): its packed bytes are no weights of its layer: \(detail)")
  }
}
