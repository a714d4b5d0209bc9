import Foundation
import TestSupport

@testable import Catalog
@testable import Inference

/// The tiny model with variants, candidates and sequences, and what a plain forward pass says about them.
final class EvaluationBench: Sendable {
  let model: EvaluatedModel
  let network: any LanguageModel
  let contents: FolderContents
  let sequences: [[Int32]]
  /// The dense model, offspring of it and of each other, one that is listed twice, and two with dropped subblocks.
  let candidates: [LayerChoices]
  /// With weights that are not a number, infinite, and so large that products are infinite.
  let diverging: [LayerChoices]
  /// Content keys of the dense model's states, by sequence.
  let states: [Digest]
  private let dense: @Sendable (Int) throws -> Matrix

  init() throws {
    let golden = try GoldenModel()
    network = golden.model
    model = EvaluatedModel(
      digest: SHA256.digest(of: "tiny".utf8), architectureRevision: 1, numerics: NumericsRecord(.float32).digest)
    let contents = try FolderContents(width: golden.model.hiddenSize)
    self.contents = contents
    let (checkpoint, layers) = (golden.checkpoint, golden.model.layers)
    let dense: @Sendable (Int) throws -> Matrix = { index in
      try checkpoint.matrix(
        layers[index].tensorName, rows: layers[index].outputCount, columns: layers[index].inputCount)
    }
    self.dense = dense
    func variant(_ layer: Int, _ change: (Float) -> Float) throws -> WeightChoice {
      .variant(try contents.write(try dense(layer).values.map(change)))
    }

    var generator = SplitMix64(property: 16)
    var candidates = [LayerChoices.dense(layerCount: layers.count)]
    for _ in 0..<7 {
      var candidate = candidates[Int.random(in: 0..<candidates.count, using: &generator)]
      for _ in 0..<3 {
        let layer = Int.random(in: 0..<layers.count, using: &generator)
        let step = 0.02 * Float(Int.random(in: 1...3, using: &generator))
        candidate.choices[layer] = try variant(layer) { ($0 / step).rounded(.toNearestOrEven) * step }
      }
      candidates.append(candidate)
    }
    candidates[6].dropped = [Subblock(blockIndex: 2, half: .attention), Subblock(blockIndex: 1, half: .mlp)]
    candidates[7].dropped = [Subblock(blockIndex: 0, half: .mlp)]
    candidates.append(candidates[3])
    self.candidates = candidates
    diverging = try zip([0, 9, 20], [Float.nan, .infinity, 3e38]).map { layer, value in
      var candidate = candidates[1]
      candidate.choices[layer] = try variant(layer) { _ in value }
      return candidate
    }
    let sequences = [24, 2, 17, 40].enumerated().map { randomTokens($1, vocabulary: 96, seed: 60 + UInt64($0)) }
    self.sequences = sequences
    states = try sequences.map { try contents.write(try golden.hidden($0).values) }
  }

  /// Weights for a worker, out of the folder.
  func weights() -> WeightCache {
    let (network, contents, dense) = (network, contents, dense)
    return WeightCache(capacity: .max, arithmetic: .float32) { index, choice in
      switch choice {
      case .dense: try dense(index)
      case .variant(let key): try contents.weights(key, of: network.layers[index])
      }
    }
  }

  /// A request for all candidates on a sequence.
  func request(
    _ sequence: Int, measures: [Measure] = [.kl, .perplexity, .topKKL(k: 5)], candidates: [LayerChoices]? = nil
  ) -> EvaluationRequest {
    EvaluationRequest(
      model: model, tokenIDs: sequences[sequence], measures: measures, candidates: candidates ?? self.candidates,
      teacherState: measures.contains { $0.needsTeacher } ? states[sequence] : nil)
  }

  /// Sums by forward passes that share nothing: [candidate][measure]. Products have as many rows as the worker's, or
  /// their last bits would differ.
  func plainSums(_ request: EvaluationRequest) throws -> [[Double?]] {
    let weights = weights()
    let fed = Array(
      request.tokenIDs.prefix(FitnessEvaluator.fedCount(of: request.tokenIDs, request.measures)))
    func hidden(_ candidate: LayerChoices) throws -> Matrix {
      var x = network.embed(fed)
      for block in 0..<network.blockCount {
        x = try network.block(
          block, x, weight: { try weights.weight($0, candidate.choices[$0]) }, dropped: candidate.dropped, tap: nil)
      }
      return network.finish(x)
    }
    let teacher = FitnessSums.logProbabilities(
      hidden: try hidden(.dense(layerCount: network.layers.count)), model: network)
    return try request.candidates.map { candidate in
      let sums = FitnessSums.sums(
        hidden: try hidden(candidate), tokenIDs: request.tokenIDs, teacher: .whole(teacher),
        measures: request.measures, model: network)
      return request.measures.map { candidate.isDense && $0.needsTeacher ? 0 : sums[$0] ?? nil }
    }
  }
}

/// Matrices as files that are named by the SHA-256 of their bytes, which is looked at when they are read.
///
/// `@unchecked Sendable`: nothing changes but the files.
final class FolderContents: EvaluationContents, @unchecked Sendable {
  private let folder: TemporaryFolder
  private let url: URL
  /// Columns of a state.
  private let width: Int

  init(width: Int) throws {
    self.width = width
    folder = try TemporaryFolder()
    url = folder.url
  }

  func write(_ values: [Float]) throws -> Digest {
    let bytes = Matrix(rows: 1, columns: values.count, values: values).littleEndianBytes
    let key = SHA256.digest(of: bytes)
    try Data(bytes).write(to: url.appendingPathComponent(key.hex))
    return key
  }

  func weights(_ key: Digest, of layer: LayerDescription) throws -> any WeightSource {
    guard let matrix = try matrix(key, rows: layer.outputCount, columns: layer.inputCount) else {
      throw InferenceError.refusedRequest(.unknownVariant(key))
    }
    return matrix
  }

  func teacherState(_ key: Digest) throws -> Matrix {
    guard let matrix = try matrix(key, rows: nil, columns: width) else {
      throw InferenceError.refusedRequest(.unknownTeacherState(key))
    }
    return matrix
  }

  private func matrix(_ key: Digest, rows: Int?, columns: Int) throws -> Matrix? {
    let file = url.appendingPathComponent(key.hex)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    let bytes = [UInt8](try Data(contentsOf: file))
    guard SHA256.digest(of: bytes) == key else { return nil }
    return Matrix(rows: rows ?? bytes.count / 4 / columns, columns: columns, littleEndianBytes: bytes)
  }
}
