import CSQLite
import Foundation

/// The file system that holds a catalog, network or local.
///
/// SQLite's WAL needs shared memory between processes of one host (sqlite.org/wal.html), and POSIX locks are unreliable
/// on network file systems: there a catalog is used by one process at a time, with a rollback journal.
public enum FileSystem {
  #if os(Linux)
    // Magic numbers of statfs(2) and of the file systems' headers.
    private static let remote: [UInt64: String] = [
      0x6969: "NFS", 0x517b: "SMB", 0xff53_4d42: "CIFS", 0xfe53_4d42: "SMB2", 0x0bd0_0bd0: "Lustre",
      0x4750_4653: "GPFS",
      0x6573_5546: "FUSE", 0x0102_1997: "9P", 0x00c3_6400: "Ceph",
      0x5346_414f: "AFS", 0x7375_7245: "Coda", 0x7461_636f: "OCFS2", 0x0116_1970: "GFS2", 0x1983_0326: "BeeGFS",
      0x2003_0528: "OrangeFS", 0x786f_4256: "a shared folder of VirtualBox",
    ]

    /// The name of the network file system that holds `path`; nil if it is a local one.
    static func networkName(of path: String) -> String? {
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      let place = FileManager.default.fileExists(atPath: path) ? path : folder
      return remote[UInt64(evodb_file_system_magic(place))]
    }
  #else
    /// The name of the network file system that holds `path`; nil if it is a local one.
    static func networkName(of path: String) -> String? {
      let url = URL(fileURLWithPath: path).deletingLastPathComponent()
      let local = try? url.resourceValues(forKeys: [.volumeIsLocalKey]).volumeIsLocal
      return local == false ? "a network file system" : nil
    }
  #endif

  /// The size of a file; nil if there is none.
  static func byteCount(of path: String) -> Int64? {
    var info = stat()
    return stat(path, &info) == 0 ? Int64(info.st_size) : nil
  }

  /// Bytes that an ordinary user may still write to the file system of `path`; nil if it does not tell.
  static func freeByteCount(beside path: String) -> Int64? {
    var info = statvfs()
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard statvfs(folder, &info) == 0 else { return nil }
    return Int64(clamping: UInt64(info.f_bavail).multipliedReportingOverflow(by: UInt64(info.f_frsize)).partialValue)
  }

  /// Makes sure that there is room for a file, as far as the file system tells.
  ///
  /// - Throws: `CatalogError.inputOutput` if `byteCount` bytes do not fit beside `path`.
  public static func requireSpace(_ byteCount: Int64, beside path: String) throws {
    guard let free = freeByteCount(beside: path), free < byteCount else { return }
    throw CatalogError.inputOutput(
      path: path, detail: "needs \(byteCount) bytes of disk, \(free) are free; nothing was changed")
  }
}

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
