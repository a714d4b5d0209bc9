import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct AssignmentTests {
  @Test func aDenseAssignmentCountsTheStoredBits() throws {
    let (_, contents) = try CatalogFolder.filled()
    #expect(contents.dense.variantIDs == [nil, nil, nil, nil])
    #expect(contents.dense.codeBits == 96 * 16 && contents.dense.storedBits == 96 * 16)
    #expect(contents.dense.droppedSubblocks.isEmpty)
  }

  @Test func aCompressedAssignmentCountsBothSizes() throws {
    let (_, contents) = try CatalogFolder.filled()
    #expect(contents.low.codeBits == 96 * 3)
    #expect(contents.low.storedBits == 96 * 3 + 32 * 24)
    #expect(contents.low.variantIDs == contents.variants.map { $0[0].id })
  }

  @Test func aDroppedSubblockCountsNothingAndItsVariantsAreLeftOut() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let mixed = contents.mixed
    #expect(mixed.droppedSubblocks == ["1.mlp"])
    #expect(mixed.variantIDs == [contents.variants[0][0].id, nil, contents.variants[2][1].id, nil])
    #expect(mixed.codeBits == 16 * 3 + 32 * 16 + 16 * 4)
    let store = try folder.write()
    defer { store.close() }
    // What a dropped layer would have been does not matter.
    let same = try store.write {
      try $0.store(
        assignmentOf: contents.model, layers: contents.layers,
        variants: [contents.variants[0][0], nil, contents.variants[2][1], nil], methods: contents.methods,
        dropped: ["1.mlp"])
    }
    #expect(same == mixed)
  }

  @Test func anAssignmentComesBackById() throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.read().read { (transaction) throws in
      for assignment in [contents.dense, contents.low, contents.high, contents.mixed] {
        #expect(try transaction.assignment(id: assignment.id) == assignment)
      }
      #expect(throws: CatalogError.damaged("assignment 4711 is missing")) { _ = try transaction.assignment(id: 4711) }
    }
  }

  @Test(arguments: ["variant_ids = '{\"a\":1}'", "variant_ids = '[\"x\"]'", "dropped_subblocks = '[1]'"])
  func listsOfTheWrongTypeAreDamage(change: String) throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.tamper("UPDATE assignment SET \(change)")
    let problem = "assignment \(contents.low.id): its lists are not JSON arrays of the right type"
    #expect(throws: CatalogError.damaged(problem)) {
      try folder.read().read { _ = try $0.assignment(id: contents.low.id) }
    }
  }

  @Test(arguments: [8, 9, 15, 32, 63, 64])
  func aPrefixOfEightOrMoreDigitsFindsAnAssignment(length: Int) throws {
    let (folder, contents) = try CatalogFolder.filled()
    try folder.read().read { (transaction) throws in
      for assignment in [contents.dense, contents.low, contents.high, contents.mixed] {
        let prefix = String(assignment.digest.hex.prefix(length))
        #expect(try transaction.assignment(digestPrefix: prefix) == assignment)
        #expect(try transaction.assignment(digestPrefix: prefix.uppercased()) == assignment)
      }
    }
  }

  @Test func whatIsNoPrefixFindsNothing() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let hex = contents.low.digest.hex
    try folder.read().read { (transaction) throws in
      for prefix in ["", String(hex.prefix(7)), hex + "0", hex + "00", "zzzzzzzz", "00000000", "ffffffff", "%_______"] {
        #expect(try transaction.assignment(digestPrefix: prefix) == nil, "\(prefix)")
      }
    }
  }

  @Test func anAmbiguousPrefixIsSaidToBeOne() throws {
    let (folder, contents) = try CatalogFolder.filled()
    let shared = String(contents.low.digest.hex.prefix(16))
    for (index, assignment) in [contents.low, contents.high].enumerated() {
      try folder.tamper(
        "UPDATE assignment SET digest = x'\(shared)\(String(repeating: "0\(index)", count: 24))' WHERE id = \(assignment.id)"
      )
    }
    try folder.read().read { (transaction) throws in
      for length in [8, 15, 16] {
        let prefix = shared.prefix(length)
        #expect(throws: CatalogError.notFound("\(prefix) fits several assignments; give more digits")) {
          try transaction.assignment(digestPrefix: String(prefix))
        }
      }
      #expect(try transaction.assignment(digestPrefix: shared + "01")?.id == contents.high.id)
      #expect(throws: CatalogError.notFound("\(shared)0 fits several assignments; give more digits")) {
        try transaction.assignment(digestPrefix: shared + "0")
      }
    }
  }
}
