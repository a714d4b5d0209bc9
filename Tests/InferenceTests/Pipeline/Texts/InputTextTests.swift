import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Texts as users have them: marks, encodings, compression, pipes, JSON Lines.
@Suite(.usualTimeLimit) struct InputTextTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func documents(_ bytes: [UInt8], name: String = "text.txt", field: String? = nil) throws -> TextDocuments {
    try TextDocuments([InputFile(folder.write(bytes, to: name))], textField: field)
  }

  private func refusal(_ bytes: [UInt8], name: String = "text.txt", field: String? = nil) throws -> String {
    let path = folder.url.appendingPathComponent(name).path
    let error = expectError(like: InferenceError.invalidData(file: path, detail: "")) {
      try documents(bytes, name: name, field: field)
    }
    guard case .invalidData(let file, let detail) = error else { return "" }
    return detail + " @ " + file
  }

  private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

  @Test func aByteOrderMarkIsNoText() throws {
    #expect(try documents(Self.mark + Array("grüße".utf8)).texts == ["grüße"])
    // Only at the beginning, and of every file.
    #expect(try documents(Array("a\u{FEFF}b".utf8)).texts == ["a\u{FEFF}b"])
    let files = try ["a.txt", "b.txt"].map { InputFile(try folder.write(Self.mark + Array("x".utf8), to: $0)) }
    #expect(try TextDocuments(files, textField: nil).texts == ["x", "x"])
    #expect(try refusal(Self.mark).contains("is empty"))
    let record = Self.mark + Array(#"{"text": "a"}"#.utf8)
    #expect(try documents(record, name: "a.jsonl", field: "text").texts == ["a"])
  }

  @Test func theDigestIsOfTheBytesAsTheyWereGiven() throws {
    let bytes = Self.mark + Array("abc".utf8)
    #expect(try documents(bytes).digest == SHA256.digest(of: bytes))
  }

  private static func encoded(_ text: String, _ encoding: String.Encoding, mark: [UInt8]) -> [UInt8] {
    mark + Array(text.data(using: encoding) ?? Data())
  }

  @Test func otherEncodingsAreRefusedByName() throws {
    let text = "The people of the town were there."
    for (bytes, name) in [
      (Self.encoded(text, .utf16LittleEndian, mark: [0xFF, 0xFE]), "UTF-16,"),
      (Self.encoded(text, .utf16BigEndian, mark: [0xFE, 0xFF]), "UTF-16,"),
      (Self.encoded(text, .utf16LittleEndian, mark: []), "UTF-16LE"),
      (Self.encoded(text, .utf16BigEndian, mark: []), "UTF-16BE"),
      (Self.encoded(text, .utf32LittleEndian, mark: [0xFF, 0xFE, 0, 0]), "UTF-32"),
      (Self.encoded(text, .utf32BigEndian, mark: [0, 0, 0xFE, 0xFF]), "UTF-32"),
    ] {
      let refusal = try refusal(bytes, name: "my text.txt")
      #expect(refusal.contains(name) && refusal.contains("iconv -f"), "\(refusal)")
      #expect(refusal.contains("'\(folder.url.path)/my text.txt'"), "the name is quoted for a shell: \(refusal)")
    }
    // A NUL here and there is text.
    #expect(try documents(Array("ab\0cd and more of it".utf8)).texts.count == 1)
    #expect(try refusal(Array("sch".utf8) + [0xF6]).contains("is not UTF-8 text (byte 3)"))
  }

  @Test(
    arguments: [
      ([0x1F, 0x8B, 8, 0], "text.txt.gz", "zcat"), ([0x28, 0xB5, 0x2F, 0xFD, 0], "text.zst", "zstdcat"),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], "text.xz", "xzcat"),
      (Array("BZh9".utf8) + [0x31, 0x41, 0x59, 0x26, 0x53, 0x59], "text.bz2", "bzcat"),
      ([0x50, 0x4B, 3, 4], "text.zip", "unzip -p"), ([0x04, 0x22, 0x4D, 0x18], "text.lz4", "lz4cat"),
      (Array("PAR1....".utf8), "text.parquet", "to_json"), (Array("ARROW1\0\0".utf8), "text.arrow", "to_json"),
      (Array("%PDF-1.7".utf8), "text.pdf", "pdftotext"),
      (Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n".utf8), "text.txt", "git lfs pull"),
    ] as [([UInt8], String, String)])
  func filesOfOtherKindsAreRefusedWithWhatConvertsThem(bytes: [UInt8], name: String, remedy: String) throws {
    let refusal = try refusal(bytes, name: name)
    #expect(refusal.contains(remedy), "\(refusal)")
  }

  @Test func compressedJSONLinesAskForTheFieldToo() throws {
    #expect(try refusal([0x1F, 0x8B, 8, 0], name: "c4.jsonl.gz").contains("text field"))
    #expect(try refusal([0x1F, 0x8B, 8, 0], name: "c4.json.gz").contains("text field"))
    #expect(try !refusal([0x1F, 0x8B, 8, 0], name: "c4.txt.gz").contains("text field"))
  }

  @Test(arguments: ["a.jsonl", "a.ndjson", "a.jsonlines", "a.json", "A.JSONL"])
  func aFileCalledLikeJSONIsRefusedWithoutAField(name: String) throws {
    let refusal = try refusal(Array(#"{"id": 1, "body": "x", "url": "y"}"#.utf8), name: name)
    #expect(refusal.contains("text field") && refusal.contains("id, body, url"), "\(refusal)")
    // The content alone says nothing: such a text may be what somebody wants.
    #expect(try documents(Array(#"{"id": 1}"#.utf8), name: "a.txt").texts == [#"{"id": 1}"#])
  }

  @Test func recordsGiveTheTextsOfTheirField() throws {
    let lines = "{\"text\": \"one\\nline\", \"n\": 1}\r\n\n  \n{\"n\": 2, \"text\": \"zw\u{f6}i \\ud83d\\ude00\"}"
    let read = try documents(Array(lines.utf8), name: "a.jsonl", field: "text")
    #expect(read.texts == ["one\nline", "zw\u{f6}i \u{1F600}"] && read.separator == "\n\n")
    #expect(try documents(Array(lines.utf8), name: "a.txt", field: "text").texts == read.texts)
    let array = #" [ {"text": "a"}, {"text": ""}, {"text": "b"} ] "#
    #expect(try documents(Array(array.utf8), name: "a.json", field: "text").texts == ["a", "", "b"])
  }

  @Test(arguments: [
    (#"{"body": "x"}"#, "line 1", "its fields are body"),
    ("{\"text\": \"a\"}\n{\"text\": 7}", "line 2", "must be a string"),
    (#"{"text": null}"#, "line 1", "is null"), ("{\"text\": \"a\"}\n[1]", "line 2", "no JSON object"),
    ("{\"text\": \"a\"}\n{\"text\": \"b\"", "line 2", "not valid JSON"), ("\n \n", "a.jsonl", "has no records"),
    ("[{\"text\": \"a\"}, {}]", "record 2", "its fields are none"), ("[]", "a.jsonl", "has no records"),
    ("plain text", "line 1", "not valid JSON"),
  ])
  func aRecordThatIsNoneIsNamed(text: String, place: String, reason: String) throws {
    let refusal = try refusal(Array(text.utf8), name: "a.jsonl", field: "text")
    #expect(refusal.contains(place) && refusal.contains(reason), "\(refusal)")
  }

  /// A named pipe, written to from a thread.
  private func pipe(_ name: String, _ bytes: [UInt8]) throws -> InputFile {
    let path = folder.url.appendingPathComponent(name).path
    try #require(mkfifo(path, 0o600) == 0)
    // Who reads may stop before the end.
    signal(SIGPIPE, SIG_IGN)
    Thread.detachNewThread {
      guard let handle = FileHandle(forWritingAtPath: path) else { return }
      try? handle.write(contentsOf: Data(bytes))
      try? handle.close()
    }
    return InputFile(path)
  }

  @Test func aPipeIsReadOnceToItsEnd() throws {
    let bytes = [UInt8](repeating: 0x61, count: 300_000)
    #expect(try TextDocuments([pipe("p", bytes)], textField: nil).texts == [String(repeating: "a", count: 300_000)])
    let records = try pipe("q", Array("{\"t\": \"a\"}\n".utf8))
    #expect(try TextDocuments([records], textField: "t").texts == ["a"])
    #expect(
      InputFile("/dev/fd/63").name == "pipe" && InputFile("-").name == "stdin" && InputFile("a/b.txt").name == "b.txt")
  }

  @Test func aWaitForAPipeEndsOnRequest() throws {
    let path = folder.url.appendingPathComponent("nobody").path
    try #require(mkfifo(path, 0o600) == 0)
    let cancellation = Cancellation()
    // Who reads may stop before the end.
    signal(SIGPIPE, SIG_IGN)
    Thread.detachNewThread {
      Thread.sleep(forTimeInterval: 0.2)
      cancellation.request()
    }
    #expect(throws: InferenceError.interrupted) {
      _ = try InputFile(path).bytes(cancellation: cancellation)
    }
  }

  @Test func whatHasNoEndOrIsTooLargeIsRefused() throws {
    for device in ["/dev/zero", "/dev/urandom"] {
      expectError(like: InferenceError.invalidData(file: device, detail: "which is the most that is read of it")) {
        try InputFile(device).bytes()
      }
    }
    #expect(try InputFile("/dev/null").bytes() == [])
    let file = InputFile(try folder.write("12345", to: "five"))
    #expect(try file.bytes(limit: 5).count == 5)
    #expect(
      throws: InferenceError.invalidData(
        file: file.path, detail: "has more than 4 bytes, which is the most that is read of it")
    ) { _ = try file.bytes(limit: 4) }
    let large = try pipe("large", [UInt8](repeating: 1, count: 100_000))
    #expect(
      throws: InferenceError.invalidData(
        file: large.path, detail: "has more than 1000 bytes, which is the most that is read of it")
    ) { try large.bytes(limit: 1000) }
    #expect(
      throws: InferenceError.missingInput(
        path: folder.url.path, reason: "this is a folder; give a file, a pipe or - for stdin")
    ) { _ = try InputFile(folder.url.path).bytes() }
  }
}
