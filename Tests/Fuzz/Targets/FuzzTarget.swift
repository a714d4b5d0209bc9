import Catalog
import Foundation
import Inference
import Search

/// One way into evodb for bytes that somebody else made.
///
/// A target must neither trap, hang nor take memory without bound, whatever it gets, and throws `FuzzFinding` where a
/// rule that holds for every input is broken. That an input is refused is no finding.
public struct FuzzTarget: Sendable {
  /// Runs the code under test on one input.
  public typealias Body = ([UInt8]) throws -> Void

  /// The name on the command line and of the folder of its fixtures.
  public let name: String
  /// Longest input that is tried, in bytes.
  public let longestInput: Int
  /// Words that mutations put in.
  let words: [String]
  /// Inputs to begin with, made of the fixtures.
  let makeSeeds: @Sendable () throws -> [[UInt8]]
  /// Makes the body, which keeps all its files inside the given folder.
  let prepare: @Sendable (URL) throws -> Body

  /// All targets.
  public static let all: [FuzzTarget] = [
    .safetensors, .index, .json, .configuration, .tokenizer, .tasks, .container, .gguf, .profile,
    .foreignCatalog, .damagedCatalog, .query,
  ]

  /// The target called `name`; nil: there is none.
  public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }

  /// Inputs to begin with, each once, none longer than `longestInput`.
  ///
  /// - Throws: if a fixture cannot be read.
  public func seeds() throws -> [[UInt8]] {
    var seen: Set<[UInt8]> = []
    return try makeSeeds().filter { $0.count <= longestInput && seen.insert($0).inserted }
  }

  /// The body for one input. Refusals by one of evodb's own errors end it quietly.
  ///
  /// - Parameter folder: an empty folder; nothing is written outside of it.
  /// - Throws: `FuzzFinding`, and any error that no user should ever see.
  public func body(in folder: URL) throws -> Body {
    let body = try prepare(folder)
    return { bytes in
      do {
        try body(bytes)
      } catch is InferenceError {
      } catch is SearchError {
      } catch let error as CatalogError {
        // These are about the state of the machine: an input cannot be their reason.
        switch error {
        case .inputOutput, .notPermitted, .locked, .busy, .exists:
          throw FuzzFinding("an input led to: \(error)")
        default: return
        }
      }
    }
  }

  /// The words in libFuzzer's form of a dictionary.
  public var dictionary: String {
    words.map { word in
      let escaped = word.utf8.map { byte -> String in
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): "\\" + String(UnicodeScalar(byte))
        case 0x20..<0x7F: String(UnicodeScalar(byte))
        default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
      }
      return "\"\(escaped.joined())\"\n"
    }.joined()
  }
}

/// A rule that holds for every input is broken.
public struct FuzzFinding: Error, CustomStringConvertible {
  /// The broken rule, in words.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// - Throws: `FuzzFinding` unless `condition` holds.
func expect(_ condition: Bool, _ rule: @autoclosure () -> String) throws {
  if !condition { throw FuzzFinding(rule()) }
}

/// A file that is filled anew for every input.
struct ScratchFile {
  let url: URL
  var path: String { url.path }

  init(_ name: String, in folder: URL) { url = folder.appendingPathComponent(name) }

  /// Foundation's own way of writing takes longer than most targets.
  func write(_ bytes: [UInt8]) throws {
    guard let stream = fopen(path, "w") else { throw FuzzFinding("cannot write \(path)") }
    let count = fwrite(bytes, 1, bytes.count, stream)
    try expect(fclose(stream) == 0 && count == bytes.count, "cannot write \(path)")
  }

  /// Which file it is, its size and when it was last written to: what no write leaves as it was.
  func state() throws -> [Double] {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    func number(_ key: FileAttributeKey) -> Double { (attributes[key] as? NSNumber)?.doubleValue ?? -1 }
    let time = (attributes[.modificationDate] as? Date)?.timeIntervalSinceReferenceDate ?? -1
    return [number(.systemFileNumber), number(.size), time]
  }

  /// Removes the file and whatever SQLite or a lock put beside it.
  func remove() {
    for suffix in ["", "-wal", "-shm", "-journal", "-lock"] {
      try? FileManager.default.removeItem(atPath: path + suffix)
    }
  }
}
