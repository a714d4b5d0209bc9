import Catalog

/// `evodb init`.
struct InitCommand: Command {
  static let name = "init"
  static let abstract = "Create an empty catalog."

  @Positional("CATALOG", "The file to make.") var catalog: String
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    try CatalogStore(path: catalog, mode: .create, command: Self.name).close()
    if !progress.quiet { context.note("evodb: made \(catalog); next: \(ShellCommand("import", catalog, "MODEL_DIR"))") }
  }
}
