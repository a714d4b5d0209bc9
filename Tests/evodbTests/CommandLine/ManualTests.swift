import Foundation
import TestSupport
import Testing

@testable import evodb

/// `evodb help --man`.
@Suite(.usualTimeLimit) struct ManualTests {
  @Test func everyVerbHasAPageWithAllItsArguments() throws {
    for command in Evodb.registry.commands {
      let result = Evodb.registry.result(of: "help", "--man", command.name)
      #expect(result.code == .success && result.diagnostics == "")
      let page = result.output.replacing("\\-", with: "-")
      #expect(page.contains(".TH EVODB-\(command.name.uppercased()) 1 "), "\(command.name)")
      let all = ArgumentSet(of: command.init())
      for argument in all.positionalSpecifications + all.optionSpecifications {
        #expect(page.contains(argument.name), "\(command.name) \(argument.name)")
      }
    }
  }

  @Test func thePageOfTheProgramNamesEveryVerbAndExitCode() {
    let page = Evodb.registry.result(of: "help", "--man").output.replacing("\\-", with: "-")
    for command in Evodb.registry.commands { #expect(page.contains(".BR evodb-\(command.name) (1)")) }
    for code in ExitCode.allCases { #expect(page.contains("\n.B \"\(code.rawValue)\"\n")) }
    for form in HelpForm.allCases { #expect(page.contains(form.rawValue)) }
  }

  /// Help texts hold quotes, bars and points, which roff would act on.
  @Test func noLineOfTextIsARequest() {
    for verb in Evodb.registry.commands.map({ $0.name }) {
      let page = Evodb.registry.result(of: "help", "--man", verb).output
      for line in page.split(separator: "\n").dropFirst() where line.hasPrefix(".") || line.hasPrefix("'") {
        let request = line.prefix { $0 != " " }
        let known = [".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".BR", ".I", ".br", ".nf", ".fi"]
        #expect(known.contains(String(request)), "\(verb): \(line)")
      }
    }
  }

  @Test func unknownVerbsAreUsageErrors() {
    #expect(Evodb.registry.result(of: "help", "--man", "serach").diagnostics.contains("did you mean ‘search’?"))
  }

  @Test func groffReadsThePagesWithoutAWarning() throws {
    let result = try CommandLineRunner().shell(
      """
      command -v groff >/dev/null || { echo no groff; exit; }
      for verb in '' search query void; do
        "$EVODB_BINARY" help --man $verb | groff -k -man -Tutf8 -ww 2>&1 >/dev/null
      done
      """)
    #expect(["no groff\n", ""].contains(result.output), "\(result.output)")
  }
}
