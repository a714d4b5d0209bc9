import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct RunViewTests {
  private func rows(_ sql: String, _ parameters: [String: SQLValue] = [:]) throws -> [[SQLValue]] {
    let (folder, _) = try CatalogFolder.filled()
    var rows: [[SQLValue]] = []
    try folder.read().query(
      sql, parameters: parameters, timeout: 60, maximumRows: 1000, onColumns: { _ in }, onRow: { rows.append($0) })
    return rows
  }

  @Test func anAssignmentShowsOneRowPerLayer() throws {
    let rows = try rows(
      """
      SELECT l.layer_index, l.layer, l.level, l.bits, l.is_dropped, l.weight_count FROM assignment_layer l
      JOIN assignment a ON a.id = l.assignment_id WHERE a.dropped_subblocks <> '[]' ORDER BY 1
      """)
    #expect(
      rows == [
        [.integer(0), .text("model.layers.0.attention.q_proj"), .text("bits=3"), .real(3), .integer(0), .integer(16)],
        [.integer(1), .text("model.layers.0.mlp.up_proj"), .null, .null, .integer(0), .integer(32)],
        [.integer(2), .text("model.layers.1.attention.q_proj"), .text("bits=4"), .real(4), .integer(0), .integer(16)],
        [.integer(3), .text("model.layers.1.mlp.up_proj"), .null, .null, .integer(1), .integer(32)],
      ])
  }

  @Test func everyVariantShowsItsLayersError() throws {
    let rows = try rows(
      "SELECT layer_index, bits, method, nmse, stored_bytes, trouble FROM layer_error ORDER BY layer_index, bits")
    #expect(rows.count == 8)
    #expect(rows[0] == [.integer(0), .real(3), .text("gptq"), .real(1.0 / 3), .integer(22), .null])
    #expect(rows[7][3] == .real(1.0 / 16) && rows[7][5] == .text("damping was raised"))
  }

  @Test func progressShowsEveryGeneration() throws {
    let rows = try rows(
      """
      SELECT generation, offspring_count, missing_offspring_count, stage_count, evaluated_prediction_count,
        parent_stage_fitness, is_parent_changed FROM run_progress WHERE run = 'first' ORDER BY generation
      """)
    let mixed = (0.5 + 0.375 + 0.1) / 10
    let high = (0.25 + 0.125 + 0.0625) / 10
    #expect(
      rows == [
        [.integer(0), .integer(0), .integer(0), .integer(1), .integer(20), .real(mixed), .integer(0)],
        [.integer(1), .integer(2), .integer(3), .integer(2), .integer(50), .real(high), .integer(1)],
      ])
  }

  @Test func theSummaryOfARunNamesItsEnds() throws {
    let rows = try rows(
      """
      SELECT strategy, state, model, measure, calibration_set, validation_set, target_bits, seed, generation_count, closed_generation,
        recommendation FROM run_summary WHERE run = :run
      """, ["run": .text("first")])
    #expect(
      rows == [
        [
          .text("evolution"), .text("finished"), .text("tiny"), .text("kl"), .text("text"), .text("held-out"), .real(4),
          .integer(7), .integer(1), .integer(1), .text("found"),
        ]
      ])
  }

  @Test func everyCandidateOfEveryStageIsShown() throws {
    let rows = try rows(
      "SELECT generation, stage, candidate, role, switch_count, is_survivor, token_count FROM candidate_result ORDER BY 1, 2, 3"
    )
    #expect(rows.count == 7)
    #expect(
      rows[3] == [
        .integer(1), .integer(0), .integer(1), .text("offspring"), .integer(2), .integer(1), .integer(13),
      ])
  }

  @Test func aModelsLayersAndAnAssignmentsSizesAreShown() throws {
    #expect(
      try rows("SELECT sum(weight_count), min(dense_bits), count(DISTINCT site) FROM model_layer")
        == [[.integer(96), .integer(16), .integer(4)]])
    #expect(
      try rows("SELECT average_bits, stored_bytes FROM assignment_summary WHERE average_bits = 3")
        == [[.real(3), .integer(132)]])
  }

  @Test func aJobShowsWhatItDid() throws {
    let rows = try rows("SELECT command, run, outcome, evaluation_count, cache_hit_count FROM job_summary")
    #expect(rows == [[.text("search"), .text("first"), .text("done"), .integer(24), .integer(0)]])
  }
}
