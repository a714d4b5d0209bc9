/// The normalisation forms (Unicode Standard Annex #15) as Hugging Face tokenizers computes them: by the tables of Unicode
/// 9 (its crate `unicode-normalization-alignments`).
///
/// For those tables later characters are unassigned: they stay where they are, and nothing moves across them or
/// composes with them. `precomposedStringWithCanonicalMapping` has newer tables, which reorder some 100 more marks, and
/// composes what it should not (U+10041 U+0301 to U+00C1, Swift 6.3), so it is asked about single scalars only.
enum NormalizationForm: Sendable {
  case nfc, nfd, nfkc, nfkd

  /// Whether parts are put together again.
  fileprivate var composes: Bool { self == .nfc || self == .nfkc }

  /// Whether variants of characters become the characters, as "ﬁ" becomes "fi".
  fileprivate var isCompatible: Bool { self == .nfkc || self == .nfkd }

  /// No scalar whose UTF-8 begins with a smaller byte changes, moves or composes with one before it.
  fileprivate var firstByte: UInt8 {
    switch self {
    case .nfc: 0xCC
    case .nfd: 0xC3
    case .nfkc, .nfkd: 0xC2
    }
  }

  /// The normalised form of UTF-8 text.
  func normalize(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard text.contains(where: { $0 >= firstByte }) else { return text }
    return Normalization(form: self).run(text)
  }
}

/// One normalisation of a text.
private struct Normalization {
  private let form: NormalizationForm
  private var result: [UInt8] = []
  /// Scalars since the last one that nothing before can change, decomposed, with their combining classes.
  private var pending: [(scalar: UInt32, combiningClass: UInt8)] = []

  init(form: NormalizationForm) { self.form = form }

  func run(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let firstByte = form.firstByte
    var composition = self
    composition.result.reserveCapacity(text.count)
    var position = text.startIndex
    while let mark = text[position...].firstIndex(where: { $0 >= firstByte }) {
      // What comes before stays, but for the last scalar, with which a mark may compose.
      let base = text[position..<mark].lastIndex { $0 & 0xC0 != 0x80 } ?? mark
      composition.result += text[position..<base]
      let end = text[mark...].firstIndex { $0 < 0x80 || (0xC0..<firstByte).contains($0) } ?? text.endIndex
      for scalar in String(decoding: text[base..<end], as: UTF8.self).unicodeScalars { composition.append(scalar) }
      composition.flush()
      position = end
    }
    composition.result += text[position...]
    return composition.result[...]
  }

  private mutating func append(_ scalar: Unicode.Scalar) {
    if let syllable = HangulSyllable(scalar.value) {
      pending += syllable.jamo.map { ($0, 0) }
    } else if let parts = NormalizationTables.parts(of: scalar.value, isCompatible: form.isCompatible) {
      pending += parts.map { ($0, NormalizationTables.combiningClass($0)) }
    } else {
      pending.append((scalar.value, NormalizationTables.combiningClass(scalar.value)))
    }
  }

  /// Orders what is pending, composes it if the form does, and appends it to the result.
  private mutating func flush() {
    orderMarks()
    let scalars = form.composes ? composed() : pending.map(\.scalar)
    pending.removeAll(keepingCapacity: true)
    for value in scalars {
      if let scalar = Unicode.Scalar(value) { result += Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter) }
    }
  }

  private func composed() -> [UInt32] {
    var composed: [UInt32] = []
    var starter: Int?
    var lastClass: UInt8 = 0
    for (scalar, combiningClass) in pending {
      // A mark is blocked by one of its own or a higher class between the starter and it, a starter by anything.
      if let place = starter, place == composed.count - 1 || (lastClass != 0 && lastClass < combiningClass),
        let composite = NormalizationTables.canonical.composite(composed[place], scalar)
      {
        composed[place] = composite
        continue
      }
      if combiningClass == 0 { starter = composed.count }
      lastClass = combiningClass
      composed.append(scalar)
    }
    return composed
  }

  /// Sorts each run of marks by class; equal ones keep their order.
  private mutating func orderMarks() {
    guard pending.count > 1 else { return }
    var start = 0
    while start < pending.count {
      guard pending[start].combiningClass != 0 else {
        start += 1
        continue
      }
      let end = pending[start...].firstIndex { $0.combiningClass == 0 } ?? pending.count
      // Swift's sort is stable, which its documentation does not promise; so the place decides between equals.
      let sorted = pending[start..<end].enumerated().sorted {
        ($0.element.combiningClass, $0.offset) < ($1.element.combiningClass, $1.offset)
      }
      pending.replaceSubrange(start..<end, with: sorted.map(\.element))
      start = end
    }
  }
}

/// A Hangul syllable, whose parts follow from its number (Unicode Standard, section 3.12).
struct HangulSyllable {
  private static let (first, last): (UInt32, UInt32) = (0xAC00, 0xD7A3)
  private static let (leads, vowels, trails): (UInt32, UInt32, UInt32) = (0x1100, 0x1161, 0x11A7)
  private static let (leadCount, vowelCount, trailCount): (UInt32, UInt32, UInt32) = (19, 21, 28)

  private let index: UInt32

  init?(_ scalar: UInt32) {
    guard (Self.first...Self.last).contains(scalar) else { return nil }
    index = scalar - Self.first
  }

  /// The two or three scalars that it decomposes to.
  var jamo: [UInt32] {
    let trail = index % Self.trailCount
    let pair = index / Self.trailCount
    return [Self.leads + pair / Self.vowelCount, Self.vowels + pair % Self.vowelCount]
      + (trail == 0 ? [] : [Self.trails + trail])
  }

  /// The syllable of a lead and a vowel, or of a syllable without trail and a trail.
  static func composite(_ left: UInt32, _ right: UInt32) -> UInt32? {
    if (leads..<leads + leadCount).contains(left), (vowels..<vowels + vowelCount).contains(right) {
      return first + ((left - leads) * vowelCount + (right - vowels)) * trailCount
    }
    if let syllable = HangulSyllable(left), syllable.index % trailCount == 0,
      (trails + 1..<trails + trailCount).contains(right)
    {
      return left + (right - trails)
    }
    return nil
  }
}
