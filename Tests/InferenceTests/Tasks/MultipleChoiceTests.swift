import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Questions from a file, and their answers from a model.
@Suite(.usualTimeLimit) struct MultipleChoiceTests {
  private func items(_ text: String) throws -> [MultipleChoiceItem] {
    try MultipleChoiceItem.list(Array(text.utf8), file: "q.jsonl")
  }

  @Test func oneQuestionALineIsRead() throws {
    let text = """
      {"context": "a", "choices": ["b", " c"], "answer": 1, "id": 7}\r

      {"answer": 0, "choices": ["x", "y", "z"], "context": ""}
      """
    let items = try items(text)
    #expect(items.map(\.context) == ["a", ""])
    #expect(items[0].choices == ["b", " c"] && items[0].answer == 1)
  }

  @Test(arguments: [
    ("", "q.jsonl", "has no questions"), ("{", "line 1", "not valid JSON: "),
    (#"{"context": "a", "choices": ["b", "c"]}"#, "line 1", #"lacks "answer""#),
    (#"{"context": 1, "choices": ["b", "c"], "answer": 0}"#, "line 1", "context must be a string"),
    (#"{"context": "", "choices": ["b"], "answer": 0}"#, "line 1", "at least 2 strings"),
    (#"{"context": "", "choices": ["b", ""], "answer": 0}"#, "line 1", "must be strings that are not empty"),
    (#"{"context": "", "choices": ["b", "c"], "answer": 2}"#, "line 1", "the index of a choice, 0 to 1, is 2"),
    (#"{"context": "", "choices": ["b", "c"], "answer": "b"}"#, "line 1", "the index of a choice, 0 to 1, is "),
    (#"{"context": "", "choices": ["b", "c"], "answer": 0}"# + "\n[]", "line 2", "is no JSON object"),
    (#"{"context": "", "choices": ["b", "c"], "answer": 0, "answer": 1}"#, "line 1", "occurs twice"),
  ])
  func whatIsWrongIsNamedWithItsLine(text: String, place: String, expected: String) {
    expectError(like: InferenceError.invalidData(file: place, detail: expected)) { try items(text) }
  }

  /// One id per scalar, but "ab" is one token.
  private func encoder(maximumLength: Int = 100, beginning: Int32? = 1) -> ContinuationEncoder {
    ContinuationEncoder(
      encode: { text in
        text.replacing("ab", with: "\u{1}").unicodeScalars.map { Int32($0.value) }
      }, beginningToken: beginning, maximumLength: maximumLength)
  }

  @Test func spaceAtTheEndOfTheContextBelongsToTheChoice() throws {
    let encoder = encoder()
    let (ids, first) = try encoder.encode(try encoder.context("x \n"), "y")
    #expect(ids == "x \ny".unicodeScalars.map { Int32($0.value) })
    #expect(first == 1)
  }

  @Test func theSplitIsWhereTheContextAloneWouldEnd() throws {
    let encoder = encoder()
    // Together "xab" has two tokens, "xa" alone has two as well: nothing is left for "b".
    #expect(throws: InferenceError.impossible(detail: "the choice 'b' has no token behind the context's")) {
      try encoder.encode(try encoder.context("xa"), "b")
    }
    let (ids, first) = try encoder.encode(try encoder.context("xa"), "bc")
    // The context keeps its own tokens, as in the harness.
    #expect(ids == [120, 97, 99] && first == 2)
  }

  @Test func anEmptyContextIsTheBeginningOfASequence() throws {
    let (ids, first) = try encoder().encode(try encoder().context(""), "cd")
    #expect(ids == [1, 99, 100] && first == 1)
    expectError(like: InferenceError.impossible(detail: "the context is empty, and config.json names neither")) {
      try encoder(beginning: nil).encode(try encoder().context("  "), "c")
    }
  }

  @Test func whatIsTooLongLosesItsLeft() throws {
    let encoder = encoder(maximumLength: 3)
    let (ids, first) = try encoder.encode(try encoder.context("uvwxyz"), "cd")
    #expect(ids == "yzcd".unicodeScalars.map { Int32($0.value) } && first == 2)
    let (all, start) = try encoder.encode(try encoder.context("uvwxyz"), "cde")
    #expect(all == "zcde".unicodeScalars.map { Int32($0.value) } && start == 1)
    #expect(throws: InferenceError.impossible(detail: "the choice 'cdef' has 4 tokens; the model takes 3")) {
      try encoder.encode(try encoder.context("u"), "cdef")
    }
  }

  @Test func aSpaceIsPutWhereNeitherSideHasOne() {
    #expect(TaskImport.Delimiter.automatic.between("a", "b") == " ")
    #expect(TaskImport.Delimiter.automatic.between("a ", "b") == "")
    #expect(TaskImport.Delimiter.automatic.between("a", " b") == "")
    #expect(TaskImport.Delimiter.automatic.between("", "b") == "")
    #expect(TaskImport.Delimiter.text("\n").between("a ", " b") == "\n")
  }

  /// Questions of random tokens with choices of one to five tokens; the longest is one token longer than is fed.
  private func choices() -> [[TaskChoice]] {
    var generator = SplitMix64(property: 5)
    return (0..<9).map { item in
      let context = randomTokens(1 + item * 3, vocabulary: 96, seed: UInt64(item))
      return (0..<3).map { choice in
        let tail = randomTokens(1 + (item + choice) % 5, vocabulary: 96, seed: UInt64(100 + item * 3 + choice))
        return TaskChoice(
          tokenIDs: context + tail, measure: MeasureRecord(.continuation(firstToken: context.count), .float32),
          isAnswer: choice == item % 3, characterCount: Int.random(in: 1...9, using: &generator),
          byteCount: Int.random(in: 9...20, using: &generator))
      }
    }
  }

  @Test func accuraciesAreThoseOfThePlainComputation() throws {
    let catalog = try TestCatalog()
    let model = try catalog.importModel()
    let items = choices()
    let task = try catalog.store.write { try $0.store(task: "t", items: items) }
    let dense = try catalog.store.write { tx in
      let layers = try tx.layers(ofModel: model.id)
      return try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: ["1.mlp"])
    }
    let longest = items.joined().map(\.tokenIDs.count).max() ?? 0
    let evaluations = try EvaluationLedger(model: try catalog.open(longestSequence: longest - 1), job: catalog.job)
    try evaluations.answer(task, of: dense)
    let result = try #require(try catalog.store.read { try $0.result(ofAssignment: dense.id, onTask: task.id) })

    let golden = try GoldenModel()
    let likelihoods = try items.map { choices in
      try choices.map { choice -> Double in
        let hidden = try golden.hidden(
          choice.tokenIDs,
          LayerChoices(
            choices: golden.model.layers.map { _ in .dense }, dropped: [Subblock(blockIndex: 1, half: .mlp)]))
        let logits = golden.model.logits(hidden, rows: 0..<choice.tokenIDs.count)
        return (try #require(choice.measure.firstToken)..<choice.tokenIDs.count).reduce(0) { sum, position in
          let row = (0..<logits.columns).map { Double(logits[position - 1, $0]) }
          let largest = row.max() ?? 0
          let total = log(row.reduce(0) { $0 + exp($1 - largest) }) + largest
          return sum + row[Int(choice.tokenIDs[position])] - total
        }
      }
    }
    func accuracy(_ scale: (TaskChoice) -> Double) -> Double {
      let right = zip(items, likelihoods).filter { choices, values in
        let scores = zip(choices, values).map { $1 / scale($0) }
        let taken = scores.indices.max { scores[$0] < scores[$1] } ?? 0
        return choices[taken].isAnswer
      }
      return Double(right.count) / Double(items.count)
    }
    #expect(result.accuracy == accuracy { _ in 1 })
    #expect(result.normalizedAccuracy == accuracy { Double($0.characterCount) })
    #expect(result.byteAccuracy == accuracy { Double($0.byteCount) })
    let p = try #require(result.accuracy)
    #expect(
      abs(try #require(result.accuracyStandardError) - (p * (1 - p) / Double(items.count - 1)).squareRoot()) < 1e-12)
    let view =
      "SELECT acc || ' ' || acc_norm || ' ' || acc_bytes || ' ' || round(acc_standard_error, 9) FROM task_result"
    let fields = try #require(try catalog.texts(view).first).split(separator: " ").compactMap { Double($0) }
    #expect(fields.count == 4)
    for (field, value) in zip(fields, [result.accuracy, result.normalizedAccuracy, result.byteAccuracy]) {
      #expect(abs(field - (try #require(value))) < 1e-9)
    }
    for (question, expected) in zip(task.questions, likelihoods.joined()) {
      let observation = try catalog.store.read {
        try $0.observation(
          assignmentID: dense.id, measureID: question.measureID, sequenceID: question.sequence.id,
          preferring: catalog.job.numericsID)
      }
      // Logits differ by some 1e-5 from those of another order of operations, their sums by as much a token.
      #expect(abs(try #require(observation?.sum) + expected) < 1e-4 * max(1, abs(expected)))
      #expect(observation?.predictionCount == question.sequence.tokenIDs.count - question.firstToken)
    }
    let fed = evaluations.forwardTokenCount
    #expect(fed == items.joined().reduce(0) { $0 + $1.tokenIDs.count - 1 })
    try evaluations.answer(task, of: dense)
    #expect(evaluations.forwardTokenCount == fed)
  }

  @Test func aRepeatedQuestionWeighsMoreAndCountsOnce() throws {
    let catalog = try TestCatalog()
    let model = try catalog.importModel()
    let measure = MeasureRecord(.continuation(firstToken: 1), .float32)
    func item(_ number: Int32) -> [TaskChoice] {
      (0..<2).map { index in
        TaskChoice(
          tokenIDs: [number, index + 5], measure: measure, isAnswer: index == 0, characterCount: 1, byteCount: 1)
      }
    }
    try catalog.store.write { tx in
      let once = try tx.store(task: "once", items: (0..<4).map(item))
      let twice = try tx.store(task: "twice", items: [0, 1, 2, 3, 0, 1, 2, 3].map(item))
      let uneven = try tx.store(task: "uneven", items: [0, 1, 1, 2, 1, 3].map(item))
      let layers = try tx.layers(ofModel: model.id)
      let dense = try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: [])
      // Right: questions 0 and 1.
      for (place, question) in once.questions.enumerated() {
        let isRight = place / 2 < 2
        try tx.store(
          observation: Observation(sum: (place % 2 == 0) == isRight ? 1 : 2, predictionCount: 1),
          assignmentID: dense.id, measureID: question.measureID, sequenceID: question.sequence.id,
          numericsID: catalog.job.numericsID, jobID: catalog.job.record.id)
      }
      let first = try #require(try tx.result(ofAssignment: dense.id, onTask: once.id))
      #expect(first.accuracy == 0.5)
      #expect(abs(try #require(first.accuracyStandardError) - (0.25 / 3).squareRoot()) < 1e-15)
      let second = try #require(try tx.result(ofAssignment: dense.id, onTask: twice.id))
      #expect(second == first)
      // Weights 1, 3, 1, 1: four of six right; residuals w (x − 2/3).
      let third = try #require(try tx.result(ofAssignment: dense.id, onTask: uneven.id))
      #expect(abs(try #require(third.accuracy) - 4.0 / 6) < 1e-15)
      let residuals: [Double] = [1.0 / 3, 1, -2.0 / 3, -2.0 / 3]
      let squares: Double = residuals.reduce(0) { $0 + $1 * $1 }
      let expected = (squares * 4 / 3).squareRoot() / 6
      for error in [
        third.accuracyStandardError, third.normalizedAccuracyStandardError, third.byteAccuracyStandardError,
      ] {
        #expect(abs(try #require(error) - expected) < 1e-15)
      }
      // The view says the same.
      let columns = ["item_count", "distinct_item_count", "acc", "acc_standard_error", "acc_norm_standard_error"]
      var rows: [[Double]] = []
      try tx.connection.forEachRow(
        "SELECT \(columns.joined(separator: ", ")) FROM task_result ORDER BY task_id"
      ) { row in rows.append(try columns.map { try row.value($0) }) }
      #expect(rows.map { $0[0] } == [4, 8, 6] && rows.allSatisfy { $0[1] == 4 })
      for (row, result) in zip(rows, [first, second, third]) {
        #expect(abs(row[2] - (try #require(result.accuracy))) < 1e-15)
        #expect(abs(row[3] - (try #require(result.accuracyStandardError))) < 1e-15)
        #expect(abs(row[4] - (try #require(result.normalizedAccuracyStandardError))) < 1e-15)
      }
    }
  }

  @Test func halfAnsweredAndDivergedQuestionsDoNotPassForRight() throws {
    let catalog = try TestCatalog()
    let model = try catalog.importModel()
    let measure = MeasureRecord(.continuation(firstToken: 1), .float32)
    func choice(_ item: Int32, _ index: Int32) -> TaskChoice {
      TaskChoice(
        tokenIDs: [item, index + 5], measure: measure, isAnswer: index == 0, characterCount: 1, byteCount: 1)
    }
    let items: [[TaskChoice]] = [[choice(0, 0), choice(0, 1)], [choice(1, 0), choice(1, 1)]]
    try catalog.store.write { tx in
      let task = try tx.store(task: "t", items: items)
      #expect(try tx.store(task: "other name", items: items).id == task.id)
      let layers = try tx.layers(ofModel: model.id)
      let dense = try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: [])
      func answer(_ question: Int, _ sum: Double?) throws {
        let question = task.questions[question]
        try tx.store(
          observation: Observation(sum: sum, predictionCount: 1), assignmentID: dense.id, measureID: question.measureID,
          sequenceID: question.sequence.id, numericsID: catalog.job.numericsID, jobID: catalog.job.record.id)
      }
      #expect(try tx.result(ofAssignment: dense.id, onTask: task.id) == nil)
      try answer(0, nil)
      try answer(1, nil)
      try answer(2, 1)
      #expect(try tx.result(ofAssignment: dense.id, onTask: task.id)?.accuracy == nil)
      try answer(3, 1)
      // Both choices of the first diverged: wrong. Equal ones of the second: the first is taken.
      #expect(try tx.result(ofAssignment: dense.id, onTask: task.id)?.accuracy == 0.5)
    }
  }
}
