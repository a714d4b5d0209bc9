import Catalog

/// A question to the evaluation ledger: every assignment on every sequence, in every measure.
public struct ObservationQuestion {
  /// The assignments.
  public var assignments: [AssignmentRecord]
  /// The sequences to evaluate the assignments on.
  public var sequences: [SequenceRecord]
  /// What is measured.
  public var measures: [Measure]

  /// A question.
  public init(of assignments: [AssignmentRecord], on sequences: [SequenceRecord], measures: [Measure]) {
    self.assignments = assignments
    self.sequences = sequences
    self.measures = measures
  }
}

/// Answers questions about assignments: the ledger, or whoever asks it for several at once.
public protocol ObservationSource: AnyObject {
  /// The answers for every assignment and sequence, [assignment][sequence][measure].
  ///
  /// - Parameter watch: called with (answered, wanted) pairs of assignment and sequence.
  /// - Throws: `InferenceError`, `CatalogError`; what was committed before stays.
  func observations(
    of assignments: [AssignmentRecord], on sequences: [SequenceRecord], measures: [Measure],
    watch: @escaping (Int, Int) -> Void
  ) throws -> [[[Observation]]]
}

/// Places in a list of assignments, each once, and where each of them stands.
struct AssignmentPlaces {
  private(set) var list: [Int] = []
  private var positions: [Int: Int] = [:]

  init(_ places: [Int] = []) { add(places) }

  mutating func add(_ more: AssignmentPlaces) {
    // Nearly always there is one question, and all its sequences share one list.
    if list.isEmpty { self = more } else { add(more.list) }
  }

  private mutating func add(_ places: [Int]) {
    for place in places where positions[place] == nil {
      positions[place] = list.count
      list.append(place)
    }
  }

  func position(of place: Int) -> Int? { positions[place] }
}
