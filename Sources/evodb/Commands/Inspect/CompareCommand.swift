import Catalog
import Search
import Foundation

/// `evodb compare`.
struct CompareCommand: Command {
  static let name = "compare"
  static let abstract = "Compare runs and assignments: values on one data set, recipes, layers."
  static let discussion = """
    Differences are against the first one, or --against, on the same sequences, with their paired standard errors. An \
    assignment is called better or worse from two standard errors on; below that the two are the same within noise. A value \
    is missing where the assignment is not evaluated on the whole set: evodb evaluate does that.

    Of two runs the parameters of their recipes that differ follow, and of any two the layers that are not equal. A run without \
    a result stands there with the parent of its last generation. Formats for machines print one part.
    """
  static let examples = [
    "evodb compare my.evodb run-1 dp-1 random-1 --data held-out",
    "evodb compare my.evodb run-1 run-2 3fa9c2d1 --against dp-1 --format csv",
    "evodb compare my.evodb run-1 run-2 --part layers",
  ]
  /// A table of the comparison.
  enum Part: String, ArgumentChoice {
    /// Values on one data set, with paired differences.
    case values
    /// Parameters of two runs' recipes, and what came out.
    case recipes
    /// Layers that are not equal.
    case layers
  }

  /// From how many standard errors on a difference counts: about 95 % under a normal law.
  private static let significance = 2.0

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("RUN", "Runs, or 8 or more digits of an assignment's digest.") var names: [String]
  @Option("--against", "RUN", "What to compare with [default: the first].") var against: String?
  @Option(
    "--data", "NAME", "Which data set [default: the validation data of the first run, else its calibration data].")
  var data: String?
  @Option("--part", "PART", "Only this part [default: all as tables, else values].") var part: Part?
  let output = OutputOptions()

  func validate() throws {
    guard !names.isEmpty else { throw UsageError("name at least one run or assignment") }
    guard part == nil || part == .values || names.count == 2 else {
      throw UsageError("--part \(part?.rawValue ?? "") compares two, not \(names.count)")
    }
  }

  /// The assignment that a name stands for.
  private struct Entry {
    var name: String
    /// The run, if it is one.
    var run: String?
    var strategy: String
    var assignment: AssignmentRecord
  }

  func run(in context: CommandContext) throws {
    try CatalogSession(context: context, path: catalog).read { store in
      let (entries, other) = try store.read { tx in
        let runs = try tx.runs()
        let entries = try names.map { try entry($0, runs, tx) }
        return (entries, try against.map { try entry($0, runs, tx) } ?? entries[0])
      }
      let areRuns = entries.allSatisfy { $0.run != nil }
      guard part != .recipes || areRuns else {
        let name = zip(names, entries).first { $0.1.run == nil }?.0 ?? ""
        throw UsageError("--part recipes compares two runs; \(TerminalText.visible(name)) is none")
      }
      let parts: [Part]
      if let part {
        parts = [part]
      } else if output.format == .table, entries.count == 2 {
        parts = areRuns ? [.values, .recipes, .layers] : [.values, .layers]
      } else {
        parts = [.values]
      }
      for (index, part) in parts.enumerated() {
        if index > 0 { try context.output.write("\n") }
        switch part {
        case .values: try printValues(of: entries, against: other, store, context)
        case .recipes, .layers: try print(part, entries[0], entries[1], store, context)
        }
      }
    }
  }

  private func printValues(of entries: [Entry], against other: Entry, _ store: CatalogStore, _ context: CommandContext)
    throws
  {
    let set = try store.read { tx in try dataSet(try tx.runs(), tx) }
    var table = ResultTable([
      ResultColumn("run"), ResultColumn("strategy"), ResultColumn("assignment"), ResultColumn("average_bits", .bits),
      ResultColumn("stored_bytes", .bytes), ResultColumn("sparsity", .percent),
      ResultColumn("dropped_count", .count), ResultColumn("measure"),
      ResultColumn("value", .real(significantDigits: 5)),
      ResultColumn("standard_error", .real(significantDigits: 2)),
      ResultColumn("difference", .real(significantDigits: 3)),
      ResultColumn("difference_standard_error", .real(significantDigits: 2)), ResultColumn("verdict"),
    ])
    var isComplete = true
    for entry in entries {
      let rows = try lines(entry, other.assignment.id, set, store)
      isComplete = isComplete && !rows.isEmpty
      for row in rows { table.append(row) }
      if rows.isEmpty { table.append(try missing(entry, store)) }
    }
    try context.print(table, as: output.format)
    if set.distinctSequenceCount < 2 {
      context.note(
        "evodb: \(set.name) is one sequence, listed once or more: it gives no standard errors, and so no verdict")
    }
    if !isComplete {
      context.note(
        "evodb: not all are complete on \(set.name); "
          + "\(ShellCommand("evaluate", catalog, "RUN", options: [("--data", set.name)])) does that")
    }
  }

  private func print(_ part: Part, _ one: Entry, _ other: Entry, _ store: CatalogStore, _ context: CommandContext)
    throws
  {
    let name: String
    let parameters: [String: SQLValue]
    if part == .recipes {
      name = "run-differences"
      parameters = ["run": .text(one.run), "other": .text(other.run)]
    } else {
      name = "layer-differences"
      parameters = ["one": .text(one.assignment.digest.hex), "other": .text(other.assignment.digest.hex)]
    }
    guard let query = DocumentedQuery.named(name) else { return }
    try CatalogQuery.print(query.sql, parameters: parameters, store: store, as: output.format, in: context)
  }

  private func entry(_ name: String, _ runs: [RunRecord], _ tx: CatalogTransaction) throws -> Entry {
    if let run = runs.first(where: { $0.name == name }) {
      let last = try run.foundAssignmentID ?? tx.lastGeneration(ofRun: run.id)?.parent.id
      guard let id = last ?? run.startAssignmentID else {
        throw CatalogError.notFound(
          "run \(name) has closed no generation yet", remedy: .resumeRun(catalog: catalog, name: name))
      }
      return Entry(name: name, run: name, strategy: run.strategy, assignment: try tx.assignment(id: id))
    }
    guard let assignment = try tx.assignment(digestPrefix: name) else {
      throw AssignmentReference.unknown(name, catalog: catalog)
    }
    return Entry(name: name, run: nil, strategy: "", assignment: assignment)
  }

  private func dataSet(_ runs: [RunRecord], _ tx: CatalogTransaction) throws -> DataSetRecord {
    guard data == nil, let run = runs.first(where: { $0.name == names[0] }) else { return try tx.dataSet(data) }
    let id = run.validationSetID ?? run.calibrationSetID
    guard let set = try tx.dataSets().first(where: { $0.id == id }) else {
      throw CatalogError.damaged("run \(run.name): its data set is missing")
    }
    return set
  }

  /// One row per measure that the assignment is complete in.
  private func lines(_ entry: Entry, _ otherID: Int64, _ set: DataSetRecord, _ store: CatalogStore) throws
    -> [[ResultValue]]
  {
    var result: [[ResultValue]] = []
    _ = try store.query(
      """
      SELECT s.average_bits, s.stored_bytes, s.sparsity, s.dropped_subblock_count,
        e.measure, e.value, e.standard_error,
        CASE WHEN :id <> :other THEN (SELECT p.difference FROM paired_difference p WHERE p.assignment_id = :id
          AND p.other_assignment_id = :other AND p.data_set_id = :set AND p.measure_id = e.measure_id) END,
        CASE WHEN :id <> :other THEN (SELECT p.standard_error FROM paired_difference p WHERE p.assignment_id = :id
          AND p.other_assignment_id = :other AND p.data_set_id = :set AND p.measure_id = e.measure_id) END
      FROM evaluation_summary e JOIN assignment_summary s ON s.assignment_id = e.assignment_id
      WHERE e.assignment_id = :id AND e.data_set_id = :set ORDER BY e.measure
      """, parameters: ["id": .integer(entry.assignment.id), "other": .integer(otherID), "set": .integer(set.id)],
      timeout: 600, maximumRows: .max, onColumns: { _ in }
    ) { row in
      let values = row.map(ResultValue.init)
      result.append(
        [.text(entry.name), .text(entry.strategy), .text(entry.assignment.digest.short)] + values
          + [.text(Self.verdict(values[7], values[8]))])
    }
    return result
  }

  private func missing(_ entry: Entry, _ store: CatalogStore) throws -> [ResultValue] {
    var row: [ResultValue] = [.text(entry.name), .text(entry.strategy), .text(entry.assignment.digest.short)]
    _ = try store.query(
      """
      SELECT average_bits, stored_bytes, sparsity, dropped_subblock_count FROM assignment_summary
      WHERE assignment_id = :id
      """, parameters: ["id": .integer(entry.assignment.id)], timeout: 600, maximumRows: 1, onColumns: { _ in }
    ) { row += $0.map(ResultValue.init) }
    return row + Array(repeating: .null, count: 5) + [.text("incomplete")]
  }

  private static func verdict(_ difference: ResultValue, _ error: ResultValue) -> String? {
    guard case .real(let difference) = difference, case .real(let error) = error else { return nil }
    guard abs(difference) > significance * error else { return "same" }
    return difference < 0 ? "better" : "worse"
  }
}
