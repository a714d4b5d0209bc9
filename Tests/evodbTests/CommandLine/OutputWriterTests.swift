import Foundation
import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct OutputWriterTests {
  @Test func textsAreBufferedAndWrittenInOrder() throws {
    let pipe = Pipe()
    let writer = OutputWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor, bufferSize: 8)
    try writer.write("one ")
    try writer.write("two three ")
    try writer.write("four")
    try writer.flush()
    try pipe.fileHandleForWriting.close()
    #expect(
      String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self) == "one two three four")
  }

  @Test func aVanishedReaderIsAQuietEnd() throws {
    signal(SIGPIPE, SIG_IGN)
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let writer = OutputWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    try writer.write("nobody reads this")
    #expect(throws: OutputError.brokenPipe) { try writer.flush() }
    #expect(throws: OutputError.brokenPipe) { try writer.write("nor this") }
    #expect(ExitCode(for: OutputError.brokenPipe) == .success)
  }

  @Test func aFullDiskIsAnInputOutputError() throws {
    // Linux has a device that is always full; elsewhere a closed descriptor fails as well.
    let full = FileHandle(forWritingAtPath: "/dev/full")
    let writer = OutputWriter(descriptor: full?.fileDescriptor ?? -1)
    try writer.write("text")
    #expect(throws: OutputError.failed(code: full == nil ? EBADF : ENOSPC)) { try writer.flush() }
    #expect(ExitCode(for: OutputError.failed(code: ENOSPC)) == .inputOutput)
  }
}
