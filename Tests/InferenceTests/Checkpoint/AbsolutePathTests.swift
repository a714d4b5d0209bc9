import Foundation
import Inference
import TestSupport
import Testing

@Suite(.usualTimeLimit) struct AbsolutePathTests {
  /// A tree with links to folders and files in other branches, upwards, and to nowhere.
  private func tree() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let manager = FileManager.default
    for name in ["a/b/c", "d/e", "a/f"] {
      try manager.createDirectory(atPath: folder.url.path + "/" + name, withIntermediateDirectories: true)
      try folder.write(name, to: name + "/x")
    }
    for (link, target) in [
      ("a/b/l", "../../d/e"), ("d/l", "../a/b/c"), ("d/e/l", "../../a"), ("a/l", "none"), ("l", "d/l"),
      ("a/f/l", "../b/x"),
      ("a/b/x", "c/x"),
    ] { try manager.createSymbolicLink(atPath: folder.url.path + "/" + link, withDestinationPath: target) }
    return folder
  }

  /// Device and inode; nil: nothing is there.
  private func identity(_ path: String) -> [UInt64]? {
    var info = stat()
    guard stat(path, &info) == 0 else { return nil }
    return [UInt64(truncatingIfNeeded: info.st_dev), UInt64(truncatingIfNeeded: info.st_ino)]
  }

  @Test func itLeadsWhereTheKernelGoes() throws {
    let folder = try tree()
    var random = SplitMix64(property: 7100)
    var (found, missing, others) = (0, 0, 0)
    for _ in 0..<4000 {
      let parts = (0..<Int.random(in: 1...8, using: &random)).map { _ in
        ["a", "b", "c", "d", "e", "f", "l", "l", "x", "..", "..", ".."].randomElement(using: &random) ?? ""
      }
      let path = folder.url.path + "/" + parts.joined(separator: "/")
      let url = AbsolutePath.url(path)
      let own = identity(url.path)
      #expect(own == identity(path), "\(path) became \(url.path)")
      if own == nil { missing += 1 } else { found += 1 }
      if own != identity(URL(fileURLWithPath: path).standardizedFileURL.path) { others += 1 }
      // Nothing is left to be resolved by anybody else.
      if own != nil { #expect(!url.pathComponents.contains("..")) }
      #expect(AbsolutePath.url(url.path) == url)
    }
    #expect(found > 300 && missing > 300 && others > 50)
  }

  @Test func linksAreKeptAndRelativePathsBecomeAbsolute() throws {
    let folder = try tree()
    let root = folder.url.path
    #expect(AbsolutePath.url(root + "/l").path == root + "/l")
    #expect(AbsolutePath.url(root + "//a/./b/").path == root + "/a/b")
    #expect(AbsolutePath.url("/").path == "/" && AbsolutePath.url("/..").path == "/")
    let here = FileManager.default.currentDirectoryPath
    #expect(AbsolutePath.url(".").path == here && AbsolutePath.url("./x").path == here + "/x")
  }
}
