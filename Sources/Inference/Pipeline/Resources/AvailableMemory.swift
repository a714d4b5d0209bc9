import Foundation

/// How much memory this process may still take.
enum AvailableMemory {
  /// Bytes that are free or can be freed without harm: `MemAvailable` of Linux, less if the process's control group allows
  /// less; elsewhere the machine's memory.
  static var byteCount: Int {
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
