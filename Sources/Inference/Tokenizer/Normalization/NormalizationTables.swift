import Foundation

/// The decompositions and compositions of Unicode 9, gathered from the standard library scalar by scalar.
struct NormalizationTables: Sendable {
  /// Made at the first text that needs it.
  static let canonical = NormalizationTables()

  private static let version: Unicode.Version = (major: 9, minor: 0)
  /// Where Unicode 9 has characters with decompositions, Hangul syllables apart.
  private static let ranges: [Range<UInt32>] = [
    0xC0..<0x3100, 0xF900..<0xFB50, 0x1_1000..<0x1_1700, 0x1_D100..<0x1_D200, 0x2_F800..<0x2_FA20,
  ]

  /// Where Unicode 9 has characters that are variants of others, Hangul syllables apart.
  private static let variantRanges: [Range<UInt32>] = [
    0xA0..<0x3400, 0xA69C..<0xA800, 0xAB5C..<0xAB60, 0xF900..<0x1_0000, 0x1_1000..<0x1_1700, 0x1_D100..<0x1_D800,
    0x1_EE00..<0x1_F300, 0x2_F800..<0x2_FA20,
  ]

  /// Full compatibility decompositions.
  private static let compatible: [UInt32: [UInt32]] = decompositions(variantRanges) {
    $0.decomposedStringWithCompatibilityMapping
  }

  /// Full canonical decompositions.
  private let decompositions: [UInt32: [UInt32]]
  /// Primary composites by left · 2³² + right.
  private let composites: [UInt64: UInt32]

  private init() {
    let decompositions = Self.decompositions(Self.ranges) { $0.decomposedStringWithCanonicalMapping }
    var compositeOfParts: [[UInt32]: UInt32] = [:]
    for (value, parts) in decompositions {
      guard let scalar = Unicode.Scalar(value) else { continue }
      // Those that Unicode excludes from composition are not their own composed form.
      let composed = String(scalar).precomposedStringWithCanonicalMapping.unicodeScalars.map(\.value)
      if composed == [value] { compositeOfParts[parts] = value }
    }
    var composites: [UInt64: UInt32] = [:]
    for (parts, composite) in compositeOfParts {
      guard let last = parts.last else { continue }
      let rest = Array(parts.dropLast())
      if let left = rest.count == 1 ? rest[0] : compositeOfParts[rest] { composites[Self.key(left, last)] = composite }
    }
    self.decompositions = decompositions
    self.composites = composites
  }

  private static func decompositions(
    _ ranges: [Range<UInt32>], _ decompose: (String) -> String
  ) -> [UInt32: [UInt32]] {
    var result: [UInt32: [UInt32]] = [:]
    for scalar in ranges.joined().lazy.compactMap(Unicode.Scalar.init) where isAssigned(scalar) {
      let parts = decompose(String(scalar)).unicodeScalars.map(\.value)
      if parts != [scalar.value] { result[scalar.value] = parts }
    }
    return result
  }

  /// The decomposition of a scalar; nil: it has none.
  static func parts(of scalar: UInt32, isCompatible: Bool) -> [UInt32]? {
    isCompatible ? compatible[scalar] : canonical.decompositions[scalar]
  }

  /// The scalar that two compose to.
  func composite(_ left: UInt32, _ right: UInt32) -> UInt32? {
    composites[Self.key(left, right)] ?? HangulSyllable.composite(left, right)
  }

  /// The canonical combining class; 0 for starters and for what Unicode 9 does not know.
  static func combiningClass(_ value: UInt32) -> UInt8 {
    guard value >= 0x300, let scalar = Unicode.Scalar(value), isAssigned(scalar) else { return 0 }
    return scalar.properties.canonicalCombiningClass.rawValue
  }

  private static func isAssigned(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.age.map { $0 <= version } ?? false
  }

  private static func key(_ left: UInt32, _ right: UInt32) -> UInt64 { UInt64(left) << 32 | UInt64(right) }
}
