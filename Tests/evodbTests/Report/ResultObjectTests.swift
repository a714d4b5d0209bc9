import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct ResultObjectTests {
  private var object: ResultObject {
    var object = ResultObject()
    object.add("run", .text("abc"))
    object.add("size_bytes", .integer(4096), .bytes)
    object.add("best", .real(nil), .real(significantDigits: 4))
    return object
  }

  private func rendered(_ format: OutputFormat) throws -> String {
    let writer = OutputWriter.capturing()
    try object.write(to: writer, as: format, environment: TerminalEnvironment())
    return writer.captured
  }

  @Test func aSingleResultPrintsInEveryFormat() throws {
    #expect(try rendered(.table) == "run         abc\nsize_bytes  4.00 KiB\nbest        -\n")
    #expect(try rendered(.json) == "{\n  \"run\": \"abc\",\n  \"size_bytes\": 4096,\n  \"best\": null\n}\n")
    #expect(try rendered(.jsonl) == "{\"run\":\"abc\",\"size_bytes\":4096,\"best\":null}\n")
    #expect(try rendered(.csv) == "run,size_bytes,best\r\nabc,4096,\r\n")
  }
}
