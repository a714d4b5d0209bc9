import Catalog
import Foundation
import Inference

/// `evodb data`.
struct DataCommand: Command {
  static let name = "data"
  static let abstract = "Cut texts into the sequences of a data set."
  static let discussion = """
    As the reference does, the whole text is tokenised without special tokens and cut consecutively; the incomplete tail \
    is left out and its size printed.
    """
  static let examples = [
    "evodb data my.evodb wiki wiki.txt --sequence-length 2048 --tokens 524288",
    "evodb data my.evodb ids --token-ids ids.safetensors",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("NAME", "What to call the data set.", rule: .notEmpty) var dataName: String
  @Positional("TEXT_FILE", "UTF-8 text files.") var files: [String]
  @Option("--model", "MODEL", "Whose tokenizer to use; may be left out if there is only one model.") var model: String?
  @Option("--sequence-length", "N", "Tokens of a sequence.", rule: .atLeast(2)) var sequenceLength: Int = 256
  @Option("--tokens", "N", "Tokens to take at most [default: all].", rule: .atLeast(2)) var tokenLimit: Int?
  @Option("--bos", "WHERE", "Beginning-of-sequence tokens: none, or at the head of each-sequence.")
  var beginning: TextSequences.BeginningOfSequence = .none
  @Option("--documents", "HOW", "Several files: join them to one text, or cut each for itself (separate).")
  var documents: TextSequences.Documents = .join
  @Option("--token-ids", "FILE", "Take ready ids instead of text: a safetensors file with input_ids [n, t].")
  var tokenIDs: String?
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws {
    guard (tokenIDs == nil) != files.isEmpty else {
      throw UsageError("give either text files or --token-ids FILE")
    }
  }

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let stored = try session.write(Self.name) { job in
      let record = try job.store.read { try $0.model(model) }
      if let tokenIDs {
        return try TextSequences.store(tokenIDs: URL(fileURLWithPath: tokenIDs), as: dataName, model: record, job: job)
      }
      let cutting = TextSequences(
        sequenceLength: sequenceLength, tokenLimit: tokenLimit, beginning: beginning, documents: documents)
      return try cutting.store(files.map { URL(fileURLWithPath: $0) }, as: dataName, model: record, job: job)
    }
    if !stored.isNew, !progress.quiet { context.note("evodb: \(dataName) is there already with this content") }
    var result = ResultObject()
    result.add("data_set", .text(stored.dataSet.name))
    result.add("digest", .text(stored.dataSet.digest.hex))
    result.add("sequence_count", .integer(stored.dataSet.sequenceCount), .count)
    result.add("token_count", .integer(stored.dataSet.tokenCount), .count)
    result.add("dropped_token_count", .integer(stored.dataSet.droppedTokenCount), .count)
    try context.print(result, as: output.format)
  }
}
