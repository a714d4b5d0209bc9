import Foundation

/// Memory and processor time that this process has used so far.
public enum ResourceUse {
  /// The most memory it ever held at once, in bytes.
  ///
  /// `VmHWM` of Linux begins anew with the program, where getrusage's figure is inherited from whoever started it.
  public static var peakMemoryByteCount: Int {
    if let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) {
      for line in text.split(separator: "\n") where line.hasPrefix("VmHWM:") {
        let words = line.split { $0 == " " || $0 == "\t" }
        if words.count > 1, let kibibytes = Int(words[1]) { return kibibytes << 10 }
      }
    }
    var usage = rusage()
    // RUSAGE_SELF, whose type differs between systems.
    guard getrusage(0, &usage) == 0 else { return 0 }
    #if os(Linux)
      return Int(usage.ru_maxrss) << 10
    #else
      return Int(usage.ru_maxrss)
    #endif
  }
}

/// How much memory this process may still take.
package enum AvailableMemory {
  /// Bytes that are free or can be freed without harm: `MemAvailable` of Linux, less if the process's control group allows
  /// less; elsewhere the machine's memory.
  package static var byteCount: Int {
    var available = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    if let free = meminfo("MemAvailable:") { available = min(available, free) }
    if let limit = number("/sys/fs/cgroup/memory.max"), let used = number("/sys/fs/cgroup/memory.current") {
      available = min(available, max(0, limit - used))
    }
    return available
  }

  /// A line of `/proc/meminfo`, which counts in KiB; nil where there is no such file.
  private static func meminfo(_ name: String) -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8) else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }
    return nil
  }

  /// The number a file of the system holds; nil for `max` and where there is no such file.
  private static func number(_ path: String) -> Int? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
  }
}
