import Foundation
import TestSupport
import Testing

@testable import evodb

/// What shells offer while a command line is typed.
@Suite(.usualTimeLimit) struct CompletionTests {
  private func candidates(_ words: String..., in registry: CommandRegistry = Evodb.registry) -> [String] {
    CompletionRequest(registry: registry, words: words).answer().candidates.map(\.text)
  }

  private func takesFiles(_ words: String...) -> Bool {
    CompletionRequest(registry: Evodb.registry, words: words).answer() == Completion(takesFiles: true)
  }

  @Test func everyVerbIsOfferedFirst() {
    #expect(candidates("") == Evodb.registry.commands.map { $0.name } + ["help"])
    #expect(candidates("se") == ["search", "sensitivity"])
    #expect(candidates("--v") == ["--version"])
    #expect(candidates("nonsense", "") == [])
  }

  @Test func everyOptionOfEveryVerbIsOffered() {
    for command in Evodb.registry.commands {
      let options = ArgumentSet(of: command.init()).optionSpecifications.map(\.name)
      #expect(candidates(command.name, "--") == options + ["--help"], "\(command.name)")
    }
  }

  @Test func optionsThatWereGivenAreNotOfferedAgain() {
    #expect(!candidates("search", "--seed", "1", "-").contains("--seed"))
    #expect(!candidates("search", "--seed=1", "-").contains("--seed"))
    #expect(!candidates("report", "-o", "x", "-").contains("--output"))
    #expect(candidates("pack", "--run", "a", "--r") == ["--run"])
    #expect(candidates("status", "c.evodb", "--", "--") == [])
  }

  @Test func choicesAreOfferedAsValues() {
    #expect(candidates("query", "--format", "j") == ["json", "jsonl"])
    #expect(candidates("query", "--format=j") == ["--format=json", "--format=jsonl"])
    #expect(candidates("ls", "c.evodb", "r") == ["runs"])
    #expect(candidates("search", "--seed", "") == [])
    #expect(candidates("query", "c.evodb", "@par").contains("@pareto"))
  }

  @Test func pathsAreLeftToTheShell() {
    #expect(takesFiles("status", "") && takesFiles("auto", "") && takesFiles("merge", "a.evodb", "b.evodb", ""))
    #expect(takesFiles("export", "c.evodb", "x", "-o", "") && takesFiles("auto", "--catalog="))
    #expect(!takesFiles("init", "a.evodb", "") && !takesFiles("front", "c.evodb", "--from", ""))
  }

  /// Otherwise nobody would notice an argument for which a shell could offer something.
  @Test func everyKindOfArgumentIsDecidedUpon() {
    let plain: Set<String> = [
      "N", "X", "B", "F", "K", "P", "P%", "S", "T", "G", "D", "M", "A", "LIST", "SIZE", "TARGET", "REGEX", "FIELD",
      "SECONDS", "TEXT", "HOW", "WHAT", "WHERE", "NAME", "FIELD=VALUE", "NAME[:TYPE]=VALUE", "X,Y[:line]", "DAYS",
      "UUID",
      "DIGEST", "EVALUATION", "TIME", "VERB", "CLAIM", "TYPE", "KIND", "FORM", "METHOD",
    ]
    for command in Evodb.registry.commands {
      let all = ArgumentSet(of: command.init())
      for argument in all.positionalSpecifications + all.optionSpecifications
      where argument.kind != .flag && argument.choices.isEmpty {
        let word = argument.kind == .positional ? argument.name : argument.placeholder
        guard CompletionSource(of: argument, verb: command.name) == .nothing else { continue }
        #expect(plain.contains(word), "\(command.name) \(argument.typed): say in CompletionSource what completes it")
      }
    }
  }

  @Test func namesComeFromTheCatalogOnTheLine() throws {
    let catalog = try TinyCatalog(.searched)
    let path = catalog.path
    #expect(candidates("show", path, "") == ["first"])
    #expect(candidates("show", path, "f") == ["first"] && candidates("show", path, "x") == [])
    #expect(candidates("report", path, "first", "") == ["first"])
    #expect(candidates("search", "--data", "", path) == [], "the catalog is not known yet")
    #expect(candidates("search", path, "--data", "") == ["validation", "calibration"])
    #expect(candidates("search", path, "--validation=v") == ["--validation=validation"])
    #expect(candidates("search", path, "--model", "") == ["llama-gqa"])
    let found = try #require(try catalog.rows("SELECT found_assignment FROM run_summary").first).text(
      "found_assignment")
    #expect(candidates("show", path, String(found.prefix(6))) == [String(found.prefix(12))])
    #expect(candidates("evaluate", path, found.prefix(2) + "").contains(String(found.prefix(12))))
    #expect(try catalog.files == ["tiny.evodb"], "asking leaves no file behind")
  }

  @Test func whatIsNoCatalogOffersNothing() throws {
    let folder = try TemporaryFolder()
    try folder.write("text", to: "text.evodb")
    let pipe = folder.url.appendingPathComponent("pipe").path
    #expect(mkfifo(pipe, 0o600) == 0)
    for path in [folder.url.path, folder.url.path + "/none", folder.url.path + "/text.evodb", pipe] {
      #expect(candidates("show", path, "") == [], "\(path)")
    }
    #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/none"))
  }

  /// Names of a catalog from elsewhere may hold anything.
  @Test func namesWithControlsNeverReachTheTerminal() throws {
    let hostile = [("plain", ""), ("\u{1B}[2Jx", ""), ("a\nb", ""), ("r\u{202E}l", ""), ("it's $(x) `y`", "")]
    let completion = Completion(hostile.map { Completion.Candidate($0.0, $0.1) }, beginning: "")
    #expect(completion.candidates.map(\.text) == ["plain", "it's $(x) `y`"])
  }

  @Test func typedWordsAreReadAsAShellReadsThem() {
    #expect(TypedLine("evodb show my\\ file 'a b'").words.map(\.text) == ["evodb", "show", "my file", "a b"])
    #expect(TypedLine("evodb  show ").words.map(\.text) == ["evodb", "show", ""])
    let open = TypedLine("x \"a\\\"b\\c").words.last
    #expect(open?.text == "a\"b\\c" && open?.quote == .double)
    #expect(TypedLine("").words.map(\.text) == [""])
    #expect(TypedLine.Quote.none.quoted("it's $x") == "it\\'s\\ \\$x")
    #expect(TypedLine.Quote.double.quoted("it's $x") == "it's \\$x")
    #expect(TypedLine.Quote.single.quoted("it's") == nil)
  }

  @Test func bashGetsTheReplacedPartOnly() throws {
    let registry = Evodb.registry
    #expect(try Shell.bash.answer(["evodb query --format=js", "js"], registry: registry) == "json\njsonl\n")
    #expect(try Shell.bash.answer(["evodb que", "que"], registry: registry) == "query\n")
    #expect(try Shell.bash.answer(["evodb status ", ""], registry: registry) == ":files\n")
    #expect(try Shell.zsh.answer(["query", "--format=js"], registry: registry).hasPrefix("--format=json\t"))
    #expect(throws: UsageError("--candidates bash needs the line and the word that is replaced")) {
      try Shell.bash.answer([], registry: registry)
    }
  }

  @Test func scriptsAreWrittenForThreeShells() {
    for shell in Shell.allCases {
      let result = CommandRegistry.sample.result(of: "help", "--completion", shell.rawValue)
      #expect(result.code == .success && result.output.contains("help --candidates \(shell.rawValue)"))
    }
    let other = CommandRegistry.sample.result(of: "help", "--completion", "tcsh")
    #expect(other.code == .usage)
    #expect(other.diagnostics.hasPrefix("evodb: help --completion needs one of bash, zsh, fish; received ‘tcsh’\n"))
    #expect(CommandRegistry.sample.result(of: "help", "--completion").code == .usage)
  }

  /// The script in bash itself, with names that bash would act on.
  @Test func bashCompletesACommandLine() throws {
    let runner = try CommandLineRunner()
    let script = """
      command -v bash >/dev/null || { echo no bash; exit; }
      bash --norc --noprofile -c '
      evodb() { "$EVODB_BINARY" "$@"; }
      source <("$EVODB_BINARY" help --completion bash)
      ask() { COMP_LINE=$1 COMP_POINT=${#1}; _evodb "$EVODB_BINARY" "$2" ""; printf "%s|" "${COMPREPLY[@]}"; echo; }
      ask "evodb sta" sta
      ask "evodb query --format=js" js'
      """
    let result = try runner.shell(script)
    #expect(result.output == "no bash\n" || result.output == "status|\njson|jsonl|\n", "\(result)")
  }
}
