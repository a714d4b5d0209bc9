/// Keeps the table `set_fitness` in step with the observations from which it follows.
///
/// `RowWriter` tells it of every row that may change fitness on a data set; what the rows of a transaction complete, or undo,
/// is written at the end of the same transaction.
final class FitnessUpkeep {
  /// An assignment and a measure.
  private struct Question: Hashable, Comparable {
    var assignmentID: Int64
    var measureID: Int64

    static func < (a: Self, b: Self) -> Bool { (a.assignmentID, a.measureID) < (b.assignmentID, b.measureID) }
  }

  private struct DataSet {
    var listings: [SetFitness.Listing] = []
    var sequenceIDs: Set<Int64> = []
  }

  /// Sequences with new answers, or answers that became void, by question.
  private var changed: [Question: Set<Int64>] = [:]
  /// Data sets that are new or have changed.
  private var changedSets: Set<Int64> = []
  /// Data sets read so far, by local id. Their content never changes.
  private var dataSets: [Int64: DataSet] = [:]

  /// Notes a row that was written.
  ///
  /// - Parameter row: the values in the order of the columns.
  func note(_ table: TableDescription, _ row: [SQLValue]) {
    switch table.name {
    case "observation", "observation_void":
      guard case .integer(let assignment) = row[0], case .integer(let measure) = row[1],
        case .integer(let sequence) = row[2]
      else { return }
      changed[Question(assignmentID: assignment, measureID: measure), default: []].insert(sequence)
    case "data_set":
      if case .integer(let id) = row[0] { changedSets.insert(id) }
    default: break
    }
  }

  /// After a transaction that was taken back.
  func forget() {
    changed.removeAll()
    changedSets.removeAll()
    dataSets.removeAll()
  }

  /// Writes what follows from the noted rows.
  func settle(_ connection: Connection, _ rows: RowWriter) throws {
    guard !changed.isEmpty || !changedSets.isEmpty else { return }
    try loadDataSets(connection)
    for id in changedSets.sorted() {
      try connection.run("DELETE FROM set_fitness WHERE data_set_id = ?", [.integer(id)])
      guard let set = dataSets[id] else { continue }
      for (question, _) in try Self.questions(connection, answered: set.listings.count) {
        try renew(question, [id], connection, rows)
      }
    }
    for (question, sequences) in changed.sorted(by: { $0.key < $1.key }) {
      let touched = dataSets.filter { id, set in
        !changedSets.contains(id) && sequences.contains { set.sequenceIDs.contains($0) }
      }
      guard let least = touched.values.map(\.listings.count).min() else { continue }
      // Nearly all candidates of a search have answers on a few sequences only.
      let count = try connection.integer(
        "SELECT count(*) FROM observation WHERE assignment_id = ? AND measure_id = ?",
        [.integer(question.assignmentID), .integer(question.measureID)])
      guard let count, count >= least else { continue }
      try renew(question, touched.filter { count >= $0.value.listings.count }.keys.sorted(), connection, rows)
    }
    changed.removeAll()
    changedSets.removeAll()
  }

  /// Makes the whole table anew.
  static func rebuild(_ connection: Connection, _ rows: RowWriter) throws {
    try connection.run("DELETE FROM set_fitness")
    try forEach(connection) { key, fitness in try rows.insert(.setFitness, row: key + fitness.values) }
  }

  /// Calls `body` with every row that the table should hold: its key, and what it says.
  static func forEach(_ connection: Connection, _ body: (_ key: [SQLValue], SetFitness) throws -> Void) throws {
    let upkeep = FitnessUpkeep()
    try upkeep.loadDataSets(connection)
    guard let least = upkeep.dataSets.values.map(\.listings.count).min() else { return }
    let sets = upkeep.dataSets.sorted { $0.key < $1.key }
    for (question, count) in try questions(connection, answered: least) {
      let answers = try answers(to: question, connection)
      for (id, set) in sets where count >= set.listings.count {
        if let fitness = SetFitness(set.listings, answer: { answers[$0] }) { try body(key(question, id), fitness) }
      }
    }
  }

  /// Reports every row of the table that is not what the observations give.
  ///
  /// - Returns: how many.
  @discardableResult
  static func compare(_ connection: Connection, _ report: (RowDefect) throws -> Void) throws -> Int64 {
    var count: Int64 = 0
    func found(_ key: [SQLValue], _ detail: String) throws {
      count += 1
      let numbers = key.map { if case .integer(let id) = $0 { "\(id)" } else { "?" } }
      try report(
        RowDefect(
          table: "set_fitness", row: "of assignment \(numbers[0]), measure \(numbers[1]), data set \(numbers[2])",
          detail: detail, key: key))
    }
    let columns = "distinct_sequence_count, prediction_count, sum, residual_square_sum"
    var expected: Int64 = 0
    try forEach(connection) { key, fitness in
      expected += 1
      let stored = try connection.firstRow(
        "SELECT \(columns) FROM set_fitness WHERE assignment_id = ? AND measure_id = ? AND data_set_id = ?", key
      ) { $0.values }
      guard stored != fitness.values else { return }
      if stored == nil { expected -= 1 }
      try found(key, stored == nil ? "is missing" : "is not what its observations give")
    }
    guard try connection.integer("SELECT count(*) FROM set_fitness") != expected else { return count }
    var keys: Set<[Int64]> = []
    try forEach(connection) { key, _ in
      keys.insert(key.map { if case .integer(let id) = $0 { id } else { 0 } })
    }
    let names = TableDescription.setFitness.identityColumns
    let stored = try connection.allRows("SELECT \(names.joined(separator: ", ")) FROM set_fitness") { row in
      names.map { row.integer($0) }
    }
    for key in stored where !keys.contains(key) {
      try found(key.map { .integer($0) }, "has no finite answer on every sequence")
    }
    return count
  }

  private func renew(_ question: Question, _ ids: [Int64], _ connection: Connection, _ rows: RowWriter) throws {
    let answers = try Self.answers(to: question, connection)
    for id in ids {
      let key = Self.key(question, id)
      try connection.run(
        "DELETE FROM set_fitness WHERE assignment_id = ? AND measure_id = ? AND data_set_id = ?", key)
      guard let set = dataSets[id], let fitness = SetFitness(set.listings, answer: { answers[$0] }) else { continue }
      try rows.insert(.setFitness, row: key + fitness.values)
    }
  }

  private static func key(_ question: Question, _ dataSetID: Int64) -> [SQLValue] {
    [.integer(question.assignmentID), .integer(question.measureID), .integer(dataSetID)]
  }

  /// Questions with at least so many answers, and how many they have; one on another machine counts too.
  private static func questions(_ connection: Connection, answered least: Int) throws -> [(Question, count: Int64)] {
    try connection.allRows(
      """
      SELECT assignment_id, measure_id, count(*) AS count FROM observation
      GROUP BY assignment_id, measure_id HAVING count(*) >= ?
      """, [.integer(least)]
    ) { row in
      let question = Question(assignmentID: row.integer("assignment_id"), measureID: row.integer("measure_id"))
      return (question, count: row.integer("count"))
    }
  }

  private static func answers(to question: Question, _ connection: Connection) throws -> [Int64: SetFitness.Answer] {
    var result: [Int64: SetFitness.Answer] = [:]
    try connection.forEachRow(
      "SELECT sequence_id, sum, prediction_count FROM evaluation WHERE assignment_id = ? AND measure_id = ?",
      [.integer(question.assignmentID), .integer(question.measureID)]
    ) {
      result[$0.integer("sequence_id")] = SetFitness.Answer(
        sum: try $0.value("sum"), predictionCount: $0.integer("prediction_count"))
    }
    return result
  }

  private func loadDataSets(_ connection: Connection) throws {
    let ids = Set(try connection.integers("SELECT id FROM data_set"))
    for id in Array(dataSets.keys) where !ids.contains(id) || changedSets.contains(id) { dataSets[id] = nil }
    for id in ids where dataSets[id] == nil {
      var set = DataSet()
      try connection.forEachRow(
        """
        SELECT sequence_id, occurrence_count FROM data_set_sequence WHERE data_set_id = ? ORDER BY first_position
        """, [.integer(id)]
      ) { row in
        let id = row.integer("sequence_id")
        set.listings.append(SetFitness.Listing(sequenceID: id, occurrenceCount: row.integer("occurrence_count")))
        set.sequenceIDs.insert(id)
      }
      dataSets[id] = set
    }
  }
}
