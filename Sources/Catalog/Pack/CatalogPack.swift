import Foundation

/// Writes what is worth sharing of a catalog into a new file of its own.
public struct CatalogPack {
  /// The blobs that a pack contains beside the rows.
  public enum Contents: String, Sendable, CaseIterable {
    /// No bytes of blobs: small enough to mail, all that SQL can ask.
    case results
    /// The packed variants of the runs' spaces: a search starts warm on any machine, without calibration or build.
    case variants
    /// All variants and statistics.
    case all
  }

  /// Size and counts of a finished pack.
  public struct Report: Equatable, Sendable {
    /// Size of the file.
    public var byteCount: Int64
    /// Runs in it.
    public var runCount: Int
    /// Evaluations in it.
    public var observationCount: Int
    /// Variants in it.
    public var variantCount: Int
    /// Variants whose packed bytes are in it.
    public var warmVariantCount: Int
  }

  private let contents: Contents
  private let runs: [String]
  private let job: JobNote?
  private let progress: (String) -> Void
  private let wantsToStop: () -> Bool

  /// - Parameters:
  ///   - runs: keep only what belongs to these and the runs they branched from; empty: everything.
  ///   - job: the row it writes into the job table of the new file.
  ///   - progress: gets what is being done, in a few words.
  ///   - wantsToStop: asked now and then.
  public init(
    contents: Contents, runs: [String] = [], job: JobNote? = nil, progress: @escaping (String) -> Void = { _ in },
    wantsToStop: @escaping () -> Bool = { false }
  ) {
    self.contents = contents
    self.runs = runs
    self.job = job
    self.progress = progress
    self.wantsToStop = wantsToStop
  }

  /// Reads one consistent state of a catalog, also beside its writer, and writes it under a temporary name that becomes
  /// `output` when all is synced.
  ///
  /// - Throws: `CatalogError.exists` if `output` is there, `.notFound` for a run that is not, what `ForeignCatalog`
  ///   throws.
  public func run(from path: String, to output: String) throws -> Report {
    let new = try CatalogFile(new: output)
    let foreign = try ForeignCatalog(path: path, wantsToStop: wantsToStop)
    progress("checking \(path)")
    try foreign.checkKeys()
    let keep = try keptRuns(foreign)
    let file = try NewFile(for: new, command: "pack")
    let temporary = file.temporaryPath
    // The new file is a catalog while it is written, with what stands beside one.
    func remove() { for suffix in ["-lock", "-new", "-new-journal"] { unlink(temporary + suffix) } }
    remove()
    defer { remove() }
    let store = try CatalogStore(path: temporary, mode: .create, command: "pack")
    do {
      defer { store.close() }
      try store.write(durable: true) { transaction in
        let merger = try RowMerger(into: transaction, from: foreign) { progress("packing: \($0)") }
        let wanted = try wantedBlobs(foreign, runs: keep)
        merger.blobs.takesBytes = { wanted?.contains($0) ?? true }
        try merger.run()
        let state = try transaction.connection.text("SELECT max(updated_at) FROM job")
        if let keep { try PackSweep(transaction, keeping: keep.compactMap { merger.ids["run"]?[$0] }).run() }
        if let job { try transaction.note(job, ofState: state, settings: [contents.rawValue] + runs) }
      }
    }
    if keep != nil { try Connection(path: temporary, access: .readWrite, busyTimeoutMilliseconds: 0).execute("VACUUM") }
    let report = try Self.report(temporary)
    try file.finish()
    return report
  }

  /// Ids of the named runs and of those they branched from; nil: all.
  private func keptRuns(_ foreign: ForeignCatalog) throws -> Set<Int64>? {
    guard !runs.isEmpty else { return nil }
    let table = TableDescription.run
    var names: [String: Int64] = [:]
    var origins: [Int64: Int64] = [:]
    try foreign.forEachRow(of: table) { row in
      guard case .integer(let id) = row[0], case .text(let name) = row[table["name"]] else { return }
      names[name] = id
      if case .integer(let from) = row[table["origin_run_id"]] { origins[id] = from }
    }
    var kept: Set<Int64> = []
    for name in runs {
      guard var id = names[name] else {
        let known = names.isEmpty ? "there is none" : "known: \(names.keys.sorted().prefix(20).joined(separator: ", "))"
        throw CatalogError.notFound("no run called \(name); \(known)")
      }
      while kept.insert(id).inserted, let next = origins[id] { id = next }
    }
    return kept
  }

  /// Their ids of the blobs that come with their bytes; nil: all.
  private func wantedBlobs(_ foreign: ForeignCatalog, runs: Set<Int64>?) throws -> Set<Int64>? {
    switch contents {
    case .results: return []
    case .all: return nil
    case .variants:
      let filter = runs.map { "WHERE r.id IN (\($0.sorted().map { String($0) }.joined(separator: ",")))" } ?? ""
      return Set(
        try foreign.integers(
          """
          SELECT DISTINCT v.blob_id FROM run r JOIN space_member m ON m.space_id = r.space_id
          JOIN variant v ON v.id = m.variant_id \(filter)
          """))
    }
  }

  private static func report(_ path: String) throws -> Report {
    let connection = try Connection(path: path, access: .readOnly, busyTimeoutMilliseconds: 0)
    func count(_ sql: String) throws -> Int { Int(try connection.integer("SELECT count(*) FROM \(sql)") ?? 0) }
    return Report(
      byteCount: FileSystem.byteCount(of: path) ?? 0, runCount: try count("run"),
      observationCount: try count("observation"), variantCount: try count("variant"),
      warmVariantCount: try count(
        "variant v JOIN blob b ON b.id = v.blob_id WHERE b.chunk_count > 0 OR b.byte_count = 0"))
  }
}
