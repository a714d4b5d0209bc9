import Catalog

/// `evodb status`.
struct StatusCommand: Command {
  static let name = "status"
  static let abstract =
    "Show what a catalog holds, who writes to it, and what the last jobs took."
  static let discussion = """
    With --watch the work of another process is followed, from any terminal, until it ends or ^C: how far it is, the best so far \
    against time, tokens a second, what came from the catalog, and about how long is left. In a pipe, with TERM=dumb or with NO_COLOR \
    a line is written at every change instead. The end of the work is followed by the usual page. With --spool the workers that \
    compute as well are shown: where they are, what they have in hand, and what they have answered.
    """
  static let examples = ["evodb status my.evodb --watch", "evodb status my.evodb --watch --spool /shared/spool"]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Flag("--watch", "Follow the work under way: drawn anew on a terminal, else a line at every change.") var watches:
    Bool
  @Option("--interval", "SECONDS", "Time between two looks of --watch.", rule: .within(0.1...3600)) var interval:
    Double = 1
  @Option("--spool", "DIR", "Show the workers of this folder, too.", rule: .notEmpty) var spool: String?
  let output = OutputOptions()

  func validate() throws {
    guard spool == nil || output.format == .table else {
      throw UsageError("--spool prints lines: --format table, not \(output.format.rawValue)")
    }
    guard !watches || output.format == .table || output.format == .jsonl else {
      throw UsageError("--watch prints lines: --format table or jsonl, not \(output.format.rawValue)")
    }
  }

  private static let sql = """
    SELECT (SELECT count(*) FROM model) AS model_count, (SELECT count(*) FROM data_set) AS data_set_count,
      (SELECT count(*) FROM statistic) AS statistic_count, (SELECT count(*) FROM variant) AS variant_count,
      (SELECT sum(byte_count) FROM blob WHERE id IN (SELECT blob_id FROM variant)) AS variant_bytes,
      (SELECT count(*) FROM assignment) AS assignment_count, (SELECT count(*) FROM observation) AS observation_count,
      (SELECT count(*) FROM run) AS run_count, (SELECT count(*) FROM run WHERE state = 'open') AS open_run_count,
      (SELECT sum(forward_token_count) FROM job) AS forward_tokens, (SELECT sum(evaluation_count) FROM job) AS evaluations,
      (SELECT sum(cache_hit_count) FROM job) AS cache_hits
    """

  func run(in context: CommandContext) throws {
    var look = spool.map { SpoolLook(path: $0, clock: context.clock) }
    if watches {
      var watch = StatusWatch(path: catalog, interval: interval, format: output.format, context: context)
      watch.spool = look
      if try !watch.run() { context.note("evodb status: nobody is at work on \(catalog)") }
      guard output.format == .table, !context.interruption.isRequested else { return }
    }
    let (result, progress) = try CatalogSession(context: context, path: catalog).read { store in
      var result = ResultObject()
      var columns: [String] = []
      try store.query(Self.sql, timeout: 60, maximumRows: 1, onColumns: { columns = $0 }) { row in
        for (name, value) in zip(columns, row) {
          let kind = CatalogQuery.kind(of: name)
          result.add(name, ResultValue(value), kind == .text ? .count : kind)
        }
      }
      result.add("file_bytes", .integer(try store.fileByteCount()), .bytes)
      result.add("log_bytes", .integer(store.logByteCount), .bytes)
      result.add("writer", .text(store.currentWriter))
      var progress: [String] = []
      try store.query(
        "SELECT run, closed_generation, generation_count FROM run_summary WHERE state = 'open'", timeout: 60,
        maximumRows: 100,
        onColumns: { _ in }
      ) { row in
        let cells = row.map { ResultKind.integer.shown(ResultValue($0)) }
        progress.append(
          "run \(cells[0]): generation \(cells[1]) of \(cells[2]) closed; go on with: "
            + "\(ShellCommand("resume", catalog, cells[0]))")
      }
      progress += try estimates(store)
      return (result, progress)
    }
    try context.print(result, as: output.format)
    guard output.format == .table else { return }
    for line in try progress + (look?.lines() ?? []) { try context.output.write(TerminalText.visible(line) + "\n") }
  }

  /// Lines that compare the estimates of the last jobs with the figures at their end.
  private func estimates(_ store: CatalogStore) throws -> [String] {
    var lines: [String] = []
    try store.query(
      """
      SELECT command, outcome, elapsed_seconds, estimated_seconds, peak_memory_bytes, estimated_peak_memory_bytes,
        forward_token_count, estimated_forward_token_count, disk_bytes, estimated_disk_bytes
      FROM job_summary WHERE estimated_seconds IS NOT NULL ORDER BY job_id DESC LIMIT 5
      """, timeout: 60, maximumRows: 5, onColumns: { _ in }
    ) { row in
      let values = row.map { ResultValue($0) }
      func pair(_ place: Int, _ kind: ResultKind) -> String {
        "\(kind.shown(values[place])) (estimated \(kind.shown(values[place + 1])))"
      }
      lines.append(
        "\(ResultKind.text.shown(values[0])), \(ResultKind.text.shown(values[1])): \(pair(2, .seconds)), memory "
          + "\(pair(4, .bytes)), forward tokens \(pair(6, .count)), disk \(pair(8, .bytes))")
    }
    return lines.reversed()
  }
}
