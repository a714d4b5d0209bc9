/// A matrix in one of GGUF's quantized types: blocks of codes with their scales, row by row, as ggml lays them out.
public struct GGUFTensor: Sendable, Equatable {
  /// The type of the blocks.
  public let type: GGUFType
  /// Number of rows.
  public let rows: Int
  /// Elements of a row; the fastest of the dimensions, `ne[0]` in files.
  public let columns: Int
  /// The blocks, row after row without gaps.
  public let bytes: [UInt8]

  /// Larger magnitudes have no finite scale in any type. Below it no sum of the searches overflows on the way to one that is
  /// finite.
  private static let largestMagnitude: Float = 0x1p40

  /// Quantizes a weight, to the bytes that ggml's `ggml_quantize_chunk` makes of it where it is compiled without fused
  /// multiply-adds, as its base library is.
  ///
  /// - Parameters:
  ///   - weight: [out, in] Float32.
  ///   - type: one of `GGUFType.quantized`.
  ///   - importance: what an error in each input counts, usually the mean of its squares (llama.cpp's importance matrix);
  ///     finite and not negative, [in]. Weights that share a scale may all become 0 if their importances are 0, as in ggml.
  /// - Throws: `InferenceError.impossible` for another type, a width that is no multiple of the type's block length (see
  ///   `GGUFType.fallback`) or an importance that does not fit; `InferenceError.invalidData` if the weight is empty, not
  ///   finite, or has a block whose scale is beyond 65504, the largest half.
  public init(quantizing weight: Matrix, as type: GGUFType, importance: [Float]? = nil) throws {
    let magnitude = QuantizationKernels.largestMagnitude(weight)
    if weight.storage.isEmpty || !(magnitude < .infinity) { try weight.requireQuantizable() }
    let byteCount = try Self.byteCount(type, rows: weight.rows, columns: weight.columns)
    if let importance {
      guard importance.count == weight.columns else {
        throw InferenceError.impossible(
          detail: "\(weight.columns) columns need as many importances, not \(importance.count)")
      }
      guard importance.allSatisfy({ $0 >= 0 && $0 < .infinity }) else {
        throw InferenceError.impossible(detail: "importances must be finite and not negative")
      }
    }
    let source = UnsafeBufferPointer(weight.storage)
    guard magnitude <= Self.largestMagnitude else { throw Self.tooLarge(type) }
    self.type = type
    rows = weight.rows
    columns = weight.columns
    bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { target, count in
      let blocks = UnsafeMutableBufferPointer(rebasing: target[..<byteCount])
      func encode(_ importance: UnsafeBufferPointer<Float>?) {
        if var family = LegacyBlocks(type) {
          family.encode(source, width: weight.columns, importance: importance, into: blocks)
        } else if var family = KQuantBlocks(type) {
          family.encode(source, width: weight.columns, importance: importance, into: blocks)
        } else if var family = NonlinearBlocks(type) {
          family.encode(source, width: weight.columns, importance: importance, into: blocks)
        }
      }
      if let importance { importance.withUnsafeBufferPointer { encode($0) } } else { encode(nil) }
      count = byteCount
    }
    withExtendedLifetime(weight) {}
    guard hasFiniteScales else { throw Self.tooLarge(type) }
  }

  /// A tensor of blocks that were stored.
  ///
  /// - Parameter bytes: all rows.
  /// - Throws: `InferenceError.impossible` for a type that is not one of `GGUFType.quantized` or a shape that is not one of
  ///   whole blocks; `InferenceError.invalidData` if the bytes are not as many as the shape needs, or a scale is not finite.
  public init(type: GGUFType, rows: Int, columns: Int, bytes: [UInt8]) throws {
    let byteCount = try Self.byteCount(type, rows: rows, columns: columns)
    guard bytes.count == byteCount else {
      throw InferenceError.invalidData(
        file: type.name, detail: "[\(rows), \(columns)] has \(byteCount) bytes, not \(bytes.count)")
    }
    self.type = type
    self.rows = rows
    self.columns = columns
    self.bytes = bytes
    guard hasFiniteScales else {
      throw InferenceError.invalidData(file: type.name, detail: "a block has a scale that is NaN or infinite")
    }
  }

  /// Bytes of a matrix in a quantized type.
  ///
  /// - Throws: `InferenceError.impossible` for a type that is not one of `GGUFType.quantized` or a shape that is not one of
  ///   whole blocks.
  public static func byteCount(_ type: GGUFType, rows: Int, columns: Int) throws -> Int {
    guard type.isQuantized else {
      let names = GGUFType.quantized.map(\.name).joined(separator: ", ")
      throw InferenceError.impossible(detail: "weights can be quantized to \(names), not to \(type.name)")
    }
    guard let rowByteCount = type.rowByteCount(width: columns) else {
      throw InferenceError.impossible(
        detail: "rows of \(type.name) are a multiple of \(type.blockLength) long, not \(columns)")
    }
    let (count, overflow) = rows.multipliedReportingOverflow(by: rowByteCount)
    guard rows > 0, !overflow else {
      throw InferenceError.impossible(detail: "a tensor has at least one row and fits in memory, not \(rows) rows")
    }
    return count
  }

  /// The weights [rows, columns] that the blocks stand for, bit for bit as ggml reads them.
  public func dequantized() -> Matrix {
    let result = Matrix(uninitializedRows: rows, columns: columns)
    let length = type.blockLength
    let byteCount = type.blockByteCount
    bytes.withUnsafeBufferPointer { source in
      guard let blocks = source.baseAddress else { return }
      @inline(__always)
      func forEachBlock(_ decode: (UnsafePointer<UInt8>, UnsafeMutablePointer<Float>) -> Void) {
        for block in 0..<source.count / byteCount { decode(blocks + block * byteCount, result.base + block * length) }
      }
      if let family = LegacyBlocks(type) {
        forEachBlock { family.decode($0, into: $1) }
      } else if let family = KQuantBlocks(type) {
        forEachBlock { family.decode($0, into: $1) }
      } else if let family = NonlinearBlocks(type) {
        forEachBlock { family.decode($0, into: $1) }
      }
    }
    return result
  }

  private static func tooLarge(_ type: GGUFType) -> InferenceError {
    .invalidData(
      file: "weight", detail: "it has values that are too large for the half-precision scales of \(type.name)")
  }

  /// Whether no half of a block is NaN or infinite; all else in blocks is whole numbers.
  private var hasFiniteScales: Bool {
    let stride = type.blockByteCount
    return type.halfOffsets.allSatisfy { offset in
      // The upper byte of a half has its exponent.
      Swift.stride(from: offset + 1, to: bytes.count, by: stride).allSatisfy { bytes[$0] & 0x7c != 0x7c }
    }
  }
}

extension GGUFType {
  /// Where a block of a quantized type has its halves.
  fileprivate var halfOffsets: [Int] {
    switch self {
    case .q41, .q51, .q4K, .q5K: [0, 2]
    case .q2K: [80, 82]
    case .q3K: [108]
    case .q6K: [208]
    default: [0]
    }
  }
}
