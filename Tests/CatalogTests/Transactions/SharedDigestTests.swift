import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct SharedDigestTests {
  private func digests(_ folder: CatalogFolder) throws -> (contents: Digest, all: Digest) {
    try folder.read().read {
      (try $0.sharedDigest(includingProvenance: false), try $0.sharedDigest(includingProvenance: true))
    }
  }

  @Test func theOrderOfInsertionDoesNotMatter() throws {
    let (one, first) = try CatalogFolder.filled()
    let (other, second) = try CatalogFolder.filled(reversed: true)
    #expect(first.sequences.map(\.id) != second.sequences.map(\.id))
    #expect(first.low.id != second.low.id)
    #expect(try digests(one) == digests(other))
  }

  @Test func emptyCatalogsAgreeAndFilledOnesDoNot() throws {
    let (one, other) = (try CatalogFolder(), try CatalogFolder())
    try one.create().close()
    try other.create().close()
    #expect(try digests(one) == digests(other))
    #expect(try digests(one).contents != digests(CatalogFolder.filled().folder).contents)
  }

  @Test(arguments: [
    "UPDATE model SET name = 'other'", "DELETE FROM teacher_state", "UPDATE model_source SET folder = '/elsewhere'",
    "UPDATE job SET host_name = 'h', user_name = 'u', uuid = 'x', started_at = 't', evaluation_count = 9",
    "UPDATE run SET uuid = 'x', created_at = 't'", "UPDATE data_set SET created_at = 't'",
    "UPDATE generation SET closed_at = 't'", "UPDATE statistic SET diagonal_blob_id = NULL", "VACUUM",
  ])
  func whatAFileHasForItselfDoesNotMatter(change: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    let before = try digests(folder)
    try folder.tamper(change)
    #expect(try digests(folder) == before)
  }

  @Test(arguments: [
    "UPDATE observation SET sum = sum + 1e-12 WHERE sum = 1.75", "UPDATE model SET configuration = '{}'",
    "UPDATE tensor SET dtype = 'F32'", "UPDATE site SET width = 5", "UPDATE weight SET dense_bits = 8",
    "UPDATE layer SET role = 'k_proj' WHERE role = 'q_proj'", "UPDATE sequence SET token_count = 77 WHERE id = 1",
    "UPDATE sequence_list SET token_count = 1", "UPDATE method SET parameters = '[]'",
    "UPDATE statistic SET content_key = zeroblob(32)", "UPDATE variant SET trouble = 'x'",
    "UPDATE variant SET nmse = NULL WHERE id = 2", "UPDATE assignment SET stored_bits = 1",
    "UPDATE measure SET revision = 2", "UPDATE numerics SET kernels = '2'", "UPDATE space SET cost = 'stored'",
    "DELETE FROM observation WHERE sum = 1.75", "UPDATE observation SET prediction_count = 99",
  ])
  func everySharedValueMatters(change: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    let before = try digests(folder)
    try folder.tamper("PRAGMA foreign_keys = OFF; \(change)")
    let after = try digests(folder)
    #expect(after.contents != before.contents && after.all != before.all)
  }

  @Test(arguments: [
    "UPDATE data_set SET name = 'x' WHERE name = 'text'", "UPDATE data_set SET options = '[]'",
    "UPDATE run SET name = 'x'", "UPDATE run SET state = 'open'", "UPDATE run SET found_assignment_id = NULL",
    "UPDATE run SET recipe_digest = zeroblob(32)", "UPDATE generation SET content_digest = zeroblob(32)",
    "UPDATE candidate SET switch_count = 9", "UPDATE stage SET minibatch_id = (SELECT max(id) FROM sequence_list)",
    "UPDATE stage_result SET is_survivor = 1 - is_survivor", "DELETE FROM stage_result",
  ])
  func provenanceMattersWhereItIsAskedFor(change: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    let before = try digests(folder)
    try folder.tamper("PRAGMA foreign_keys = OFF; \(change)")
    let after = try digests(folder)
    #expect(after.contents == before.contents && after.all != before.all)
  }
}
