import Foundation

/// The limits that shells (`ulimit`), job schedulers and control groups set for this process.
///
/// Under a limit on address space (`RLIMIT_AS`; `RLIMIT_DATA` for its writable part) OpenBLAS tries to map a buffer for ever,
/// deaf to signals. So it is held against what the work needs before it begins, and the buffers are mapped ahead. A
/// first part of this happens before the program starts (`process_start.c`).
public enum ProcessLimits {
  /// Files that a verb has open at a time: the catalog, its log and lock, a model's shards.
  private static let leastOpenFileCount = 32
  /// Enough for checkpoints of hundreds of shards.
  private static let wantedOpenFileCount = 4096
  /// Threads of the system's libraries beside those that compute: signals, timers.
  private static let serviceThreadCount = 3
  /// Stacks of the service threads, the allocator's unused parts and what cannot be told apart: of address space only.
  private static let unforeseenByteCount = 64 << 20
  /// A computing thread's stack and its guard page.
  private static let threadStackByteCount = (4 << 20) + (64 << 10)
  /// Address space that a verb needs that only reads and writes a catalog.
  private static let leastByteCount = 48 << 20

  /// Checks what no verb can do without; raises the number of open files as far as it may be. Call it once, first thing.
  ///
  /// - Throws: `InferenceError.systemLimit`.
  public static func prepare() throws {
    var files = rlimit()
    if getrlimit(openFiles, &files) == 0, files.rlim_cur < rlim_t(wantedOpenFileCount) {
      let granted = Int(files.rlim_cur)
      files.rlim_cur = min(rlim_t(wantedOpenFileCount), files.rlim_max)
      let count = setrlimit(openFiles, &files) == 0 ? Int(files.rlim_cur) : granted
      guard count >= leastOpenFileCount else {
        throw InferenceError.systemLimit(
          detail: "only \(count) files may be open at a time (RLIMIT_NOFILE); the least is \(leastOpenFileCount): "
            + "raise the limit (ulimit -n 1024)")
      }
    }
    try require(threads: 0)
    try require(byteCount: leastByteCount, because: "every verb")
  }

  /// Checks what every verb needs that computes, whatever the model.
  ///
  /// - Throws: `InferenceError.systemLimit`.
  public static func requireComputing(threadCount: Int) throws {
    try require(threads: threadCount)
    try requireRoom(for: 0, threadCount: threadCount)
  }

  /// Checks that the address space has room for `byteCount` bytes and the threads that work on them.
  ///
  /// - Throws: `InferenceError.systemLimit`.
  static func requireRoom(for byteCount: Int, threadCount: Int) throws {
    try require(
      byteCount: max(0, byteCount) + reservedByteCount(threadCount),
      because: "this work with \(threadCount) thread\(threadCount == 1 ? "" : "s")",
      remedy: threadCount > 1 ? ", or take fewer threads" : "")
  }

  /// Bytes of address space left for matrices and caches when the threads have theirs; nil: no limit.
  static func room(threadCount: Int) -> Int? {
    spaces().map { $0.limit - $0.used - reservedByteCount(threadCount) }.min()
  }

  /// Maps what OpenBLAS will need, if the address space is limited; `requireRoom` has looked whether it fits.
  static func reserve(threadCount: Int) {
    if !spaces().isEmpty { BLAS.reserveBuffers(threadCount) }
  }

  /// Address space of the threads beside what they compute on.
  private static func reservedByteCount(_ threadCount: Int) -> Int {
    max(0, threadCount - BLAS.reservedBufferCount) * BLAS.bufferByteCount + threadCount * threadStackByteCount
      + unforeseenByteCount
  }

  private static func require(threads threadCount: Int) throws {
    let wanted = threadCount + serviceThreadCount
    let found = ThreadProbe.startableThreadCount(upTo: wanted)
    guard found >= wanted else {
      throw InferenceError.systemLimit(
        detail: "only \(found) more threads can be started, and \(wanted) are needed (RLIMIT_NPROC, or pids.max of the "
          + "control group): raise the limit (ulimit -u)\(threadCount > 1 ? ", or take fewer threads" : "")")
    }
  }

  private static func require(byteCount: Int, because work: String, remedy: String = "") throws {
    for space in spaces() where space.limit - space.used < byteCount {
      let least = space.used + byteCount
      throw InferenceError.systemLimit(
        detail:
          "the \(space.what) of a process is limited to \(space.limit >> 20)M (\(space.name)); \(work) needs at least "
          + "\((least >> 20) + 1)M: raise the limit (\(space.command) \((least >> 10) + 1024))\(remedy)")
    }
  }

  /// A limited kind of memory.
  private struct Space {
    let name: String
    let what: String
    let command: String
    let limit: Int
    let used: Int
  }

  /// The kinds of memory that are limited, with what the process holds of them.
  private static func spaces() -> [Space] {
    #if canImport(Glibc)
      let address = limit(of: Int32(RLIMIT_AS.rawValue))
      let data = limit(of: Int32(RLIMIT_DATA.rawValue))
      guard address != nil || data != nil else { return [] }
      // statm(5): all pages first, data and stack sixth.
      guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return [] }
      let pages = text.split(separator: " ").compactMap { Int($0) }
      guard pages.count >= 6 else { return [] }
      let pageByteCount = sysconf(Int32(_SC_PAGESIZE))
      var spaces: [Space] = []
      if let address {
        spaces.append(
          Space(
            name: "RLIMIT_AS", what: "address space", command: "ulimit -v", limit: address,
            used: pages[0] * pageByteCount))
      }
      if let data {
        spaces.append(
          Space(
            name: "RLIMIT_DATA", what: "data segment", command: "ulimit -d", limit: data,
            used: pages[5] * pageByteCount))
      }
      return spaces
    #else
      // Enforced on Linux only.
      return []
    #endif
  }

  #if canImport(Glibc)
    private static let openFiles = Int32(RLIMIT_NOFILE.rawValue)
  #else
    private static let openFiles = RLIMIT_NOFILE
  #endif

  #if canImport(Glibc)
    /// A limit of this process; nil: none.
    private static func limit(of resource: Int32) -> Int? {
      var limit = rlimit()
      guard getrlimit(resource, &limit) == 0, limit.rlim_cur < rlim_t(Int.max) else { return nil }
      return Int(limit.rlim_cur)
    }
  #endif
}
