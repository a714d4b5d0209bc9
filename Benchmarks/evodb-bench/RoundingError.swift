import Foundation
import Inference

/// What bfloat16 costs: KL of the dense model in bfloat16 from the same model in float32.
enum RoundingError {
  private static let sequenceCount = 8

  private struct Input: Encodable {
    var model: String
    var sequences: [[Int32]]
  }

  private struct Output: Decodable {
    var kl: Double
    var torch: String
    var transformers: String
  }

  static func section(_ example: ExampleCatalog, runsReference: Bool) throws -> BenchSection {
    let sequences = example.sequences.prefix(sequenceCount).map(\.tokenIDs)
    let exact = try Forward(example, .float32)
    let rounded = try Forward(example, .bfloat16)
    var sum = 0.0
    var count = 0
    for sequence in sequences {
      let (teacher, student) = (try exact.logits(sequence), try rounded.logits(sequence))
      for row in 0..<sequence.count - 1 {
        let shift = Float(VectorKernels.logSumExp(teacher, row: row))
        for column in 0..<teacher.columns { teacher[row, column] -= shift }
        sum += VectorKernels.klDivergence(
          teacher: teacher, teacherRow: row, student: student, row: row,
          studentLogSumExp: VectorKernels.logSumExp(student, row: row))
        count += 1
      }
    }
    let reference =
      runsReference
      ? PythonReference.run(
        "bfloat16_error.py", Input(model: example.modelFolder.path, sequences: sequences),
        temporaryFolder: example.folder, giving: Output.self) : nil
    return BenchSection(
      key: "rounding", title: "3d. What bfloat16 costs",
      words: """
        KL of the dense model in bfloat16 from the same in float32, nats a position, on \(sequences.count) sequences of \
        \(ExampleCatalog.sequenceLength) tokens. Deterministic.
        """,
      reference: reference.map {
        """
        the same for transformers \($0.transformers) on PyTorch \($0.torch), whose bfloat16 rounds more than products \
        (Benchmarks/bfloat16_error.py).
        """
      } ?? "none: PyTorch or transformers is missing.",
      figures: [
        Figure("kl_micronats", "KL from float32", sum / Double(count) * 1e6, "micronats", digits: 2)
          .against(time: reference.map { $0.kl * 1e6 }, aim: "1 x")
      ])
  }

  /// The dense model in one arithmetic.
  private struct Forward {
    let model: any LanguageModel
    let weights: WeightCache

    init(_ example: ExampleCatalog, _ arithmetic: Arithmetic) throws {
      let open = try example.opened(arithmetic)
      (model, weights) = (open.network, open.weights)
    }

    /// Logits of all positions that predict something.
    func logits(_ tokenIDs: [Int32]) throws -> Matrix {
      var x = model.embed(tokenIDs)
      for block in 0..<model.blockCount {
        x = try model.block(block, x, weight: { try weights.weight($0, .dense) }, dropped: [], tap: nil)
      }
      return model.logits(model.finish(x), rows: 0..<tokenIDs.count - 1)
    }
  }
}
