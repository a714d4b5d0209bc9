import Foundation

/// Saves what is whole of a damaged catalog into a new one.
///
/// The damaged file is only read. A copy of it is mended where its content is known (header and schema are those of every
/// catalog), its tables are read around the pages that cannot be read, and every row whose check fits goes into a new
/// catalog, parents first. What points to something lost is left out.
public struct CatalogSalvage {
  /// What became of a table.
  public struct Table: Equatable, Sendable {
    /// Its name.
    public var name: String
    /// Rows that are in the new catalog.
    public var savedCount: Int64 = 0
    /// Rows that were read but do not have their check, or are not whole without rows that are lost.
    public var lostCount: Int64 = 0
    /// Stretches of rows that could not be read at all.
    public var gapCount: Int64 = 0
    /// Blobs whose bytes are lost while their digest is known: what they hold has to be computed again.
    public var emptiedCount: Int64 = 0
  }

  let path: String
  let output: String

  /// - Parameters:
  ///   - path: the damaged file; never written to.
  ///   - output: the new catalog.
  public init(path: String, output: String) {
    self.path = path
    self.output = output
  }

  /// Saves what is whole.
  ///
  /// - Throws: `CatalogError`: `.missing`, `.exists`, `.locked` while somebody writes to the damaged file,
  ///   `.notACatalog` if nothing of a catalog is in it, `.inputOutput`; `CancellationError`.
  public func run(
    progress: @escaping (String, Int64, Int64) -> Void = { _, _, _ in }, isCancelled: @escaping () -> Bool = { false }
  )
    throws -> [Table]
  {
    let damaged = try CatalogFile(existing: path)
    let new = try CatalogFile(new: output)
    // Nobody begins to write while it is copied.
    let claim = try Self.claim(damaged)
    defer { claim?.release() }
    let size = (FileSystem.byteCount(of: damaged.path) ?? 0) + (FileSystem.byteCount(of: damaged.logPath) ?? 0)
    let file = try NewFile(for: new, command: "salvage")
    // A copy to mend, and the new catalog.
    try FileSystem.requireSpace(2 * size, beside: new.path)
    let copy = try MendedCopy(of: damaged.path, at: try file.sidePath("-damaged"), isCancelled: isCancelled)
    defer { copy.remove() }
    let source = try copy.open()
    let target = try Connection(path: file.temporaryPath, access: .create, busyTimeoutMilliseconds: 0)
    try target.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
    try target.execute(CatalogSchema.text)
    try RowWriter(target).insert(
      "catalog_property", ["name": .text("schema_digest"), "value": .text(CatalogSchema.digest.hex)])
    let rescue = RowRescue(source: source, target: target, progress: progress, isCancelled: isCancelled)
    let tables = try source.watched(by: isCancelled) { try rescue.run() }
    try target.execute("PRAGMA journal_mode = DELETE")
    target.forgetStatements()
    try file.finish()
    return tables
  }

  /// - Returns: nil where the file itself cannot be locked.
  /// - Throws: `CatalogError.locked` while somebody writes to the file under any name.
  private static func claim(_ file: CatalogFile) throws -> FileClaim? {
    if let owner = WriterLock.currentOwner(ofCatalog: file.path) {
      throw CatalogError.locked(path: file.name, owner: owner)
    }
    guard FileSystem.networkName(of: file.path) == nil else { return nil }
    switch try FileClaim.take(file.path, .copying) {
    case .taken(let claim): return claim
    case .refused:
      throw CatalogError.locked(
        path: file.name, owner: WriterLock.currentOwner(ofCatalog: file.path) ?? "another process")
    case .absent, .unsupported: return nil
    }
  }
}
