/// How a layer's codes are to be read, in the terms that checkpoint formats of other programs have for it. Layers of equal
/// schemes share a config group, and runtimes fuse only layers of equal schemes.
public struct PackedScheme: Hashable, Comparable, Sendable {
  /// Bits of a code.
  public let bits: Int
  /// Whether every zero point is 2ᵇ⁻¹.
  public let isSymmetric: Bool
  /// Inputs that share a scale, of which every row has a whole number; nil: the whole row shares one.
  public let groupSize: Int?
  /// Whether groups follow another order than that of the inputs.
  public let hasActivationOrder: Bool

  /// A scheme.
  public init(bits: Int, isSymmetric: Bool, groupSize: Int?, hasActivationOrder: Bool = false) {
    self.bits = bits
    self.isSymmetric = isSymmetric
    self.groupSize = groupSize
    self.hasActivationOrder = hasActivationOrder
  }

  /// The scheme of a weight.
  ///
  /// - Throws: `InferenceError.unfit` for what no packed format has: a last group that is shorter than the others, and zero
  ///   points that are no codes.
  init(_ weight: QuantizedWeight) throws {
    let format = weight.format
    let size = format.quantizationGroupSize
    guard format.zeroPointsFitCodes else {
      throw InferenceError.unfit(
        detail: "zero points reach beyond the codes 0 to \(format.largestCode), which packed formats cannot store",
        mend: nil)
    }
    let isWholeRow = size == 0 || size > weight.columns
    guard isWholeRow || weight.columns.isMultiple(of: size) else {
      throw InferenceError.unfit(
        detail:
          "rows of \(weight.columns) inputs end in a group of \(weight.columns % size) beside groups of \(size), which "
          + "packed formats cannot store; build with a group size that divides \(weight.columns), or 0 for whole rows",
        mend: nil)
    }
    bits = format.bits
    isSymmetric = format.symmetric
    groupSize = isWholeRow ? nil : size
    // With one group, codes can stand in the order of the inputs.
    hasActivationOrder = !isWholeRow && size < weight.columns && weight.permutation != nil
  }

  /// By bits, then by the rest in a fixed order.
  public static func < (a: PackedScheme, b: PackedScheme) -> Bool { a.order.lexicographicallyPrecedes(b.order) }

  private var order: [Int] { [bits, isSymmetric ? 0 : 1, groupSize ?? 0, hasActivationOrder ? 1 : 0] }

  /// In a few words: `3 bits, asymmetric, groups of 128`.
  public var words: String {
    "\(bits) bits, \(isSymmetric ? "symmetric" : "asymmetric"), \(groupSize.map { "groups of \($0)" } ?? "whole rows")"
      + (hasActivationOrder ? ", activation order" : "")
  }
}

extension QuantizedWeight {
  /// The codes [rows, columns] in the order of the inputs.
  var codesByInput: [UInt8] {
    guard let permutation else { return codes }
    var result = [UInt8](repeating: 0, count: codes.count)
    for row in 0..<rows {
      let start = row * columns
      for column in 0..<columns { result[start + Int(permutation[column])] = codes[start + column] }
    }
    return result
  }

  /// The group of each input. [columns]
  var groupsByInput: [Int32] {
    let length = format.groupLength(columns: columns)
    var groups = [Int32](repeating: 0, count: columns)
    for place in 0..<columns { groups[permutation.map { Int($0[place]) } ?? place] = Int32(place / length) }
    return groups
  }

  /// The zero points of all rows in one group. [rows]
  func zeroPoints(ofGroup group: Int) -> [Int16] { (0..<rows).map { zeroPoints[$0 * groupCount + group] } }
}
