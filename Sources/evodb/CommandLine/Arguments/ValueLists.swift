import Inference

/// Integers, each once, typed as `2,3,4`, as a range `2-8` (both ends belong to it), or mixed: `2-4,8`.
struct IntegerList: ArgumentValue, Equatable, Sendable, ExpressibleByArrayLiteral {
  let values: [Int]

  static let rule = "different integers and rising ranges, such as 2,3,4 or 2-8"
  static let isRepeatable = true

  /// No list of levels, blocks or seeds is longer; it keeps `0-9999999999` from filling the memory.
  private static let largestCount = 10_000

  init(_ values: [Int]) {
    self.values = values
  }

  init(arrayLiteral elements: Int...) {
    self.values = elements
  }

  init?(argument: String) {
    var values: [Int] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let range = Self.range(part), range.count <= Self.largestCount - values.count else { return nil }
      values += range
    }
    guard Set(values).count == values.count else { return nil }
    self.values = values
  }

  var argumentText: String { values.map(String.init).joined(separator: ",") }

  func joined(with next: IntegerList) -> IntegerList {
    IntegerList(values + next.values.filter { !values.contains($0) })
  }

  /// `7`, `2-8`, `-3`, `-3--1`: a minus in first place is a sign, the next one the range.
  private static func range(_ text: Substring) -> ClosedRange<Int>? {
    let text = text.drop { $0 == " " }
    guard let dash = text.dropFirst().firstIndex(of: "-") else { return Int(text).map { $0...$0 } }
    guard let first = Int(text[..<dash]), let last = Int(text[text.index(after: dash)...]), first <= last,
      last.subtractingReportingOverflow(first).overflow == false, last - first < largestCount
    else { return nil }
    return first...last
  }
}

/// Different numbers, typed as `0.5,0.6`.
struct NumberList: ArgumentValue, Equatable, Sendable {
  let values: [Double]

  static let rule = "different numbers, such as 0.5,0.6"
  static let isRepeatable = true

  init(_ values: [Double]) {
    self.values = values
  }

  init?(argument: String) {
    var values: [Double] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let value = Double(argument: String(part.drop { $0 == " " })) else { return nil }
      // Minus zero is spelled differently in keys.
      values.append(value + 0)
    }
    guard Set(values).count == values.count else { return nil }
    self.values = values
  }

  var argumentText: String { values.map(\.argumentText).joined(separator: ",") }

  func joined(with next: NumberList) -> NumberList {
    NumberList(values + next.values.filter { !values.contains($0) })
  }
}

/// Semi-structured patterns, each once, typed as `2:4,4:8`.
struct PatternList: ArgumentValue, Equatable, Sendable {
  let values: [SparsityPattern]

  static let rule = "different patterns N:M with N of M weights kept, 1 ≤ N < M ≤ 256, such as 2:4,4:8"
  static let isRepeatable = true

  init(_ values: [SparsityPattern]) {
    self.values = values
  }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.compactMap { SparsityPattern(String($0)) }
    guard values.count == parts.count, Set(values).count == values.count else { return nil }
    self.values = values
  }

  var argumentText: String { values.map(\.description).joined(separator: ",") }

  func joined(with next: PatternList) -> PatternList {
    PatternList(values + next.values.filter { !values.contains($0) })
  }
}

/// Named storage types, each once, typed as `Q4_K,Q6_K`; which there are is for methods to say.
struct TypeList: ArgumentValue, Equatable, Sendable {
  let values: [String]

  static let rule = "different names of types, such as Q4_K,Q6_K"
  static let isRepeatable = true

  init(_ values: [String]) {
    self.values = values
  }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.map(String.init).filter { LevelRule($0, kinds: [.type]) == .type($0) }
    guard values.count == parts.count, Set(values).count == values.count else { return nil }
    self.values = values
  }

  var argumentText: String { values.joined(separator: ",") }

  func joined(with next: TypeList) -> TypeList {
    TypeList(values + next.values.filter { !values.contains($0) })
  }
}

/// Positive integers in order, typed as `4,2,1`, one per stage; equal ones are allowed.
struct CountList: ArgumentValue, Equatable, Sendable, ExpressibleByArrayLiteral {
  let values: [Int]

  static let rule = "positive integers, such as 4,2,1"

  init(_ values: [Int]) {
    self.values = values
  }

  init(arrayLiteral elements: Int...) {
    self.values = elements
  }

  init?(argument: String) {
    var values: [Int] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let value = Int(part.drop { $0 == " " }), value > 0 else { return nil }
      values.append(value)
    }
    self.values = values
  }

  var argumentText: String { values.map(String.init).joined(separator: ",") }
}
