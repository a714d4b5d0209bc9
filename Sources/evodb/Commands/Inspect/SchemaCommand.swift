import Catalog

/// `evodb schema`.
struct SchemaCommand: Command {
  static let name = "schema"
  static let abstract = "Print the schema of catalogs, with a comment for every column and view."

  func run(in context: CommandContext) throws {
    try context.output.write(CatalogSchema.text)
  }
}
