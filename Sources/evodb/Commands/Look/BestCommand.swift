import Catalog

/// `evodb best`.
struct BestCommand: Command {
  static let name = "best"
  static let abstract = "The result of a run: the assignment to take, and how it compares."

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("RUN", "Which run; may be left out if there is only one.") var runName: String?
  let output = OutputOptions()

  func run(in context: CommandContext) throws {
    try CatalogSession(context: context, path: catalog).read { store in
      let run = try store.read { try $0.run(runName) }
      guard run.isFinished else {
        throw CatalogError.notFound(
          "run \(run.name) is not finished; go on with: \(ShellCommand("resume", catalog, run.name))")
      }
      try RunReport(run, store: store).print(as: output.format, in: context)
    }
  }
}
