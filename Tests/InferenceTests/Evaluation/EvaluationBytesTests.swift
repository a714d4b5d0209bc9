import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Requests and answers as bytes: canonical, keyed, and refused where they are damaged.
@Suite(.usualTimeLimit) struct EvaluationBytesTests {
  private func digest(_ text: String) -> Digest { SHA256.digest(of: text.utf8) }

  private var model: EvaluatedModel {
    EvaluatedModel(digest: digest("model"), architectureRevision: 1, numerics: digest("numerics"))
  }

  private func request() -> EvaluationRequest {
    let (a, b) = (WeightChoice.variant(digest("a")), WeightChoice.variant(digest("b")))
    return EvaluationRequest(
      model: model, tokenIDs: [1, 0, 70_000],
      measures: [.kl, .topKKL(k: 10), .continuation(firstToken: 2), .perplexity],
      candidates: [
        LayerChoices(choices: [.dense, b, a]),
        LayerChoices(
          choices: [b, .dense, .dense],
          dropped: [Subblock(blockIndex: 11, half: .mlp), Subblock(blockIndex: 2, half: .attention)]),
      ], teacherState: digest("state"))
  }

  private func answer() -> EvaluationAnswer {
    EvaluationAnswer(
      request: request().key, numerics: digest("numerics"), predictionCounts: [2, 2, 1, 2],
      results: [
        .init(candidate: 1, sums: [0.25, -0.0, nil, 1e300]), .init(candidate: 0, sums: [nil, nil, nil, nil]),
      ], work: EvaluationWork(forwardTokenCount: 6, forwardBlockTokenCount: 72))
  }

  @Test func keysAreThoseOfTheFirstVersion() {
    #expect(request().key.hex == "9d82a37392084da100984ed07a4e9718e3a38f38dc8f335e304e6ca6cda7e8e3")
    #expect(
      TeacherStateRequest(model: model, tokenIDs: [5, 6]).key.hex
        == "b761625f22da3e4ab65bc09c11f0557d054745af1533e5bf0eb6cebc146fe46e")
    #expect(
      SHA256.digest(of: answer().bytes).hex == "6481d5b30453a2906852ff14209e5a4d032f7e36cab39f644c0a10e7a4d6cd20")
  }

  @Test func everythingInARequestIsInItsKey() {
    let (base, layers) = (request(), request().candidates)
    var keys = [base.key]
    func add(
      _ model: EvaluatedModel? = nil, _ tokenIDs: [Int32]? = nil, _ measures: [Measure]? = nil,
      _ candidates: [LayerChoices]? = nil, state: Digest?
    ) {
      keys.append(
        EvaluationRequest(
          model: model ?? base.model, tokenIDs: tokenIDs ?? base.tokenIDs, measures: measures ?? base.measures,
          candidates: candidates ?? base.candidates, teacherState: state
        ).key)
    }
    let state = base.teacherState
    for change in [\EvaluatedModel.digest, \.numerics] {
      var model = model
      model[keyPath: change] = digest("other")
      add(model, state: state)
    }
    var revised = model
    revised.architectureRevision = 2
    add(revised, state: state)
    add(nil, [1, 0, 70_001], state: state)
    add(nil, [1, 0], state: state)
    add(nil, nil, [.kl], state: state)
    add(nil, nil, [.topKKL(k: 11), .kl, .continuation(firstToken: 2), .perplexity], state: state)
    add(nil, nil, nil, layers.reversed(), state: state)
    add(nil, nil, nil, [layers[0]], state: state)
    var dropping = layers
    dropping[0].dropped = [Subblock(blockIndex: 0, half: .mlp)]
    add(nil, nil, nil, dropping, state: state)
    var exchanged = layers
    exchanged[0].choices.swapAt(1, 2)
    add(nil, nil, nil, exchanged, state: state)
    add(state: digest("other"))
    add(state: nil)
    #expect(Set(keys).count == keys.count)
    #expect(request().key == base.key)
  }

  @Test func whatWasWrittenIsRead() throws {
    #expect(try EvaluationRequest(bytes: request().bytes) == request())
    let back = try EvaluationAnswer(bytes: answer().bytes)
    #expect(back == answer())
    #expect(back.results[0].sums[1]?.sign == .minus)
    let states = TeacherStateRequest(model: model, tokenIDs: [5, 6])
    #expect(try TeacherStateRequest(bytes: states.bytes) == states)
    let values: [Float] = [1, -0.0, .nan, .infinity, 3e38, 1e-45]
    let state = TeacherStateAnswer(
      request: states.key, numerics: digest("n"), state: Matrix(rows: 2, columns: 3, values: values),
      work: EvaluationWork(forwardTokenCount: 2, forwardBlockTokenCount: 24))
    let read = try TeacherStateAnswer(bytes: state.bytes)
    #expect(read.bytes == state.bytes)
    #expect(read.state.values.map(\.bitPattern) == values.map(\.bitPattern))
  }

  /// Every bit of an answer, and every place where it may end.
  @Test func noDamageOfAnAnswerGoesUnnoticed() throws {
    let states = TeacherStateAnswer(
      request: digest("r"), numerics: digest("n"), state: Matrix(rows: 2, columns: 2, values: [1, 2, 3, 4]),
      work: EvaluationWork())
    for (bytes, read) in [
      (answer().bytes, { _ = try EvaluationAnswer(bytes: $0) }),
      (states.bytes, { _ = try TeacherStateAnswer(bytes: $0) }),
    ] as [([UInt8], ([UInt8]) throws -> Void)] {
      try read(bytes)
      for place in bytes.indices {
        var damaged = bytes
        damaged[place] ^= 1 << UInt8(place % 8)
        expectInvalid { try read(damaged) }
        expectInvalid { try read(Array(bytes[..<place])) }
      }
      expectInvalid { try read(bytes + [0]) }
    }
  }

  /// A request has its key in the place of a seal: whatever can be read has another.
  @Test func damagedRequestsAreOtherRequests() throws {
    let bytes = request().bytes
    for place in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[place] ^= 1 << UInt8(bit)
        do {
          let other = try EvaluationRequest(bytes: damaged)
          #expect(other.key != request().key && other.bytes == damaged)
        } catch InferenceError.invalidData, InferenceError.refusedRequest(.otherRevision) {
        }
      }
      expectInvalid { _ = try EvaluationRequest(bytes: Array(bytes[..<place])) }
    }
    expectInvalid { _ = try EvaluationRequest(bytes: bytes + [0]) }
    let states = TeacherStateRequest(model: model, tokenIDs: [5, 6])
    expectInvalid { _ = try TeacherStateRequest(bytes: states.bytes.dropLast()) }
    expectInvalid { _ = try TeacherStateRequest(bytes: bytes) }
    expectInvalid { _ = try EvaluationRequest(bytes: states.bytes) }
  }

  /// Answers whose seal fits, as somebody would make them who wants to do harm.
  @Test func hostileAnswersAreRefused() {
    for place in answer().bytes.indices.dropLast(32) {
      for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] {
        var content = Array(answer().bytes.dropLast(32))
        content[place] = value
        let sealed = content + SHA256.digest(of: content).bytes
        do {
          let read = try EvaluationAnswer(bytes: sealed)
          #expect(read.bytes == sealed)
        } catch InferenceError.invalidData {
        } catch {
          Issue.record("\(error)")
        }
      }
    }
  }

  private func expectInvalid(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(sourceLocation: sourceLocation) {
      try body()
    } throws: { error in
      if case InferenceError.invalidData = error { return true }
      return false
    }
  }
}
