import Catalog
import Foundation
import Inference

/// KL fitness at the sizes of larger models, whose weights are random.
struct ShapeFitness {
  let key: String
  let title: String
  let shape: ModelShape
  let candidateCount: Int
  /// Whether PyTorch is measured beside: it keeps every level of every weight.
  let hasReference: Bool

  static let small = ShapeFitness(
    key: "shapes", title: "3b. The same", shape: .small, candidateCount: 8, hasReference: true)
  static let large = ShapeFitness(
    key: "largeshapes", title: "3b. The same", shape: .large, candidateCount: 4, hasReference: false)

  private static let sequenceCount = 2

  func section(_ options: BenchOptions) throws -> BenchSection {
    let threadCount = options.threadCount
    let title = "\(self.title) at the sizes of a model of \(shape.parameters) parameters"
    let (arithmetics, note) = affordable(options.arithmetics)
    guard !arithmetics.isEmpty else { return BenchSection(key: key, title: title, words: note, figures: []) }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let random = try RandomModel(shape, in: folder.appendingPathComponent("model"))
    let checkpoint = try Checkpoint(directory: random.folder)
    let length = ExampleCatalog.sequenceLength
    let sequences = (0..<Self.sequenceCount).map { random.shape.tokenIDs(count: length, seed: UInt64($0 + 1)) }
    var bits: [[Int]] = []
    let evaluations = try arithmetics.map { arithmetic in
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
    var section = try CandidateEvaluation.fitnessSection(
      key: key, title: title, evaluations,
      threadCount: threadCount, changedLayers: bits.map { $0.count { $0 != 3 } }
    ) {
      hasReference && options.runsReference
        ? ReferenceFitness.measured(
          model: random.folder, layers: names, sequences: sequences, candidates: bits, temporaryFolder: folder) : nil
    }
    section.words += note
    if !hasReference { section.reference = "none: PyTorch would keep every level of every weight in memory." }
    return section
  }

  /// Those arithmetics whose weights fit into free memory, bfloat16's first: the dense ones and about two levels of each.
  private func affordable(_ wanted: [Arithmetic]) -> (arithmetics: [Arithmetic], note: String) {
    let free = AvailableMemory.byteCount / 10 * 9
    var used = 0
    var left: [String] = []
    let ordered = wanted.filter { $0 == .bfloat16 } + wanted.filter { $0 != .bfloat16 }
    let fitting = ordered.filter { arithmetic in
      let bytes = 3 * shape.parameterCount * (arithmetic == .bfloat16 ? 2 : 4)
      guard used + bytes <= free else {
        left.append(arithmetic.rawValue)
        return false
      }
      used += bytes
      return true
    }
    return (fitting, left.isEmpty ? "" : " Left out for lack of memory: \(left.joined(separator: ", ")).")
  }

  /// Bits by candidate and layer: uniform 3, with 1 to 3 pairs of layers switched.
  private func offspring(layerCount: Int) -> [[Int]] {
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
