import Catalog
import Foundation

/// Cuts texts into the sequences of a data set.
public struct TextSequences: Sendable {
  /// Where a beginning-of-sequence token is put.
  public enum BeginningOfSequence: String, Sendable, CaseIterable {
    /// Nowhere, as in the reference.
    case none
    /// At the head of every sequence, counted in its length.
    case eachSequence = "each-sequence"
  }

  /// How several text files are treated.
  public enum Documents: String, Sendable, CaseIterable {
    /// As one text, as in the reference.
    case join
    /// Each cut for itself.
    case separate
  }

  /// Which of the sequences are taken.
  public enum Share: String, Sendable, CaseIterable {
    /// All.
    case all
    /// All but every fourth.
    case kept
    /// Every fourth.
    case heldOut = "held-out"

    func takes(_ index: Int) -> Bool { self == .all || (index % 4 == 3) == (self == .heldOut) }
  }

  /// Tokens of a sequence.
  public var sequenceLength: Int
  /// Tokens to take at most; nil: all.
  public var tokenLimit: Int?
  /// Beginning-of-sequence tokens.
  public var beginning: BeginningOfSequence
  /// Several files.
  public var documents: Documents
  /// Which of the sequences are taken.
  public var share: Share

  /// Creates settings.
  public init(
    sequenceLength: Int, tokenLimit: Int?, beginning: BeginningOfSequence, documents: Documents, share: Share = .all
  ) {
    self.share = share
    self.sequenceLength = sequenceLength
    self.tokenLimit = tokenLimit
    self.beginning = beginning
    self.documents = documents
  }

  /// The data set made of texts, and the characters that are not in it.
  public struct Outcome: Sendable {
    /// The data set.
    public let dataSet: DataSetRecord
    /// Whether it was not there before.
    public let isNew: Bool
    /// Characters that the tokenizer left out, in the whole texts.
    public let droppedCharacters: DroppedCharacters
    /// Where the first of them is; nil: none was left out.
    public let firstDroppedPlace: String?
  }

  /// Reads, tokenises and cuts text files.
  ///
  /// - Parameter textField: where the texts of JSON Lines files are; nil: the files are plain text.
  /// - Throws: `InferenceError` for missing or empty files, text that is not UTF-8, a model without tokenizer, and text
  ///   that gives no whole sequence.
  public func store(_ files: [InputFile], textField: String? = nil, as name: String, model: ModelRecord, job: Job)
    throws -> Outcome
  {
    try store(
      as: name, model: model, job: job,
      reading: { try TextDocuments(files, textField: textField, cancellation: job.cancellation) })
  }

  /// Tokenises and cuts texts that were read.
  ///
  /// - Throws: as for files.
  public func store(_ documents: TextDocuments, as name: String, model: ModelRecord, job: Job) throws -> Outcome {
    try store(as: name, model: model, job: job, reading: { documents })
  }

  private func store(
    as name: String, model: ModelRecord, job: Job, reading: () throws -> TextDocuments
  ) throws -> Outcome {
    guard sequenceLength >= 2 else {
      throw InferenceError.impossible(detail: "a sequence has at least 2 tokens, not \(sequenceLength)")
    }
    let folder = try ModelFolder(model, store: job.store)
    let checkpoint = try folder.open()
    let (tokenizer, tokenizerDigest) = try folder.tokenizer(
      of: checkpoint, need: "; give token ids instead")
    var head: [Int32] = []
    if beginning == .eachSequence {
      guard let id = try Self.beginningToken(of: checkpoint) else {
        throw InferenceError.impossible(
          detail: "no token can begin each sequence: the model's config.json names no bos_token_id")
      }
      head = [id]
    }
    // Read last: whoever sends a long text through a pipe is told before what else is missing.
    let read = try reading()
    let texts = documents == .join ? [read.texts.joined(separator: read.separator)] : read.texts
    var sequences: [[Int32]] = []
    var dropped = 0
    var characters = DroppedCharacters()
    var remaining = tokenLimit ?? .max
    for (index, text) in texts.enumerated() {
      try job.cancellation.check()
      job.progress("tokenising", index, of: texts.count)
      let encoding = try tokenizer.encoding(of: text, addingSpecialTokens: false)
      let ids = encoding.ids
      characters.add(encoding.dropped)
      let fresh = sequenceLength - head.count
      var position = 0
      while position + fresh <= ids.count, remaining >= sequenceLength {
        sequences.append(head + ids[position..<position + fresh])
        position += fresh
        remaining -= sequenceLength
      }
      if remaining >= sequenceLength { dropped += ids.count - position }
    }
    sequences = sequences.enumerated().filter { share.takes($0.offset) }.map(\.element)
    guard !sequences.isEmpty else {
      throw InferenceError.invalidData(
        file: read.paths.joined(separator: ", "),
        detail: tokenLimit.map { $0 < sequenceLength } == true
          ? "a limit of \(tokenLimit ?? 0) tokens is less than one sequence of \(sequenceLength) tokens"
          : "has \(dropped) tokens, less than one sequence of \(sequenceLength); give more text or a smaller sequence length"
      )
    }
    try Self.check(sequences, model, source: checkpoint.tokenizerURL?.path ?? folder.url.path)
    let options = """
      {"sequence_length":\(sequenceLength),"token_limit":\(tokenLimit.map { String($0) } ?? "null"),\
      "bos":"\(beginning.rawValue)","documents":"\(documents.rawValue)","file_count":\(read.paths.count),"share":"\(share.rawValue)"\
      \(read.fieldOption)\(characters.count == 0 ? "" : ",\"dropped_character_count\":\(characters.count)")}
      """
    let stored = try job.write(durable: true) { tx in
      try tx.store(
        dataSet: name, sequences: sequences, tokenizerDigest: tokenizerDigest, textDigest: read.digest,
        options: options, droppedTokenCount: dropped)
    }
    return Outcome(
      dataSet: stored.dataSet, isNew: stored.isNew, droppedCharacters: characters,
      firstDroppedPlace: characters.count == 0 ? nil : try read.firstPlace(droppedBy: tokenizer))
  }

  /// Takes ready token ids: a safetensors file with `input_ids` [n, t], and `attention_mask` where it has padding.
  ///
  /// - Returns: the data set, and the tensors that were not looked at.
  /// - Throws: `InferenceError`: what `TokenIDFile` refuses, and ids outside the model's vocabulary.
  public static func store(tokenIDs file: InputFile, as name: String, model: ModelRecord, job: Job) throws
    -> (dataSet: DataSetRecord, isNew: Bool, ignoredTensors: [String])
  {
    let read = try TokenIDFile.read(file, cancellation: job.cancellation)
    let sequences = try read.sequences.map { ids in
      try ids.map { value in
        guard let id = Int32(exactly: value), id >= 0 else {
          throw InferenceError.invalidData(file: file.path, detail: "input_ids: \(value) is no token id")
        }
        return id
      }
    }
    try check(sequences, model, source: file.path)
    let padding = read.paddingCount == 0 ? "" : ",\"padding_token_count\":\(read.paddingCount)"
    let stored = try job.write(durable: true) { tx in
      try tx.store(
        dataSet: name, sequences: sequences, tokenizerDigest: nil, textDigest: nil,
        options: "{\"sequence_length\":\(read.width),\"token_ids\":true\(padding)}", droppedTokenCount: 0)
    }
    return (stored.dataSet, stored.isNew, read.ignored)
  }

  /// - Parameter source: the file that the ids come from.
  private static func check(_ sequences: [[Int32]], _ model: ModelRecord, source: String) throws {
    guard let configuration = try? JSONSerialization.jsonObject(with: Data(model.configuration.utf8)) as? [String: Any],
      let vocabulary = configuration["vocabulary_size"] as? Int
    else { throw CatalogError.damaged("model \(model.name): its configuration is not JSON") }
    if let bad = sequences.joined().first(where: { $0 < 0 || Int($0) >= vocabulary }) {
      throw InferenceError.invalidData(
        file: source,
        detail: "token id \(bad) is outside the vocabulary of \(model.name): its embedding has \(vocabulary) rows")
    }
  }

  static func beginningToken(of checkpoint: Checkpoint) throws -> Int32? {
    let url = checkpoint.directory.appendingPathComponent("config.json")
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any]
    return (object?["bos_token_id"] as? Int).flatMap { Int32(exactly: $0) }
  }
}
