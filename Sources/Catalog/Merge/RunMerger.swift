/// Merges runs: copies of one run become one, the longer one where one goes on after the other, run and branch where
/// both went on differently.
final class RunMerger {
  private unowned let rows: RowMerger
  private let generationTables = TableDescription.all.filter(\.isOfGeneration)
  private var into: CatalogTransaction { rows.into }
  private var from: ForeignCatalog { rows.from }

  private var ours = RunForest()
  private var theirs = RunForest()
  /// How the runs that are in their file are to be here.
  private var layouts: [RunTree.Layout] = []
  /// The UUID of the run that holds a generation, by the chain of it.
  private var holders: [Digest: String] = [:]
  private var ids: [String: Int64] = [:]

  init(_ rows: RowMerger) { self.rows = rows }

  // MARK: Runs

  /// Merges the rows of the runs themselves; generations and origins follow.
  func mergeRuns() throws {
    rows.report.count("run")
    var foreignRows: [Int64: [SQLValue]] = [:]
    try from.forEachRow(of: .run) { row in
      if case .integer(let id) = row[0] { foreignRows[id] = row }
    }
    var foreign: [Int64: RunForest.Run] = foreignRows.compactMapValues(Self.run)
    try from.forEachRow(of: .generation) { row in
      guard case .integer(let run) = row[0], case .integer(let index) = row[1], case .blob(let bytes) = row[2],
        let digest = Digest(bytes: bytes), foreign[run] != nil
      else { throw self.from.refusal("generation: it belongs to no run, or its digest is none") }
      foreign[run]?.generations.append((index, digest))
    }
    guard Set(foreign.values.map(\.uuid)).count == foreign.count else {
      throw from.refusal("run: two runs have one UUID")
    }
    theirs = try RunForest(foreign.values.sorted { $0.id < $1.id }) { throw from.refusal($0.description) }
    let ownRows = try self.ownRows()
    ours = try ownForest(ownRows)
    layOut()
    // What a merge split it split as the tree says; anything else was made by hand.
    if let odd = theirs.runs.values.first(where: { run in !layouts.contains { $0.uuid == run.uuid } }) {
      throw from.refusal("run \(odd.name): its UUID is not that of its place among the branches")
    }
    for layout in layouts {
      try place(layout, foreignRows: foreignRows, ownRows: ownRows)
    }
    for run in theirs.runs.values { rows.ids["run", default: [:]][run.id] = holders[run.end].flatMap { ids[$0] } }
  }

  private static func run(_ row: [SQLValue]) -> RunForest.Run? {
    func value(_ column: String) -> SQLValue { row[TableDescription.run[column]] }
    guard case .integer(let id) = row[0], case .text(let uuid) = value("uuid"), case .text(let name) = value("name")
    else {
      return nil
    }
    var run = RunForest.Run(id: id, uuid: uuid, name: name)
    if case .integer(let origin) = value("origin_run_id") { run.originID = origin }
    if case .integer(let generation) = value("origin_generation") { run.originGeneration = generation }
    return run
  }

  private func ownRows() throws -> [Int64: [SQLValue]] {
    var result: [Int64: [SQLValue]] = [:]
    try into.connection.forEachRow("SELECT \(TableDescription.run.columnList) FROM run") {
      result[$0.integer("id")] = $0.values
    }
    return result
  }

  private func ownForest(_ rows: [Int64: [SQLValue]]) throws -> RunForest {
    var runs: [Int64: RunForest.Run] = rows.compactMapValues(Self.run)
    try RunForest.readGenerations(of: &runs, from: into.connection)
    return try RunForest(runs.values.sorted { $0.id < $1.id }) { throw CatalogError.damaged($0.description) }
  }

  private func layOut() {
    for root in Set(theirs.runs.values.map(\.root)).sorted() {
      var tree = RunTree(root: root)
      for run in ours.runs.values where run.root == root { tree.add(run.path) }
      for run in theirs.runs.values where run.root == root { tree.add(run.path) }
      layouts += tree.layouts()
    }
    for layout in layouts {
      for step in layout.steps { holders[step.chain] = layout.uuid }
      if layout.origin == nil { holders[RunForest.chain(ofRoot: layout.uuid)] = layout.uuid }
    }
  }

  /// Inserts the run, or brings ours to the state in which it went furthest.
  private func place(_ layout: RunTree.Layout, foreignRows: [Int64: [SQLValue]], ownRows: [Int64: [SQLValue]]) throws {
    let table = TableDescription.run
    // Rows of both files whose path ends here; a leaf of the tree always has one.
    var candidates: [[SQLValue]] = []
    for run in ours.runs.values.sorted(by: { $0.id < $1.id }) where run.end == layout.end {
      if let row = ownRows[run.id] { candidates.append(row) }
    }
    var arrived: [[SQLValue]] = []
    for run in theirs.runs.values.sorted(by: { $0.id < $1.id }) where run.end == layout.end {
      guard var row = foreignRows[run.id] else { continue }
      for position in table.columns.indices where table.columns[position].parent != "run" {
        try rows.map(&row, position, table)
      }
      arrived.append(row)
    }
    guard let best = try (candidates + arrived).min(by: { try rank($0) < rank($1) }) else {
      throw from.refusal("run \(layout.uuid): its end belongs to no run")
    }
    let known = ours.runs.values.first { $0.uuid == layout.uuid }
    let wanted = self.name(for: layout, known: known, best: best)
    var values: [String: SQLValue] = [:]
    for position in Self.compared { values[table.columns[position].name] = best[position] }
    let claim = try MergedNames(table, into: into)?.claim(wanted, key: layout.uuid) ?? MergedNames.Claim(name: wanted)
    rows.report.notes += claim.notes
    values["name"] = .text(claim.name)
    if let known, let own = ownRows[known.id] {
      ids[layout.uuid] = known.id
      let changes = values.filter { name, value in own[table[name]] != value }
      if !changes.isEmpty { try into.rows.update(.run, id: known.id, changes) }
      try countKnown(own: own, candidates: candidates, arrived: arrived)
    } else {
      values["uuid"] = .text(layout.uuid)
      values["created_at"] = best[table["created_at"]]
      ids[layout.uuid] = try into.rows.insert(.run, values)
      rows.report.count("run", new: 1)
      if let origin = layout.origin, !theirs.runs.values.contains(where: { $0.uuid == layout.uuid }) {
        let place = layout.originGeneration.map { "generation \($0)" } ?? "its beginning"
        let name = ids[origin].flatMap { id in
          try? into.connection.text("SELECT name FROM run WHERE id = ?", [.integer(id)])
        }
        rows.report.notes.append(
          "two copies of run \(name ?? origin) went on differently after \(place): one of them is now the branch \(claim.name)"
        )
      }
    }
  }

  /// Two ends of the same generations that say different things are a conflict; one that is only further is none.
  private func countKnown(own: [SQLValue], candidates: [[SQLValue]], arrived: [[SQLValue]]) throws {
    let contents = try (candidates + arrived).filter(isFinished).map { try rank($0).2 }
    let differ = Set(contents).count > 1 && candidates.contains { $0[0] == own[0] }
    rows.report.count("run", equal: differ ? 0 : 1, conflict: differ ? 1 : 0)
  }

  private func isFinished(_ row: [SQLValue]) -> Bool { row[TableDescription.run["state"]] == .text("finished") }

  /// Columns in which two copies of a run are compared. Names are settled by `MergedNames`, origins by `RunForest`.
  private static let compared = TableDescription.run.shared.filter { position in
    !["name", "origin_run_id", "origin_generation"].contains(TableDescription.run.columns[position].name)
  }

  /// Finished before open, then what knows more, then the smaller content.
  private func rank(_ row: [SQLValue]) throws -> (Int, Int, Digest) {
    let digest = try rows.digest(row, .run, positions: Self.compared)
    return (isFinished(row) ? 0 : 1, Self.compared.count { row[$0] == .null }, digest)
  }

  private func name(for layout: RunTree.Layout, known: RunForest.Run?, best: [SQLValue]) -> String {
    let names = ([known] + theirs.runs.values.filter { $0.uuid == layout.uuid }).compactMap { $0?.name }
    // Renamed copies have longer names.
    if let name = names.min(by: { ($0.utf8.count, $0) < ($1.utf8.count, $1) }) { return name }
    let root = (Array(ours.runs.values) + Array(theirs.runs.values)).filter { run in
      run.root == run.uuid && holders[RunForest.chain(ofRoot: run.root)] == run.uuid
        && RunForest.branchUUID(root: run.root, first: layout.steps.first?.chain ?? layout.end) == layout.uuid
    }
    let base = root.map(\.name).min { ($0.utf8.count, $0) < ($1.utf8.count, $1) } ?? "run"
    return "\(base)-\(layout.uuid.prefix(8))"
  }

  // MARK: Generations

  /// Moves our generations to the runs that hold them now and copies those that only they have.
  func mergeGenerations() throws {
    var places: [Digest: (run: Int64, index: Int64)] = [:]
    for run in ours.runs.values { note(run, in: &places) }
    var sources: [Digest: (run: Int64, index: Int64)] = [:]
    for run in theirs.runs.values { note(run, in: &sources) }
    var moved: [(table: TableDescription, row: [SQLValue])] = []
    for layout in layouts {
      guard let target = ids[layout.uuid] else { continue }
      for step in layout.steps {
        guard let place = places[step.chain], place.run != target else { continue }
        moved += try takeOut(place, for: target)
      }
    }
    for (table, row) in moved { try into.rows.insert(table, row: row) }
    for layout in layouts {
      guard let target = ids[layout.uuid] else { continue }
      for step in layout.steps {
        if places[step.chain] != nil {
          if sources[step.chain] != nil { rows.report.count("generation", equal: 1) }
        } else if let source = sources[step.chain] {
          try copy(source, to: target)
        }
      }
    }
  }

  /// Where a run's own generations lie: those of its path that come after the branching point.
  private func note(_ run: RunForest.Run, in places: inout [Digest: (run: Int64, index: Int64)]) {
    for step in run.path.suffix(run.generations.count) { places[step.chain] = (run.id, step.index) }
  }

  private func takeOut(_ place: (run: Int64, index: Int64), for target: Int64) throws
    -> [(TableDescription, [SQLValue])]
  {
    var result: [(TableDescription, [SQLValue])] = []
    let key: [SQLValue] = [.integer(place.run), .integer(place.index)]
    for table in generationTables {
      try into.connection.forEachRow(
        "SELECT \(table.columnList) FROM \(table.name) WHERE run_id = ? AND generation_index = ?", key
      ) { row in
        var values = row.values
        values[table["run_id"]] = .integer(target)
        result.append((table, values))
      }
    }
    for table in generationTables.reversed() {
      try into.connection.run("DELETE FROM \(table.name) WHERE run_id = ? AND generation_index = ?", key)
    }
    return result
  }

  private func copy(_ source: (run: Int64, index: Int64), to target: Int64) throws {
    for table in generationTables {
      let run = table["run_id"]
      try from.forEachRow(
        of: table, where: "run_id = ? AND generation_index = ?", [.integer(source.run), .integer(source.index)]
      ) { row in
        var row = row
        for column in table.columns.indices where column != run {
          try self.rows.map(&row, column, table)
        }
        row[run] = .integer(target)
        try self.rows.insert(row, table)
      }
    }
  }

  // MARK: Origins

  /// Points branches to the runs that hold the generations they branch from.
  func mergeOrigins() throws {
    for layout in layouts {
      guard let id = ids[layout.uuid] else { continue }
      if let origin = layout.origin {
        try setOrigin(of: id, to: ids[origin], layout.originGeneration)
      } else if let run = ours.runs.values.first(where: { $0.uuid == layout.uuid }) {
        try follow(run, ours, id)
      } else if let run = theirs.runs.values.first(where: { $0.uuid == layout.uuid }) {
        try follow(run, theirs, id)
      }
    }
    // Runs that only we have may branch from generations that have moved.
    for run in ours.runs.values where ids[run.uuid] == nil { try follow(run, ours, run.id) }
  }

  private func follow(_ run: RunForest.Run, _ forest: RunForest, _ id: Int64) throws {
    guard let originID = run.originID, let origin = forest.runs[originID] else { return }
    let holder = forest.chain(ofRun: originID, generation: run.originGeneration).flatMap { holders[$0] } ?? origin.uuid
    let target = try ids[holder] ?? into.connection.integer("SELECT id FROM run WHERE uuid = ?", [.text(holder)])
    try setOrigin(of: id, to: target, run.originGeneration)
  }

  private func setOrigin(of id: Int64, to origin: Int64?, _ generation: Int64?) throws {
    let now = try into.connection.firstRow(
      "SELECT origin_run_id, origin_generation FROM run WHERE id = ?", [.integer(id)]
    ) { $0.values }
    guard let now, now != [.integer(origin), .integer(generation)] else { return }
    try into.rows.update(.run, id: id, ["origin_run_id": .integer(origin), "origin_generation": .integer(generation)])
  }
}
