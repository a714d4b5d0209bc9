import Foundation
import TestSupport
import Testing

@testable import Inference

/// One malformed file for every rule of the format.
@Suite(.usualTimeLimit) struct SafetensorsRulesTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func refusal(_ bytes: [UInt8]) throws -> String? {
    let url = try folder.write(bytes, to: "bad.safetensors")
    do {
      _ = try SafetensorsFile(url)
      return nil
    } catch InferenceError.invalidData(let file, let detail) {
      #expect(file == url.path)
      return detail
    }
  }

  private func refusal(header: String, data: [UInt8] = []) throws -> String? {
    try refusal(SafetensorsBuilder.file(header: header, data: data))
  }

  private func entry(
    _ name: String = "t", dtype: String = "\"F32\"", shape: String = "[1]", offsets: String = "[0,4]"
  ) -> String { #""\#(name)":{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)}"# }

  private let fourBytes: [UInt8] = [0, 0, 0, 0]

  @Test func theSmallestFilesAreAccepted() throws {
    #expect(try refusal(header: "{}") == nil)
    #expect(try refusal(header: "{}   ") == nil)
    #expect(try refusal(header: "{\(entry())}", data: fourBytes) == nil)
  }

  @Test func aFileWithoutRoomForTheHeaderLengthIsRefused() throws {
    for count in 0..<8 { #expect(try refusal(Array(repeating: 0, count: count))?.contains("at least 8") == true) }
  }

  @Test(arguments: [1000, 100_000_000, 100_000_001, UInt64(Int64.max), .max])
  func aHeaderLengthBeyondTheFileOrTheLimitIsRefused(_ length: UInt64) throws {
    let file = SafetensorsBuilder.file(header: "{}", declaredLength: length)
    #expect(try refusal(file)?.contains("header length is \(length)") == true)
  }

  @Test(arguments: ["", " {}", "[]", "\"x\"", "{", "{}x", "{\"a\":1", "\u{FEFF}{}"])
  func aHeaderThatIsNotOneObjectIsRefused(_ header: String) throws {
    #expect(try refusal(header: header) != nil)
  }

  @Test func invalidUTF8InTheHeaderIsRefused() throws {
    let header = Array("{\"".utf8) + [0xFF] + Array("\":0}".utf8)
    #expect(try refusal(SafetensorsBuilder.littleEndian(UInt64(header.count)) + header)?.contains("UTF-8") == true)
  }

  @Test func duplicateNamesAreRefused() throws {
    let header = "{\(entry()),\(entry(offsets: "[4,8]"))}"
    #expect(try refusal(header: header, data: fourBytes + fourBytes)?.contains("occurs twice") == true)
    let escaped = "{\(entry()),\(entry("\\u0074", offsets: "[4,8]"))}"
    #expect(try refusal(header: escaped, data: fourBytes + fourBytes)?.contains("occurs twice") == true)
  }

  @Test func absurdNestingIsRefused() throws {
    let header = "{\"t\":" + String(repeating: "[", count: 200_000)
    #expect(try refusal(header: header)?.contains("nested") == true)
  }

  @Test func overlapsHolesAndLooseEndsAreRefused() throws {
    func two(_ offsets: String, _ byteCount: Int) throws -> String? {
      try refusal(
        header: "{\(entry("a", offsets: "[0,4]")),\(entry("b", offsets: offsets))}",
        data: Array(repeating: 0, count: byteCount))
    }
    #expect(try two("[4,8]", 8) == nil)
    #expect(try two("[0,4]", 8)?.contains("overlaps") == true)
    #expect(try two("[2,6]", 6)?.contains("overlaps") == true)
    #expect(try two("[5,9]", 9)?.contains("hole") == true)
    #expect(try two("[4,8]", 9)?.contains("9 follow") == true)
    #expect(try two("[4,8]", 7)?.contains("cut off") == true)
    #expect(try refusal(header: "{\(entry(offsets: "[1,5]"))}", data: [0] + fourBytes)?.contains("hole") == true)
    #expect(try refusal(header: "{}", data: [0]) != nil)
  }

  @Test func tensorsOfSizeZeroAreLegal() throws {
    let zero = entry("z", shape: "[0,7]", offsets: "[0,0]")
    let middle = entry("y", shape: "[0]", offsets: "[4,4]")
    #expect(try refusal(header: "{\(entry()),\(zero),\(middle)}", data: fourBytes) == nil)
    #expect(try refusal(header: "{\(entry("z", shape: "[0]", offsets: "[9,9]"))}") != nil)
  }

  @Test(arguments: [
    "[4611686018427387904,4]", "[9223372036854775807]", "[4294967296,4294967296,4294967296]",
  ])
  func dimensionsWhoseProductOverflowsAreRefused(_ shape: String) throws {
    #expect(try refusal(header: "{\(entry(shape: shape))}", data: fourBytes)?.contains("64 bits") == true)
  }

  @Test(arguments: ["[-1]", "[1.0]", "[1e0]", "[\"1\"]", "[null]", "[9223372036854775808]", "1", "null", "{}"])
  func dimensionsThatAreNotUnsignedIntegersAreRefused(_ shape: String) throws {
    #expect(try refusal(header: "{\(entry(shape: shape))}", data: fourBytes) != nil)
  }

  @Test(arguments: [
    "[4,0]", "[-4,0]", "[0]", "[0,4,8]", "[0,5]", "[0,3]", "[0,4.0]", "\"0,4\"", "null",
    "[9223372036854775803,9223372036854775807]", "[0,18446744073709551620]",
  ])
  func offsetsThatContradictTheShapeAreRefused(_ offsets: String) throws {
    #expect(try refusal(header: "{\(entry(offsets: offsets))}", data: fourBytes) != nil)
  }

  @Test func aDimensionThatFitsOnlyAfterRoundingIsRefused() throws {
    // As Doubles, 2⁵³ and 2⁵³ + 1 are the same number.
    let header = "{\(entry(dtype: "\"U8\"", shape: "[9007199254740993]", offsets: "[0,9007199254740992]"))}"
    #expect(try refusal(header: header)?.contains("9007199254740993") == true)
  }

  @Test func missingUnknownAndWronglyTypedFieldsAreRefused() throws {
    #expect(try refusal(header: #"{"t":{"dtype":"F32","shape":[1]}}"#, data: fourBytes) != nil)
    #expect(try refusal(header: #"{"t":{"shape":[1],"data_offsets":[0,4]}}"#, data: fourBytes) != nil)
    #expect(try refusal(header: #"{"t":{"dtype":"F32","data_offsets":[0,4]}}"#, data: fourBytes) != nil)
    #expect(try refusal(header: "{\(entry(dtype: "32"))}", data: fourBytes) != nil)
    #expect(try refusal(header: #"{"t":[0,4]}"#, data: fourBytes) != nil)
    let extra = entry().dropLast() + #","strides":[1]}"#
    #expect(try refusal(header: "{\(extra)}", data: fourBytes)?.contains("strides") == true)
  }

  @Test func unknownElementTypesAreUnsupported() throws {
    let url = try folder.write(
      SafetensorsBuilder.file(header: "{\(entry(dtype: "\"F4\""))}", data: fourBytes), to: "f4.safetensors")
    #expect(throws: InferenceError.unsupported(file: url.path, detail: "tensor t: element type \"F4\"")) {
      try SafetensorsFile(url)
    }
  }

  @Test(arguments: ["1", "[]", "null", "{\"a\":1}", "{\"a\":null}", "{\"a\":{}}"])
  func metadataThatIsNotStringsIsRefused(_ metadata: String) throws {
    #expect(try refusal(header: "{\"__metadata__\":\(metadata)}")?.contains("__metadata__") == true)
  }

  @Test func namesHaveALimitOf4096Bytes() throws {
    #expect(try refusal(header: "{\(entry(String(repeating: "n", count: 4096)))}", data: fourBytes) == nil)
    #expect(try refusal(header: "{\(entry(String(repeating: "n", count: 4097)))}", data: fourBytes) != nil)
  }

  @Test func everyTruncationOfAFileIsRefused() throws {
    var builder = SafetensorsBuilder()
    builder.add("a", shape: [2], floats: [1, 2])
    builder.add("b", dtype: "BF16", shape: [3], bytes: [1, 2, 3, 4, 5, 6])
    let whole = builder.bytes()
    for count in whole.indices { #expect(try refusal(Array(whole[..<count])) != nil) }
    #expect(try refusal(whole + [0]) != nil)
  }

  @Test func noSingleChangedHeaderByteCrashesTheReader() throws {
    var builder = SafetensorsBuilder()
    builder.add("a", shape: [2, 1], floats: [1, 2])
    let whole = builder.bytes()
    for position in 0..<(whole.count - 8) {
      for value: UInt8 in [0, 0x22, 0x2D, 0x30, 0x39, 0x5B, 0x7B, 0x7D, 0xFF] {
        var bytes = whole
        bytes[position] = value
        let url = try folder.write(bytes, to: "fuzzed.safetensors")
        do { for tensor in try SafetensorsFile(url).tensors { #expect(tensor.byteCount == 8) } } catch is InferenceError
        {}
      }
    }
  }
}
