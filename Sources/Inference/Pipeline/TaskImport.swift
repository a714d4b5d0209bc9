import Catalog
import Foundation

/// Takes a file of multiple-choice questions into a catalog, as tokens of a model.
public enum TaskImport {
  /// The text between a context and its choice.
  public enum Delimiter: Equatable, Sendable {
    /// A space where neither side has white space at the seam: what lm-evaluation-harness's default comes to, also for files
    /// whose choices bring their own.
    case automatic
    /// This text, always.
    case text(String)

    /// The text between a context and a choice.
    func between(_ context: String, _ choice: String) -> String {
      switch self {
      case .text(let text): return text
      case .automatic:
        guard let last = context.unicodeScalars.last, let first = choice.unicodeScalars.first else { return "" }
        return ContinuationEncoder.isSpace(last) || ContinuationEncoder.isSpace(first) ? "" : " "
      }
    }
  }

  /// Reads, tokenises and stores a file; the same questions again are found.
  ///
  /// - Parameter onDropped: is told what the tokenizer left out, if anything, and in which question first.
  /// - Throws: `InferenceError` naming the line.
  public static func store(
    _ file: InputFile, delimiter: Delimiter, model: ModelRecord, job: Job,
    onDropped: (DroppedCharacters, _ place: String) -> Void = { _, _ in }
  ) throws -> TaskRecord {
    let items = try MultipleChoiceItem.list(
      try InputText.bytes(of: file, limit: 1 << 30, cancellation: job.cancellation), file: file.name)
    let folder = try ModelFolder(model, store: job.store)
    let checkpoint = try folder.open()
    let tokenizer = try folder.tokenizer(of: checkpoint, need: ", which tasks need").tokenizer
    // The harness adds special tokens for Gemma alone, which is of no use without its first one.
    let addsSpecialTokens = model.architecture.hasPrefix("gemma")
    var (dropped, place, question) = (DroppedCharacters(), "", 0)
    let encoder = ContinuationEncoder(
      encode: { text in
        let encoding = try tokenizer.encoding(of: text, addingSpecialTokens: addsSpecialTokens)
        if dropped.count == 0, encoding.dropped.count > 0 { place = "question \(question) of \(file.path)" }
        dropped.add(encoding.dropped)
        return encoding.ids
      },
      beginningToken: try beginningToken(of: checkpoint), maximumLength: checkpoint.configuration.maximumPositions)
    var encoded: [[TaskChoice]] = []
    for (index, item) in items.enumerated() {
      question = index + 1
      try job.cancellation.check()
      job.progress("tokenising", index, of: items.count)
      do {
        let context = try encoder.context(item.context)
        encoded.append(
          try item.choices.enumerated().map { place, choice in
            let (ids, first) = try encoder.encode(context, delimiter.between(item.context, choice) + choice)
            return TaskChoice(
              tokenIDs: ids, measure: MeasureRecord(.continuation(firstToken: first), .float32),
              isAnswer: place == item.answer,
              characterCount: choice.unicodeScalars.count, byteCount: choice.utf8.count)
          })
      } catch InferenceError.impossible(let detail) {
        throw InferenceError.invalidData(file: file.name, detail: "question \(index + 1): \(detail)")
      }
    }
    if dropped.count > 0 { onDropped(dropped, place) }
    return try job.write(durable: true) { try $0.store(task: file.name, items: encoded) }
  }

  /// The token that the harness takes for an empty context.
  private static func beginningToken(of checkpoint: Checkpoint) throws -> Int32? {
    let url = checkpoint.directory.appendingPathComponent("config.json")
    guard
      case .object(let object) = try StrictJSON.parse(
        try RandomAccessFile.contents(of: url, limit: 16 << 20), file: url.path)
    else { return nil }
    for name in ["bos_token_id", "eos_token_id"] as [ByteString] {
      let value = object[name]?.array?.first ?? object[name]
      if let id = value?.integer.flatMap({ Int32(exactly: $0) }), id >= 0,
        Int(id) < checkpoint.configuration.vocabularySize
      {
        return id
      }
    }
    return nil
  }
}
