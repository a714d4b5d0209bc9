import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Files that pass between machines.
@Suite(.usualTimeLimit) struct SpoolFolderTests {
  private let temporary: TemporaryFolder
  private let path: String

  init() throws {
    temporary = try TemporaryFolder()
    path = temporary.url.appendingPathComponent("spool").path
  }

  private func file(_ folder: SpoolFolder, _ content: [UInt8] = [1, 2, 3]) -> [UInt8] {
    SpoolFile.claim.sealed(content)
  }

  @Test func aFileIsReadAsItWasWrittenAndLeavesNothingBeside() throws {
    let folder = try SpoolFolder(path, creating: true)
    try folder.write(file(folder), .claims, "a")
    try folder.write(file(folder, []), .claims, "a")
    #expect(try folder.read(.claims, "a", as: .claim)?.content == [])
    #expect(try folder.read(.claims, "b", as: .claim)?.content == nil)
    #expect(folder.names(in: .claims) == ["a"])
    #expect(Set(folder.names(in: nil)) == Set(SpoolFolder.Place.allCases.map(\.rawValue)))
  }

  @Test func ofManyClaimsOneSucceeds() throws {
    let folders = try (0..<4).map { _ in try SpoolFolder(path, creating: true) }
    for round in 0..<50 {
      let wins = ResultList<Bool>(count: folders.count)
      try Parallel.forEach(folders.count, threadCount: folders.count, cancellation: Cancellation()) { index in
        wins.set(index, try folders[index].claim("round-\(round)", file(folders[index])))
      }
      #expect(wins.values.count { $0 } == 1)
    }
  }

  /// A file that is not what its name says.
  enum Hostile: CaseIterable {
    case empty, shortHead, otherKind, newerKind, noLength, wrongLength, hugeLength, truncated, oneBitOff, wrongHash,
      trailing
    case sparse, folder, pipe, link, danglingLink, linkToDevice, text
  }

  private func make(_ hostile: Hostile, at file: String, _ good: [UInt8]) throws {
    func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: file)) }
    let head = Array("evodb/spool-claim/1\n".utf8).count
    var bytes = good
    switch hostile {
    case .empty: try write([])
    case .shortHead: try write(Array(good.prefix(7)))
    case .otherKind: try write(SpoolFile.variant.sealed([1, 2, 3]))
    case .newerKind: try write(Array("evodb/spool-claim/2\n".utf8) + good.dropFirst(head))
    case .noLength: try write(Array(good.prefix(head + 3)))
    case .wrongLength:
      bytes[head] += 1
      try write(bytes)
    case .hugeLength:
      for index in head..<head + 8 { bytes[index] = 255 }
      try write(bytes)
    case .truncated: try write(Array(good.dropLast(5)))
    case .oneBitOff:
      bytes[head + 9] ^= 1
      try write(bytes)
    case .wrongHash:
      bytes[bytes.count - 1] ^= 1
      try write(bytes)
    case .trailing: try write(good + [0])
    case .sparse:
      try write(good)
      #expect(truncate(file, 1 << 40) == 0)
    case .folder: try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
    case .pipe: #expect(mkfifo(file, 0o600) == 0)
    case .link:
      try Data(good).write(to: URL(fileURLWithPath: file + "-target"))
      try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: file + "-target")
    case .danglingLink: try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: "nowhere")
    case .linkToDevice: try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: "/dev/zero")
    case .text: try write(Array("all is well\n".utf8))
    }
  }

  @Test(arguments: Hostile.allCases) func aForeignOrDamagedFileIsNamed(_ hostile: Hostile) throws {
    let folder = try SpoolFolder(path, creating: true)
    let file = folder.path(.claims, "x")
    try make(hostile, at: file, self.file(folder))
    #expect {
      _ = try folder.read(.claims, "x", as: .claim)
    } throws: { error in
      guard case InferenceError.invalidData(file: file, _) = error else { return false }
      return true
    }
  }

  @Test func aFolderThatEverybodyMayWriteToIsRefused() throws {
    _ = try SpoolFolder(path, creating: true)
    #expect(chmod(path, 0o777) == 0)
    expectError(like: InferenceError.notPermitted(path: path, detail: "everybody may write to it"), "refused") {
      _ = try SpoolFolder(path, creating: false)
    }
  }

  @Test func somebodyElsesFolderIsRefusedUnlessAGroupSharesIt() throws {
    guard geteuid() == 0 else { return }
    _ = try SpoolFolder(path, creating: true)
    #expect(chown(path, 12345, 12345) == 0)
    expectError(like: InferenceError.notPermitted(path: path, detail: "belongs to user 12345"), "refused") {
      _ = try SpoolFolder(path, creating: false)
    }
    #expect(chmod(path, 0o2770) == 0)
    #expect(try SpoolFolder(path, creating: false).isShared)
  }

  @Test func aStrangersFileIsNotRead() throws {
    guard geteuid() == 0 else { return }
    let folder = try SpoolFolder(path, creating: true)
    try folder.write(file(folder), .claims, "a")
    #expect(chown(folder.path(.claims, "a"), 12345, 12345) == 0)
    #expect(throws: InferenceError.invalidData(file: folder.path(.claims, "a"), detail: "belongs to user 12345")) {
      _ = try folder.read(.claims, "a", as: .claim)
    }
  }

  @Test func whatADeadProcessWasWritingGoesAndWhatALiveOneWritesStays() throws {
    let folder = try SpoolFolder(path, creating: true)
    let host = SpoolFolder.hostName
    // Above the largest process number of Linux.
    let names = ["tmp.\(host).4194305.1", "tmp.\(host).\(getpid()).7", "tmp.elsewhere.4194305.1", "mine"]
    for name in names { try Data().write(to: URL(fileURLWithPath: "\(path)/\(name)")) }
    folder.sweep()
    #expect(Set(folder.names(in: nil)).intersection(names) == Set(names.dropFirst()))
  }

  @Test func pagesAreReadAsTheyWereWritten() throws {
    let identity = WorkerIdentity(version: "0.1.0", threadCount: 3)
    var coordinator = CoordinatorPage(
      session: identity.id, purpose: .compression,
      model: EvaluatedModel(
        digest: SHA256.digest(of: "m".utf8), architectureRevision: 2, numerics: SHA256.digest(of: "n".utf8)),
      arithmetic: "float32", folder: "/models/é", longestSequence: 256, catalog: SHA256.digest(of: "c".utf8),
      coordinator: identity)
    coordinator.beat = 7
    coordinator.state = .paused
    coordinator.offers = [
      .init(number: 3, attempt: 1, key: SHA256.digest(of: "k".utf8), isClaimed: true, excluded: identity.id),
      .init(number: 4, attempt: 0, key: SHA256.digest(of: "l".utf8), isClaimed: false, excluded: ""),
    ]
    #expect(try CoordinatorPage(bytes: coordinator.bytes) == coordinator)
    var page = WorkerPage(identity)
    page.pieces = [.init(session: identity.id, number: 3, attempt: 1)]
    page.answered = [SHA256.digest(of: "k".utf8)]
    page.tokenCount = 5
    #expect(try WorkerPage(bytes: page.bytes) == page)
    // No prefix of either is one.
    for count in 0..<coordinator.bytes.count {
      expectError(like: InferenceError.invalidData(file: "", detail: "")) {
        try CoordinatorPage(bytes: Array(coordinator.bytes.prefix(count)))
      }
    }
    for count in 0..<page.bytes.count {
      expectError(like: InferenceError.invalidData(file: "", detail: "")) {
        try WorkerPage(bytes: Array(page.bytes.prefix(count)))
      }
    }
  }

  @Test func aPageWithNamesOfOtherFoldersIsNoPage() throws {
    var identity = WorkerIdentity(version: "0.1.0", threadCount: 3)
    identity.id = "../../../../../../etc/passwd/aaaaaaaaa"
    #expect(throws: InferenceError.invalidData(file: "spool-worker", detail: "an id is not one")) {
      _ = try WorkerPage(bytes: WorkerPage(identity).bytes)
    }
  }
}
