import Catalog
import Foundation
import TestSupport
import Testing

@testable import evodb

/// The program understands the commands that its errors advise.
@Suite(.usualTimeLimit) struct RemedyTests {
  /// The cases of `Remedy`. A case that is added there does not compile here before it has a sample.
  private enum Kind: CaseIterable {
    case runAgain, makeCatalog, copyCatalog, waitForCopy, upgradeCatalog, recoverCatalog, verifyCatalog, mendCatalog
    case salvageFile, importModel, importChangedModel, addDataSet, calibrate, build, restoreWeights, traceDivergence
    case startSearch, searchForRuntime, resumeRun, listRuns, listJobs, importProfile, giveSparsityScale, exportModel,
      choose
    case allowMoreTime

    init(_ remedy: Remedy) {
      switch remedy {
      case .runAgain: self = .runAgain
      case .makeCatalog: self = .makeCatalog
      case .copyCatalog: self = .copyCatalog
      case .waitForCopy: self = .waitForCopy
      case .upgradeCatalog: self = .upgradeCatalog
      case .recoverCatalog: self = .recoverCatalog
      case .verifyCatalog: self = .verifyCatalog
      case .mendCatalog: self = .mendCatalog
      case .salvageFile: self = .salvageFile
      case .importModel: self = .importModel
      case .importChangedModel: self = .importChangedModel
      case .addDataSet: self = .addDataSet
      case .calibrate: self = .calibrate
      case .build: self = .build
      case .restoreWeights: self = .restoreWeights
      case .traceDivergence: self = .traceDivergence
      case .startSearch: self = .startSearch
      case .searchForRuntime: self = .searchForRuntime
      case .resumeRun: self = .resumeRun
      case .listRuns: self = .listRuns
      case .listJobs: self = .listJobs
      case .importProfile: self = .importProfile
      case .giveSparsityScale: self = .giveSparsityScale
      case .exportModel: self = .exportModel
      case .choose: self = .choose
      case .allowMoreTime: self = .allowMoreTime
      }
    }
  }

  private static let path = "my file's.evodb"

  private static let samples: [Remedy] =
    [
      .runAgain, .makeCatalog(path: path), .makeCatalog(path: nil), .copyCatalog(path: path), .waitForCopy(path: path),
      .upgradeCatalog(path: path), .recoverCatalog(path: path), .verifyCatalog(path: path), .verifyCatalog(path: nil),
      .mendCatalog, .salvageFile(path: path), .importModel,
      .importChangedModel(catalog: path, folder: "-folder", name: "tiny"),
      .importChangedModel(catalog: path, folder: "folder", name: nil), .addDataSet, .calibrate,
      .build(method: "gptq", levels: ["bits=2", "bits=3"]), .build(method: "sparsegpt", levels: ["sparsity=0.5"]),
      .build(method: "wanda", levels: ["pattern=2:4"]), .build(method: "kquant", levels: ["type=Q4_K"]),
      .build(method: "gptq", levels: ["bits=3"], isSymmetric: true), .restoreWeights, .traceDivergence, .startSearch,
      .searchForRuntime("vllm", ties: ["qkv", "gate_up"], isSymmetric: false),
      .searchForRuntime("transformers", ties: [], isSymmetric: true),
      .resumeRun(catalog: path, name: "-run 1"), .resumeRun(catalog: nil, name: "first"), .listRuns(catalog: path),
      .listJobs, .importProfile(catalog: path, path: "a b.txt"), .giveSparsityScale,
      .exportModel(assignment: "0123456789ab"), .allowMoreTime,
    ]
    + Remedy.Parameter.allCases.flatMap {
      [Remedy.choose($0, values: ["one", "two"]), Remedy.choose($0, values: [])]
    }

  @Test func everyRemedyHasASample() {
    #expect(Set(Self.samples.map { Kind($0) }) == Set(Kind.allCases))
  }

  /// Split as a shell does, parsed and validated as evodb does: a verb or option that is renamed breaks it.
  @Test func everyCommandOfARemedyIsUnderstood() throws {
    var count = 0
    for remedy in Self.samples {
      let advice = remedy.advice
      for line in advice.commands {
        let words = try ShellWords.split("\(line)")
        #expect(words.first == "evodb")
        for word in words where word.hasPrefix("@") {
          #expect(DocumentedQuery.named(String(word.dropFirst())) != nil, "\(line)")
        }
        let type = try #require(Evodb.registry.command(named: words[1]), "\(line)")
        let command = type.init()
        do {
          try ArgumentSet(of: command).parse(Array(words.dropFirst(2)))
          try command.validate()
        } catch {
          Issue.record("\(line): \(error)")
        }
        count += 1
      }
      // No command line stands in the text that was not looked at.
      let text = advice.commands.reduce(advice.description) { $0.replacing("\($1)", with: "") }
      #expect(!text.contains("evodb"), "\(advice)")
      for option in text.matches(of: /--[a-z][a-z-]*/) {
        #expect(Self.options.contains(String(option.0)), "\(advice)")
      }
    }
    #expect(count >= 25)
  }

  @Test func namesAreQuotedForAShell() {
    #expect("\(Remedy.upgradeCatalog(path: Self.path).advice)".hasSuffix(#"evodb upgrade 'my file'\''s.evodb'"#))
    #expect("\(Remedy.resumeRun(catalog: "a", name: "-r").advice)" == "go on with: evodb resume -- a -r")
  }

  @Test func anErrorIsPrintedWithItsRemedy() {
    #expect(
      ErrorText.line(CatalogError.missing(path: "a.evodb"))
        == "a.evodb: no such file; make a catalog with: evodb init a.evodb")
    #expect(
      ErrorText.line(
        CatalogError.notFound("the catalog holds several models", remedy: .choose(.model, values: ["a", "b"])))
        == "the catalog holds several models; choose with --model: a, b")
    #expect(ErrorText.line(CatalogError.exists(path: "a")) == "a: already there; nothing was changed")
    #expect(ErrorText.line(UsageError("wrong")) == "wrong")
  }

  /// Only the command line knows what a user typed.
  @Test func onlyTheCommandLineKnowsVerbsAndOptions() throws {
    let verbs = Set(Evodb.registry.commands.map { $0.name })
    var count = 0
    for module in ["Catalog", "Inference", "Search"] {
      let folder = Fixtures.repositoryFile("Sources/\(module)")
      let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
      for case let file as URL in files where file.pathExtension == "swift" {
        count += 1
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
          // What is left without comments is code, in which these words can stand in strings only.
          let code = line.replacing(/(^|\s)\/\/.*/, with: "")
          let options = code.matches(of: /--[a-z][a-z-]*/).map { String($0.0) }.filter { Self.options.contains($0) }
          let named = code.matches(of: /\bevodb ([a-z][a-z-]*)/).map { String($0.1) }.filter { verbs.contains($0) }
          #expect(options.isEmpty && named.isEmpty, "\(file.lastPathComponent): \(line)")
        }
      }
    }
    #expect(count > 150)
  }

  /// The options of all verbs.
  private static let options = Set(
    Evodb.registry.commands.flatMap { ArgumentSet(of: $0.init()).optionSpecifications.map(\.name) } + ["--help"])
}
