import Foundation

/// The scripts beside this program's folder in `Benchmarks/` that do the same in PyTorch.
enum PythonReference {
  /// Runs a script with its input in a file; nil if Python, PyTorch or transformers is missing or it fails.
  static func run<Output: Decodable>(
    _ script: String, _ input: some Encodable, temporaryFolder: URL, giving: Output.Type
  ) -> Output? {
    let path = "Benchmarks/\(script)"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = temporaryFolder.appendingPathComponent("\(script).json")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", path, file.path]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    do {
      try JSONEncoder().encode(input).write(to: file)
      try process.run()
      let data = pipe.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else { return nil }
      return try JSONDecoder().decode(Output.self, from: data)
    } catch {
      return nil
    }
  }
}
