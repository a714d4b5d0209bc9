import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// The rules for every worker, however it is made and wherever it runs.
struct WorkerContract {
  /// One promise.
  enum Clause: CaseIterable {
    case sumsAreThoseOfAPlainForwardPass
    case neitherCompanyNorOrderMatters
    case anEqualRequestHasAnEqualAnswer
    case continuationsAreSummedFromTheirFirstToken
    case statesAreThoseOfAPlainForwardPass
    case requestsMayWaitForStates
    case whatDivergesIsCalledSo
    case aStopEndsTheWork
    case anErrorOfTheReceiverEndsTheWork
    case unknownContentIsRefused
    case anotherArithmeticIsRefused
    case whatContradictsTheModelIsRefused
  }

  let worker: any EvaluationWorker
  let bench: EvaluationBench

  /// Holds the worker to a clause.
  func hold(_ clause: Clause) throws {
    switch clause {
    case .sumsAreThoseOfAPlainForwardPass: try plainSums()
    case .neitherCompanyNorOrderMatters: try company()
    case .anEqualRequestHasAnEqualAnswer: try repetition()
    case .continuationsAreSummedFromTheirFirstToken: try continuations()
    case .statesAreThoseOfAPlainForwardPass: try states()
    case .requestsMayWaitForStates: try waiting()
    case .whatDivergesIsCalledSo: try divergence()
    case .aStopEndsTheWork: try stop()
    case .anErrorOfTheReceiverEndsTheWork: try receiverError()
    case .unknownContentIsRefused: try unknownContent()
    case .anotherArithmeticIsRefused: try otherArithmetic()
    case .whatContradictsTheModelIsRefused: try contradictions()
    }
  }

  private func plainSums() throws {
    let requests = bench.sequences.indices.map { bench.request($0) }
    let (sums, work) = try worker.sums(requests)
    let expected = try requests.map { try bench.plainSums($0) }
    #expect(sums == expected)
    #expect(expected.joined().joined().allSatisfy { $0 != nil })
    #expect(Set(expected[0].map { $0[0] }).count == bench.candidates.count - 1, "but for one they differ")
    // The dense model is its own teacher.
    let tokens = bench.sequences.reduce(0) { $0 + $1.count }
    #expect(work.forwardTokenCount == (bench.candidates.count - 1) * tokens)
    #expect(work.forwardBlockTokenCount > 0 && work.forwardBlockTokenCount <= 3 * work.forwardTokenCount)
    // Without its state it is computed like any other.
    let likelihoods = requests.indices.map { bench.request($0, measures: [.perplexity]) }
    let alone = try worker.sums(likelihoods)
    #expect(alone.sums == expected.map { $0.map { [$0[1]] } })
    #expect(alone.work.forwardTokenCount == bench.candidates.count * tokens)
  }

  private func company() throws {
    let requests = bench.sequences.indices.map { bench.request($0) }
    let together = try worker.sums(requests).sums
    #expect(try worker.sums(requests.reversed()).sums == together.reversed())
    for (request, expected) in zip(requests, together) { #expect(try worker.sums([request]).sums == [expected]) }
    let backwards = requests.indices.map { bench.request($0, candidates: bench.candidates.reversed()) }
    #expect(try worker.sums(backwards).sums == together.map { $0.reversed() })
    // Every sequence with other candidates, and other measures.
    let some = requests.indices.map { index in
      bench.request(
        index, measures: index % 2 == 0 ? [.topKKL(k: 5), .kl] : [.perplexity],
        candidates: Array(bench.candidates[index...index + 2]))
    }
    #expect(
      try worker.sums(some).sums
        == requests.indices.map { index in
          together[index][index...index + 2].map { index % 2 == 0 ? [$0[2], $0[0]] : [$0[1]] }
        })
    #expect(try worker.sums([]).sums.isEmpty)
  }

  /// Results in the order of their candidates, whatever pieces they came in and whoever computed them.
  private func answers(_ request: EvaluationRequest) throws -> (results: [EvaluationAnswer.Result], tokenCount: Int) {
    var results: [EvaluationAnswer.Result] = []
    var tokens = 0
    try worker.answer([request], cancellation: Cancellation()) { answer in
      var plain = answer
      plain.origin = nil
      let read = try EvaluationAnswer(bytes: answer.bytes)
      #expect(read == plain)
      results += answer.results
      tokens += answer.work.forwardTokenCount
    }
    return (results.sorted { $0.candidate < $1.candidate }, tokens)
  }

  private func repetition() throws {
    for sequence in bench.sequences.indices {
      let first = try answers(bench.request(sequence))
      #expect(try answers(bench.request(sequence)) == first)
    }
  }

  private func continuations() throws {
    let requests = [(0, 5), (0, 23), (2, 1), (3, 39)].map { sequence, first in
      bench.request(sequence, measures: [.continuation(firstToken: first)])
    }
    #expect(try worker.sums(requests).sums == requests.map { try bench.plainSums($0) })
    // The last token is predicted, not fed: a sequence may be one longer than the model.
    let ids = randomTokens(network.maximumLength + 1, vocabulary: 96, seed: 4)
    let longest = EvaluationRequest(
      model: bench.model, tokenIDs: ids, measures: [.continuation(firstToken: 60)],
      candidates: [bench.candidates[1]], teacherState: nil)
    let (sums, work) = try worker.sums([longest])
    #expect(sums[0][0][0] != nil && work.forwardTokenCount == network.maximumLength)
  }

  private var network: any LanguageModel { bench.network }

  private func states() throws {
    let requests = bench.sequences.map { TeacherStateRequest(model: bench.model, tokenIDs: $0) }
    var states: [Digest?] = requests.map { _ in nil }
    var work = EvaluationWork()
    try worker.checkedTeacherStates(requests, of: network, cancellation: Cancellation()) { request, state, more in
      states[request] = state.map { TeacherState($0).key }
      work += more
    }
    #expect(states == bench.states)
    let tokens = bench.sequences.reduce(0) { $0 + $1.count }
    #expect(work == EvaluationWork(forwardTokenCount: tokens, forwardBlockTokenCount: 3 * tokens))
  }

  private func waiting() throws {
    let whole = bench.sequences.indices.map { bench.request($0) }
    // The second one is complete; two wait for the same state.
    let requests =
      whole.enumerated().map { index, request in
        index == 1
          ? request
          : EvaluationRequest(
            model: request.model, tokenIDs: request.tokenIDs, measures: request.measures,
            candidates: request.candidates, teacherState: nil)
      } + [
        EvaluationRequest(
          model: bench.model, tokenIDs: bench.sequences[0], measures: [.kl], candidates: [bench.candidates[2]],
          teacherState: nil)
      ]
    let waited = bench.sequences.indices.filter { $0 != 1 }
    let plan = EvaluationPlan(
      requests, awaiting: waited.map { TeacherStateRequest(model: bench.model, tokenIDs: bench.sequences[$0]) },
      stateOfRequest: requests.indices.map { $0 == requests.count - 1 ? 0 : waited.firstIndex(of: $0) })
    var sums = requests.map { $0.candidates.map { _ in [Double?]() } }
    var (told, tokens) = (Set<Int>(), 0)
    try worker.checkedAnswers(to: plan, of: network, cancellation: Cancellation()) { place, state, answer in
      #expect(state?.key == bench.states[waited[place]])
      told.insert(place)
      tokens += answer.work.forwardTokenCount
    } onAnswer: { request, results, answer in
      #expect(plan.stateOfRequest[request].map(told.contains) ?? true)
      for result in results { sums[request][result.candidate] = result.sums }
      tokens += answer.work.forwardTokenCount
    }
    let expected = try whole.map { try bench.plainSums($0) }
    #expect(Array(sums.dropLast()) == expected)
    #expect(sums.last == [[expected[0][2][0]]])
    // The dense model is its own teacher, and the last request is of one candidate.
    let all = bench.sequences.reduce(0) { $0 + $1.count }
    #expect(
      tokens == (bench.candidates.count - 1) * all + (all - bench.sequences[1].count) + bench.sequences[0].count)

    var calls = 0
    #expect(throws: Refusal()) {
      try worker.answer(plan, cancellation: Cancellation()) { _ in
        calls += 1
        throw Refusal()
      } onAnswer: { answer in
        #expect(answer.request == whole[1].key)
      }
    }
    #expect((1...3).contains(calls))
  }

  private func divergence() throws {
    let candidates = [bench.candidates[1]] + bench.diverging + [bench.candidates[2]]
    let requests = bench.sequences.indices.map { bench.request($0, candidates: candidates) }
    let sums = try worker.sums(requests).sums
    let whole = try worker.sums(bench.sequences.indices.map { bench.request($0) }).sums
    for (row, whole) in zip(sums, whole) {
      #expect(row[0] == whole[1] && row[4] == whole[2])
      for bad in row[1...3] { #expect(bad == [nil, nil, nil]) }
    }
  }

  private func stop() throws {
    let requests = bench.sequences.indices.map { bench.request($0) }
    let early = Cancellation()
    early.request()
    #expect(throws: InferenceError.interrupted) {
      try worker.answer(requests, cancellation: early) { _ in Issue.record("an answer after the stop") }
    }
    #expect(throws: InferenceError.interrupted) {
      try worker.teacherStates(
        [TeacherStateRequest(model: bench.model, tokenIDs: bench.sequences[0])], cancellation: early
      ) { _ in Issue.record("a state after the stop") }
    }
    let cancellation = Cancellation()
    let open = OpenRequests(requests)
    #expect(throws: InferenceError.interrupted) {
      try worker.answer(requests, cancellation: cancellation) { answer in
        _ = try open.take(answer)
        cancellation.request()
      }
    }
    expectError(like: InferenceError.wrongAnswer(detail: "results are missing"), "something was left") {
      try open.requireAllAnswered()
    }
    // And the worker is as good as new.
    #expect(try worker.sums([requests[0]]).sums == [try bench.plainSums(requests[0])])
  }

  private struct Refusal: Error, Equatable {}

  private func receiverError() throws {
    let requests = bench.sequences.indices.map { bench.request($0) }
    var calls = 0
    #expect(throws: Refusal()) {
      try worker.answer(requests, cancellation: Cancellation()) { _ in
        calls += 1
        throw Refusal()
      }
    }
    // Other threads may have been in the middle of an answer.
    #expect((1...3).contains(calls))
  }

  private func expect(
    _ refusal: EvaluationRefusal, _ request: EvaluationRequest, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: InferenceError.refusedRequest(refusal), sourceLocation: sourceLocation) {
      try worker.answer([request], cancellation: Cancellation()) { answer in
        #expect(answer.request == request.key)
      }
    }
  }

  private func unknownContent() throws {
    let nowhere = SHA256.digest(of: "nowhere".utf8)
    var candidate = bench.candidates[1]
    candidate.choices[20] = .variant(nowhere)
    expect(.unknownVariant(nowhere), bench.request(0, candidates: [candidate]))
    expect(
      .unknownTeacherState(nowhere),
      EvaluationRequest(
        model: bench.model, tokenIDs: bench.sequences[0], measures: [.kl], candidates: [bench.candidates[1]],
        teacherState: nowhere))
    var model = bench.model
    model.digest = nowhere
    expect(.unknownModel(nowhere), request(model))
    #expect(throws: InferenceError.refusedRequest(.unknownModel(nowhere))) {
      try worker.teacherStates(
        [TeacherStateRequest(model: model, tokenIDs: bench.sequences[0])], cancellation: Cancellation()
      ) { _ in Issue.record("a state of a model that is not here") }
    }
  }

  private func request(_ model: EvaluatedModel) -> EvaluationRequest {
    EvaluationRequest(
      model: model, tokenIDs: bench.sequences[0], measures: [.perplexity], candidates: [bench.candidates[1]],
      teacherState: nil)
  }

  private func otherArithmetic() throws {
    let other = SHA256.digest(of: "other".utf8)
    var model = bench.model
    model.numerics = other
    expect(.otherNumerics(wanted: other, own: bench.model.numerics), request(model))
    model = bench.model
    model.architectureRevision = 2
    expect(.otherRevision(of: "the architecture", wanted: 2, own: 1), request(model))
  }

  private func contradictions() throws {
    func request(
      _ tokenIDs: [Int32]? = nil, _ measures: [Measure] = [.perplexity], _ candidate: LayerChoices? = nil,
      state: Digest? = nil
    ) -> EvaluationRequest {
      EvaluationRequest(
        model: bench.model, tokenIDs: tokenIDs ?? bench.sequences[0], measures: measures,
        candidates: [candidate ?? bench.candidates[1]], teacherState: state)
    }
    var short = bench.candidates[1]
    short.choices.removeLast()
    var strange = bench.candidates[1]
    strange.dropped = [Subblock(blockIndex: 3, half: .mlp)]
    let bad = [
      request([]), request([1]), request([1, 96]), request([1, -2]), request([Int32](repeating: 1, count: 65)),
      request(nil, []), request(nil, [.perplexity, .perplexity]), request(nil, [.kl]),
      request(nil, [.continuation(firstToken: 24)]), request(nil, [.continuation(firstToken: 0)]),
      request(nil, [.perplexity], short), request(nil, [.perplexity], strange),
      request(nil, [.kl], state: bench.states[1]),
    ]
    for request in bad {
      #expect {
        try worker.answer([request], cancellation: Cancellation()) { _ in Issue.record("an answer to nonsense") }
      } throws: { error in
        if case InferenceError.refusedRequest(.malformed) = error { return true }
        // Where requests travel as bytes, some cannot even be written down.
        if case InferenceError.invalidData = error { return true }
        return false
      }
    }
  }
}
