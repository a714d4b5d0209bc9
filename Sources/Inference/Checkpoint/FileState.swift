import Foundation

/// Identity, size and times of an open file, by which a change of its bytes shows without reading them.
///
/// The modification time alone can be set back (`touch -r`, `cp -p`, `rsync -t`). The time of the last change of the file's
/// entry cannot: setting the other one back moves it.
struct FileState: Hashable, Sendable {
  /// A state is worth nothing while the file's last change is younger than this: the clocks of file systems stand still for
  /// up to 2 s (FAT; 10 ms on local Unix ones), and a second change inside such a tick would leave the same state.
  static let settlingNanoseconds: Int64 = 2_000_000_000

  /// The device the file lies on.
  let device: UInt64
  /// The file's number on it.
  let inode: UInt64
  /// Size.
  let byteCount: Int64
  /// Last change of the content, in nanoseconds since 1970.
  let modified: Int64
  /// Last change of content or entry, in nanoseconds since 1970.
  let changed: Int64

  init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    inode = UInt64(truncatingIfNeeded: status.st_ino)
    byteCount = Int64(status.st_size)
    #if canImport(Darwin)
      modified = Self.nanoseconds(status.st_mtimespec)
      changed = Self.nanoseconds(status.st_ctimespec)
    #else
      modified = Self.nanoseconds(status.st_mtim)
      changed = Self.nanoseconds(status.st_ctim)
    #endif
  }

  /// From `text`; nil for anything else.
  init?(_ text: some StringProtocol) {
    let numbers = text.split(separator: " ", omittingEmptySubsequences: false)
    guard numbers.count == 5, let device = UInt64(numbers[0]), let inode = UInt64(numbers[1]),
      let byteCount = Int64(numbers[2]), let modified = Int64(numbers[3]), let changed = Int64(numbers[4])
    else { return nil }
    self.device = device
    self.inode = inode
    self.byteCount = byteCount
    self.modified = modified
    self.changed = changed
  }

  /// All numbers, in the order of the fields.
  var text: String { "\(device) \(inode) \(byteCount) \(modified) \(changed)" }

  /// Whether a later change of the file must show in another state.
  func isSettled(at now: Int64 = FileState.now()) -> Bool {
    let (end, overflow) = changed.addingReportingOverflow(Self.settlingNanoseconds)
    return !overflow && end < now
  }

  /// The system's clock, in nanoseconds since 1970.
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return nanoseconds(time)
  }

  private static func nanoseconds(_ time: timespec) -> Int64 {
    Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
