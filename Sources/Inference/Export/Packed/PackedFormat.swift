/// A checkpoint format that keeps the codes of a layer in tensors of its own, in place of a plain weight.
protocol PackedFormat: Sendable {
  /// Its name: `compressed-tensors`.
  var name: String { get }

  /// Checks that the format can hold a layer.
  ///
  /// - Throws: `InferenceError.unfit` with the rule and the received value.
  func validate(_ scheme: PackedScheme, rows: Int, columns: Int) throws

  /// The tensors of a layer, in the order in which they are written.
  func tensors(_ scheme: PackedScheme, rows: Int, columns: Int) -> [PackedTensor]

  /// The bytes of these tensors, one after another.
  func encode(_ weight: QuantizedWeight, _ scheme: PackedScheme) -> [[UInt8]]

  /// The weights [rows, columns] that the bytes of these tensors stand for, computed in Float32 as a reader of the format
  /// does.
  func decode(_ tensors: [[UInt8]], _ scheme: PackedScheme, rows: Int, columns: Int) -> Matrix
}

/// A tensor that is part of a packed layer.
struct PackedTensor: Equatable {
  /// What follows the layer's name and a dot: `qweight`.
  var suffix: String
  /// The type of its elements.
  var elementType: TensorElementType
  /// Its dimensions, outermost first.
  var shape: [Int]

  /// Bytes of all elements.
  var byteCount: Int { shape.reduce(elementType.byteCount, *) }
}

extension PackedFormat {
  /// The number `scale · (code − zero)` of every weight: the one product that all formats mean, and evodb too.
  ///
  /// - Parameters:
  ///   - codes: [rows][columns], in the order of the inputs.
  ///   - scales: [rows, groups].
  ///   - zeros: [groups][rows].
  ///   - groupOfInput: [columns].
  func values(codes: [[UInt8]], scales: [Float], zeros: [[Int]], groupOfInput: [Int]) -> Matrix {
    let result = Matrix(uninitializedRows: codes.count, columns: groupOfInput.count)
    for (row, rowCodes) in codes.enumerated() {
      for (column, group) in groupOfInput.enumerated() {
        let difference = Float(Int(rowCodes[column]) - zeros[group][row])
        result[row, column] = scales[row * zeros.count + group] * difference
      }
    }
    return result
  }
}

/// Scales of packed formats: binary16 or binary32, little-endian.
enum PackedScales {
  /// The bytes of scales, which are numbers of the type.
  static func bytes(_ scales: [Float], as type: TensorElementType) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(scales.count * type.byteCount)
    for scale in scales {
      if type == .float16 {
        bytes.append(littleEndian: FloatConversion.float16(scale))
      } else {
        bytes.append(littleEndian: scale.bitPattern)
      }
    }
    return bytes
  }

  /// The numbers in these bytes.
  static func values(_ bytes: [UInt8], as type: TensorElementType) -> [Float] {
    (0..<bytes.count / type.byteCount).map { index in
      type == .float16
        ? FloatConversion.widened(float16: bytes.littleEndian(at: 2 * index, as: UInt16.self))
        : Float(bitPattern: bytes.littleEndian(at: 4 * index, as: UInt32.self))
    }
  }

  /// Whether all are numbers of binary16.
  static func areHalves(_ scales: [Float]) -> Bool {
    scales.allSatisfy { FloatConversion.widened(float16: FloatConversion.float16($0)).bitPattern == $0.bitPattern }
  }
}
