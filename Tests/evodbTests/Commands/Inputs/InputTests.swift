import Foundation
import TestSupport
import Testing

/// Texts, ids, questions, profiles and SQL from files, pipes and stdin.
@Suite(.usualTimeLimit) struct InputTests {
  private static let question = #"{"context": "the people", "choices": ["of the town", "of a hill"], "answer": 0}"#

  /// A catalog with the example model, which has a tokenizer.
  private func catalog() throws -> TinyCatalog {
    let catalog = try TinyCatalog(.made)
    try catalog.output("import", Fixtures.example("prose-10m").path)
    let text = String(repeating: "The people of the town were there, and more came. ", count: 40)
    try text.write(to: catalog.folder.appendingPathComponent("text.txt"), atomically: true, encoding: .utf8)
    let records = (0..<40).map { "{\"id\": \($0), \"text\": \"The people of town \($0) were there, and more came.\"}" }
    try records.joined(separator: "\n").write(
      to: catalog.folder.appendingPathComponent("text.jsonl"), atomically: true, encoding: .utf8)
    return catalog
  }

  private func succeeds(_ catalog: TinyCatalog, _ script: String) throws -> CommandLineRunner.Result {
    let result = try catalog.runner.shell("evodb() { \"$EVODB_BINARY\" \"$@\"; }\n" + script)
    #expect(result.exitCode == 0, "\(script): \(result.diagnostics)")
    return result
  }

  @Test func aTextIsTheSameFromAFileAPipeAndStdin() throws {
    let catalog = try catalog()
    let options = "--sequence-length 32"
    try catalog.output(["data", "file", "text.txt"] + options.split(separator: " ").map { String($0) })
    _ = try succeeds(catalog, "cat text.txt | evodb data tiny.evodb piped - \(options)")
    _ = try succeeds(catalog, "evodb data tiny.evodb sent - \(options) < text.txt")
    _ = try succeeds(
      catalog, "mkfifo p; (gzip -c text.txt | gunzip -c > p) & evodb data tiny.evodb fifo p \(options); wait")
    _ = try succeeds(catalog, "bash -c '\"$EVODB_BINARY\" data tiny.evodb shell <(cat text.txt) \(options)'")
    _ = try succeeds(catalog, "(printf '\\357\\273\\277'; cat text.txt) | evodb data tiny.evodb marked - \(options)")
    let rows = try catalog.rows("SELECT count(*) AS n, count(DISTINCT digest) AS d FROM data_set_summary")
    #expect(try rows[0].integer("n") == 6 && rows[0].integer("d") == 1)
  }

  /// A model whose vocabulary has no token for “z” and none for unknown text.
  private func modelWithGap(_ catalog: TinyCatalog) throws {
    let folder = catalog.folder.appendingPathComponent("gap")
    try FileManager.default.copyItem(at: Fixtures.example("prose-10m"), to: folder)
    let file = folder.appendingPathComponent("tokenizer.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    let gap = text.replacing(/"z":( ?)([0-9]+)/) { "\"ŉ\":\($0.1)\($0.2)" }
    try #require(gap != text && !gap.contains("\"unk_token\":\"") && !gap.contains("\"unk_token\": \""))
    // A token that no byte spells takes its id; merges with “z” go.
    var root = try #require(try JSONSerialization.jsonObject(with: Data(gap.utf8)) as? [String: Any])
    var model = try #require(root["model"] as? [String: Any])
    let merges = try #require(model["merges"] as? [Any])
    model["merges"] = merges.filter { entry in
      let parts = (entry as? [String]) ?? (entry as? String)?.split(separator: " ").map { String($0) } ?? []
      return !parts.contains { $0.contains("z") }
    }
    root["model"] = model
    try JSONSerialization.data(withJSONObject: root).write(to: file)
    try catalog.output("import", folder.path)
  }

  @Test func whatTheTokenizerLeavesOutIsSaid() throws {
    let catalog = try TinyCatalog(.made)
    try modelWithGap(catalog)
    let line = "The people of the town were there, and more came.\n"
    let text = String(repeating: line, count: 20) + "At the zoo a puzzle.\n" + String(repeating: line, count: 20)
    try text.write(to: catalog.folder.appendingPathComponent("text.txt"), atomically: true, encoding: .utf8)
    try text.replacing("z", with: "").write(
      to: catalog.folder.appendingPathComponent("without.txt"), atomically: true, encoding: .utf8)
    let result = try catalog.run("data", "with", "text.txt", "--sequence-length", "32", "--format", "json")
    #expect(result.exitCode == 0)
    #expect(
      result.diagnostics.contains("no token for 3 characters and left them out")
        && result.diagnostics.contains("the first is U+007A in line 21 of text.txt"), "\(result.diagnostics)")
    #expect(try JSONFields(result.output).integer("dropped_character_count") == 3)
    let without = try catalog.run("data", "without", "without.txt", "--sequence-length", "32", "--format", "json")
    #expect(without.exitCode == 0 && !without.diagnostics.contains("no token"), "\(without.diagnostics)")
    #expect(try JSONFields(without.output).integer("dropped_character_count") == 0)
    #expect(try JSONFields(without.output).text("digest") == JSONFields(result.output).text("digest"))
    #expect(
      try catalog.number("SELECT count(*) FROM data_set_summary WHERE options LIKE '%\"dropped_character_count\":3%'")
        == 1)
    let question = #"{"context": "the people", "choices": ["of the zone", "of a hill"], "answer": 0}"#
    let answered = try succeeds(catalog, "printf '%s' '\(question)' | evodb evaluate tiny.evodb dense --tasks -")
    #expect(
      answered.diagnostics.contains("no token for 1 character and left it out")
        && answered.diagnostics.contains("U+007A in question 1 of stdin"), "\(answered.diagnostics)")
  }

  @Test func recordsAreReadWithTheirField() throws {
    let catalog = try catalog()
    let refused = try catalog.run("data", "x", "text.jsonl")
    #expect(refused.exitCode == 65 && refused.diagnostics.contains("text field"), "\(refused.diagnostics)")
    #expect(refused.diagnostics.contains("id, text"))
    let options = ["--sequence-length", "8", "--text-field", "text"]
    try catalog.output(["data", "joined", "text.jsonl"] + options)
    _ = try succeeds(catalog, "evodb data tiny.evodb piped - \(options.joined(separator: " ")) < text.jsonl")
    try catalog.output(["data", "apart", "text.jsonl", "--documents", "separate"] + options)
    #expect(try catalog.number("SELECT count(DISTINCT digest) FROM data_set_summary WHERE data_set <> 'apart'") == 1)
    #expect(try catalog.number("SELECT count(DISTINCT digest) FROM data_set_summary") == 2)
    #expect(
      try catalog.number("SELECT count(*) FROM data_set_summary WHERE options LIKE '%\"text_field\":\"text\"%'") == 3)
    let wrong = try catalog.run("data", ["x", "text.jsonl", "--text-field", "body"])
    #expect(wrong.exitCode == 65 && wrong.diagnostics.contains("its fields are id, text"))
    for stray in [["--token-ids", "ids.safetensors"], ["--generate", "--tokens", "9"]] {
      let result = try catalog.run("data", ["x"] + stray + ["--text-field", "text"])
      #expect(result.exitCode == 64 && result.diagnostics.contains("--text-field"), "\(result.diagnostics)")
    }
    #expect(try catalog.run("data", "x", "-", "-").exitCode == 64)
  }

  @Test func idsComeThroughAPipeToo() throws {
    let catalog = try TinyCatalog(.made)
    try catalog.output("import", TinyCatalog.model)
    try catalog.output("data", "file", "--token-ids", "calibration.safetensors")
    _ = try succeeds(catalog, "cat calibration.safetensors | evodb data tiny.evodb piped --token-ids -")
    #expect(try catalog.number("SELECT count(DISTINCT digest) FROM data_set_summary") == 1)
    let cut = try catalog.runner.shell(
      "head -c 200 calibration.safetensors | \"$EVODB_BINARY\" data tiny.evodb cut --token-ids -")
    #expect(cut.exitCode == 65 && cut.diagnostics.contains("stdin: "), "\(cut.diagnostics)")
  }

  @Test func repeatedSequencesAreCounted() throws {
    let catalog = try TinyCatalog(.made)
    try catalog.output("import", TinyCatalog.model)
    for (name, rows) in [("some", [1, 2, 1, 1]), ("single", [3, 3])] {
      var builder = SafetensorsBuilder()
      let ids = rows.flatMap { row in (0..<8).map { Int32((row * 7 + $0 * $0) % 96) } }
      builder.add(
        "input_ids", dtype: "I32", shape: [rows.count, 8], bytes: ids.flatMap { SafetensorsBuilder.littleEndian($0) })
      try Data(builder.bytes()).write(to: catalog.folder.appendingPathComponent("\(name).safetensors"))
      let result = try catalog.run("data", [name, "--token-ids", "\(name).safetensors", "--format", "json"])
      let fields = try JSONFields(result.output)
      #expect(try fields.integer("sequence_count") == rows.count)
      #expect(try fields.integer("distinct_sequence_count") == Set(rows).count)
      #expect(result.diagnostics.contains(name == "some" ? "2 of the sequences repeat" : "is one sequence"))
    }
    let evaluated = try catalog.run("evaluate", ["dense", "--data", "single", "--measure", "perplexity"])
    #expect(evaluated.exitCode == 0 && evaluated.diagnostics.contains("single is one sequence"))
    #expect(!evaluated.output.contains("nan"))
  }

  @Test func questionsProfilesAndSQLMayComeFromStdinWithAMark() throws {
    let catalog = try catalog()
    try "\u{FEFF}\(Self.question)\n\(Self.question)\n".write(
      to: catalog.folder.appendingPathComponent("q.jsonl"), atomically: true, encoding: .utf8)
    try catalog.output("evaluate", "dense", "--tasks", "q.jsonl")
    let piped = try succeeds(catalog, "evodb evaluate tiny.evodb dense --tasks - --format json < q.jsonl")
    // One different question: an accuracy without a standard error.
    let fields = try JSONFields(piped.output)
    #expect(try fields.integer("item_count") == 2 && fields.integer("cache_hits") == 2)
    #expect(try fields.number("acc").rounded() == fields.number("acc"))
    #expect(try catalog.number("SELECT acc_standard_error IS NULL AND distinct_item_count = 1 FROM task_result") == 1)
    let sql = try succeeds(catalog, "printf '\\357\\273\\277SELECT 7 AS x' | evodb query tiny.evodb - --format csv")
    #expect(sql.output == "x\r\n7\r\n")
    _ = try succeeds(catalog, "mkfifo s; (echo 'SELECT 1' > s) & evodb query tiny.evodb @./s; wait")
    let blocks = Int(try catalog.number("SELECT block_count FROM model"))
    try ("\u{FEFF}" + String(repeating: "none\n", count: blocks)).write(
      to: catalog.folder.appendingPathComponent("profile.txt"), atomically: true, encoding: .utf8)
    let first = try catalog.output("import-profile", "profile.txt", "--format", "csv")
    let second = try succeeds(catalog, "cat profile.txt | evodb import-profile tiny.evodb - --format csv")
    #expect(first == second.output)
  }

  @Test func aClosedStreamIsSaid() throws {
    let catalog = try catalog()
    for command in [
      "query tiny.evodb -", "data tiny.evodb x -", "data tiny.evodb x --token-ids -",
      "evaluate tiny.evodb dense --tasks -",
      "import-profile tiny.evodb -",
    ] {
      let result = try catalog.runner.shell("\"$EVODB_BINARY\" \(command) <&-")
      #expect(result.exitCode == 66, "\(command): \(result.diagnostics)")
      #expect(result.diagnostics.contains("stdin: is closed"), "\(command): \(result.diagnostics)")
    }
    for command in ["query tiny.evodb 'SELECT 1'", "status tiny.evodb", "help", "data tiny.evodb ok text.txt"] {
      let result = try catalog.runner.shell("\"$EVODB_BINARY\" \(command) >&-")
      #expect(
        result.exitCode == 74 && result.diagnostics.contains("stdout is closed"), "\(command): \(result.diagnostics)")
    }
    // Without stderr the exit code is all there is; nothing of ours may be written to in its place.
    #expect(try catalog.runner.shell("\"$EVODB_BINARY\" query tiny.evodb 'SELECT 1' 2>&-").output.contains("1"))
    #expect(try catalog.runner.shell("\"$EVODB_BINARY\" query tiny.evodb - <&- 2>&-").exitCode == 66)
    #expect(try catalog.runner.shell("\"$EVODB_BINARY\" query tiny.evodb 'SELECT 1' <&- >&- 2>&-").exitCode == 74)
    #expect(try catalog.run("verify").exitCode == 0)
  }

  @Test func emptyStdinIsNoText() throws {
    let catalog = try catalog()
    let result = try catalog.runner.shell("\"$EVODB_BINARY\" data tiny.evodb x - < /dev/null")
    #expect(result.exitCode == 65 && result.diagnostics.contains("stdin: is empty"), "\(result.diagnostics)")
  }
}
