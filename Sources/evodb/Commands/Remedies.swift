import Catalog
import Foundation
import Inference

/// The line about an error that evodb prints and stores.
enum ErrorText {
  /// The problem and, after a semicolon, the remedy.
  static func line(_ error: any Error) -> String {
    line((error as? CocoaError)?.localizedDescription ?? "\(error)", (error as? any Remediable)?.remedy)
  }

  static func line(_ problem: String, _ remedy: Remedy?) -> String {
    remedy.map { "\(problem); \($0.advice)" } ?? problem
  }
}

extension Remedy {
  /// The remedy in verbs and options, as it stands after a message and a semicolon. Words in capitals are for the user to
  /// fill in.
  var advice: Advice {
    switch self {
    case .runAgain: return "run again"
    case .makeCatalog(let path): return "make a catalog with: \(ShellCommand("init", path ?? "NEW"))"
    case .copyCatalog(let path): return "or work on a copy: \(ShellCommand("backup", path, "COPY"))"
    case .waitForCopy(let path):
      return "wait, or have a copy made when it has ended: \(ShellCommand("pack", path, options: [("-o", "COPY")]))"
    case .upgradeCatalog(let path): return "bring it up to date with: \(ShellCommand("upgrade", path))"
    case .recoverCatalog(let path):
      return """
        who may write there takes it back with \(ShellCommand("doctor", path)), or makes a copy for you with \
        \(ShellCommand("backup", path, "COPY"))
        """
    case .verifyCatalog(let path): return "\(ShellCommand("verify", path ?? "FILE")) says what is wrong with it"
    case .mendCatalog:
      return """
        \(ShellCommand("verify", "FILE")) says what is wrong, \
        \(ShellCommand("salvage", "FILE", options: [("-o", "NEW")])) saves the rest
        """
    case .salvageFile(let path):
      return "or save what the file alone holds: \(ShellCommand("salvage", path, options: [("-o", "NEW")]))"
    case .importModel: return "add one with: \(ShellCommand("import", "FILE", "MODEL_DIR"))"
    case .importChangedModel(let catalog, let folder, let name):
      let command = ShellCommand("import", catalog, folder, options: [("--name", name ?? "NAME")])
      return "put back what was there, or take what is there now\(name == nil ? " as another model" : ""): \(command)"
    case .addDataSet: return "add one with: \(ShellCommand("data", "FILE", "NAME", "TEXT_FILE"))"
    case .calibrate: return "make it with: \(ShellCommand("calibrate", "FILE"))"
    case .build(let method, let levels, let isSymmetric):
      return "build levels with: \(Self.build(method, levels, isSymmetric))"
    case .restoreWeights:
      return """
        build them with \(ShellCommand("build", "FILE")), or merge a pack made with \
        \(ShellCommand("pack", "OTHER", options: [("-o", "PACK"), ("--with", "variants")]))
        """
    case .traceDivergence:
      return "\(ShellCommand("check", "MODEL_DIR")) and \(ShellCommand("evaluate", "FILE", "dense")) show where"
    case .startSearch: return "start one with: \(ShellCommand("search", "FILE", options: [("--target-bits", "3")]))"
    case .searchForRuntime(let runtime, let ties, let isSymmetric):
      let search = ShellCommand("search", "FILE", options: [("--target-bits", "4"), ("--for", runtime)])
      let bound = ties.isEmpty ? "" : ", which is --tie \(ties.joined(separator: ",")) and more"
      let built = isSymmetric ? " (levels built with --symmetric)" : ""
      return "search under its rules with: \(search)\(bound)\(built)"
    case .resumeRun(let catalog, let name): return "go on with: \(ShellCommand("resume", catalog ?? "FILE", name))"
    case .listRuns(let catalog): return "\(ShellCommand("log", catalog)) lists the runs"
    case .listJobs: return "\(ShellCommand("query", "FILE", "@jobs")) lists them"
    case .importProfile(let catalog, let path):
      return "\(ShellCommand("import-profile", catalog, path)) takes a profile in and prints its digest"
    case .giveSparsityScale:
      return """
        give --sparsity and --step-weights as the levels were made (\(ImportProfileCommand.name), \
        \(EvaluateCommand.name) and \(ExportCommand.name) take them, everything else the digest that \
        \(ImportProfileCommand.name) prints)
        """
    case .exportModel(let assignment):
      return "export it with: \(ShellCommand("export", "FILE", assignment, options: [("--to", "hf"), ("-o", "DIR")]))"
    case .choose(let parameter, let values):
      return "choose with \(parameter.option)\(values.isEmpty ? "" : ": \(values.joined(separator: ", "))")"
    case .allowMoreTime: return "or give it more time with --timeout"
    }
  }

  private static func build(_ method: String, _ levels: [String], _ isSymmetric: Bool) -> ShellCommand {
    let kinds: [(kind: Level.Kind, option: String)] = [
      (.bits, "--bits"), (.zeros, "--sparsity"), (.pattern, "--pattern"), (.type, "--types"),
    ]
    let rules = levels.compactMap { LevelRule($0) }
    let options = kinds.compactMap { kind, option -> (name: String, value: String)? in
      let own = rules.filter { $0.kind == kind }
      return own.isEmpty ? nil : (option, own.map(\.shortText).joined(separator: ","))
    }
    return ShellCommand(
      "build", "FILE", options: [("--method", method)] + options, flags: isSymmetric ? ["--symmetric"] : [])
  }
}

extension Remedy.Parameter {
  /// The option that gives it.
  var option: String {
    switch self {
    case .model: return "--model"
    case .dataSet: return "--data"
    case .name: return "--name"
    }
  }
}
