import Catalog

/// The work under way in a catalog at one moment: the newest job at work, and how its run has gone so far.
struct WatchedWork: Equatable {
  /// A closed generation.
  struct Generation: Equatable {
    let index: Int
    /// The parent's fitness in the last stage; nil where there was none.
    let fitness: Double?
    /// Seconds from the first closed generation of the run.
    let seconds: Double
    /// Whether the job at work closed it.
    let isOfJob: Bool
  }

  var command = ""
  var run: String?
  var measure: String?
  var generationCount: Int?
  var generations: [Generation] = []
  var forwardTokenCount: Int64 = 0
  var evaluationCount: Int64 = 0
  var cacheHitCount: Int64 = 0
  /// From the job's beginning to its last commit.
  var seconds: Double = 0
  /// What the job was expected to take; nil if nothing was expected.
  var estimatedSeconds: Double?

  /// Asks the catalog; nil if no job is at work.
  ///
  /// - Throws: as `CatalogStore.query`.
  init?(store: CatalogStore) throws {
    let progress = try ReportData("progress", store: store)
    guard !progress.isEmpty else { return nil }
    command = progress.text(0, "command") ?? ""
    run = progress.text(0, "run")
    generationCount = progress.integer(0, "generation_count")
    forwardTokenCount = Int64(progress.integer(0, "forward_token_count") ?? 0)
    evaluationCount = Int64(progress.integer(0, "evaluation_count") ?? 0)
    cacheHitCount = Int64(progress.integer(0, "cache_hit_count") ?? 0)
    seconds = progress.number(0, "seconds") ?? 0
    let job =
      "FROM job_summary WHERE outcome = 'running' AND command = :command AND run IS :run ORDER BY job_id DESC LIMIT 1"
    let parameters: [String: SQLValue] = [
      "command": .text(command), "run": run.map { SQLValue.text($0) } ?? .null,
    ]
    try store.query(
      "SELECT estimated_seconds \(job)", parameters: parameters, timeout: 60, maximumRows: 1, onColumns: { _ in }
    ) { row in
      if case .real(let seconds) = row[0] { estimatedSeconds = seconds }
    }
    guard let run else { return }
    try store.query(
      "SELECT measure FROM run_summary WHERE run = :run", parameters: ["run": .text(run)], timeout: 60, maximumRows: 1,
      onColumns: { _ in }
    ) { row in
      if case .text(let name) = row[0] { measure = name }
    }
    try store.query(
      """
      SELECT generation, parent_stage_fitness,
        (julianday(closed_at) - (SELECT min(julianday(closed_at)) FROM run_progress WHERE run = :run)) * 86400.0,
        closed_at >= (SELECT started_at \(job))
      FROM run_progress WHERE run = :run ORDER BY generation
      """, parameters: parameters, timeout: 60, maximumRows: .max, onColumns: { _ in }
    ) { row in
      let values = row.map(ResultValue.init)
      guard case .integer(let index) = values[0], case .real(let seconds) = values[2] else { return }
      var fitness: Double?
      if case .real(let value) = values[1] { fitness = value }
      generations.append(
        Generation(index: Int(index), fitness: fitness, seconds: seconds, isOfJob: values[3] == .integer(1)))
    }
  }

  init() {}

  /// Generations that are closed, without the one that chose the first parent.
  var closedGeneration: Int? { generations.last?.index }

  /// The share of the generations that are closed; nil if there are none to close.
  var share: Double? {
    guard let generationCount, generationCount > 0, let closedGeneration else { return nil }
    return min(1, Double(closedGeneration) / Double(generationCount))
  }

  /// Seconds that are left: by the pace of this job's generations, else by what was expected; nil if neither says anything.
  var secondsLeft: Double? {
    let own = generations.filter(\.isOfJob)
    if let first = own.first, let last = own.last, let generationCount, last.index > first.index {
      let pace = (last.seconds - first.seconds) / Double(last.index - first.index)
      return max(0, pace * Double(generationCount - last.index))
    }
    guard let estimatedSeconds, estimatedSeconds > seconds else { return nil }
    return estimatedSeconds - seconds
  }

  /// The share of answers that the catalog had; nil before the first.
  var hitShare: Double? {
    let all = evaluationCount + cacheHitCount
    return all > 0 ? Double(cacheHitCount) / Double(all) : nil
  }
}
