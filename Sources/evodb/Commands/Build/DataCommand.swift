import Catalog
import Foundation
import Inference

/// `evodb data`.
struct DataCommand: Command {
  static let name = "data"
  static let abstract = "Make a data set from texts, token ids, or samples of a model."
  static let discussion = """
    As the reference does, the whole text is tokenised without special tokens and cut consecutively; the incomplete tail \
    is left out and its size printed. Each input is read once, so a pipe will do: <(zcat wiki.txt.gz), or - for stdin.

    JSON Lines are read with --text-field. A file called .jsonl, .ndjson or .json is refused without it; compressed files, \
    Parquet and UTF-16 are refused with the command that converts them.

    With --token-ids, what attention_mask masks at the ends of a row is left out; labels other than the ids, positions that \
    do not count from 0 and other integers for every token are refused.

    --generate samples the sequences from the model itself, for models whose training data nobody has (self-calibration, \
    Williams et al. 2024). Each begins with the model's beginning-of-sequence token, or, if its config.json names none, \
    with one drawn uniformly from the vocabulary. Equal seeds give equal data on equal arithmetic, whatever --threads and \
    --memory are. A stopped generation starts again from its first token.
    """
  static let examples = [
    "evodb data my.evodb wiki wiki.txt --sequence-length 2048 --tokens 524288",
    "evodb data my.evodb c4 <(zcat c4.jsonl.gz) --text-field text --tokens 524288",
    "evodb data my.evodb ids --token-ids ids.safetensors",
    "evodb data my.evodb own --generate --tokens 65536 --sequence-length 256 --seed 0",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("NAME", "What to call the data set.", rule: .notEmpty) var dataName: String
  @Positional("TEXT_FILE", "UTF-8 text: files, pipes, or - for stdin.") var files: [String]
  @Option("--model", "MODEL", "Whose tokenizer to use, or which to sample from; may be left out if there is only one.")
  var model: String?
  @Option("--sequence-length", "N", "Tokens of a sequence.", rule: .atLeast(2)) var sequenceLength: Int = 256
  @Option("--tokens", "N", "Tokens to take at most [default: all], or to sample.", rule: .atLeast(2))
  var tokenLimit: Int?
  @Option("--bos", "WHERE", "Beginning-of-sequence tokens: none, or at the head of each-sequence.")
  var beginning: TextSequences.BeginningOfSequence = .none
  @Option("--documents", "HOW", "Several files: join them to one text, or cut each for itself (separate).")
  var documents: TextSequences.Documents = .join
  @Option(
    "--text-field", "FIELD",
    "The files are JSON, a record a line or an array of records: take this field of each. Records are documents; joined, "
      + "an empty line stands between them.", rule: .notEmpty)
  var textField: String?
  @Option(
    "--token-ids", "FILE",
    "Take ready ids instead of text: a safetensors file with input_ids [n, t], and attention_mask where it has padding."
  )
  var tokenIDs: String?
  @Flag("--generate", "Sample the sequences from the model instead of reading text.") var generates: Bool
  @Option("--seed", "N", "Of --generate, \(UInt64.rule) [default: 0].") var seed: UInt64?
  @Option("--temperature", "T", "What --generate divides logits by [default: 1].", rule: .above(0))
  var temperature: Double?
  @Option(
    "--top-p", "P", "Draw from the likeliest tokens with this probability together (--generate) [default: 1].",
    rule: .above(0, upTo: 1))
  var topP: Double?
  let resources = ResourceOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws {
    guard [!files.isEmpty, tokenIDs != nil, generates].count(where: { $0 }) == 1 else {
      throw UsageError("give either text files, or --token-ids FILE, or --generate")
    }
    if generates {
      guard tokenLimit != nil else { throw UsageError("--generate needs --tokens N: how many to sample") }
      if resources.arithmetic == .bfloat16 {
        throw UsageError("--arithmetic bfloat16 is for evaluations; texts are sampled in float32")
      }
    } else {
      let given = [
        ("--seed", seed != nil), ("--temperature", temperature != nil), ("--top-p", topP != nil),
        ("--threads", resources.threads != nil), ("--memory", resources.memory != nil),
        ("--arithmetic", resources.arithmetic != nil),
      ]
      if let stray = given.first(where: { $0.1 }) { throw UsageError("\(stray.0) is an option of --generate") }
    }
    guard (files + [tokenIDs].compactMap { $0 }).count(where: { $0 == "-" }) <= 1 else {
      throw UsageError("- is stdin, which can be read once")
    }
    let ofTexts = [
      ("--bos", $beginning.wasGiven), ("--documents", $documents.wasGiven), ("--text-field", textField != nil),
    ]
    let ofCutting = [("--sequence-length", $sequenceLength.wasGiven), ("--tokens", tokenLimit != nil)]
    if let stray = (tokenIDs != nil ? ofTexts + ofCutting : generates ? ofTexts : []).first(where: { $0.1 }) {
      throw UsageError(
        "\(stray.0) has no use for \(generates ? "--generate" : "--token-ids, which takes sequences as they are")")
    }
  }

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let advice = generates ? "the same command starts again from the first token" : CatalogSession.resumeAdvice
    var ignored: [String] = []
    var dropped = DroppedCharacters()
    var droppedPlace: String?
    let stored = try session.write(Self.name, resources: generates ? resources : nil, advice: advice) { job in
      let record = try job.store.read { try $0.model(model) }
      if generates {
        let generation = SelfGeneratedSequences(
          sequenceLength: sequenceLength, tokenCount: tokenLimit ?? 0,
          sampler: try TokenSampler(temperature: temperature ?? 1, topP: topP ?? 1), seed: seed ?? 0)
        return try generation.store(as: dataName, model: record, memoryLimit: resources.memory?.bytes, job: job)
      }
      if let tokenIDs {
        let stored = try TextSequences.store(tokenIDs: InputFile(tokenIDs), as: dataName, model: record, job: job)
        ignored = stored.ignoredTensors
        return (stored.dataSet, stored.isNew)
      }
      let cutting = TextSequences(
        sequenceLength: sequenceLength, tokenLimit: tokenLimit, beginning: beginning, documents: documents)
      let outcome = try cutting.store(
        files.map { InputFile($0) }, textField: textField, as: dataName, model: record, job: job)
      (dropped, droppedPlace) = (outcome.droppedCharacters, outcome.firstDroppedPlace)
      return (outcome.dataSet, outcome.isNew)
    }
    if !stored.isNew, !progress.quiet { context.note("evodb: \(dataName) is there already with this content") }
    if !ignored.isEmpty {
      context.note("evodb: not looked at, as they say nothing of the ids: \(ignored.joined(separator: ", "))")
    }
    context.note(dropped, in: droppedPlace)
    let (count, distinct) = (stored.dataSet.sequenceCount, stored.dataSet.distinctSequenceCount)
    if distinct == 1, !progress.quiet {
      context.note("evodb: \(dataName) is one sequence, listed once or more: it gives no standard errors")
    } else if distinct < count, !progress.quiet {
      context.note(
        "evodb: \(count - distinct) of the sequences repeat another: each counts as often as it is listed in means, and "
          + "once in standard errors")
    }
    var result = ResultObject()
    result.add("data_set", .text(stored.dataSet.name))
    result.add("digest", .text(stored.dataSet.digest.hex))
    result.add("sequence_count", .integer(stored.dataSet.sequenceCount), .count)
    result.add("distinct_sequence_count", .integer(stored.dataSet.distinctSequenceCount), .count)
    result.add("token_count", .integer(stored.dataSet.tokenCount), .count)
    result.add("dropped_token_count", .integer(stored.dataSet.droppedTokenCount), .count)
    result.add("dropped_character_count", .integer(dropped.count), .count)
    try context.print(result, as: output.format)
  }
}
