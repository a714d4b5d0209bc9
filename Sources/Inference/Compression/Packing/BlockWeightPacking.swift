/// The stored form of a weight in a type of GGUF: a header and the bytes that a GGUF file has of it.
///
/// | offset | bytes | content |
/// |---|---|---|
/// | 0 | 16 | see `PackedContainer`, kind 3, with |
/// | 6 | 2 | number of the type, as in GGUF files |
/// | 16 | 8 | reserved, 0 |
/// | 24 | | rows of blocks (or halves) without gaps, all scales finite |
///
/// The encoding is canonical: equal weights give equal bytes, and bytes that `decode` accepts encode to themselves.
public enum BlockWeightPacking {
  /// The packed bytes of `weight`.
  public static func encode(_ weight: BlockWeight) -> [UInt8] {
    let number = weight.type.number
    var bytes = PackedContainer(kind: .blocks, rows: weight.rows, columns: weight.columns)
      .bytes((UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)))
    bytes.reserveCapacity(PackedContainer.byteCount + weight.bytes.count)
    bytes.append(littleEndian: UInt64(0))
    bytes += weight.bytes
    return bytes
  }

  /// The weight in `bytes`.
  ///
  /// - Throws: `InferenceError.invalidData` if anything in them breaks the format, however hostile;
  ///   `InferenceError.unsupported` for the format of a newer evodb, which a type that this one does not store is.
  public static func decode(_ bytes: [UInt8]) throws -> BlockWeight {
    let container = try PackedContainer(bytes)
    guard container.kind == .blocks else {
      throw InferenceError.unsupported(file: PackedContainer.name, detail: "content of kind \(bytes[5])")
    }
    let type = try type(bytes)
    guard bytes[16..<PackedContainer.byteCount].allSatisfy({ $0 == 0 }) else {
      throw PackedContainer.invalid("reserved bytes must be 0")
    }
    let (rows, columns) = (container.rows, container.columns)
    guard let byteCount = try? BlockWeight.byteCount(type, rows: rows, columns: columns),
      bytes.count - PackedContainer.byteCount == byteCount
    else {
      throw PackedContainer.invalid(
        "\(bytes.count) bytes are not what a weight of \(rows) × \(columns) in \(type.name) takes")
    }
    do {
      return try BlockWeight(
        type: type, rows: rows, columns: columns, bytes: Array(bytes[PackedContainer.byteCount...]))
    } catch InferenceError.invalidData(_, let detail) {
      throw PackedContainer.invalid(detail)
    }
  }

  /// The rows of the weights that `bytes` stand for.
  ///
  /// - Throws: as `decode`.
  static func weightRows(_ bytes: [UInt8]) throws -> WeightPacking.Rows {
    let weight = try decode(bytes)
    return (weight.rows, weight.columns, { weight.dequantize(rows: $0, into: $1) })
  }

  /// The type of the blocks, from the header.
  ///
  /// - Throws: `InferenceError.unsupported` for one that this evodb does not store.
  static func type(_ bytes: [UInt8]) throws -> GGUFType {
    let number = UInt32(bytes.littleEndian(at: 6, as: UInt16.self))
    guard let type = GGUFType(number: number), BlockWeight.types.contains(type) else {
      throw InferenceError.unsupported(file: PackedContainer.name, detail: "blocks of type \(number)")
    }
    return type
  }

  /// The exact length of `encode`'s result for a [rows, columns] weight, for dry runs and stored costs.
  ///
  /// - Throws: `InferenceError.impossible` for a type that is not stored or a weight that is too large to be packed or not one
  ///   of whole blocks.
  public static func packedByteCount(rows: Int, columns: Int, type: GGUFType) throws -> Int {
    let dimensions = 1...QuantizationFormat.largestDimension
    guard dimensions.contains(rows), dimensions.contains(columns) else {
      throw InferenceError.impossible(
        detail:
          "a weight of \(rows) × \(columns) cannot be packed; each side must be from 1 to \(dimensions.upperBound)")
    }
    // Sides below 2³¹ leave room for the header.
    return PackedContainer.byteCount + (try BlockWeight.byteCount(type, rows: rows, columns: columns))
  }
}
