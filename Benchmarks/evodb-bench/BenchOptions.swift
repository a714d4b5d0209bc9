/// The arguments of the benchmark.
struct BenchOptions {
  static let usage = """
    usage: evodb-bench [--json] [--no-reference] [--only SECTION[,SECTION…]] [--example DIR]
                       [--large [--large-folder DIR] [--memory BYTES]]

      --json           one JSON object on stdout instead of the tables
      --no-reference   do not run PyTorch; compare with the recorded figures
      --only           some of: \(Section.allCases.map(\.rawValue).joined(separator: ", "))
      --example        the example model's folder [default: Examples/prose-10m]
      --large          only a model of 1.1 billion parameters: peak memory and speed; takes 10 GB of disk
      --large-folder   where its files are kept [default: a temporary folder]
      --memory         its memory limit in bytes [default: three quarters of what is free]
    """

  /// The parts of the benchmark, in the order in which they run.
  enum Section: String, CaseIterable {
    case peak, compression, forward, fitness, shapes, scaling, cache, search, merge, proposals, kernels
    case products, factors, tokenizers, million
  }

  var isJSON = false
  var runsReference = true
  var sections = Section.allCases
  var example = "Examples/prose-10m"
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
