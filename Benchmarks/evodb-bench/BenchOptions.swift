/// What stands on the command line.
struct BenchOptions {
  static let usage = """
    usage: evodb-bench [--json] [--no-reference] [--only SECTION[,SECTION…]] [--example DIR]

      --json           one JSON object on stdout instead of the tables
      --no-reference   do not run PyTorch; compare with the recorded figures
      --only           some of: \(Section.allCases.map(\.rawValue).joined(separator: ", "))
      --example        the example model's folder [default: Examples/prose-10m]
    """

  /// The parts of the benchmark, in the order in which they run.
  enum Section: String, CaseIterable {
    case peak, compression, forward, fitness, cache, search, kernels
  }

  var isJSON = false
  var runsReference = true
  var sections = Section.allCases
  var example = "Examples/prose-10m"
  var wantsHelp = false

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
