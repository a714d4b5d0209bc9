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
    var threads: Int
  }

  private struct Output: Decodable {
    var seconds: Double
    var torch: String
    var threads: Int
  }

  /// Runs `pytorch_gptq.py`, which stands beside this program's folder in `Benchmarks/`; nil if Python, PyTorch or
  /// transformers is missing or it fails.
  static func measured(
    model: URL, layers: [String], sequences: [[Int32]], bits: [Int], threadCount: Int, temporaryFolder: URL
  ) -> ReferenceCompression? {
    let script = "Benchmarks/pytorch_gptq.py"
    guard FileManager.default.fileExists(atPath: script) else { return nil }
    let input = Input(model: model.path, layers: layers, sequences: sequences, bits: bits, threads: threadCount)
    let file = temporaryFolder.appendingPathComponent("reference-compression.json")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", script, file.path]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    do {
      try JSONEncoder().encode(input).write(to: file)
      try process.run()
      let data = pipe.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else { return nil }
      let output = try JSONDecoder().decode(Output.self, from: data)
      return ReferenceCompression(
        seconds: output.seconds,
        description: """
          measured now: calibration and the same levels of all layers with PyTorch \(output.torch), \(output.threads) \
          threads (Benchmarks/pytorch_gptq.py).
          """)
    } catch {
      return nil
    }
  }
}
