/// A choice of a question: its tokens behind those of the context.
public struct TaskChoice: Equatable, Sendable {
  /// Context and choice, at least 2 ids.
  public var tokenIDs: [Int32]
  /// The continuation from where the choice begins; stored with the task.
  public var measure: MeasureRecord
  /// Whether it is the right one.
  public var isAnswer: Bool
  /// Unicode scalars of the choice.
  public var characterCount: Int
  /// Bytes of the choice in UTF-8.
  public var byteCount: Int

  /// Creates a choice.
  public init(tokenIDs: [Int32], measure: MeasureRecord, isAnswer: Bool, characterCount: Int, byteCount: Int) {
    self.tokenIDs = tokenIDs
    self.measure = measure
    self.isAnswer = isAnswer
    self.characterCount = characterCount
    self.byteCount = byteCount
  }
}

/// A multiple-choice task: questions with their choices as tokens.
public struct TaskRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64
  /// Content key.
  public var digest: Digest
  /// The name of the file it came from.
  public var name: String
  /// Questions.
  public var itemCount: Int
  /// The sequence and the measure of every choice, question by question.
  public var questions: [Question]

  /// One choice to be scored.
  public struct Question: Hashable, Sendable {
    /// Context and choice.
    public var sequence: SequenceRecord
    /// Local id of the measure.
    public var measureID: Int64
    /// Index of the first token of the choice.
    public var firstToken: Int
  }

  /// The part of a choice that is in the task's key.
  struct KeyedChoice {
    var sequence: Digest
    var measure: Digest
    var isAnswer: Bool
    var characterCount: Int
    var byteCount: Int
  }

  /// Content key of choices by item.
  static func digest(of items: [[KeyedChoice]]) -> Digest {
    var record = CanonicalRecord(kind: "task")
    for (item, choices) in items.enumerated() {
      for (index, choice) in choices.enumerated() {
        let answer = choice.isAnswer ? 1 : 0
        record.set(
          "choice.\(item).\(index)",
          "\(choice.sequence.hex)/\(choice.measure.hex)/\(answer)/\(choice.characterCount)/\(choice.byteCount)")
      }
    }
    return record.digest
  }
}

/// The result of an assignment on a task whose questions are all answered.
public struct TaskResult: Equatable, Sendable {
  /// Share of questions whose right choice has the highest log-likelihood.
  public var accuracy: Double?
  /// Its standard error.
  public var accuracyStandardError: Double?
  /// The same by log-likelihood per character.
  public var normalizedAccuracy: Double?
  /// Its standard error.
  public var normalizedAccuracyStandardError: Double?
  /// The same by log-likelihood per byte.
  public var byteAccuracy: Double?
  /// Its standard error.
  public var byteAccuracyStandardError: Double?
}
