import Foundation

/// Calibration and GPTQ of all levels as a straightforward PyTorch program does them.
struct ReferenceCompression {
  var seconds: Double
  /// Where the figure comes from.
  var description: String

  /// Seconds of the reference implementation on the example, for machines without PyTorch.
  static let recorded = ReferenceCompression(
    seconds: ReferenceFitness.recordedCompressionSeconds,
    description: "RECORDED, not measured now: EvoPress in PyTorch on two cores of an AMD EPYC virtual machine.")

  private struct Input: Encodable {
    var model: String
    var layers: [String]
    var sequences: [[Int32]]
    var bits: [Int]
    var group_size = 128
    var upstream_bits = 3
    var blocks: Int?
    var threads: Int
  }

  private struct Output: Decodable {
    var seconds: Double
    var torch: String
    var threads: Int
  }

  /// Runs `pytorch_gptq.py`, which stands beside this program's folder in `Benchmarks/`; nil if Python, PyTorch or
  /// transformers is missing or it fails.
  ///
  /// - Parameter blockCount: how many blocks it computes, for the time of all; nil: all.
  static func measured(
    model: URL, layers: [String], sequences: [[Int32]], bits: [Int], threadCount: Int, temporaryFolder: URL,
    blockCount: Int? = nil
  ) -> ReferenceCompression? {
    let input = Input(
      model: model.path, layers: layers, sequences: sequences, bits: bits, blocks: blockCount, threads: threadCount)
    guard
      let output = PythonReference.run("pytorch_gptq.py", input, temporaryFolder: temporaryFolder, giving: Output.self)
    else { return nil }
    return ReferenceCompression(
      seconds: output.seconds,
      description: """
        measured now: calibration and the same levels of all layers with PyTorch \(output.torch), \(output.threads) \
        threads (Benchmarks/pytorch_gptq.py)\(blockCount.map { "; \($0) blocks, scaled up to all" } ?? "").
        """)
  }
}
