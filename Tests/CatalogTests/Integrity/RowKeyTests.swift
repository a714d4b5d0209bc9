import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct RowKeyTests {
  private func defects(_ folder: CatalogFolder) throws -> [RowDefect] {
    let store = try folder.read()
    defer { store.close() }
    return try store.read { transaction in
      var found: [RowDefect] = []
      for table in RowKeys.tables { try RowKeys(transaction).check(table) { found.append($0) } }
      return found
    }
  }

  @Test func everythingWrittenThroughTheCatalogHasTheKeysOfItsContent() throws {
    #expect(try defects(CatalogFolder.filled().folder) == [])
  }

  @Test(arguments: [
    ("numerics", "UPDATE numerics SET kernels = 'x' WHERE id = 1"),
    ("weight", "UPDATE tensor SET dtype = 'F16' WHERE name LIKE '%0.attention%'"),
    ("weight", "UPDATE weight SET output_count = 5 WHERE id = 1"),
    ("weight", "INSERT INTO weight SELECT 99, zeroblob(32), 1, 1, 16, 0"),
    ("weight", "UPDATE tensor SET shape = '[4,x]' WHERE name LIKE '%0.attention%'"),
    ("model", "UPDATE model SET configuration = '{\"hidden\":5}'"), ("model", "UPDATE model SET configuration = '['"),
    ("model", "UPDATE tensor SET name = 'other' WHERE name LIKE '%embed%'"),
    ("model", "UPDATE model SET parameter_count = -1"), ("model", "UPDATE model SET compressible_weight_count = 1"),
    ("model", "UPDATE layer SET layer_index = 7 WHERE layer_index = 3"),
    ("model", "UPDATE tensor SET shape = '[9223372036854775807,9223372036854775807]' WHERE name LIKE '%embed%'"),
    ("sequence", "UPDATE sequence SET token_ids = x'0100000002000000' WHERE id = 1"),
    ("sequence", "UPDATE sequence SET token_count = 9223372036854775807 WHERE id = 1"),
    ("sequence", "UPDATE sequence SET token_ids = x'ffffffffffffffff', token_count = 2 WHERE id = 1"),
    ("sequence_list", "UPDATE sequence_list_item SET position = 9 WHERE position = 0"),
    ("sequence_list", "UPDATE sequence_list SET prediction_count = -9223372036854775807"),
    ("method", "UPDATE method SET name = 'rtn'"), ("method", "UPDATE method SET canonical = 'x'"),
    ("statistic", "UPDATE statistic SET upstream_level = 'bits=4'"),
    ("statistic", "UPDATE statistic SET matrix_blob_id = diagonal_blob_id"),
    ("variant", "UPDATE variant SET level = 'bits=9' WHERE id = 1"),
    ("variant", "UPDATE variant SET content_key = zeroblob(32) WHERE id = 1"),
    ("variant", "UPDATE variant SET blob_id = 2 WHERE blob_id = 3"),
    ("variant", "UPDATE variant SET stored_bits = 8 WHERE id = 1"),
    ("assignment", "UPDATE assignment SET variant_ids = '[1,2,3]'"),
    ("assignment", "UPDATE assignment SET variant_ids = '[2,1,3,4]'"),
    ("assignment", "UPDATE assignment SET variant_ids = '{'"),
    ("assignment", "UPDATE assignment SET code_bits = code_bits + 1"),
    ("assignment", "UPDATE assignment SET setting_digest = zeroblob(32)"),
    ("assignment", "UPDATE variant SET code_bits = 9223372036854775807"),
    ("measure", "UPDATE measure SET top_k = 5"),
    ("observation", "UPDATE observation SET prediction_count = 77 WHERE sum = 1.75"),
    ("observation", "UPDATE measure SET first_token = 2 WHERE first_token IS NOT NULL"),
    ("task", "UPDATE task_choice SET is_answer = 1 - is_answer"), ("task", "UPDATE task SET item_count = 7"),
    ("task", "DELETE FROM task_choice WHERE choice_index = 0"),
    ("space", "UPDATE space_level SET cost_bits = 0"),
    ("space", "UPDATE space_unit SET name = 'x' WHERE unit_index = 0"),
    ("space", "UPDATE space_member SET variant_id = (SELECT max(id) FROM variant) WHERE unit_index = 0"),
    ("space", "UPDATE space_unit SET unit_index = unit_index + 9"),
    ("space", "UPDATE space_member SET level_index = 7 WHERE unit_index = 0 AND level_index = 0"),
    ("model", "UPDATE layer SET site_id = 5 - site_id"),
    ("model", "UPDATE layer SET site_id = 1 WHERE site_id = 2"), ("model", "UPDATE site SET width = 9 WHERE id = 1"),
    ("run", "UPDATE run SET start_assignment_id = dense_assignment_id"),
    ("run", "UPDATE run SET dense_assignment_id = start_assignment_id"),
    ("run", "UPDATE run SET origin_run_id = id, origin_generation = 0"),
    ("generation", "UPDATE generation SET generation_index = generation_index + 3"),
    ("candidate", "DELETE FROM generation WHERE generation_index = 1"),
    ("stage_result", "DELETE FROM generation WHERE generation_index = 1"),
    ("generation", "UPDATE generation SET missing_offspring_count = 9"),
    ("generation", "UPDATE candidate SET switch_count = 9"), ("generation", "UPDATE stage_result SET sum = 0.5"),
    ("generation", "DELETE FROM candidate WHERE candidate_index = 0"),
    ("generation", "UPDATE generation SET parent_assignment_id = 1"),
    ("generation", "DELETE FROM stage WHERE stage_index = 1"),
  ])
  func aKeyThatIsNotThatOfItsContentIsFound(table: String, change: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.tamper("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; \(change)")
    let found = try defects(folder)
    #expect(found.contains { $0.table == table }, "\(change): \(found)")
  }

  @Test(arguments: [
    "UPDATE blob_chunk SET bytes = x'00' WHERE blob_id = 1",
    "UPDATE blob_chunk SET chunk_index = 1 WHERE blob_id = 1",
    "DELETE FROM blob_chunk WHERE blob_id = 1",
    "UPDATE blob SET byte_count = 9223372036854775807 WHERE id = 1",
  ])
  func aBlobThatIsNotThatOfItsDigestIsFound(change: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.tamper(change)
    try folder.forgeChecks()
    #expect(try DamagedFile(folder).findings().map(\.table) == ["blob"])
  }

  @Test func aBlobWhoseBytesAreNotHereIsWhole() throws {
    let (folder, _) = try CatalogFolder.filled()
    try folder.tamper("DELETE FROM blob_chunk; UPDATE blob SET chunk_count = 0")
    try folder.forgeChecks()
    #expect(try DamagedFile(folder).findings() == [])
  }

  @Test func configurationsKeepTheKindOfTheirNumbers() throws {
    let fields = try #require(ArtefactKey.configuration(json: #"{"a":1,"b":1.0,"c":1e-05,"d":"x,y}"}"#))
    #expect(fields.map(\.name) == ["a", "b", "c", "d"])
    #expect(fields.map(\.value) == [.integer(1), .real(1), .real(1e-5), .text("x,y}")])
    for wrong in ["", "{", "[]", "{\"a\":}", "{\"a\":1", "{\"a\":1}x", "{\"a\":\"b\\\"\"}", "{a:1}", "{\"a\":[1]}"] {
      #expect(ArtefactKey.configuration(json: wrong) == nil, "\(wrong)")
    }
  }
}
