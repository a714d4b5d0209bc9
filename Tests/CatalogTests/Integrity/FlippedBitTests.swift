import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Single flipped bits everywhere in a file: each is found, or no query can see it.
@Suite(.usualTimeLimit) struct FlippedBitTests {
  /// The places of the values that rows consist of: all bytes of stored texts, digests and blobs that occur in the file as
  /// they are, by table.
  private func livePlaces(_ file: DamagedFile) throws -> (rows: [Int], blobs: [Int]) {
    let connection = try Connection(path: file.folder.path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    var rows: Set<Int> = []
    var blobs: Set<Int> = []
    for name in try connection.texts("SELECT name FROM sqlite_schema WHERE type = 'table'") {
      try connection.forEachRow("SELECT * FROM \(name)") { row in
        for value in row.values {
          let pattern: [UInt8]
          switch value {
          case .text(let text): pattern = Array(text.utf8)
          case .blob(let bytes): pattern = bytes
          // Whole reals and small integers are stored in fewer bytes.
          case .real(let real) where real != real.rounded():
            pattern = withUnsafeBytes(of: real.bitPattern.bigEndian) { Array($0) }
          case .integer(let integer) where integer.magnitude > 1 << 48:
            pattern = withUnsafeBytes(of: integer.bigEndian) { Array($0) }
          default: pattern = []
          }
          // Shorter ones would be found by chance where they do not lie.
          guard pattern.count >= 8, let start = file.bytes.firstRange(of: pattern)?.lowerBound else { continue }
          for place in start..<start + pattern.count {
            if name == "blob_chunk" { blobs.insert(place) } else { rows.insert(place) }
          }
        }
      }
    }
    return (rows.sorted(), blobs.subtracting(rows).sorted())
  }

  @Test func everyFlippedBitOfLiveContentIsFoundAndNamed() throws {
    let (folder, _) = try CatalogFolder.filled()
    let file = try DamagedFile(folder)
    let places = try livePlaces(file)
    var random = SplitMix64(property: 1)
    let chosen =
      (0..<150).compactMap { _ in places.rows.randomElement(using: &random) }
      + (0..<50).compactMap { _ in places.blobs.randomElement(using: &random) }
    #expect(chosen.count == 200)
    for place in chosen {
      var damaged = file.bytes
      damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      try file.write(damaged)
      let findings = try file.findings()
      #expect(!findings.isEmpty, "byte \(place) was not found")
      #expect(findings.allSatisfy { !$0.row.isEmpty && !$0.problem.isEmpty })
    }
  }

  @Test func everyFlippedBitOfTheFileIsFoundOrChangesNothing() throws {
    let (folder, _) = try CatalogFolder.filled()
    let file = try DamagedFile(folder)
    let contents = try DamagedFile.contents(of: folder.path)
    var random = SplitMix64(property: 2)
    var foundCount = 0
    // Every bit of the header, and random places.
    let chosen =
      (0..<100).map { ($0, UInt8.random(in: 0..<8, using: &random)) }
      + (0..<200).map { _ in
        (Int.random(in: 0..<file.bytes.count, using: &random), UInt8.random(in: 0..<8, using: &random))
      }
    for (place, bit) in chosen {
      var damaged = file.bytes
      damaged[place] ^= 1 << bit
      try file.write(damaged)
      if try file.findings().isEmpty {
        #expect(try DamagedFile.contents(of: folder.path) == contents, "bit \(bit) of byte \(place)")
      } else {
        foundCount += 1
      }
    }
    #expect(foundCount > 20)
  }

  @Test func aShortenedFileIsRefused() throws {
    let (folder, _) = try CatalogFolder.filled()
    let file = try DamagedFile(folder)
    var random = SplitMix64(property: 3)
    let lengths =
      [0, 1, 99, 100, 511, 512, 4095, 4096, file.bytes.count - 1, file.bytes.count - 512]
      + (0..<90).map { _ in
        Int.random(in: 0..<file.bytes.count, using: &random)
      }
    for length in lengths {
      try file.write(Array(file.bytes[..<length]))
      // Up to its 24th byte SQLite knows the file by.
      let refusal: CatalogError =
        length < 24 ? .notACatalog(path: folder.path, reason: "") : .damaged("\(folder.path): ")
      expectError(like: refusal, "\(length) bytes") { try folder.read().close() }
      #expect(try !file.findings().isEmpty)
    }
  }
}
