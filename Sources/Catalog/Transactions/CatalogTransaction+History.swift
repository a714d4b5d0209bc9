/// A closed generation as the file holds it, to be compared with one computed again.
public struct StoredGeneration: Equatable, Sendable {
  /// What a candidate summed in a stage.
  public struct Result: Equatable, Sendable {
    /// Which stage.
    public var stage: Int
    /// Index into the candidates.
    public var candidate: Int
    /// Over the minibatch; nil: diverged.
    public var sum: Double?
    /// Whether the stage kept it.
    public var survived: Bool

    /// All fields.
    public init(stage: Int, candidate: Int, sum: Double?, survived: Bool) {
      self.stage = stage
      self.candidate = candidate
      self.sum = sum
      self.survived = survived
    }
  }

  /// 0 chooses the first parent.
  public var index: Int
  /// Content key.
  public var digest: Digest
  /// Parent (or starts) and offspring.
  public var candidates: [Digest]
  /// The parent after this generation.
  public var parent: AssignmentRecord
  /// By stage and candidate.
  public var results: [Result]
}

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
          ?? "run \(run.name) has closed no generation yet; go on with: \(ShellCommand("resume", "FILE", run.name))")
    }
    return try assignment(id: id)
  }

  /// A closed generation; nil if it is not there.
  public func storedGeneration(_ index: Int, ofRun runID: Int64) throws -> StoredGeneration? {
    let key: [SQLValue] = [.integer(runID), .integer(index)]
    let head = try connection.firstRow(
      "SELECT content_digest, parent_assignment_id FROM generation WHERE run_id = ? AND generation_index = ?", key
    ) { (digest: try $0.digest(0), parentID: $0.integer(1)) }
    guard let head else { return nil }
    var generation = StoredGeneration(
      index: index, digest: head.digest, candidates: [], parent: try assignment(id: head.parentID), results: [])
    try connection.forEachRow(
      """
      SELECT a.digest FROM candidate c JOIN assignment a ON a.id = c.assignment_id
      WHERE c.run_id = ? AND c.generation_index = ? ORDER BY c.candidate_index
      """, key
    ) { generation.candidates.append(try $0.digest(0)) }
    try connection.forEachRow(
      """
      SELECT stage_index, candidate_index, sum, survived FROM stage_result
      WHERE run_id = ? AND generation_index = ? ORDER BY stage_index, candidate_index
      """, key
    ) { row in
      generation.results.append(
        StoredGeneration.Result(
          stage: Int(row.integer(0)), candidate: Int(row.integer(1)), sum: row.optionalReal(2),
          survived: row.integer(3) != 0))
    }
    return generation
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
