import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// `kill -9` of every verb that writes, on a catalog under a link: the next command goes on, nothing is beside the file
  /// afterwards, and the link is still one.
  @Suite(.usualTimeLimit) struct LinkedKillTests {
    struct Verb: CustomTestStringConvertible, Sendable {
      var state: TinyCatalog.State
      var command: [String]
      /// A file that the command makes beside the catalog; nil: none.
      var product: String?
      /// Whether the catalog's shared rows are the same after any number of kills.
      var isRepeatable = true
      var testDescription: String { command.joined(separator: " ") }
    }

    private static let data = ["--data", "calibration", "--validation", "validation"]
    static let verbs: [Verb] = [
      Verb(state: .made, command: ["import", TinyCatalog.model]),
      Verb(state: .filled, command: ["data", "more", "--token-ids", "calibration.safetensors"]),
      Verb(state: .filled, command: ["calibrate", "--data", "calibration"]),
      Verb(state: .filled, command: ["build", "--data", "calibration", "--bits", "2-5"]),
      Verb(state: .built, command: longSearch),
      Verb(state: .built, command: ["baseline", "random", "--target-bits", "2.5", "--candidates", "4"] + data),
      Verb(state: .built, command: ["evaluate", "uniform:3", "--data", "validation"]),
      Verb(state: .built, command: ["sensitivity", "--data", "calibration", "--sweep-tokens", "256"]),
      Verb(
        state: .built,
        command: ["front", "--from", "3bit", "--to", "4bit", "--points", "3", "--evaluate", "--data", "calibration"]),
      Verb(
        state: .searched, command: ["branch", "first", "--name", "other", "--set", "generations=6"], isRepeatable: false
      ),
      Verb(state: .searched, command: ["void", "first:validation", "--reason", "a kill"], isRepeatable: false),
      Verb(state: .searched, command: ["monotonicity"], isRepeatable: false),
      Verb(state: .filled, command: ["merge", "other.evodb"]),
      Verb(state: .searched, command: ["gc", "--what", "caches", "--what", "statistics"]),
      Verb(state: .searched, command: ["backup", "made"], product: "made"),
      Verb(state: .searched, command: ["pack", "--with", "all", "-o", "made"], product: "made"),
      Verb(state: .searched, command: ["salvage", "-o", "made"], product: "made"),
      Verb(state: .searched, command: ["export", "first", "--to", "hf", "-o", "made"], product: "made"),
      Verb(state: .searched, command: ["upgrade"]),
      Verb(state: .searched, command: ["replay", "first"]),
      Verb(state: .built, command: ["resume", "long"]),
      Verb(state: .built, command: ["import-profile", "profile"], isRepeatable: false),
    ]

    /// `auto` is import, data, build and search one after the other; what makes a catalog has a test of its own.
    @Test func everyVerbThatWritesIsKilled() {
      #expect(
        Set(Self.verbs.map { $0.command[0] }).union(["auto", "init"])
          == VerbsBesideASearchTests.writing.union(VerbsBesideASearchTests.making).union(["init"]))
    }

    private func prepared(_ verb: Verb) throws -> TinyCatalog {
      if verb.command[0] == "resume" {
        let (catalog, _, end) = try TinyCatalog.stopped(longSearch, by: SIGINT, exceeds: 1) {
          try TinyCatalog(verb.state, linked: true)
        }
        try #require(end.exitCode == 75, "\(end.diagnostics)")
        return catalog
      }
      let catalog = try TinyCatalog(verb.state, linked: true)
      switch verb.command[0] {
      case "merge":
        let other = try TinyCatalog(.searched)
        try FileManager.default.copyItem(atPath: other.path, toPath: catalog.folder.path + "/other.evodb")
      case "import-profile":
        try catalog.output("export", "uniform:3", "--to", "evopress", "-o", "profile")
      default: break
      }
      return catalog
    }

    @Test(arguments: verbs) func aKilledVerbUnderALinkLosesNothing(verb: Verb) throws {
      let undisturbed = try prepared(verb)
      let start = ProcessInfo.processInfo.systemUptime
      try undisturbed.output(verb.command)
      var duration = ProcessInfo.processInfo.systemUptime - start
      let digest = try undisturbed.digest()
      var random = SplitMix64(
        property: UInt64(verb.command.joined().utf8.reduce(7) { ($0 &* 31) &+ Int($1) }.magnitude))
      let counted = KillCount(verb.command)
      while try counted.isBelow(2 * KillCount.scale) {
        let catalog = try prepared(verb)
        for _ in 0..<3 where counted.kills < 2 * KillCount.scale {
          let running = try catalog.start(verb.command)
          let moment = Double.random(in: 0...duration, using: &random)
          Thread.sleep(forTimeInterval: moment)
          guard try counted.kill(running) else {
            // It has ended by then: the first one took longer because others computed.
            duration = min(duration, moment)
            break
          }
          if Bool.random(using: &random) { #expect(try catalog.run("status").exitCode == 0) }
        }
        try finish(verb, catalog, digest: digest)
      }
    }

    private func finish(_ verb: Verb, _ catalog: TinyCatalog, digest: String) throws {
      let product = verb.product.map { catalog.folder.appendingPathComponent($0) }
      if let product, FileManager.default.fileExists(atPath: product.path) {
        if verb.command.first != "export" { #expect(try catalog.runner.run(["verify", product.path]).exitCode == 0) }
        try FileManager.default.removeItem(at: product)
      }
      let result = try catalog.run(verb.command[0], Array(verb.command.dropFirst()))
      let isDone = result.exitCode == 0 || (verb.command.first == "branch" && result.exitCode == 73)
      #expect(isDone, "\(verb.command): \(result.exitCode) \(result.diagnostics)")
      // A verb that only reads leaves the log of a killed one to the next that writes.
      try catalog.output("gc", "--what", "revisions")
      if verb.isRepeatable { #expect(try catalog.digest() == digest, "\(verb.command)") }
      let verified = try catalog.run("verify")
      #expect(verified.exitCode == 0, "\(verified.output)\(verified.diagnostics)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: catalog.folder.path + "/real") == ["tiny.evodb"])
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: catalog.path) == "next")
      let left = try FileManager.default.contentsOfDirectory(atPath: catalog.folder.path).filter {
        $0.hasSuffix("-lock") || $0.contains("-new")
      }
      #expect(left == [], "\(verb.command)")
    }

    @Test func aKilledInitUnderALinkedFolderLeavesACatalogOrNothing() throws {
      var random = SplitMix64(property: 17)
      let counted = KillCount(["init"])
      while try counted.isBelow(2 * KillCount.scale) {
        let catalog = try TinyCatalog(.missing)
        try FileManager.default.createSymbolicLink(atPath: catalog.folder.path + "/here", withDestinationPath: ".")
        let path = catalog.folder.path + "/here/tiny.evodb"
        let running = try catalog.runner.start(["init", path])
        Thread.sleep(forTimeInterval: Double.random(in: 0...0.06, using: &random))
        guard try counted.kill(running) else { continue }
        let again = try catalog.runner.run(["init", path])
        #expect([0, 73].contains(again.exitCode), "\(again.diagnostics)")
        #expect(try catalog.run("gc").exitCode == 0)
        #expect(try catalog.run("verify").exitCode == 0)
        #expect(try catalog.files == ["tiny.evodb"])
      }
    }
  }
}
