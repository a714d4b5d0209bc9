import Catalog
import Inference

extension GarbageKind: ArgumentChoice {}

/// `evodb gc`.
struct GcCommand: Command {
  static let name = "gc"
  static let abstract = "Delete rows that nothing needs any more and shrink the file."
  static let discussion = """
    Kinds: unused (variants that no assignment, space or calibration uses, and blobs that nothing points to), caches (the \
    dense model's states), revisions (unused results of older revisions of evodb), statistics (the Hessian matrices: \
    without them new levels need a new calibration; dropped only when asked), fitness (the sums of complete evaluations, \
    which are made anew at once). What an assignment, an evaluation or a run refers to always stays. --dry-run tells the bytes and drops nothing.
    """
  static let examples = ["evodb gc my.evodb --dry-run", "evodb gc my.evodb --what statistics --what caches"]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Option(
    "--what", "KIND",
    "What to drop: unused, caches, revisions, fitness, statistics; may be repeated [default: the first four]."
  )
  var kinds: [GarbageKind]
  let dryRun = DryRunOption()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let kinds = kinds.isEmpty ? GarbageKind.standard : self.kinds
    let isOld = { (what: String, revision: Int64) in
      Revisions.current(of: what).map { revision < Int64($0) } ?? false
    }
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    if dryRun.isDryRun {
      let found = try session.read { store in try store.read { try $0.garbage(of: kinds, isOld: isOld) } }
      return try print(found, freed: nil, in: context)
    }
    let interruption = context.interruption
    let (found, before) = try session.write(Self.name) { job in
      let store = job.store
      let before = try store.fileByteCount() + store.logByteCount
      let found = try store.read { try $0.garbage(of: kinds, isOld: isOld) }
      try store.requireDisk(try store.vacuumByteCount(dropping: found.reduce(0) { $0 + $1.byteCount }))
      try store.write(durable: true) { try $0.drop(kinds, isOld: isOld) }
      job.progress("writing the file anew", 0, of: 1)
      try store.vacuum(isCancelled: { interruption.isRequested })
      job.phaseEnds()
      return (found, before)
    }
    let after = try session.read { try $0.fileByteCount() }
    try print(found, freed: before - after, in: context)
  }

  private func print(_ found: [Garbage], freed: Int64?, in context: CommandContext) throws {
    var table = ResultTable([
      ResultColumn("kind"), ResultColumn("what"), ResultColumn("row_count", .count), ResultColumn("blob_bytes", .bytes),
    ])
    for part in found {
      table.append([
        .text(part.kind.rawValue), .text(part.what), .integer(part.rowCount), .integer(part.byteCount),
      ])
    }
    if !found.isEmpty || output.format != .table { try context.print(table, as: output.format) }
    guard !progress.quiet else { return }
    if let freed {
      context.note(
        "evodb gc: the file is \(HumanFormat.bytes(max(0, freed))) smaller")
    } else {
      context.note(
        found.isEmpty ? "evodb gc: nothing to drop" : "evodb gc: nothing was dropped; do it without --dry-run")
    }
  }
}
