extension CatalogTransaction {
  /// The parent that a generation of a run ended with.
  ///
  /// - Throws: `CatalogError.notFound` naming the generations there are.
  public func parent(ofGeneration index: Int, ofRun run: RunRecord) throws -> AssignmentRecord {
    let id = try connection.integer(
      "SELECT parent_assignment_id FROM generation WHERE run_id = ? AND generation_index = ?",
      [.integer(run.id), .integer(index)])
    guard let id else {
      let last = try lastGeneration(ofRun: run.id)
      throw CatalogError.notFound(
        last.map { "run \(run.name) has no closed generation \(index); there are 0 to \($0.index)" }
          ?? "run \(run.name) has closed no generation yet",
        remedy: last == nil ? .resumeRun(catalog: nil, name: run.name) : nil)
    }
    return try assignment(id: id)
  }

  /// A closed generation by content keys, and the key that was stored with it; nil if it is not there, or its rows are not
  /// whole.
  public func generation(_ index: Int, ofRun runID: Int64) throws -> (
    content: Generation<Digest, Digest>, digest: Digest
  )? {
    typealias Content = Generation<Digest, Digest>
    let key: [SQLValue] = [.integer(runID), .integer(index)]
    let head = try connection.firstRow(
      """
      SELECT content_digest, parent_assignment_id, missing_offspring_count FROM generation
      WHERE run_id = ? AND generation_index = ?
      """, key
    ) { row in
      (
        digest: try row.value("content_digest") as Digest, winnerID: row.integer("parent_assignment_id"),
        missing: try row.value("missing_offspring_count") as Int
      )
    }
    guard let head else { return nil }
    var content = Content(index: index, candidates: [], stages: [], winnerIndex: 0, missingCount: head.missing)
    var winners: [Int] = []
    var isWhole = true
    try connection.forEachRow(
      """
      SELECT c.candidate_index, c.assignment_id, a.digest AS assignment, c.role, c.switch_count FROM candidate c
      LEFT JOIN assignment a ON a.id = c.assignment_id
      WHERE c.run_id = ? AND c.generation_index = ? ORDER BY c.candidate_index
      """, key
    ) { row in
      guard row.integer("candidate_index") == Int64(content.candidates.count),
        let assignment: Digest = try row.value("assignment"), let role = CandidateRole(rawValue: row.text("role"))
      else { return isWhole = false }
      if row.integer("assignment_id") == head.winnerID { winners.append(content.candidates.count) }
      content.candidates.append(
        Content.Candidate(assignment: assignment, role: role, switchCount: try row.value("switch_count")))
    }
    try connection.forEachRow(
      """
      SELECT s.stage_index, l.digest AS minibatch FROM stage s JOIN sequence_list l ON l.id = s.minibatch_id
      WHERE s.run_id = ? AND s.generation_index = ? ORDER BY s.stage_index
      """, key
    ) { row in
      content.stages.append(
        Content.Stage(index: try row.value("stage_index"), minibatch: try row.value("minibatch"), results: []))
    }
    try connection.forEachRow(
      """
      SELECT stage_index, candidate_index, sum, prediction_count, fitness, is_survivor FROM stage_result
      WHERE run_id = ? AND generation_index = ? ORDER BY stage_index, candidate_index
      """, key
    ) { row in
      let (stage, candidate): (Int, Int) = (try row.value("stage_index"), try row.value("candidate_index"))
      guard let place = content.stages.firstIndex(where: { $0.index == stage }),
        content.candidates.indices.contains(candidate)
      else { return isWhole = false }
      content.stages[place].results.append(
        Content.Result(
          candidateIndex: candidate, observation: try Observation(row), fitness: try row.value("fitness"),
          survived: try row.value("is_survivor")))
    }
    guard isWhole, let first = winners.first else { return nil }
    // Of several candidates with the winner's weights only one fits the digest.
    content.winnerIndex = first
    for winner in winners where content.digest != head.digest { content.winnerIndex = winner }
    return (content, head.digest)
  }

  /// Local ids of all numerics that closed generations of a run, rising.
  public func numericsIDs(ofRun runID: Int64) throws -> [Int64] {
    try connection.integers(
      "SELECT DISTINCT j.numerics_id FROM generation g JOIN job j ON j.id = g.job_id WHERE g.run_id = ? ORDER BY 1",
      [.integer(runID)])
  }
}
