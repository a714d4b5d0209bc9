import Catalog
import Inference

/// `evodb doctor`.
struct DoctorCommand: Command {
  static let name = "doctor"
  static let abstract = "Diagnose the program, the machine and a catalog."
  static let discussion = """
    Without a catalog: versions of evodb and its libraries, what the processor has and which kernels use it. With one: its lock and log, the file system, what fills it, \
    what an older revision of evodb made, and whether its models are still where they were. It looks; nothing is changed, \
    and damage is what evodb verify is for.
    """
  static let examples = ["evodb doctor", "evodb doctor my.evodb"]

  @Positional("CATALOG", "The catalog file.") var catalog: String?
  let output = OutputOptions()

  func run(in context: CommandContext) throws {
    var report = DoctorReport()
    report.addProgram()
    if let catalog {
      try CatalogSession(context: context, path: catalog).read { store in
        report.addPlace(of: store)
        try report.addModels(of: store)
        try report.addRevisions(of: store)
        try report.addSizes(of: store)
      }
    }
    try context.print(report.table, as: output.format)
  }
}

/// The findings of `doctor`, one line each.
struct DoctorReport {
  private(set) var table = ResultTable([
    ResultColumn("subject"), ResultColumn("value"), ResultColumn("state"), ResultColumn("advice"),
  ])

  private mutating func add(_ subject: String, _ value: String, advice: String? = nil) {
    table.append([.text(subject), .text(value), .text(advice == nil ? "ok" : "look"), .text(advice)])
  }

  mutating func addProgram() {
    add("evodb", "\(Evodb.version), schema \(CatalogSchema.version)")
    add(
      "SQLite", CatalogStore.sqliteVersion,
      advice: CatalogStore.hasWALResetBug
        ? "before 3.51.3: has the WAL-reset bug (sqlite.org/wal.html), which evodb avoids: only the writer checkpoints, "
          + "and only while it holds the lock; do not write to a catalog in use with other programs" : nil)
    add(
      "processor", Processor.features.names.isEmpty ? Processor.name : "\(Processor.name): \(Processor.features.names)",
      advice: Processor.features.isSuperset(of: .fusedMultiplyAdd)
        ? nil
        : "it has no fused multiply-add, which evodb's own products then emulate, many times slower; --arithmetic openblas "
          + "does without")
    add(
      "kernels",
      "\(KernelSet.current.rawValue), of \(KernelSet.available.map(\.rawValue).joined(separator: " ")) "
        + "(\(KernelSet.variable))",
      advice: Processor.features.isSuperset(of: .amx) && !KernelSet.amx.isAvailable
        ? "the processor has AMX, but the operating system does not let this process use its tiles; results are the same"
        : nil)
    let own = Arithmetic.own.map { NumericsRecord($0).kernels }.joined(separator: ", ")
    add("arithmetic", own)
    let numerics = NumericsRecord(.openblas)
    add(
      "OpenBLAS", "\(numerics.blasVersion), core \(numerics.blasCore)",
      advice: BLAS.kernelAdvice.map { "\($0); it matters with --arithmetic openblas only" })
    add("OpenBLAS's kernels", BLASKernelSet.runnable().joined(separator: " "))
  }

  mutating func addPlace(of store: CatalogStore) {
    add(
      "file system", store.networkFileSystemName ?? "local",
      advice: store.networkFileSystemName.map {
        "on \($0) one process at a time can use a catalog; work on a local disk and copy with evodb backup"
      })
    let free = store.freeDiskByteCount
    let size = (try? store.fileByteCount()) ?? 0
    add(
      "free disk", free.map { HumanFormat.bytes($0) } ?? "unknown",
      advice: (free ?? .max) < size + (1 << 30)
        ? "less than the file's size and 1 GiB: backup, gc and upgrade need room for a copy" : nil)
    add("writer", store.currentWriter ?? "none")
    let log = store.logByteCount
    add(
      "log", HumanFormat.bytes(log),
      advice: store.hasAbandonedLog
        ? "a writer was killed; nothing is lost: the next writing command folds the log in"
        : log > 1 << 30 ? "over 1 GiB: a reader holds an old state; end long queries" : nil)
  }

  mutating func addModels(of store: CatalogStore) throws {
    for model in try store.read({ try $0.models() }) {
      let folder = try? ModelFolder(model, store: store)
      let place = folder?.url.path
      let advice: String?
      switch folder?.condition {
      case .asImported: advice = nil
      case .unchecked:
        advice =
          "its files changed since their bytes were looked at, or were copied: they are looked at before they are used; "
          + "to do it now: \(ShellCommand("import", store.path, place ?? "MODEL_DIR", options: [("--name", model.name)]))"
      case .unusable(let problem, let remedy):
        advice =
          "reading, merging and queries work, computing does not: \(ErrorText.line(problem, remedy)); where it lies "
          + "elsewhere: \(ShellCommand("import", store.path, "MODEL_DIR"))"
      case nil:
        advice =
          "its folder is not known: reading, merging and queries work; to compute, import it again: "
          + "\(ShellCommand("import", store.path, "MODEL_DIR"))"
      }
      add("model \(model.name)", place ?? "-", advice: advice)
    }
  }

  mutating func addRevisions(of store: CatalogStore) throws {
    for stored in try store.revisions() {
      guard let current = Revisions.current(of: stored.what), stored.revision != Int64(current) else { continue }
      add(
        "revision", "\(stored.what), revision \(stored.revision): \(HumanFormat.count(stored.rowCount)) rows",
        advice: stored.revision < Int64(current)
          ? "this evodb computes revision \(current) and will not use them; "
            + "\(ShellCommand("gc", store.path, options: [("--what", "revisions")])) drops them"
          : "a newer evodb made them; this one computes revision \(current)")
    }
  }

  mutating func addSizes(of store: CatalogStore) throws {
    let survey = try store.survey()
    add("file", HumanFormat.bytes(survey.pageByteCount))
    let isLoose = survey.freeByteCount > max(16 << 20, survey.pageByteCount / 4)
    add(
      "free pages", HumanFormat.bytes(survey.freeByteCount),
      advice: isLoose ? "\(ShellCommand("gc", store.path)) gives them back to the disk" : nil)
    for blob in survey.blobs {
      let isCache = blob.kind.hasSuffix("(cache)")
      add(
        blob.kind, "\(HumanFormat.count(blob.count)) blobs, \(HumanFormat.bytes(blob.byteCount))",
        advice: isCache && blob.byteCount > max(1 << 30, survey.pageByteCount / 2)
          ? "computed again when needed: \(ShellCommand("gc", store.path, options: [("--what", "caches")])) drops it"
          : nil)
    }
    for table in survey.tables where table.rowCount > 0 {
      let size = table.byteCount.map { ", " + HumanFormat.bytes($0) } ?? ""
      add("table \(table.name)", "\(HumanFormat.count(table.rowCount)) rows\(size)")
    }
  }
}
