import Foundation
import TestSupport
import Testing

@testable import Inference

/// Ready token ids with padding and whatever else collators save beside them.
@Suite(.usualTimeLimit) struct TokenIDFileTests {
  private let folder: TemporaryFolder
  private static let ids: [Int64] = [5, 6, 7, 8, 9, 10, 11, 12]

  init() throws { folder = try TemporaryFolder() }

  private static func bytes(_ values: [Int64], _ type: String) -> [UInt8] {
    values.flatMap { value -> [UInt8] in
      switch type {
      case "I64": return SafetensorsBuilder.littleEndian(value)
      case "I32": return SafetensorsBuilder.littleEndian(Int32(value))
      case "U32": return SafetensorsBuilder.littleEndian(UInt32(value))
      case "I16": return SafetensorsBuilder.littleEndian(Int16(value))
      case "U16": return SafetensorsBuilder.littleEndian(UInt16(value))
      case "U64": return SafetensorsBuilder.littleEndian(UInt64(value))
      default: return [UInt8(value)]
      }
    }
  }

  /// Two rows of four ids, and more tensors.
  private func read(
    ids: [Int64] = ids, type: String = "I64", _ more: (String, String, [Int64])...
  ) throws -> TokenIDFile {
    var builder = SafetensorsBuilder()
    builder.add("input_ids", dtype: type, shape: [2, 4], bytes: Self.bytes(ids, type))
    for (name, type, values) in more {
      let shape = values.count == 8 ? [2, 4] : [values.count]
      builder.add(name, dtype: type, shape: shape, bytes: Self.bytes(values, type))
    }
    return try TokenIDFile.read(InputFile(folder.write(builder.bytes(), to: "ids.safetensors")))
  }

  private func refusal(_ more: (String, String, [Int64])...) throws -> String {
    var builder = SafetensorsBuilder()
    builder.add("input_ids", dtype: "I64", shape: [2, 4], bytes: Self.bytes(Self.ids, "I64"))
    for (name, type, values) in more {
      let shape = values.count == 8 ? [2, 4] : [values.count]
      builder.add(name, dtype: type, shape: shape, bytes: Self.bytes(values, type))
    }
    let file = InputFile(try folder.write(builder.bytes(), to: "bad.safetensors"))
    let error = expectError(like: InferenceError.invalidData(file: file.path, detail: "")) {
      try TokenIDFile.read(file)
    }
    guard case .invalidData(_, let detail) = error else { return "" }
    return detail
  }

  @Test(arguments: ["I64", "I32", "I16", "U8", "U16", "U32", "U64"])
  func idsOfAnyIntegersAreRead(type: String) throws {
    let file = try read(type: type)
    #expect(file.sequences == [[5, 6, 7, 8], [9, 10, 11, 12]] && file.paddingCount == 0 && file.width == 4)
  }

  @Test(arguments: ["I64", "I32", "U8", "BOOL"])
  func paddingOnEitherSideIsLeftOut(type: String) throws {
    let file = try read(
      ids: [-100, -100, 7, 8, 9, 10, 11, 999_999], ("attention_mask", type, [0, 0, 1, 1, 1, 1, 1, 0]))
    #expect(file.sequences == [[7, 8], [9, 10, 11]] && file.paddingCount == 3)
    #expect(
      try read(("attention_mask", type, [1, 1, 1, 1, 1, 1, 1, 1])).sequences == [[5, 6, 7, 8], [9, 10, 11, 12]])
    #expect(try read(("attention_mask", type, [0, 1, 1, 0, 1, 1, 1, 1])).sequences == [[6, 7], [9, 10, 11, 12]])
  }

  @Test func aMaskThatIsNoPaddingIsRefused() throws {
    #expect(try refusal(("attention_mask", "I64", [1, 1, 1, 1, 1, 0, 1, 1])).contains("hole in sequence 1 at token 1"))
    #expect(try refusal(("attention_mask", "I64", [1, 1, 1, 1, 0, 0, 0, 0])).contains("nothing of sequence 1"))
    #expect(try refusal(("attention_mask", "I64", [0, 0, 0, 1, 1, 1, 1, 1])).contains("1 token of sequence 0"))
    #expect(try refusal(("attention_mask", "I64", [1, 1, 1, 1, 1, 2, 1, 1])).contains("holds 2 in sequence 1"))
    #expect(try refusal(("attention_mask", "I64", [1, 1])).contains("must be [2, 4] like input_ids"))
  }

  @Test func labelsAndPositionsMayOnlySayWhatIsKnown() throws {
    let masked: [Int64] = [1, 1, 1, 0, 1, 1, 1, 1]
    let same = try read(
      ("attention_mask", "I64", masked), ("labels", "I64", [5, 6, 7, -100, 9, 10, 11, 12]),
      ("position_ids", "I64", [0, 1, 2, 7, 0, 1, 2, 3]))
    #expect(same.sequences == [[5, 6, 7], [9, 10, 11, 12]] && same.ignored.isEmpty)
    #expect(try refusal(("labels", "I64", [-100, -100, 7, 8, 9, 10, 11, 12])).contains("sequence 0 at token 0"))
    #expect(
      try refusal(("position_ids", "I64", [0, 1, 2, 3, 4, 5, 6, 7])).contains("do not count from 0 in sequence 1"))
    // Of left padding positions count from the first token.
    let left = try read(
      ("attention_mask", "I64", [0, 0, 1, 1, 1, 1, 1, 1]), ("position_ids", "I64", [1, 1, 0, 1, 0, 1, 2, 3]))
    #expect(left.sequences[0] == [7, 8])
  }

  @Test func otherTensorsAreNamed() throws {
    #expect(try refusal(("token_type_ids", "I64", Array(repeating: 0, count: 8))).contains("token_type_ids"))
    #expect(try read(("lengths", "I64", [4, 4])).ignored == ["lengths"])
    var builder = SafetensorsBuilder()
    builder.add("input_ids", dtype: "I64", shape: [2, 4], bytes: Self.bytes(Self.ids, "I64"))
    builder.add("scores", shape: [2, 4], floats: Array(repeating: 0, count: 8))
    let file = InputFile(try folder.write(builder.bytes(), to: "scores.safetensors"))
    #expect(try TokenIDFile.read(file).ignored == ["scores"])
  }

  @Test func aPipeWithIDsIsRead() throws {
    var builder = SafetensorsBuilder()
    builder.add("input_ids", dtype: "I64", shape: [2, 4], bytes: Self.bytes(Self.ids, "I64"))
    let bytes = builder.bytes()
    for (name, content) in [("whole", bytes), ("cut", Array(bytes.dropLast()))] {
      let path = folder.url.appendingPathComponent(name).path
      try #require(mkfifo(path, 0o600) == 0)
      // Who reads may stop before the end.
      signal(SIGPIPE, SIG_IGN)
      Thread.detachNewThread {
        guard let handle = FileHandle(forWritingAtPath: path) else { return }
        try? handle.write(contentsOf: Data(content))
        try? handle.close()
      }
      if name == "whole" {
        #expect(try TokenIDFile.read(InputFile(path)).sequences.count == 2)
      } else {
        expectError(
          like: InferenceError.invalidData(file: path, detail: "the file is cut off"), "named as the user named it"
        ) { try TokenIDFile.read(InputFile(path)) }
      }
    }
  }
}
