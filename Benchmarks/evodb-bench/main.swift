import Foundation

var options = BenchOptions()
do {
  options = try BenchOptions(CommandLine.arguments.dropFirst())
  if options.wantsHelp {
    print(BenchOptions.usage)
  } else {
    try Bench(options).run()
  }
} catch let error as UsageProblem {
  FileHandle.standardError.write(Data("evodb-bench: \(error.text)\n\(BenchOptions.usage)\n".utf8))
  exit(64)
} catch {
  FileHandle.standardError.write(Data("evodb-bench: \(error)\n".utf8))
  exit(1)
}
