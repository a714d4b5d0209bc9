import Foundation
import FuzzTargets

/// Runs one target under libFuzzer; `Scripts/fuzz.sh` builds and calls it.
///
///     evodb-fuzz list
///     evodb-fuzz prepare TARGET FOLDER       writes seeds to FOLDER/corpus and words to FOLDER/words.dict
///     evodb-fuzz run TARGET FOLDER [OPTION…] runs it inside FOLDER; options of libFuzzer
@main struct FuzzDriver {
  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments == ["list"] { return FuzzTarget.all.forEach { print($0.name) } }
    guard arguments.count >= 3, ["prepare", "run"].contains(arguments[0]) else {
      fail("usage: evodb-fuzz list | prepare TARGET FOLDER | run TARGET FOLDER [OPTION…]")
    }
    guard let target = FuzzTarget.named(arguments[1]) else {
      fail("there is no target \(arguments[1]); choose from \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
    }
    let folder = URL(fileURLWithPath: arguments[2])
    if arguments[0] == "prepare" { return try prepare(target, folder) }
    // Whatever a target should write under a relative name goes there, and is found there.
    guard FileManager.default.changeCurrentDirectoryPath(folder.path) else { fail("there is no folder \(folder.path)") }
    body = try target.body(in: folder)
    run([CommandLine.arguments[0], "-max_len=\(target.longestInput)"] + arguments.dropFirst(3))
  }

  nonisolated(unsafe) private static var body: FuzzTarget.Body = { _ in }

  private static func prepare(_ target: FuzzTarget, _ folder: URL) throws {
    let corpus = folder.appendingPathComponent("corpus")
    try FileManager.default.createDirectory(at: corpus, withIntermediateDirectories: true)
    for (index, seed) in try target.seeds().enumerated() {
      try Data(seed).write(to: corpus.appendingPathComponent("seed-\(index)"))
    }
    try Data(target.dictionary.utf8).write(to: folder.appendingPathComponent("words.dict"))
  }

  private static func run(_ arguments: [String]) {
    // libFuzzer keeps the pointers as long as the process lives.
    var pointers = arguments.map { strdup($0) } + [nil]
    var count = CInt(arguments.count)
    pointers.withUnsafeMutableBufferPointer { buffer in
      var start = buffer.baseAddress
      exit(
        runLibFuzzer(&count, &start) { data, size in
          do {
            try FuzzDriver.body(Array(UnsafeBufferPointer(start: data, count: size)))
          } catch {
            FileHandle.standardError.write(Data("finding: \(error)\n".utf8))
            abort()
          }
          return 0
        })
    }
  }

  private static func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("evodb-fuzz: \(message)\n".utf8))
    exit(64)
  }
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runLibFuzzer(
  _ argumentCount: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
