import CKernels

/// How many threads the system lets this process start.
enum ThreadProbe {
  /// Starts up to `count` threads at a time and ends them.
  static func startableThreadCount(upTo count: Int) -> Int { Int(evodb_startable_threads(Int64(count))) }
}
