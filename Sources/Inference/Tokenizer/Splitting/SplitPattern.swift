import Foundation

/// A pattern that cuts a text into words (Hugging Face's `Split`).
struct SplitPattern: Sendable {
  /// What becomes of a match.
  enum Behavior: Sendable {
    /// It is a word, and so is what lies between matches.
    case isolated
    /// It ends the word before it.
    case mergedWithPrevious
  }

  /// GPT-2's pattern (OpenAI's encoder.py), which `ByteLevel` with `use_regex` applies.
  static let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  private let expression: NSRegularExpression
  private let behavior: Behavior
  private let file: String

  /// Compiles a regular expression in Oniguruma's language.
  ///
  /// - Throws: `InferenceError.unsupported` naming the construct that has no equal in ICU's language.
  init(_ pattern: String, behavior: Behavior = .isolated, file: String) throws {
    self.behavior = behavior
    self.file = file
    do {
      expression = try NSRegularExpression(pattern: SplitPatternTranslation.icuPattern(pattern))
    } catch let refusal as SplitPatternTranslation.Refusal {
      throw InferenceError.unsupported(
        file: file, detail: "pre_tokenizer: \(refusal.construct) in the split pattern \(pattern)")
    } catch {
      throw InferenceError.unsupported(file: file, detail: "pre_tokenizer: the split pattern \(pattern)")
    }
  }

  /// A pattern that matches one text, in UTF-8, which is not empty.
  ///
  /// - Throws: `InferenceError.unsupported` if the text is beyond the limits of ICU.
  init(literal: [UInt8], behavior: Behavior, file: String) throws {
    self.behavior = behavior
    self.file = file
    let literal = String(decoding: literal, as: UTF8.self)
    do {
      expression = try NSRegularExpression(pattern: NSRegularExpression.escapedPattern(for: literal))
    } catch {
      throw InferenceError.unsupported(file: file, detail: "pre_tokenizer: the split pattern \(literal)")
    }
  }

  /// Calls `body` with the byte ranges of the words of `text`, in order, none of them empty. `bytes` is its UTF-8.
  ///
  /// - Throws: `InferenceError.unsupported` if the expression needs more memory on this text than ICU grants.
  func forEachWord(of text: String, bytes: ArraySlice<UInt8>, _ body: (Range<Int>) -> Void) throws {
    guard !bytes.isEmpty else { return }
    var cursor = UTF16Cursor(bytes)
    var wordStart = bytes.startIndex
    var failed = false
    withoutActuallyEscaping(body) { body in
      func cut(at utf16Offset: Int) {
        let end = cursor.byteIndex(ofUTF16Offset: utf16Offset)
        if wordStart < end { body(wordStart..<end) }
        wordStart = end
      }
      // Without reportCompletion a match that runs out of memory looks like the end of the matches.
      let everything = NSRange(location: 0, length: text.utf16.count)
      expression.enumerateMatches(in: text, options: [.reportCompletion], range: everything) { match, flags, _ in
        if flags.contains(.internalError) { failed = true }
        guard let match else { return }
        if behavior == .isolated { cut(at: match.range.location) }
        cut(at: match.range.location + match.range.length)
      }
    }
    guard !failed else {
      throw InferenceError.unsupported(
        file: file, detail: "the split pattern needs more memory on a text of \(bytes.count) bytes than ICU grants")
    }
    if wordStart < bytes.endIndex { body(wordStart..<bytes.endIndex) }
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
