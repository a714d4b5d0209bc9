import Catalog
import Foundation
import Inference

/// Options of every verb whose work may be computed elsewhere.
struct SpoolOptions: ArgumentGroup {
  @Option(
    "--spool", "DIR",
    "Have workers compute as well: evodb worker DIR, on every machine that sees this folder; made if it is not there.",
    rule: .notEmpty)
  var path: String?

  @Option(
    "--audit", "N", "With --spool: of every worker one piece in N is computed twice, to find wrong bits; 0: none.",
    rule: .within(0...1_000_000))
  var audit: Int = 64

  /// What the options ask for in a command.
  func use(in context: CommandContext, isQuiet: Bool) -> SpoolUse? {
    path.map { SpoolUse(path: $0, audit: audit, context: context, isQuiet: isQuiet) }
  }
}

/// A spool that a command's work goes through.
struct SpoolUse {
  let path: String
  let audit: Int
  let context: CommandContext
  let isQuiet: Bool

  /// Opens a session; the job closes it.
  ///
  /// - Parameter compresses: whether calibrations and builds are divided, and not evaluations.
  func coordinator(
    _ model: OpenModel, job: Job, compresses: Bool = false, sharesPrefixes: Bool = true
  ) throws -> SpoolCoordinator {
    var settings = SpoolSettings()
    settings.auditInterval = audit
    let (context, isQuiet) = (context, isQuiet)
    return try model.spoolCoordinator(
      path: path, job: job, version: Evodb.version, settings: settings, compresses: compresses,
      sharesPrefixes: sharesPrefixes
    ) { if !isQuiet { context.note("evodb: spool: \(TerminalText.visible($0))") } }
  }
}
