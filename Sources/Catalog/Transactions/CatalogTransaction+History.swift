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
    ) { (digest: try $0.digest(0), winnerID: $0.integer(1), missing: Int($0.integer(2))) }
    guard let head else { return nil }
    var content = Content(index: index, candidates: [], stages: [], winnerIndex: 0, missingCount: head.missing)
    var winners: [Int] = []
    var isWhole = true
    try connection.forEachRow(
      """
      SELECT c.candidate_index, c.assignment_id, a.digest, c.role, c.switch_count FROM candidate c
      LEFT JOIN assignment a ON a.id = c.assignment_id
      WHERE c.run_id = ? AND c.generation_index = ? ORDER BY c.candidate_index
      """, key
    ) { row in
      guard row.integer(0) == Int64(content.candidates.count), !row.isNull(2),
        let role = CandidateRole(rawValue: row.text(3))
      else { return isWhole = false }
      if row.integer(1) == head.winnerID { winners.append(content.candidates.count) }
      content.candidates.append(
        Content.Candidate(assignment: try row.digest(2), role: role, switchCount: Int(row.integer(4))))
    }
    try connection.forEachRow(
      """
      SELECT s.stage_index, l.digest FROM stage s JOIN sequence_list l ON l.id = s.minibatch_id
      WHERE s.run_id = ? AND s.generation_index = ? ORDER BY s.stage_index
      """, key
    ) { row in
      content.stages.append(Content.Stage(index: Int(row.integer(0)), minibatch: try row.digest(1), results: []))
    }
    try connection.forEachRow(
      """
      SELECT stage_index, candidate_index, sum, prediction_count, fitness, is_survivor FROM stage_result
      WHERE run_id = ? AND generation_index = ? ORDER BY stage_index, candidate_index
      """, key
    ) { row in
      guard let place = content.stages.firstIndex(where: { $0.index == Int(row.integer(0)) }),
        content.candidates.indices.contains(Int(row.integer(1)))
      else { return isWhole = false }
      content.stages[place].results.append(
        Content.Result(
          candidateIndex: Int(row.integer(1)),
          observation: Observation(sum: row.optionalReal(2), predictionCount: Int(row.integer(3))),
          fitness: row.optionalReal(4), survived: row.integer(5) != 0))
    }
    guard isWhole, let first = winners.first else { return nil }
    // Of several candidates with the winner's weights only one fits the digest.
    content.winnerIndex = first
    for winner in winners where content.digest != head.digest { content.winnerIndex = winner }
    return (content, head.digest)
  }

  /// Local ids of all numerics that closed generations of a run, rising.
  public func numericsIDs(ofRun runID: Int64) throws -> [Int64] {
    var ids: [Int64] = []
    try connection.forEachRow(
      """
      SELECT DISTINCT j.numerics_id FROM generation g JOIN job j ON j.id = g.job_id WHERE g.run_id = ? ORDER BY 1
      """, [.integer(runID)]
    ) { ids.append($0.integer(0)) }
    return ids
  }
}
