import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct ActivationStreamTests {
  private let golden: GoldenModel
  /// More than one chunk of sequences, of different lengths.
  private let sequences: [[Int32]] = (0..<19).map { randomTokens(9 + $0 % 4, vocabulary: 96, seed: UInt64($0)) }

  init() throws { golden = try GoldenModel() }

  private static func rounded(_ weight: Float, _ id: Int) -> Float { (weight * 10).rounded() / 10 }

  private func stream(
    _ threadCount: Int, work: WorkCounter = WorkCounter(), cancellation: Cancellation = Cancellation(),
    place: StreamStore.Place = .memory, chunk: Int = 16
  ) throws -> ActivationStream {
    try ActivationStream(
      model: golden.model, weights: golden.cache(Self.rounded), sequences: sequences, threadCount: threadCount,
      work: work, cancellation: cancellation, place: place, chunkSequenceCount: chunk)
  }

  /// Inputs of every site of every block, by the plain way: each block sees what `upstream` left, with its own dense
  /// weights.
  private func plainInputs(upstream: WeightChoice) throws -> [Int: [Matrix]] {
    let weights = golden.cache(Self.rounded)
    var result: [Int: [Matrix]] = [:]
    for tokenIDs in sequences {
      var x = golden.model.embed(tokenIDs)
      for block in 0..<golden.model.blockCount {
        _ = try golden.model.block(
          block, x, weight: { try weights.weight($0, .dense) }, dropped: [],
          tap: { result[$0, default: []].append($1.copy()) })
        x = try golden.model.block(
          block, x, weight: { try weights.weight($0, upstream) }, dropped: [], tap: nil)
      }
    }
    return result
  }

  private func check(_ hessians: [Int: Matrix], _ block: Int, _ inputs: [Int: [Matrix]]) throws {
    #expect(hessians.keys.sorted() == Array(block * 4..<(block + 1) * 4))
    for (site, hessian) in hessians {
      let inputs = try #require(inputs[site])
      let expected = HessianAccumulatorTests.plain(inputs)
      let largest = expected.map(abs).max() ?? 0
      // Sums over all tokens with a rounding of 2⁻²⁴ a term, in whatever order the kernels take.
      #expect(largestDifference(hessian.values, expected) < 1e-5 * largest)
      let accumulator = HessianAccumulator(width: hessian.rows)
      for input in inputs { accumulator.add(input) }
      #expect(accumulator.hessian(sequenceCount: inputs.count).values == hessian.values, "bit for bit")
    }
  }

  @Test(arguments: 1...3) func denseHessiansEqualAPlainComputation(_ threadCount: Int) throws {
    let inputs = try plainInputs(upstream: .dense)
    let work = WorkCounter()
    let advancing = try stream(threadCount, work: work)
    for block in 0..<3 { try check(try advancing.hessians(advancing: true), block, inputs) }
    #expect(advancing.blockIndex == 3)
    let tokens = sequences.reduce(0) { $0 + $1.count }
    #expect(work.forwardBlockTokenCount == 3 * tokens, "the pass that calibrates also moves on")
    // Moving on with the dense weights is the same.
    let moved = try stream(threadCount)
    for block in 0..<3 {
      try check(try moved.hessians(advancing: false), block, inputs)
      #expect(moved.blockIndex == block)
      try moved.advance { _ in .dense }
    }
  }

  @Test(arguments: [1, 3]) func laterBlocksSeeWhatCompressedOnesLeave(_ threadCount: Int) throws {
    let inputs = try plainInputs(upstream: .numbered(1))
    let dense = try plainInputs(upstream: .dense)
    let stream = try stream(threadCount)
    for block in 0..<3 {
      try check(try stream.hessians(advancing: false), block, inputs)
      try stream.advance { _ in .numbered(1) }
    }
    #expect(inputs[0]?.map(\.values) == dense[0]?.map(\.values))
    #expect(inputs[4]?.map(\.values) != dense[4]?.map(\.values))
  }

  @Test func streamsOnDiskGiveTheSameBits() throws {
    let folder = try TemporaryFolder()
    let inMemory = try stream(2)
    let onDisk = try stream(2, place: .disk(folder: folder.url), chunk: 2)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty, "the file has no name")
    for _ in 0..<3 {
      let expected = try inMemory.hessians(advancing: true)
      let found = try onDisk.hessians(advancing: true)
      for (site, hessian) in expected { #expect(found[site]?.values == hessian.values) }
    }
    #expect(try onDisk.bytes == inMemory.bytes)
    let restored = try stream(1, place: .disk(folder: folder.url))
    #expect(try restored.restore(inMemory.bytes, blockIndex: 3))
    #expect(try restored.bytes == inMemory.bytes)
    let nowhere = folder.url.appendingPathComponent("nowhere")
    expectError(like: InferenceError.inputOutput(path: nowhere.path, detail: "cannot make a scratch file")) {
      try stream(1, place: .disk(folder: nowhere))
    }
  }

  @Test func cancellingStopsAndLeavesTheBlockWhereItWas() throws {
    let cancellation = Cancellation()
    let stream = try stream(2, cancellation: cancellation)
    cancellation.request()
    #expect(throws: InferenceError.interrupted) { _ = try stream.hessians(advancing: true) }
    #expect(throws: InferenceError.interrupted) { try stream.advance { _ in .dense } }
    #expect(stream.blockIndex == 0)
  }
}
