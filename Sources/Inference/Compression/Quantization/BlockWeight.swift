/// A weight in a type of GGUF, in the bytes that its files hold: blocks, or halves in rows that no block fits.
public struct BlockWeight: Sendable, Equatable {
  /// The types that weights are stored in.
  public static let types: [GGUFType] = GGUFType.quantized + [.float16]

  /// The type of the bytes.
  public let type: GGUFType
  /// Number of rows (outputs).
  public let rows: Int
  /// Number of columns (inputs).
  public let columns: Int
  /// Row after row without gaps.
  public let bytes: [UInt8]

  /// Quantizes a weight to the bytes of `GGUFTensor`, or rounds it to halves.
  ///
  /// - Parameters:
  ///   - weight: [out, in] Float32.
  ///   - type: one of `types`.
  ///   - importance: what an error in each input counts, [in]; halves are rounded without.
  /// - Throws: as `GGUFTensor`.
  public init(quantizing weight: Matrix, as type: GGUFType, importance: [Float]? = nil) throws {
    if type == .float16 {
      try weight.requireQuantizable()
      var bytes: [UInt8] = []
      bytes.reserveCapacity(2 * weight.rows * weight.columns)
      for row in 0..<weight.rows {
        for column in 0..<weight.columns {
          let half = Float16(weight[row, column])
          guard half.isFinite else {
            throw InferenceError.invalidData(
              file: "weight", detail: "it has values that are too large for \(type.name)")
          }
          bytes.append(littleEndian: half.bitPattern)
        }
      }
      self.bytes = bytes
    } else {
      bytes = try GGUFTensor(quantizing: weight, as: type, importance: importance).bytes
    }
    self.type = type
    rows = weight.rows
    columns = weight.columns
  }

  /// A weight that was stored.
  ///
  /// - Throws: `InferenceError.impossible` for a type that is not one of `types` or a shape that is not one of whole blocks;
  ///   `InferenceError.invalidData` if the bytes are not as many as the shape needs, or a scale or half is not finite.
  public init(type: GGUFType, rows: Int, columns: Int, bytes: [UInt8]) throws {
    self.type = type
    self.rows = rows
    self.columns = columns
    self.bytes = bytes
    guard type == .float16 else {
      _ = try GGUFTensor(type: type, rows: rows, columns: columns, bytes: bytes)
      return
    }
    let byteCount = try Self.byteCount(type, rows: rows, columns: columns)
    guard bytes.count == byteCount else {
      throw InferenceError.invalidData(
        file: type.name, detail: "[\(rows), \(columns)] has \(byteCount) bytes, not \(bytes.count)")
    }
    // The upper byte of a half has its exponent.
    guard stride(from: 1, to: bytes.count, by: 2).allSatisfy({ bytes[$0] & 0x7c != 0x7c }) else {
      throw InferenceError.invalidData(file: type.name, detail: "a weight is NaN or infinite")
    }
  }

  /// Bytes of a matrix in one of `types`.
  ///
  /// - Throws: `InferenceError.impossible` for another type or a shape that is not one of whole blocks.
  public static func byteCount(_ type: GGUFType, rows: Int, columns: Int) throws -> Int {
    guard type == .float16 else { return try GGUFTensor.byteCount(type, rows: rows, columns: columns) }
    let (count, overflow) = rows.multipliedReportingOverflow(by: type.rowByteCount(width: columns) ?? 0)
    guard count > 0, !overflow else {
      throw InferenceError.impossible(
        detail: "a tensor has at least one row and one column and fits in memory, not \(rows) × \(columns)")
    }
    return count
  }

  /// The weights [rows, columns] that the bytes stand for.
  public func dequantized() -> Matrix { dequantized(rows: 0..<rows) }

  /// Writes some rows of the weights to the first rows of `target`.
  func dequantize(rows range: Range<Int>, into target: Matrix) {
    precondition(target.columns == columns && target.rows >= range.count)
    let part = dequantized(rows: range)
    withExtendedLifetime(part) { target.base.update(from: part.base, count: range.count * columns) }
  }

  private func dequantized(rows range: Range<Int>) -> Matrix {
    let rowByteCount = bytes.count / rows
    if type == .float16 {
      var values = [Float](repeating: 0, count: range.count * columns)
      // They are finite.
      _ = MaskPacking.widen(
        bytes, offset: range.lowerBound * rowByteCount, count: values.count, type: .float16, into: &values)
      return Matrix(rows: range.count, columns: columns, values: values)
    }
    let part = Array(bytes[range.lowerBound * rowByteCount..<range.upperBound * rowByteCount])
    guard let tensor = try? GGUFTensor(type: type, rows: range.count, columns: columns, bytes: part) else {
      preconditionFailure("the bytes were checked when the weight was made")
    }
    return tensor.dequantized()
  }
}
