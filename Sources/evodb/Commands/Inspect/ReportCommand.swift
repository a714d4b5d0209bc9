import Catalog
import Foundation
import Inference

/// `evodb report`.
struct ReportCommand: Command {
  static let name = "report"
  static let abstract = "Draw what a catalog holds: one page with charts, tables and their SQL."
  static let discussion = """
    The page is one file that any browser shows, without network and scripts, in light and dark, on a phone and on paper. It \
    is about the runs that are named, else about the newest 20; the first one leads, else the newest finished search. Every \
    chart is drawn from the answers of documented queries (evodb query CATALOG --list), and has their table, SQL and CSV below it.

    --section takes one part: head (results), front (size and quality), assignments (levels by block and kind of layer), \
    convergence, errors (of the layers), sensitivities, lineage, jobs. --format svg draws it for a paper, csv prints the rows \
    of its first query.
    """
  static let examples = [
    "evodb report my.evodb -o report.html --open",
    "evodb report my.evodb run-1 run-2 -o two.html",
    "evodb report my.evodb --section front --format svg -o front.svg",
  ]

  /// What is written.
  enum Form: String, ArgumentChoice {
    /// A page.
    case html
    /// One section's charts in one drawing.
    case svg
    /// The rows behind one section.
    case csv
  }

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("RUN", "Runs that it is about.") var runs: [String]
  @Option("--output", "PATH", "Where to write it; must not exist [default: stdout].", rule: .notEmpty) var place:
    String?
  @Option("--section", "SECTION", "Only this section.") var section: ReportSectionName?
  @Option("--format", "FORMAT", "What to write; svg and csv are for one section.") var form: Form = .html
  @Flag("--open", "Show the file in the browser.") var opens: Bool
  let progress = ProgressOptions()

  func validate() throws {
    guard form == .html || section != nil else {
      let names = ReportSectionName.choices.joined(separator: ", ")
      throw UsageError("--format \(form.rawValue) writes one section; choose with --section: \(names)")
    }
    guard !opens || place != nil else { throw UsageError("--open shows a file; name it with --output PATH") }
  }

  func run(in context: CommandContext) throws {
    if let place, NewFile.isTaken(place) { throw InferenceError.outputExists(path: place) }
    guard place != nil || form != .html || !context.environment.outputIsTerminal else {
      throw UsageError("a page is for a browser; write it with --output report.html, or to a pipe")
    }
    let text = try CatalogSession(context: context, path: catalog).read { store in
      let scope = try ReportScope(runs, path: catalog, store: store)
      let sections = try ReportSectionName.allCases.filter { section == nil || $0 == section }
        .map { try Self.section($0, scope) }
      switch form {
      case .html: return ReportPage(scope: scope, sections: sections).html
      case .svg: return Self.drawing(sections[0])
      case .csv: return sections[0].data.first?.csv ?? ""
      }
    }
    guard let place else { return try context.output.write(text) }
    try NewFile.write(text, to: place)
    if !progress.quiet { context.note("evodb: wrote \(place), \(HumanFormat.bytes(Int64(text.utf8.count)))") }
    if opens { try Browser.open(AbsolutePath.url(place), in: context) }
  }

  private static func section(_ name: ReportSectionName, _ scope: ReportScope) throws -> ReportSection {
    switch name {
    case .head: return try HeadSection(scope).section
    case .front: return try FrontSection(scope).section
    case .assignments: return try AssignmentsSection(scope).section
    case .convergence: return try ConvergenceSection(scope).section
    case .errors: return try ErrorsSection(scope).section
    case .sensitivities: return try SensitivitiesSection(scope).section
    case .lineage: return try LineageSection(scope).section
    case .jobs: return try JobsSection(scope).section
    }
  }

  private static func drawing(_ section: ReportSection) -> String {
    let description = ([section.text] + section.panels.map { "\($0.title): \($0.description)" } + section.notes).joined(
      separator: " ")
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      + section.drawing.element(
        id: section.name.rawValue, title: section.title, description: description, isDocument: true)
  }
}

/// The program that shows pages to the user.
enum Browser {
  #if os(macOS)
    private static let opener = "open"
  #else
    private static let opener = "xdg-open"
  #endif

  /// Shows a file, and does not wait for the browser's end.
  ///
  /// - Throws: `CommandFailure` if there is no program for it; the file is there all the same.
  static func open(_ file: URL, in context: CommandContext) throws {
    let folders = (context.environment.variables["PATH"] ?? "").split(separator: ":")
    let program = folders.map { "\($0)/\(opener)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    guard let program else {
      throw CommandFailure(
        .failure, "\(file.path) is written, but there is no \(opener) to show it; open it with a browser")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = [file.path]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do {
      try process.run()
      process.waitUntilExit()
    } catch {
      throw CommandFailure(.failure, "\(file.path) is written, but \(program) does not start; open it with a browser")
    }
    guard process.terminationStatus == 0 else {
      throw CommandFailure(
        .failure,
        "\(file.path) is written, but \(opener) cannot show it (it ended with \(process.terminationStatus)); "
          + "open it with a browser")
    }
  }
}
