import Catalog
import Foundation
import Inference

/// KL fitness at the sizes of a model of 135 million parameters, whose weights are random.
enum ShapeFitness {
  private static let candidateCount = 8
  private static let sequenceCount = 2

  /// - Parameter isMeasuringReference: whether PyTorch is measured beside.
  static func section(threadCount: Int, isMeasuringReference: Bool) throws -> BenchSection {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let random = try RandomModel(.small, in: folder.appendingPathComponent("model"))
    let checkpoint = try Checkpoint(directory: random.folder)
    let length = ExampleCatalog.sequenceLength
    let sequences = (0..<sequenceCount).map { random.shape.tokenIDs(count: length, seed: UInt64($0 + 1)) }
    var bits: [[Int]] = []
    let evaluations = try Arithmetic.allCases.map { arithmetic in
      let model = try LanguageModelFactory.open(checkpoint, longestSequence: length, arithmetic: arithmetic)
      bits = offspring(layerCount: model.layers.count)
      let weights = WeightCache(capacity: .max, arithmetic: arithmetic) { index, choice in
        let layer = model.layers[index]
        let dense = try checkpoint.matrix(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
        // The speed does not depend on which values the weights have, as long as levels differ.
        guard case .variant(let key) = choice, let level = key.bytes.last else { return dense }
        let scale = 1 - Float(level) / 64
        return Matrix(rows: dense.rows, columns: dense.columns, values: dense.values.map { $0 * scale })
      }
      let choices = bits.map { candidate in
        LayerChoices(
          choices: candidate.map { level in
            Digest(bytes: Array(repeating: 0, count: 31) + [UInt8(level)]).map { .variant($0) } ?? .dense
          })
      }
      return (
        arithmetic,
        try CandidateEvaluation(
          model: model, weights: weights, candidates: choices, sequences: sequences, threadCount: threadCount)
      )
    }
    let names = evaluations[0].1.model.layers.map { $0.name }
    return try CandidateEvaluation.fitnessSection(
      key: "shapes", title: "3b. The same at the sizes of a model of \(random.shape.parameters) parameters",
      evaluations,
      threadCount: threadCount, changedLayers: bits.map { $0.count { $0 != 3 } }
    ) {
      isMeasuringReference
        ? ReferenceFitness.measured(
          model: random.folder, layers: names, sequences: sequences, candidates: bits, temporaryFolder: folder) : nil
    }
  }

  /// Bits by candidate and layer: uniform 3, with 1 to 3 pairs of layers switched.
  private static func offspring(layerCount: Int) -> [[Int]] {
    var state: UInt64 = 11
    func draw(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % count
    }
    return (0..<candidateCount).map { candidate in
      var bits = [Int](repeating: 3, count: layerCount)
      for _ in 0...candidate % 3 {
        bits[draw(layerCount)] = 2
        bits[draw(layerCount)] = 4
      }
      return bits
    }
  }
}
