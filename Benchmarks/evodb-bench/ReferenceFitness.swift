import Foundation

/// Speed of PyTorch on the same candidates and sequences: measured now if it is installed, else as recorded.
struct ReferenceFitness {
  var float32TokensPerSecond: Double
  var bfloat16TokensPerSecond: Double
  var description: String

  /// Figures of the reference implementation on two cores of an AMD EPYC virtual machine.
  static let recorded = ReferenceFitness(
    float32TokensPerSecond: 3200, bfloat16TokensPerSecond: 5500,
    description: "RECORDED, not measured now: EvoPress in PyTorch on two cores of an AMD EPYC virtual machine.")
  /// Seconds that calibration and GPTQ at five levels took there.
  static let recordedCompressionSeconds = 28.0

  private struct Input: Encodable {
    var model: String
    var layers: [String]
    var sequences: [[Int32]]
    var candidates: [[Int]]
  }

  private struct Output: Decodable {
    var float32_tokens_per_second: Double
    var bfloat16_tokens_per_second: Double
    var torch: String
    var transformers: String
    var threads: Int
  }

  /// Runs `reference_fitness.py`, which stands beside this program's folder in `Benchmarks/`; nil if Python, PyTorch or
  /// transformers is missing or it fails.
  static func measured(
    model: URL, layers: [String], sequences: [[Int32]], candidates: [[Int]], temporaryFolder: URL
  ) -> ReferenceFitness? {
    let input = Input(model: model.path, layers: layers, sequences: sequences, candidates: candidates)
    guard
      let output = PythonReference.run(
        "reference_fitness.py", input, temporaryFolder: temporaryFolder, giving: Output.self)
    else { return nil }
    return ReferenceFitness(
      float32TokensPerSecond: output.float32_tokens_per_second,
      bfloat16TokensPerSecond: output.bfloat16_tokens_per_second,
      description: """
        measured now: the same candidates and sequences with transformers \(output.transformers) on PyTorch \
        \(output.torch), \(output.threads) threads, its median candidate (Benchmarks/reference_fitness.py).
        """)
  }
}
