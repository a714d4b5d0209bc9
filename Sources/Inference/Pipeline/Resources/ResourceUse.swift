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
