import CSQLite

/// File systems whose files are in memory and nowhere else.
public enum MemoryFileSystem {
  /// Whether `path`, links followed, lies on one.
  public static func holds(_ path: String) -> Bool {
    #if os(Linux)
      // linux/magic.h: TMPFS_MAGIC, RAMFS_MAGIC, HUGETLBFS_MAGIC.
      return [0x0102_1994, 0x8584_58f6, 0x9584_58f6].contains(UInt64(evodb_file_system_magic(path)))
    #else
      return false
    #endif
  }
}
