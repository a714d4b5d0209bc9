import Foundation
import Inference

/// Section 12: the types of GGUF beside ggml's own code, on one thread.
enum BlockTimes {
  private static let rows = 256
  private static let columns = 1024

  private struct Input: Encodable {
    var rows = BlockTimes.rows
    var columns = BlockTimes.columns
    var types = GGUFType.quantized.map(\.name)
    var weights: [Float]
    var importance: [Float]
  }

  private struct Output: Decodable {
    var version: String
    var plain: [String: Double]
    var weighted: [String: Double]
  }

  static func section(runsReference: Bool) throws -> BenchSection {
    let weight = Matrix(rows: rows, columns: columns, values: Noise.values(rows * columns))
    let importance = Noise.values(columns, seed: 2).map { $0 * $0 }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let reference =
      runsReference
      ? PythonReference.run(
        "ggml_quantize.py", Input(weights: weight.values, importance: importance), temporaryFolder: folder,
        giving: Output.self) : nil
    let figures = try GGUFType.quantized.flatMap { type in
      try [("plain", nil, reference?.plain), ("weighted", importance, reference?.weighted)].map {
        key, importance, times in
        let seconds = try Stopwatch.best(of: 5) {
          _ = try BlockWeight(quantizing: weight, as: type, importance: importance)
        }
        let label = importance == nil ? type.name : "\(type.name) with importances"
        return Figure("\(type.name.lowercased())_\(key)_milliseconds", label, seconds * 1e3, "ms", digits: 2)
          .against(time: times?[type.name].map { $0 * 1e3 }, aim: "1 x")
      }
    }
    return BenchSection(
      key: "blocks", title: "12. Types of GGUF",
      words: """
        \(Processor.name), one thread, a \(rows) x \(columns) matrix of random weights, quantized in the types of llama.cpp with the same \
        bytes as ggml; the best of five.
        """,
      reference: reference.map { "ggml_quantize_chunk of xllamacpp \($0.version) (Benchmarks/ggml_quantize.py)" } ?? "",
      figures: figures)
  }
}
