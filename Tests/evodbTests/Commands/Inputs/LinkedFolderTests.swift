import Foundation
import TestSupport
import Testing

/// `link/../name` is the file that a shell would open, and not the one that the text suggests.
@Suite(.usualTimeLimit) struct LinkedFolderTests {
  /// `here`, where commands run, with a link to a folder elsewhere; what they should find lies beside that folder, and
  /// under the same names in `here` lies what is none of it.
  private let folder: TemporaryFolder
  private let runner: CommandLineRunner

  init() throws {
    folder = try TemporaryFolder()
    let manager = FileManager.default
    for name in ["here/model", "elsewhere/inner"] {
      try manager.createDirectory(atPath: folder.url.path + "/" + name, withIntermediateDirectories: true)
    }
    try manager.createSymbolicLink(atPath: folder.url.path + "/here/link", withDestinationPath: "../elsewhere/inner")
    try manager.copyItem(atPath: TinyCatalog.model, toPath: folder.url.path + "/elsewhere/model")
    let ids = RandomTokens.file(sequenceCount: 8, length: 32, seed: 1)
    try folder.write(ids, to: "elsewhere/ids.safetensors")
    for name in ["here/model/config.json", "here/ids.safetensors", "here/profile"] {
      try folder.write("not this one", to: name)
    }
    runner = try CommandLineRunner(workingDirectory: folder.url.appendingPathComponent("here"))
  }

  private func run(_ arguments: String...) throws -> CommandLineRunner.Result {
    let result = try runner.run(arguments)
    #expect(result.exitCode == 0, "\(arguments): \(result.diagnostics)")
    return result
  }

  private func names(_ place: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.url.path + "/" + place).sorted()
  }

  @Test func modelsDataAndOutputs() throws {
    _ = try run("check", "link/../model")
    _ = try run("init", "link/../c.evodb")
    #expect(try names("elsewhere").contains("c.evodb"))
    _ = try run("import", "link/../c.evodb", "link/../model", "--name", "m")
    let source = try run("query", "link/../c.evodb", "SELECT folder FROM model_source", "--format", "csv").output
    #expect(source.contains("/elsewhere/model") && !source.contains(".."))
    _ = try run("data", "link/../c.evodb", "d", "--token-ids", "link/../ids.safetensors")
    _ = try run("build", "link/../c.evodb", "--data", "d", "--bits", "2,3")
    _ = try run("export", "link/../c.evodb", "uniform:3", "--to", "hf", "-o", "link/../hf")
    _ = try run("check", "link/../hf")
    _ = try run("export", "link/../c.evodb", "uniform:3", "--to", "evopress", "-o", "link/../profile")
    _ = try run("import-profile", "link/../c.evodb", "link/../profile")
    #expect(try names("elsewhere") == ["c.evodb", "hf", "ids.safetensors", "inner", "model", "profile"])
    #expect(try names("here") == ["ids.safetensors", "link", "model", "profile"])
    // The folder is found again, from anywhere.
    let other = try CommandLineRunner(workingDirectory: folder.url)
    #expect(try other.run(["doctor", "elsewhere/c.evodb"]).exitCode == 0)
    #expect(try other.run(["build", "elsewhere/c.evodb", "--data", "d", "--bits", "4"]).exitCode == 0)
  }

  @Test func whatIsNotThereIsNotMadeUp() throws {
    // For the text, `none/../model` is a model; for a shell it is nothing.
    let real = "link/../model"
    _ = try run("check", real)
    let manager = FileManager.default
    try manager.removeItem(atPath: folder.url.path + "/here/model")
    try manager.copyItem(atPath: TinyCatalog.model, toPath: folder.url.path + "/here/model")
    _ = try run("check", "model")
    #expect(try runner.run(["check", "none/../model"]).exitCode == 66)
    _ = try run("init", "c.evodb")
    #expect(try runner.run(["import", "c.evodb", "none/../model"]).exitCode == 66)
    _ = try run("import", "c.evodb", real)
    _ = try run("data", "c.evodb", "d", "--token-ids", "link/../ids.safetensors")
    _ = try run("build", "c.evodb", "--method", "rtn", "--bits", "3")
    let export = try runner.run([
      "export", "c.evodb", "uniform:3", "--method", "rtn", "--to", "hf", "-o", "none/../out",
    ])
    #expect(export.exitCode == 66, "\(export.diagnostics)")
    #expect(try !names("here").contains("out"))
  }
}
