/// One verb of `evodb`: a struct that declares its arguments as properties and does one thing.
///
/// ```swift
/// struct Gc: Command {
///   static let name = "gc"
///   static let abstract = "Drop rows that nothing needs any more."
///
///   @Positional("CATALOG", "The catalog file.") var catalog: String
///   @Option("--older-than", "DAYS", "Keep what is younger.", rule: .atLeast(0)) var days: Int = 30
///   @Option("--only", "METHOD", "Only variants of this method; may be repeated.") var methods: [String]
///   @Flag("--old-revisions", "Also rows that an older revision of a method made.") var oldRevisions: Bool
///   let output = OutputOptions()
///
///   func run(in context: CommandContext) throws { … }
/// }
/// ```
///
/// A property without a default is needed; an optional or a list is not. `let output = OutputOptions()` takes over the
/// options of a group.
protocol Command {
  /// The verb, as typed.
  static var name: String { get }
  /// One sentence for `evodb help`.
  static var abstract: String { get }
  /// Usage lines without `evodb`, if the one derived from the declarations does not tell enough.
  static var usage: [String] { get }
  /// Paragraphs below the abstract on the verb's own help page, separated by empty lines.
  static var discussion: String { get }
  /// Command lines that show the verb at work.
  static var examples: [String] { get }

  init()

  /// Checks what one argument alone cannot tell, before anything is opened.
  ///
  /// - Throws: `UsageError`.
  func validate() throws

  /// Does the work: data to `context.output`, everything else to `context.diagnostics`.
  func run(in context: CommandContext) throws
}

extension Command {
  static var usage: [String] { [] }
  static var discussion: String { "" }
  static var examples: [String] { [] }

  func validate() throws {}
}
