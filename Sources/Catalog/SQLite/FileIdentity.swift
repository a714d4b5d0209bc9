import Foundation

/// A file as the kernel knows it, whatever its names are: device and inode.
struct FileIdentity: Hashable {
  let device: UInt64
  let inode: UInt64

  init(_ info: stat) {
    device = UInt64(truncatingIfNeeded: info.st_dev)
    inode = UInt64(truncatingIfNeeded: info.st_ino)
  }

  /// The file that a path leads to, links followed; nil if there is none.
  init?(ofPath path: String) {
    var info = stat()
    guard stat(path, &info) == 0 else { return nil }
    self.init(info)
  }

  /// The file of an open descriptor; nil if it is closed.
  init?(ofDescriptor descriptor: Int32) {
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { return nil }
    self.init(info)
  }

  /// Names (hard links) of the file at a path; nil if there is none.
  static func nameCount(ofPath path: String) -> Int? {
    var info = stat()
    return stat(path, &info) == 0 ? Int(info.st_nlink) : nil
  }

  /// Names (hard links) of an open file; 0 when it was removed.
  static func nameCount(ofDescriptor descriptor: Int32) -> Int? {
    var info = stat()
    return fstat(descriptor, &info) == 0 ? Int(info.st_nlink) : nil
  }

  /// Removes a name if it is one of this file.
  func removeName(_ path: String) { if FileIdentity(ofPath: path) == self { unlink(path) } }

  /// The path under which an open file can be found now; nil if it has none, or the system does not tell.
  static func currentPath(ofDescriptor descriptor: Int32) -> String? {
    var bytes = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/fd/\(descriptor)", &bytes, bytes.count)
    guard count > 0, count < bytes.count else { return nil }
    let path = String(decoding: bytes[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // The kernel adds “ (deleted)” to the last name of a removed file, which may be the name of another one.
    guard let own = FileIdentity(ofDescriptor: descriptor), FileIdentity(ofPath: path) == own else { return nil }
    return path
  }
}
