import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Rows that are what was written, one by one, but point to bytes that are not theirs, as two writers at once leave them.
@Suite(.usualTimeLimit) struct WrongWeightsTests {
  /// Lets every variant of a level point to the bytes of another layer's, each row with the check that it must have.
  private func exchange(_ catalog: TinyCatalog, level: String) throws {
    let connection = try Connection(path: catalog.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    try connection.execute("PRAGMA foreign_keys = OFF")
    var variants: [(id: Int64, blob: Int64)] = []
    try connection.forEachRow("SELECT id, blob_id FROM variant WHERE level = ? ORDER BY id", [.text(level)]) {
      variants.append(($0.integer("id"), $0.integer("blob_id")))
    }
    let rows = RowWriter(connection)
    let statistic = try connection.integer("SELECT diagonal_blob_id FROM statistic ORDER BY id LIMIT 1")
    for (index, variant) in variants.enumerated() {
      // The first gets bytes that are no packed weights at all.
      let other = index == 0 ? statistic ?? 0 : variants[(index + 1) % variants.count].blob
      try rows.update(.variant, id: variant.id, ["blob_id": .integer(other)])
    }
  }

  /// Packed bytes with their digest and their size under the right keys, which no packing wrote.
  private func forge(_ catalog: TinyCatalog, level: String) throws {
    let connection = try Connection(path: catalog.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    let rows = RowWriter(connection)
    let variant = try #require(
      try connection.integer("SELECT id FROM variant WHERE level = ? ORDER BY id LIMIT 1", [.text(level)]))
    let bytes = [UInt8](repeating: 7, count: 400)
    let digest = SHA256.digest(of: bytes)
    var blob = try connection.integer("SELECT id FROM blob WHERE digest = ?", [.digest(digest)]) ?? 0
    if blob == 0 {
      blob = try rows.insert(
        .blob, ["digest": .digest(digest), "byte_count": .integer(400), "chunk_count": .integer(1)])
      try connection.run(
        "INSERT INTO blob_chunk (blob_id, chunk_index, bytes) VALUES (?, 0, ?)", [.integer(blob), .blob(bytes)])
    }
    try rows.update(
      .variant, id: variant,
      ["content_key": .digest(digest), "blob_id": .integer(blob), "stored_bits": .integer(3200)])
  }

  @Test func verifyNamesWeightsThatAreNotThoseOfTheirKey() throws {
    let catalog = try TinyCatalog(.built)
    try exchange(catalog, level: "bits=3")
    let result = try catalog.run("verify")
    #expect(result.exitCode == 65)
    #expect(result.output.contains("its packed bytes are not what its content key says"))
  }

  @Test func verifyLooksIntoPackedWeights() throws {
    let catalog = try TinyCatalog(.built)
    try forge(catalog, level: "bits=3")
    let result = try catalog.run("verify")
    #expect(result.exitCode == 65)
    #expect(result.output.contains("its packed bytes are no weights of its layer: it does not begin with EVPW"))
  }

  @Test func buildMakesThemAgainAndTheFileIsWhole() throws {
    let catalog = try TinyCatalog(.built)
    let digest = try catalog.digest()
    try exchange(catalog, level: "bits=3")
    try catalog.output("build", "--data", "calibration", "--bits", "3")
    #expect(try catalog.run("verify").exitCode == 0)
    #expect(try catalog.digest() == digest)
  }

  @Test func workOnThemNamesTheVariantAndWhatToDo() throws {
    for spoil in [exchange, forge] {
      let catalog = try TinyCatalog(.searched)
      // The found assignment has one of the first layer's.
      for level in ["bits=2", "bits=3", "bits=4", "bits=5"] { try spoil(catalog, level) }
      for verb in [
        ["evaluate", "first", "--data", "validation", "--measure", "topk-kl"],
        ["export", "first", "--to", "hf", "-o", "out"],
      ] {
        let result = try catalog.run(verb[0], Array(verb.dropFirst()))
        #expect(result.exitCode == 65, "\(verb): \(result.diagnostics)")
        #expect(
          result.diagnostics.contains(" by gptq") && result.diagnostics.contains("evodb salvage"),
          "\(verb): \(result.diagnostics)")
        #expect(!result.diagnostics.contains("SQLite error"), "\(verb): \(result.diagnostics)")
      }
    }
  }

  @Test func salvageKeepsTheRowsAndWhatRestsOnThem() throws {
    for spoil in [exchange, forge] {
      let catalog = try TinyCatalog(.searched)
      let observations = try catalog.number("SELECT count(*) AS n FROM observation")
      try spoil(catalog, "bits=3")
      #expect(try catalog.run("salvage", "-o", "saved.evodb").exitCode == 0)
      #expect(try catalog.runner.run(["verify", "saved.evodb"]).exitCode == 0)
      #expect(try catalog.runner.run(["salvage", "saved.evodb", "-o", "twice.evodb"]).exitCode == 0)
      let digests = try ["saved.evodb", "twice.evodb"].map { try catalog.runner.run(["digest", "--all", $0]).output }
      #expect(digests[0] == digests[1])
      #expect(try catalog.runner.run(["init", "empty.evodb"]).exitCode == 0)
      #expect(try catalog.runner.run(["merge", "empty.evodb", "saved.evodb"]).exitCode == 0)
      let kept = try catalog.runner.run(["query", "saved.evodb", "SELECT count(*) FROM observation", "--format", "csv"])
      let count = Double(kept.output.filter(\.isNumber)) ?? 0
      #expect(count > 0 && count <= observations)
    }
  }
}
