import Foundation

/// A regular expression of a `tokenizer.json`, which cuts a text or says what is replaced in it.
struct SplitPattern: Sendable {
  /// GPT-2's pattern (OpenAI's encoder.py), which `ByteLevel` with `use_regex` applies.
  static let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// How long a search may take, in reports of ICU's. There is one for every 10,000 steps, and may be one for every
  /// position: so this is ten million steps for any text, as in Oniguruma, and a hundred times what published patterns
  /// need for each byte. Patterns like `(a+)+$` would take years.
  private static func reportLimit(byteCount: Int) -> Int { 1_000 + byteCount + byteCount / 100 }

  private let expression: NSRegularExpression
  private let file: String
  private let place: String

  /// Compiles a regular expression in Oniguruma's language.
  ///
  /// - Parameter place: where in the file it stands.
  /// - Throws: `InferenceError.unsupported` naming the construct that has no equal in ICU's language.
  init(_ pattern: String, at place: String, file: String) throws {
    self.file = file
    self.place = place
    do {
      expression = try NSRegularExpression(pattern: SplitPatternTranslation.icuPattern(pattern))
    } catch let refusal as SplitPatternTranslation.Refusal {
      throw InferenceError.unsupported(
        file: file, detail: "\(place): \(refusal.construct) in the regular expression \(pattern.prefix(500))")
    } catch {
      throw InferenceError.unsupported(file: file, detail: "\(place): the regular expression \(pattern.prefix(500))")
    }
  }

  /// Calls `body` with the byte ranges of the matches in UTF-8 text, in order. Some may be empty.
  ///
  /// - Throws: `InferenceError.unsupported` if the expression needs more memory or steps on this text than it is granted.
  func forEachMatch(in bytes: ArraySlice<UInt8>, _ body: (Range<Int>) -> Void) throws {
    guard !bytes.isEmpty else { return }
    let text = String(decoding: bytes, as: UTF8.self)
    let reportLimit = Self.reportLimit(byteCount: bytes.count)
    var cursor = UTF16Cursor(bytes)
    var previousEnd: Int?
    var reportCount = 0
    var failed = false
    withoutActuallyEscaping(body) { body in
      // Without reportCompletion a match that runs out of memory looks like the end of the matches.
      let everything = NSRange(location: 0, length: text.utf16.count)
      let options: NSRegularExpression.MatchingOptions = [.reportCompletion, .reportProgress]
      expression.enumerateMatches(in: text, options: options, range: everything) { match, flags, stop in
        if flags.contains(.internalError) { failed = true }
        guard let match else {
          if flags.contains(.progress) { reportCount += 1 }
          if reportCount > reportLimit { stop.pointee = true }
          return
        }
        let (start, end) = (match.range.location, match.range.location + match.range.length)
        // Oniguruma's iterator takes no empty match directly behind another one.
        guard start < end || start != previousEnd else { return }
        previousEnd = end
        let lower = cursor.byteIndex(ofUTF16Offset: start)
        body(lower..<cursor.byteIndex(ofUTF16Offset: end))
      }
    }
    guard !failed, reportCount <= reportLimit else {
      let scarce = failed ? "memory" : "time"
      throw InferenceError.unsupported(
        file: file,
        detail: "\(place): its regular expression needs too much \(scarce) on a text of \(bytes.count) bytes")
    }
  }

  /// Translates ascending UTF-16 offsets of a text to indices of its UTF-8 bytes.
  private struct UTF16Cursor {
    private let bytes: ArraySlice<UInt8>
    private var index: Int
    private var utf16Offset = 0

    init(_ bytes: ArraySlice<UInt8>) {
      self.bytes = bytes
      index = bytes.startIndex
    }

    mutating func byteIndex(ofUTF16Offset target: Int) -> Int {
      while utf16Offset < target, index < bytes.endIndex {
        switch bytes[index] {
        case ..<0x80: (index, utf16Offset) = (index + 1, utf16Offset + 1)
        case ..<0xE0: (index, utf16Offset) = (index + 2, utf16Offset + 1)
        case ..<0xF0: (index, utf16Offset) = (index + 3, utf16Offset + 1)
        default: (index, utf16Offset) = (index + 4, utf16Offset + 2)
        }
      }
      return index
    }
  }
}
