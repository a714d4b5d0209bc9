import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct BackupTests {
  @Test func aBackupHoldsTheSameAndIsAtRest() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try folder.write()
    // In the log only.
    _ = try writer.write { try $0.store(sequence: [4, 5, 6]) }
    let target = folder.folder.url.appendingPathComponent("copy.evodb").path
    try folder.read().backUp(to: target)
    let digest = try writer.read { try $0.sharedDigest(includingProvenance: true) }
    let copy = try CatalogStore(path: target, mode: .read)
    #expect(try copy.read { try $0.sharedDigest(includingProvenance: true) } == digest)
    _ = try copy.verify(onFinding: { Issue.record("\($0)") })
    writer.close()
    #expect(try folder.files == ["c.evodb", "copy.evodb"])
    #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: target)))[18..<20] == [1, 1], "a rollback journal")
  }

  @Test func anExistingFileIsNeverOverwritten() throws {
    let (folder, _) = try CatalogFolder.filled()
    let target = try folder.folder.write("mine", to: "copy.evodb").path
    let reader = try folder.read()
    defer { reader.close() }
    #expect(throws: CatalogError.exists(path: target)) { try reader.backUp(to: target) }
    #expect(try String(contentsOfFile: target, encoding: .utf8) == "mine")
  }

  @Test func whatIsNotFinishedLeavesNothing() throws {
    let (folder, _) = try CatalogFolder.filled()
    let reader = try folder.read()
    let target = folder.folder.url.appendingPathComponent("copy.evodb").path
    #expect(throws: CancellationError.self) { try reader.backUp(to: target, isCancelled: { true }) }
    reader.close()
    #expect(try folder.files == ["c.evodb"])
  }

  @Test func aFolderThatIsNotThereIsNamed() throws {
    let (folder, _) = try CatalogFolder.filled()
    let reader = try folder.read()
    defer { reader.close() }
    let target = folder.folder.url.appendingPathComponent("none/copy.evodb").path
    #expect(throws: CatalogError.notFound("\(target): its folder does not exist")) { try reader.backUp(to: target) }
  }
}
