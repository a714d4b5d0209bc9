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
