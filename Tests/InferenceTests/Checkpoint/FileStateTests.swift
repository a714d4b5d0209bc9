import Foundation
import TestSupport
import Testing

@testable import Inference

/// The changes of a file that its state shows, and those it does not.
@Suite(.usualTimeLimit) struct FileStateTests {
  private func state(_ url: URL) throws -> FileState { try RandomAccessFile(url).state() }

  @Test func aChangeThatSetsTheTimeBackShows() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("one", to: "w")
    let old = Date(timeIntervalSince1970: 1_000_000_000)
    try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: file.path)
    let before = try state(file)
    #expect(try state(file) == before)
    // Past the tick of the file system's clock.
    Thread.sleep(forTimeInterval: 0.05)
    let handle = try FileHandle(forWritingTo: file)
    try handle.write(contentsOf: Data("two".utf8))
    try handle.close()
    try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: file.path)
    let after = try state(file)
    #expect(after.byteCount == before.byteCount && after.modified == before.modified && after.inode == before.inode)
    #expect(after != before && after.changed > before.changed)
  }

  @Test func linksHaveTheStateOfWhatTheyLeadTo() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("weights", to: "blob")
    let link = folder.url.appendingPathComponent("link")
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
    #expect(try state(link) == state(file))
  }

  @Test func freshChangesVouchForNothing() throws {
    let folder = try TemporaryFolder()
    let state = try state(try folder.write("weights", to: "w"))
    #expect(!state.isSettled(at: state.changed) && !state.isSettled(at: state.changed + 2_000_000_000))
    #expect(state.isSettled(at: state.changed + 2_000_000_001))
    // A clock that went back.
    #expect(!state.isSettled(at: state.changed - 1))
    #expect(try #require(FileState("1 2 3 4 9223372036854775807")).isSettled() == false)
  }

  @Test func textsAreReadBackAndNothingElseIs() throws {
    let folder = try TemporaryFolder()
    let state = try state(try folder.write("weights", to: "w"))
    #expect(FileState(state.text) == state)
    for text in ["", "1 2 3 4", "1 2 3 4 5 6", "1 2 3 4 x", "-1 2 3 4 5", "1  2 3 4 5"] {
      #expect(FileState(text) == nil)
    }
  }

  @Test func fingerprintsOfOtherVersionsNameNoState() throws {
    let old = WeightFingerprint("config.json 600 1000000000000\nmodel.safetensors 174080 1000000000000")
    #expect(old.states.isEmpty && !old.isComplete)
    let state = try #require(FileState("1 2 3 4 5"))
    let new = WeightFingerprint([("/a/b c.safetensors", state), ("/a/a.safetensors", nil)])
    #expect(new.text == "a.safetensors ?\nb c.safetensors 1 2 3 4 5")
    #expect(!new.isComplete && WeightFingerprint(new.text).states == [state])
  }

  @Test func gitLFSPointersAreCalledByTheirName() throws {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 4976698672\n"
    let folder = try TemporaryFolder()
    let file = try folder.write(pointer, to: "model.safetensors")
    #expect(
      throws: InferenceError.invalidData(
        file: file.path, detail: "this is a git-lfs pointer, not the file itself; run git lfs pull in its repository")
    ) { _ = try SafetensorsFile(file) }
    // Only what is one.
    let text = try folder.write("see version https://git-lfs.github.com/spec/v1", to: "text")
    #expect(try RandomAccessFile.contents(of: text, limit: 100).count == 46)
  }
}
