/// The types of GGUF that hold a weight on a plain grid, `scale · (code − zero)`, without loss.
///
/// Q4_0, Q5_0 and Q8_0 are blocks of 32 elements `d · q` with d a half and q a whole number: the grid itself, where a scale
/// is a half, holds for whole blocks, and code − zero fits q. They cost 4.5, 5.5 and 8.5 bits a weight whatever the grid.
enum PlainGridContainer {
  /// Elements that share a scale.
  private static let blockLength = 32

  /// Why there is none.
  enum Obstacle: Equatable, Sendable {
    case width(Int)
    case groupSize(Int)
    case float32Scales
    case wideZeroPoints
    case permutation
    case tooManyBits(Int)

    /// The rule and the received value.
    var sentence: String {
      switch self {
      case .width(let width): "a row is no multiple of 32 long, but \(width)"
      case .groupSize(let size): "a group is no multiple of 32, but \(size)"
      case .float32Scales: "scales are 32 bits wide, and there they have 16"
      case .wideZeroPoints: "zero points go beyond the codes"
      case .permutation: "groups are in activation order"
      case .tooManyBits(let bits): "asymmetric codes of \(bits) bits need 9 with their sign"
      }
    }
  }

  /// What keeps the weights of a format out of all of them; nil: nothing.
  static func obstacle(_ format: QuantizationFormat, columns: Int, isPermuted: Bool) -> Obstacle? {
    let groupLength = format.groupLength(columns: columns)
    guard columns.isMultiple(of: blockLength) else { return .width(columns) }
    // One scale for the row holds in whatever order.
    guard groupLength >= columns || groupLength.isMultiple(of: blockLength) else { return .groupSize(groupLength) }
    guard groupLength >= columns || !isPermuted else { return .permutation }
    guard format.scaleType == .float16 else { return .float32Scales }
    guard format.symmetric || format.zeroPointsFitCodes else { return .wideZeroPoints }
    return format.symmetric || format.bits < 8 ? nil : .tooManyBits(format.bits)
  }

  /// The smallest type whose whole numbers hold code − zero.
  static func type(of format: QuantizationFormat) -> GGUFType {
    // From −2ᵇ⁻¹ to 2ᵇ⁻¹ − 1, or from −(2ᵇ − 1) to 2ᵇ − 1.
    switch format.symmetric ? format.bits : format.bits + 1 {
    case ...4: .q40
    case 5: .q50
    default: .q80
    }
  }

  /// The blocks of a weight that has no obstacle.
  static func encode(_ weight: QuantizedWeight) throws -> BlockWeight {
    let type = type(of: weight.format)
    let (rows, columns) = (weight.rows, weight.columns)
    let groupCount = weight.groupCount
    let groupLength = weight.format.groupLength(columns: columns)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(try BlockWeight.byteCount(type, rows: rows, columns: columns))
    var row = [Int](repeating: 0, count: columns)
    for r in 0..<rows {
      for column in 0..<columns {
        let zero = Int(weight.zeroPoints[r * groupCount + column / groupLength])
        row[weight.permutation.map { Int($0[column]) } ?? column] = Int(weight.codes[r * columns + column]) - zero
      }
      for start in stride(from: 0, to: columns, by: blockLength) {
        let scale = weight.scales[r * groupCount + start / groupLength]
        bytes.append(littleEndian: FloatConversion.float16(scale))
        append(row[start..<start + blockLength], as: type, to: &bytes)
      }
    }
    return try BlockWeight(type: type, rows: rows, columns: columns, bytes: bytes)
  }

  private static func append(_ numbers: ArraySlice<Int>, as type: GGUFType, to bytes: inout [UInt8]) {
    let first = numbers.startIndex
    let half = blockLength / 2
    switch type {
    case .q80:
      for number in numbers { bytes.append(UInt8(truncatingIfNeeded: number)) }
    case .q50:
      var high: UInt32 = 0
      for index in 0..<blockLength where (numbers[first + index] + 16) & 16 != 0 { high |= 1 << UInt32(index) }
      bytes.append(littleEndian: high)
      for index in 0..<half {
        let (low, upper) = (numbers[first + index] + 16, numbers[first + half + index] + 16)
        bytes.append(UInt8(low & 15 | (upper & 15) << 4))
      }
    default:
      for index in 0..<half {
        let (low, upper) = (numbers[first + index] + 8, numbers[first + half + index] + 8)
        bytes.append(UInt8(low & 15 | (upper & 15) << 4))
      }
    }
  }
}
