import Catalog
import Search

/// `evodb diff`.
struct DiffCommand: Command {
  static let name = "diff"
  static let abstract = "Show what two runs or two assignments differ in, down to the layers."
  static let discussion = """
    A and B are runs, or 8 or more digits of an assignment's digest. Of two runs the parameters of their recipes that differ are \
    shown first; then the values on every data set that both results were evaluated on as a whole, with the paired standard \
    error of their difference (B minus A); then the layers that are not equal. Formats for machines print one part.
    """
  static let examples = ["evodb diff my.evodb run-1 run-2", "evodb diff my.evodb run-1 3f8ac11e90b2 --format csv"]

  /// A table of the comparison.
  enum Part: String, ArgumentChoice {
    /// Parameters of the recipes, and what came out.
    case recipes
    /// Values and paired differences.
    case results
    /// Layers that are not equal.
    case layers
  }

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("A", "A run or an assignment.", rule: .notEmpty) var one: String
  @Positional("B", "Another one.", rule: .notEmpty) var other: String
  @Option("--part", "PART", "Only this part [default: all as tables, else layers].") var part: Part?
  let output = OutputOptions()

  func run(in context: CommandContext) throws {
    try CatalogSession(context: context, path: catalog).read { store in
      let (a, b) = try store.read { (try Side(one, $0, catalog), try Side(other, $0, catalog)) }
      let areRuns = a.run != nil && b.run != nil
      guard part != .recipes || areRuns else {
        throw UsageError(
          "--part recipes compares two runs; \(TerminalText.visible(a.run == nil ? one : other)) is none")
      }
      let parts =
        part.map { [$0] }
        ?? (output.format != .table ? [.layers] : areRuns ? [.recipes, .results, .layers] : [.results, .layers])
      for (index, part) in parts.enumerated() {
        if index > 0 { try context.output.write("\n") }
        try print(part, a, b, store, context)
      }
    }
  }

  private func print(_ part: Part, _ a: Side, _ b: Side, _ store: CatalogStore, _ context: CommandContext) throws {
    let name: String
    let parameters: [String: SQLValue]
    switch part {
    case .recipes:
      name = "run-differences"
      parameters = ["run": .text(a.run), "other": .text(b.run)]
    case .results, .layers:
      name = part == .results ? "paired-differences" : "layer-differences"
      parameters = ["one": .text(a.digest), "other": .text(b.digest)]
    }
    guard let query = DocumentedQuery.named(name) else { return }
    try CatalogQuery.print(query.sql, parameters: parameters, store: store, as: output.format, in: context)
  }
}

extension DiffCommand {
  /// One of the two that are compared.
  private struct Side {
    let run: String?
    let digest: String

    /// - Throws: `CatalogError.notFound`.
    init(_ text: String, _ tx: CatalogTransaction, _ catalog: String) throws {
      if let record = try tx.runs().first(where: { $0.name == text }) {
        let last = try record.foundAssignmentID ?? tx.lastGeneration(ofRun: record.id)?.parent.id
        guard let id = last ?? record.startAssignmentID else {
          throw CatalogError.notFound(
            "run \(text) has closed no generation yet; \(ShellCommand("resume", catalog, text)) goes on")
        }
        run = text
        digest = try tx.assignment(id: id).digest.hex
        return
      }
      guard let assignment = try tx.assignment(digestPrefix: text) else {
        throw AssignmentReference.unknown(text, catalog: catalog)
      }
      run = nil
      digest = assignment.digest.hex
    }
  }
}
