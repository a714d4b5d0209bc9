import Foundation
import Inference

/// The arguments of the benchmark.
struct BenchOptions {
  static let usage = """
    usage: evodb-bench [--json] [--no-reference] [--only SECTION[,SECTION…]] [--example DIR]
                       [--arithmetic NAME[,NAME…]] [--threads COUNT]
                       [--large [--large-folder DIR] [--memory BYTES]]

      --json           one JSON object on stdout instead of the tables
      --no-reference   do not run PyTorch; compare with the recorded figures
      --only           some of: \(Section.allCases.map(\.rawValue).joined(separator: ", "));
                       all but largeshapes by default, which takes 2 GB of disk and up to 20 GB of memory
      --example        the example model's folder [default: Examples/prose-10m]
      --arithmetic     some of: \(Arithmetic.allCases.map(\.rawValue).joined(separator: ", ")) [default: all], for peak,
                       forward, fitness, shapes and --large
      --threads        threads [default: as many as processors]
      --large          only a model of 1.1 billion parameters: peak memory and speed; takes 10 GB of disk
      --large-folder   where its files are kept [default: a temporary folder]
      --memory         its memory limit in bytes [default: three quarters of what is free]
    """

  /// The parts of the benchmark, in the order in which they run.
  enum Section: String, CaseIterable {
    case peak, compression, shapecompression, forward, fitness, shapes, largeshapes, scaling, rounding
    case cache, search, catalog, merge, proposals, kernels
    case products, factors, tokenizers, million, blocks, cluster
  }

  var isJSON = false
  var runsReference = true
  /// All that a usual machine has the memory and disk for.
  var sections = Section.allCases.filter { $0 != .largeshapes }
  var example = "Examples/prose-10m"
  var arithmetics = Arithmetic.allCases
  var threadCount = ProcessInfo.processInfo.activeProcessorCount
  var wantsHelp = false
  var isLarge = false
  var largeFolder: String?
  var memoryLimit: Int64?
  /// Set in the processes that do the steps.
  var largeStep: LargeStep?

  init() {}

  /// - Throws: `UsageProblem`.
  init(_ arguments: some Sequence<String>) throws {
    var rest = Array(arguments)[...]
    func value(of option: String) throws -> String {
      guard let value = rest.popFirst() else { throw UsageProblem(text: "\(option) needs a value") }
      return value
    }
    while let argument = rest.popFirst() {
      switch argument {
      case "--json": isJSON = true
      case "--no-reference": runsReference = false
      case "--example": example = try value(of: argument)
      case "--only":
        sections = try value(of: argument).split(separator: ",").map { name in
          guard let section = Section(rawValue: String(name)) else {
            throw UsageProblem(text: "there is no section \(name)")
          }
          return section
        }
      case "--arithmetic":
        arithmetics = try value(of: argument).split(separator: ",").map { name in
          guard let arithmetic = Arithmetic(rawValue: String(name)) else {
            throw UsageProblem(text: "there is no arithmetic \(name)")
          }
          return arithmetic
        }
        guard !arithmetics.isEmpty else { throw UsageProblem(text: "--arithmetic needs a name") }
      case "--threads":
        let text = try value(of: argument)
        guard let count = Int(text), (1...1024).contains(count) else {
          throw UsageProblem(text: "--threads \(text): give a number from 1 to 1024")
        }
        threadCount = count
      case "--large": isLarge = true
      case "--large-folder": largeFolder = try value(of: argument)
      case "--memory":
        let text = try value(of: argument)
        guard let bytes = Int64(text), bytes > 0 else { throw UsageProblem(text: "--memory \(text): give bytes") }
        memoryLimit = bytes
      case "--large-step":
        let text = try value(of: argument)
        guard let step = LargeStep(rawValue: text) else { throw UsageProblem(text: "there is no step \(text)") }
        largeStep = step
      case "--help", "-h": wantsHelp = true
      default: throw UsageProblem(text: "unknown argument \(argument)")
      }
    }
  }
}

/// A command line that cannot be understood.
struct UsageProblem: Error {
  var text: String
}
