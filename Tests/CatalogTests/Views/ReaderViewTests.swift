import Foundation
import TestSupport
import Testing

@testable import Catalog

/// The views that readers join and plot from.
@Suite(.usualTimeLimit) struct ReaderViewTests {
  private let folder: CatalogFolder
  private let contents: ExampleContents

  init() throws { (folder, contents) = try CatalogFolder.filled() }

  private func rows(_ sql: String) throws -> [[SQLValue]] {
    var rows: [[SQLValue]] = []
    try folder.read().query(sql, timeout: 60, maximumRows: 1000, onColumns: { _ in }, onRow: { rows.append($0) })
    return rows
  }

  private func write(_ body: (CatalogTransaction) throws -> Void) throws {
    let store = try folder.write()
    defer { store.close() }
    try store.write(body)
  }

  @Test func aModelShowsItsSize() throws {
    let found = try rows(
      """
      SELECT model, architecture, block_count, layer_count, compressible_weight_count, dense_bits, digest
      FROM model_summary
      """)
    #expect(
      found == [
        [
          .text("tiny"), .text("llama"), .integer(contents.model.blockCount), .integer(4), .integer(96), .real(16),
          .text(contents.model.digest.hex),
        ]
      ])
  }

  @Test func assignmentsWithOneLevelEverywhereAreListed() throws {
    let list = try rows("SELECT assignment, level FROM uniform_assignment ORDER BY assignment_id")
    // One by one, from the layers of each.
    let layers = try rows(
      """
      SELECT l.assignment, min(l.level) FROM assignment_layer l GROUP BY l.assignment_id
      HAVING count(l.level) = count(*) AND count(DISTINCT l.level) = 1 AND max(l.is_dropped) = 0 ORDER BY l.assignment_id
      """)
    #expect(list == layers && !list.isEmpty)
    #expect(list.contains([.text(contents.low.digest.hex), .text("bits=3")]))
    // A dropped subblock, a dense layer, and another level in the middle make it another assignment.
    let all = try rows("SELECT count(*) FROM assignment_summary")
    #expect(all != [[.integer(Int64(list.count))]])
  }

  @Test func everyChangeShowsWhatItCosts() throws {
    let found = try rows(
      """
      SELECT model, unit, level, round(difference, 12), round(standard_error, 6), prediction_count,
        distinct_sequence_count, assignment, base_assignment
      FROM unit_sensitivity WHERE measure = 'kl' AND level = 'bits=3'
      """)
    // Differences 1.75, 0.5 and 0.875 on 5, 2 and 3 predictions.
    #expect(
      found == [
        [
          .text("tiny"), .text(contents.layers[0].name), .text("bits=3"), .real(0.3125), .real(0.028641), .integer(10),
          .integer(3), .text(contents.low.digest.hex), .text(contents.dense.digest.hex),
        ]
      ])
    #expect(try rows("SELECT count(*) FROM unit_sensitivity") == [[.integer(4)]])
    let lines = try folder.read().read { try $0.unitSensitivities(aroundAssignment: contents.dense.id, measure: "kl") }
    #expect(lines.map(\.level) == ["bits=3", "bits=4"])
  }

  @Test func everyMeasureHasOneLabel() throws {
    let more = [
      MeasureRecord(name: "topk-kl", topK: 10, reference: "dense", revision: 1),
      MeasureRecord(name: "topk-kl", topK: 5, reference: "dense", revision: 1),
      MeasureRecord(name: "continuation", topK: nil, firstToken: 7, reference: "none", revision: 1),
    ]
    try write { tx in for measure in more { _ = try tx.store(measure: measure) } }
    let labels = try folder.read().read { try $0.measures() }.map { SQLValue.text($0.label) }
    #expect(labels.suffix(3) == [.text("topk-kl:10"), .text("topk-kl:5"), .text("continuation:7")])
    #expect(try rows("SELECT measure FROM measure_summary ORDER BY measure_id").map { $0[0] } == labels)
    #expect(labels.contains(.text("kl")) && labels.contains(.text("perplexity")))
    #expect(
      try folder.read().read { try $0.measureIDs(named: "topk-kl").count + $0.measureIDs(named: "topk-kl:5").count }
        == 3)
  }

  @Test func everyAnswerOfADataSetIsARow() throws {
    let condition = "data_set = 'held-out' AND measure = 'kl' AND assignment = '\(contents.low.digest.hex)'"
    let found = try rows(
      """
      SELECT first_position, sequence, occurrence_count, token_count, prediction_count, sum, mean, outcome
      FROM sequence_result WHERE \(condition) ORDER BY first_position
      """)
    func row(_ position: Int, _ sequence: Int, _ sum: Double) -> [SQLValue] {
      let count = ExampleContents.tokens[sequence].count
      return [
        .integer(position), .text(contents.sequences[sequence].digest.hex), .integer(1), .integer(count),
        .integer(count - 1), .real(sum), .real(sum / Double(count - 1)), .text("finite"),
      ]
    }
    #expect(found == [row(0, 2, 0.875), row(1, 0, 1.75)])
    // All of them: four assignments in two measures on three sequences and two of the three.
    #expect(try rows("SELECT 1 FROM sequence_result").count == 4 * 2 * (3 + 2))
  }

  @Test func aSpaceShowsItsChoicesWithTheirCosts() throws {
    let found = try rows(
      """
      SELECT unit, level_index, level, cost_bits, layer, is_dropped, method, bits, stored_bytes FROM space_choice
      WHERE space_id = (SELECT space_id FROM run_summary WHERE run = 'first') ORDER BY unit_index, level_index
      """)
    #expect(found.count == 8)
    let variant = contents.variants[1][0]
    #expect(
      found[3] == [
        .text(contents.layers[1].name), .integer(1), .text("bits=3"), .integer(variant.codeBits),
        .text(contents.layers[1].name), .integer(0), .text("gptq"), .real(3), .integer(variant.storedBits / 8),
      ])
  }

  @Test func aRunsLineageBeginsWithItsFirstAncestor() throws {
    try write { tx in
      let list = try tx.store(sequenceList: contents.sequences)
      let generations = contents.generations(minibatch: list)
      var origin = contents.run
      for (name, generation) in [("second", 0), ("third", 1)] {
        var run = origin
        run.name = name
        run.recipeDigest = SHA256.digest(of: name.utf8)
        run.originRunID = origin.id
        run.originGeneration = generation
        run = try tx.begin(run: run)
        for generation in generations { try tx.store(generation: generation, ofRun: run.id, jobID: contents.job.id) }
        origin = run
      }
    }
    let (mixed, high) = (SQLValue.text(contents.mixed.digest.hex), SQLValue.text(contents.high.digest.hex))
    func lineage(_ run: String) throws -> [[SQLValue]] {
      try rows(
        """
        SELECT depth, ancestor_run, generation, parent_assignment, switch_count FROM run_lineage WHERE run = '\(run)'
        ORDER BY depth DESC, generation
        """)
    }
    #expect(
      try lineage("third") == [
        [.integer(2), .text("first"), .integer(0), mixed, .integer(0)],
        [.integer(1), .text("second"), .integer(0), mixed, .integer(0)],
        [.integer(1), .text("second"), .integer(1), high, .integer(2)],
        [.integer(0), .text("third"), .integer(0), mixed, .integer(0)],
        [.integer(0), .text("third"), .integer(1), high, .integer(2)],
      ])
    #expect(try lineage("first").count == 2 && lineage("second").count == 3)
  }

  @Test func aTargetStandsInTheColumnOfWhatItCounts() throws {
    func targets(_ cost: String) throws -> [SQLValue] {
      try folder.tamper("UPDATE space SET cost = '\(cost)'")
      return try rows(
        """
        SELECT target_bits, target_stored_bits, target_bytes, target_sparsity, target_dropped_subblock_count FROM run_summary
        """)[0]
    }
    // 384 bits, weights or subblocks of 96 weights.
    #expect(try targets("codes") == [.real(4), .null, .null, .null, .null])
    #expect(try targets("stored") == [.null, .real(4), .integer(48), .null, .null])
    #expect(try targets("weights") == [.null, .null, .null, .real(-3), .null])
    let all = contents.variants.map { $0[1].codeBits }.reduce(0, +)
    #expect(try targets("subblocks") == [.null, .null, .null, .null, .integer(all - 384)])
  }

  @Test func whatARecipeDoesNotSayIsNull() throws {
    try folder.tamper(
      #"UPDATE run SET recipe = '{"seed":7,"layers":[],"tie":"","tokens":[32,64],"initial":"random:1"}'"#)
    #expect(
      try rows("SELECT name, value FROM run_parameter ORDER BY name") == [
        [.text("initial"), .text("random:1")], [.text("layers"), .null], [.text("seed"), .integer(7)],
        [.text("tie"), .null], [.text("tokens"), .text("[32,64]")],
      ])
  }
}
