import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Copies of one run that went on, alone or differently.
@Suite(.usualTimeLimit) struct MergedRunTests {
  /// A copy of the run that stopped after generation 0.
  private func begun(_ source: CatalogFolder) throws -> CatalogFolder {
    let folder = try source.copy()
    try folder.change { transaction in
      for table in ["stage_result", "stage", "candidate", "generation"] {
        try transaction.connection.run("DELETE FROM \(table) WHERE generation_index > 0")
      }
      try transaction.rows.update(
        .run, id: 1, ["state": .text("open"), "found_assignment_id": .null, "recommendation": .null])
    }
    return folder
  }

  /// The run gone on from what it has with a generation of its own kind.
  private func goOn(_ folder: CatalogFolder, index: Int, switches: Int, finishes: Bool = false) throws {
    try folder.change { transaction in
      let high = try transaction.assignment(id: Int64(switches % 4 + 1))
      let list =
        try transaction.connection.integer("SELECT minibatch_id FROM stage LIMIT 1")
        ?? transaction.connection.integer("SELECT min(id) FROM sequence_list") ?? 1
      let digest = try transaction.connection.firstRow(
        "SELECT digest FROM sequence_list WHERE id = ?", [.integer(list)]
      ) { try $0.value("digest") as Digest }
      let generation = StoredGeneration(
        index: index, candidates: [.init(assignment: high, role: .offspring, switchCount: switches)],
        stages: [
          .init(
            index: 0, minibatch: SequenceListRecord(id: list, digest: try #require(digest), sequences: []),
            results: [
              .init(
                candidateIndex: 0, observation: Observation(sum: Double(switches), predictionCount: 10),
                fitness: Double(switches) / 10, survived: true)
            ])
        ], winnerIndex: 0, missingCount: 0)
      try transaction.store(generation: generation, ofRun: 1, jobID: 1)
      var changes: [String: SQLValue] = [:]
      if index == 0 { changes["start_assignment_id"] = .integer(high.id) }
      if finishes {
        changes["state"] = .text("finished")
        changes["found_assignment_id"] = .integer(high.id)
        changes["recommendation"] = .text("found")
      }
      if !changes.isEmpty { try transaction.rows.update(.run, id: 1, changes) }
    }
  }

  /// The digests after merging in every order and, for three, both ways of grouping.
  private func outcomes(_ files: [CatalogFolder]) throws -> [CatalogFolder] {
    var result: [CatalogFolder] = []
    let orders =
      files.count == 2 ? [[0, 1], [1, 0]] : [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    for order in orders {
      let target = try files[order[0]].copy()
      for other in order.dropFirst() { try target.merge([files[other]]) }
      result.append(target)
      guard files.count == 3 else { continue }
      let inner = try files[order[1]].copy()
      try inner.merge([files[order[2]]])
      let outer = try files[order[0]].copy()
      try outer.merge([inner])
      result.append(outer)
    }
    return result
  }

  private func expectAgreement(_ files: [CatalogFolder], sourceLocation: SourceLocation = #_sourceLocation) throws
    -> CatalogFolder
  {
    let outcomes = try outcomes(files)
    let digests = try outcomes.map { try $0.digest() }
    #expect(Set(digests).count == 1, sourceLocation: sourceLocation)
    for outcome in outcomes {
      #expect(try outcome.defects() == [], sourceLocation: sourceLocation)
      for file in files { try outcome.merge([file]) }
    }
    #expect(try outcomes.map { try $0.digest() } == digests, sourceLocation: sourceLocation)
    return try #require(outcomes.first)
  }

  @Test func ofTwoCopiesTheLongerOneStays() throws {
    let (one, other) = try CatalogFolder.twins()
    let whole = try one.digest()
    let merged = try expectAgreement([one, try begun(other)])
    #expect(try merged.digest() == whole)
    #expect(try merged.rows("SELECT name, state FROM run") == [[.text("first"), .text("finished")]])
  }

  @Test func copiesThatWentOnDifferentlyBecomeRunAndBranchInEitherOrder() throws {
    let (one, other) = try CatalogFolder.twins()
    let copy = try begun(other)
    try goOn(copy, index: 1, switches: 3)
    try goOn(copy, index: 2, switches: 5)
    let merged = try expectAgreement([one, copy])
    let runs = try merged.rows(
      """
      SELECT r.name, r.state, o.name, r.origin_generation, min(g.generation_index), max(g.generation_index), count(*)
      FROM run r LEFT JOIN run o ON o.id = r.origin_run_id JOIN generation g ON g.run_id = r.id GROUP BY r.id ORDER BY r.name
      """)
    #expect(runs.count == 2)
    #expect(runs[0][0] == .text("first") && runs[0][2] == .null && runs[0][4] == .integer(0))
    #expect(runs[1][2] == .text("first") && runs[1][3] == .integer(0) && runs[1][4] == .integer(1))
    #expect(runs.contains { $0[1] == .text("open") } && runs.contains { $0[1] == .text("finished") })
    #expect(try merged.rows("SELECT count(*) FROM stage_result WHERE sum = 3") == [[.integer(1)]])
  }

  @Test func threeCopiesAgreeInEveryOrder() throws {
    let (one, other) = try CatalogFolder.twins()
    for (b, c) in [([3, 5], [3, 6]), ([3, 5], [2, 6]), ([1], [9, 9]), ([3, 5], [3])] {
      let (second, third) = (try begun(other), try begun(one))
      for (index, switches) in b.enumerated() { try goOn(second, index: index + 1, switches: switches) }
      for (index, switches) in c.enumerated() {
        try goOn(third, index: index + 1, switches: switches, finishes: index == c.count - 1)
      }
      _ = try expectAgreement([one, second, third])
    }
  }

  @Test func aForkBeforeTheFirstGenerationTakesTheBranchesAlong() throws {
    let (one, other) = try CatalogFolder.twins()
    for switches in [1, 2, 3, 4] {
      let (second, third) = (try begun(other), try begun(one))
      try goOn(second, index: 1, switches: 7)
      try third.change { transaction in
        for table in ["stage_result", "stage", "candidate", "generation"] {
          try transaction.connection.run("DELETE FROM \(table)")
        }
        try transaction.rows.update(.run, id: 1, ["start_assignment_id": .null])
      }
      try goOn(third, index: 0, switches: switches)
      try goOn(third, index: 1, switches: switches)
      let merged = try expectAgreement([one, second, third])
      #expect(try merged.rows("SELECT count(*) FROM run") == [[.integer(3)]])
    }
  }

  @Test func twoRunsOfOneRecipeStayTwo() throws {
    let (one, _) = try CatalogFolder.filled()
    let (other, _) = try CatalogFolder.filled(reversed: true)
    let merged = try expectAgreement([one, other])
    let names = try merged.rows("SELECT name FROM run ORDER BY length(name)")
    #expect(names.count == 2 && names[0] == [.text("first")])
    let uuid = try merged.rows("SELECT substr(max(uuid), 1, 8) FROM run")[0][0]
    #expect(
      names[1]
        == [uuid].map { value in
          if case .text(let text) = value { return .text("first-\(text)") }
          return value
        })
  }

  @Test func namesThatMeanDifferentThingsGetTheSameSuffixInEitherOrder() throws {
    let (one, other) = try CatalogFolder.twins()
    for (folder, tokens) in [(one, [[1, 2, 3]]), (other, [[4, 5, 6]])] as [(CatalogFolder, [[Int32]])] {
      try folder.change { transaction in
        _ = try transaction.store(
          dataSet: "mine", sequences: tokens, tokenizerDigest: nil, textDigest: nil, options: "{}", droppedTokenCount: 0
        )
        _ = try ExampleContents.storeModel(in: transaction, name: "model", seed: "\(tokens)")
      }
    }
    let merged = try expectAgreement([one, other])
    #expect(try merged.rows("SELECT name FROM data_set WHERE name LIKE 'mine%'").count == 2)
    #expect(try merged.rows("SELECT name FROM model WHERE name LIKE 'model%'").count == 2)
    let report = try one.merge([other])
    #expect(report.notes.filter { $0.contains("are called") }.count == 2)
  }

  @Test func theUUIDOfABranchHasVersionEight() {
    let uuid = RunForest.branchUUID(root: "a", first: SHA256.digest(of: [1]))
    #expect(uuid == RunForest.branchUUID(root: "a", first: SHA256.digest(of: [1])))
    #expect(UUID(uuidString: uuid) != nil && RunForest.isMergeBranch(uuid))
    #expect(!RunForest.isMergeBranch(UUID().uuidString.lowercased()))
  }
}
