import Foundation
import Inference

/// How fast text becomes tokens.
enum TokenizerTimes {
  /// English text of this many bytes, repeated from the example's calibration text.
  private static let byteCount = 4_000_000
  private static let styles = [
    ("byte_level_llama", "byte-level BPE, Llama-3's split", "byte-level-bpe"),
    ("byte_level_gpt2", "byte-level BPE, GPT-2's split", "gpt2-style"),
    ("byte_level_qwen2", "byte-level BPE, Qwen's split, NFC", "qwen2-style"),
    ("sentencepiece", "SentencePiece-style BPE", "sentencepiece-bpe"),
  ]

  /// Section 8. Tokenizers that are not there, as outside of the repository, are left out.
  static func section(example: String, fixtures: String = "Tests/Fixtures/golden/tokenizers") throws -> BenchSection {
    let source = try String(contentsOfFile: "\(example)/calibration.txt", encoding: .utf8)
    var text = ""
    while text.utf8.count < byteCount { text += source }
    let megabytes = Double(text.utf8.count) * 1e-6
    var files = [("example", "the example model's", "\(example)/tokenizer.json")]
    files += styles.map { ($0.0, $0.1, "\(fixtures)/\($0.2).json") }
    let figures = try files.filter { FileManager.default.fileExists(atPath: $0.2) }.map { key, label, path in
      let seconds = try Stopwatch.best(of: 3) {
        // A new one each time: nothing may be remembered from the last run.
        _ = try Tokenizer(contentsOf: URL(fileURLWithPath: path)).encode(text, addingSpecialTokens: false)
      }
      return Figure("\(key)_megabytes_per_second", label, megabytes / seconds, "MB/s", digits: 2).aiming("1 MB/s")
    }
    return BenchSection(
      key: "tokenizers", title: "8. Tokenizers",
      words: """
        \(Int(megabytes.rounded())) MB of English text (the example's calibration text over and over), one thread, a new \
        tokenizer each time, its loading included; the best of three.
        """,
      figures: figures)
  }
}
