import Catalog

/// `evodb digest`.
struct DigestCommand: Command {
  static let name = "digest"
  static let abstract = "Print one digest of all shared rows, equal for catalogs that hold the same."

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Flag("--all", "Also runs, names and other provenance, without times and machines.") var includesProvenance: Bool
  let output = OutputOptions()

  func run(in context: CommandContext) throws {
    let digest = try CatalogSession(context: context, path: catalog).read { store in
      try store.read { try $0.sharedDigest(includingProvenance: includesProvenance) }
    }
    var result = ResultObject()
    result.add("digest", .text(digest.hex))
    if output.format == .table { return try context.output.write(digest.hex + "\n") }
    try context.print(result, as: output.format)
  }
}
