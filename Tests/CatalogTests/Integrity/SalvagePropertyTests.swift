import Foundation
import TestSupport
import Testing

@testable import Catalog

/// The output of `salvage` passes `verify`, whatever it got, and saving it again changes nothing.
///
/// `EVODB_DAMAGE_SCALE` multiplies the cases, `EVODB_TEST_SEED` chooses others.
@Suite(.usualTimeLimit) struct SalvagePropertyTests {
  private static let source = Result { try DamageSource() }
  private static let scale = ProcessInfo.processInfo.environment["EVODB_DAMAGE_SCALE"].flatMap { Int($0) } ?? 1

  private func salvage(_ folder: CatalogFolder) throws -> (tables: [CatalogSalvage.Table], saved: CatalogFolder) {
    let saved = try CatalogFolder()
    return (try CatalogSalvage(path: folder.path, output: saved.path).run().tables, saved)
  }

  private func rowCount(_ tables: [CatalogSalvage.Table]) -> Int64 { tables.reduce(0) { $0 + $1.savedCount } }

  @Test(arguments: RandomDamage.allCases)
  func whatIsSavedOfAnythingIsWholeAndStays(kind: RandomDamage) throws {
    let source = try Self.source.get()
    let stream = UInt64(RandomDamage.allCases.firstIndex(of: kind) ?? 0)
    var random = SplitMix64(property: 9000 + stream)
    let whole = try CatalogFolder()
    try Data(source.writers[1].file).write(to: URL(fileURLWithPath: whole.path))
    let all = rowCount(try salvage(whole).tables)
    let caseCount = 5 * Self.scale
    var (refused, kept, intact) = (0, 0.0, 0)
    for number in 0..<caseCount {
      let folder = try CatalogFolder()
      try kind.write(source, to: folder, using: &random)
      do {
        let (tables, saved) = try salvage(folder)
        let place = "\(kind), case \(number), seed \(TestSeed.value)"
        #expect(try DamagedFile(saved).findings() == [], "\(place)")
        let digest = try saved.digest()
        let (again, twice) = try salvage(saved)
        #expect(try twice.digest() == digest, "\(place)")
        #expect(again.allSatisfy { $0.lostCount == 0 && $0.gapCount == 0 && $0.emptiedCount == 0 }, "\(place)")
        #expect(again.map(\.savedCount) == tables.map(\.savedCount), "\(place)")
        let merged = try CatalogFolder.empty()
        try merged.merge([saved])
        #expect(try merged.digest() == digest, "\(place)")
        let share = min(1, Double(rowCount(tables)) / Double(all))
        kept += share
        if share == 1 { intact += 1 }
      } catch is CatalogError {
        // Named; any other error ends the test.
        refused += 1
      }
    }
    // Damage that hides the schema takes everything; anything else leaves something.
    #expect(kept > 0)
    if Self.scale > 1 {
      let mean = kept / Double(max(1, caseCount - refused))
      print(
        "damage \(kind): \(caseCount) cases, \(refused) refused, of the others \(intact) lost nothing; rows kept on "
          + "average \(Int((1000 * mean).rounded())) per mille")
    }
  }

  /// A row with a wrong check in every table: what does not stand on it stays.
  @Test func ofOneDamagedRowOnlyWhatStandsOnItIsLost() throws {
    let (folder, _) = try CatalogFolder.filled()
    let before = try RowGraph(folder)
    var random = SplitMix64(property: 9077)
    for table in TableDescription.all where table.hasRowCheck && !RowGraph.leftOut.contains(table.name) {
      let rows = before.rows[table.name] ?? []
      let victim = try #require(rows.randomElement(using: &random), "\(table.name) is empty")
      let copy = try folder.copy()
      let filter = table.order.map { "\(table.columns[$0].name) IS ?" }.joined(separator: " AND ")
      do {
        let connection = try Connection(path: copy.path, access: .readWrite, busyTimeoutMilliseconds: 1000)
        try connection.run(
          // The lowest bit flipped: SQLite has no exclusive or.
          "UPDATE \(table.name) SET row_check = (row_check | 1) - (row_check & 1) WHERE \(filter)",
          table.order.map { victim[$0] })
      }
      let (_, saved) = try salvage(copy)
      let after = try RowGraph(saved)
      let expected = before.standing(on: victim, of: table.name)
      // Blobs that nothing but caches or lost rows spoke of are not taken along.
      for (name, rows) in before.rows where name != "blob" {
        for row in rows where !after.has(row, in: name) {
          #expect(
            expected[name]?.contains(RowGraph.key(row, name)) == true, "\(table.name) took a row of \(name): \(row)")
        }
      }
      #expect(!after.has(victim, in: table.name) || table.name == "job", "\(table.name)")
      let emptied = try saved.rows("SELECT b.id FROM variant v JOIN blob b ON b.id = v.blob_id WHERE b.chunk_count = 0")
      #expect(emptied.count <= (table.name == "blob" ? 1 : 0), "\(table.name)")
      #expect(try DamagedFile(saved).findings() == [])
    }
  }
}
