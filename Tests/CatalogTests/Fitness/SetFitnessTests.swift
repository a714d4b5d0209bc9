import Foundation
import TestSupport
import Testing

@testable import Catalog

/// The table `set_fitness` against plain sums, and after everything that can happen to the observations it follows from.
@Suite(.usualTimeLimit) struct SetFitnessTests {
  /// A stored row with names in the place of local ids.
  private struct Line: Hashable {
    var assignment: String
    var measure: String
    var dataSet: String
    var counts: [Int64]
    var sums: [UInt64]
  }

  private func lines(_ connection: Connection) throws -> Set<Line> {
    var result: Set<Line> = []
    try connection.forEachRow(
      """
      SELECT lower(hex(a.digest)) AS assignment, m.name AS measure, d.name AS data_set, f.distinct_sequence_count,
        f.prediction_count, f.sum, f.residual_square_sum
      FROM set_fitness f JOIN assignment a ON a.id = f.assignment_id JOIN measure m ON m.id = f.measure_id
      JOIN data_set d ON d.id = f.data_set_id
      """
    ) { row in
      result.insert(
        Line(
          assignment: row.text("assignment"), measure: row.text("measure"), dataSet: row.text("data_set"),
          counts: [row.integer("distinct_sequence_count"), row.integer("prediction_count")],
          sums: try ["sum", "residual_square_sum"].map { (try row.value($0) as Double).bitPattern }))
    }
    return result
  }

  private func lines(_ folder: CatalogFolder) throws -> Set<Line> {
    try lines(try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000))
  }

  /// By loops over the tables, without the views: of the valid answers to a question that of the smallest (numerics, attempt).
  private func plain(_ folder: CatalogFolder) throws -> Set<Line> {
    let connection = try Connection(path: folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    var answers: [[Int64]: [Int64: (rank: String, sum: Double?, count: Int64)]] = [:]
    try connection.forEachRow(
      """
      SELECT o.assignment_id, o.measure_id, o.sequence_id, hex(n.digest) || printf('%09d', o.attempt) AS rank, o.sum,
        o.prediction_count, (SELECT count(*) FROM observation_void v WHERE v.assignment_id = o.assignment_id
          AND v.measure_id = o.measure_id AND v.sequence_id = o.sequence_id AND v.numerics_id = o.numerics_id
          AND v.attempt = o.attempt) AS void_count
      FROM observation o JOIN numerics n ON n.id = o.numerics_id
      """
    ) { row in
      guard row.integer("void_count") == 0 else { return }
      let question = [row.integer("assignment_id"), row.integer("measure_id")]
      let (sequence, rank) = (row.integer("sequence_id"), row.text("rank"))
      guard answers[question]?[sequence].map({ rank < $0.rank }) ?? true else { return }
      answers[question, default: [:]][sequence] = (rank, try row.value("sum"), row.integer("prediction_count"))
    }
    var sets: [String: [Int64]] = [:]
    try connection.forEachRow(
      """
      SELECT d.name, i.sequence_id FROM data_set d JOIN sequence_list_item i ON i.sequence_list_id = d.sequence_list_id
      ORDER BY d.id, i.position
      """
    ) { sets[$0.text("name"), default: []].append($0.integer("sequence_id")) }
    var result: Set<Line> = []
    for (question, known) in answers {
      for (name, sequences) in sets {
        var (order, weights): ([Int64], [Int64: Double]) = ([], [:])
        for sequence in sequences {
          if weights[sequence] == nil { order.append(sequence) }
          weights[sequence, default: 0] += 1
        }
        guard order.allSatisfy({ known[$0]?.sum != nil }) else { continue }
        let sums = order.map { (weights[$0] ?? 0) * (known[$0]?.sum ?? 0) }
        let counts = order.map { (weights[$0] ?? 0) * Double(known[$0]?.count ?? 0) }
        let (sum, count) = (sums.reduce(0, +), counts.reduce(0, +))
        let residuals = zip(sums, counts).map { $0 - sum / count * $1 }.map { $0 * $0 }.reduce(0, +)
        let key = try connection.firstRow(
          """
          SELECT lower(hex(a.digest)) AS assignment, m.name AS measure FROM assignment a, measure m
          WHERE a.id = ? AND m.id = ?
          """, question.map { .integer($0) }
        ) { (assignment: $0.text("assignment"), measure: $0.text("measure")) }
        guard let key else { continue }
        result.insert(
          Line(
            assignment: key.assignment, measure: key.measure, dataSet: name,
            counts: [Int64(order.count), Int64(count)],
            sums: [sum.bitPattern, residuals.bitPattern]))
      }
    }
    return result
  }

  @Test func itHoldsThePlainSumsOfAllCompleteEvaluations() throws {
    let (folder, _) = try CatalogFolder.filled()
    let found = try lines(folder)
    #expect(found.count == 4 * 2 * 2)
    #expect(try found == plain(folder))
  }

  @Test func theBitsDoNotDependOnLocalIDs() throws {
    let (folder, _) = try CatalogFolder.filled()
    let (reversed, _) = try CatalogFolder.filled(reversed: true)
    #expect(try lines(folder) == lines(reversed))
  }

  @Test func itIsReadInsideATransactionAsItWillBeAfterIt() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let store = try folder.write()
    defer { store.close() }
    var selection = ObservationSelection()
    selection.assignmentID = contents.high.id
    try store.write { tx in
      try tx.void([selection], reason: "wrong", by: "me@here")
      #expect(try tx.evaluationSummaries(ofAssignment: contents.high.id, dataSetID: contents.dataSet.id).isEmpty)
      #expect(try !tx.results(ofRun: "first").contains { $0.point == .found })
    }
  }

  /// Random stores, voids, data sets and transactions that fail, in random portions.
  @Test func itFollowsWhateverIsWritten() throws {
    struct Failure: Error {}
    var random = SplitMix64(property: 0x5e7f)
    var (mostLines, growths, losses) = (0, 0, 0)
    for _ in 0..<6 {
      let (folder, contents) = try CatalogFolder.filled()
      let store = try folder.write()
      defer { store.close() }
      var lineCount = try lines(folder).count
      var sequences = contents.sequences
      let (assignments, measures) = (
        [contents.dense, contents.low, contents.mixed], [contents.kl, contents.perplexity]
      )
      for round in 0..<40 {
        let fails = Int.random(in: 0..<8, using: &random) == 0
        do {
          try store.write { tx in
            for _ in 0..<Int.random(in: 1...12, using: &random) {
              switch Int.random(in: 0..<20, using: &random) {
              case 0:
                let tokens = (0..<Int.random(in: 2...5, using: &random)).map { _ in
                  Int32.random(in: 0..<9, using: &random)
                }
                let new = try tx.store(sequence: tokens)
                if !fails { sequences.append(new) }
              case 1:
                // Sequences may come twice.
                let list = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                  sequences[Int.random(in: 0..<sequences.count, using: &random)].tokenIDs
                }
                _ = try tx.store(
                  dataSet: "set \(round) \(Int.random(in: 0..<1 << 40, using: &random))", sequences: list,
                  tokenizerDigest: nil, textDigest: nil, options: "{}", droppedTokenCount: 0)
              case 2:
                var selection = ObservationSelection()
                selection.assignmentID = assignments[Int.random(in: 0..<3, using: &random)].id
                selection.measureID = measures[Int.random(in: 0..<2, using: &random)].id
                if Bool.random(using: &random) { selection.numericsID = contents.here }
                try tx.void([selection], reason: "round \(round)", by: "me@here")
              default:
                let sequence = sequences[Int.random(in: 0..<sequences.count, using: &random)]
                let isDiverged = Int.random(in: 0..<30, using: &random) == 0
                try tx.store(
                  observation: Observation(
                    sum: isDiverged ? nil : Double.random(in: 0..<9, using: &random),
                    predictionCount: sequence.tokenIDs.count - 1),
                  assignmentID: assignments[Int.random(in: 0..<3, using: &random)].id,
                  measureID: measures[Int.random(in: 0..<2, using: &random)].id, sequenceID: sequence.id,
                  numericsID: Bool.random(using: &random) ? contents.here : contents.elsewhere, jobID: contents.job.id)
              }
            }
            if fails { throw Failure() }
          }
        } catch is Failure {}
        let expected = try plain(folder)
        #expect(try lines(folder) == expected, "round \(round)")
        mostLines = max(mostLines, expected.count)
        growths += expected.count > lineCount ? 1 : 0
        losses += expected.count < lineCount ? 1 : 0
        lineCount = expected.count
      }
      #expect(try store.read { try FitnessUpkeep.compare($0.connection) { _ in } } == 0)
    }
    #expect(mostLines > 30 && growths > 20 && losses > 5, "\(mostLines), \(growths), \(losses)")
  }

  @Test(arguments: [
    (
      "DELETE FROM set_fitness WHERE (assignment_id, measure_id, data_set_id) = (SELECT assignment_id, measure_id, data_set_id "
        + "FROM set_fitness LIMIT 1)", "is missing"
    ),
    ("DELETE FROM observation WHERE sequence_id = 1 AND measure_id = 1 AND assignment_id = 2", "has no finite answer"),
  ])
  func verifyFindsWhatDoesNotFollowAndGcMakesItAnew(damage: String, problem: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.tamper(damage)
    let findings = try DamagedFile(folder).findings()
    #expect(!findings.isEmpty)
    #expect(findings.allSatisfy { $0.table == "set_fitness" && $0.problem.contains(problem) }, "\(findings)")
    let store = try folder.write()
    let garbage = try store.read { try $0.garbage(of: GarbageKind.standard, isOld: { _, _ in false }) }
    #expect(garbage.map(\.kind).contains(.fitness))
    try store.write { try $0.drop(GarbageKind.standard, isOld: { _, _ in false }) }
    #expect(try store.read { try $0.garbage(of: [.fitness], isOld: { _, _ in false }) } == [])
    store.close()
    #expect(try DamagedFile(folder).findings().isEmpty)
    #expect(try lines(folder) == plain(folder))
  }

  @Test func verifyFindsAWrongSumWithTheRightCheck() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let row: [SQLValue] = [
      .integer(contents.low.id), .integer(contents.kl.id), .integer(contents.dataSet.id), .integer(Int64(3)),
      .integer(Int64(10)), .real(3.25), .real(1),
    ]
    try folder.tamper(
      """
      UPDATE set_fitness SET sum = 3.25, residual_square_sum = 1, row_check = \(RowWriter.check(row))
      WHERE assignment_id = \(contents.low.id) AND measure_id = \(contents.kl.id) AND data_set_id = \(contents.dataSet.id)
      """)
    let findings = try DamagedFile(folder).findings()
    #expect(findings.map(\.problem) == ["is not what its observations give"])
    #expect(findings.first?.table == "set_fitness")
  }
}
