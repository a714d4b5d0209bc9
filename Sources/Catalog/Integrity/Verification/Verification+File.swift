extension Verification {
  /// The fields of the database header that have only one right value in a catalog (sqlite.org/fileformat2.html, 1.3).
  func checkHeader() throws {
    let header = try connection.fileBytes(at: 0, count: 100)
    func number(_ offset: Int) -> Int { header[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
    func expect(_ isRight: Bool, _ what: String, _ received: some CustomStringConvertible) throws {
      if !isRight {
        try report(IntegrityFinding(table: "file", row: "header", column: what, problem: "is \(received)"))
      }
    }
    // 1: rollback journal, 2: write-ahead log, while a writer is at work or after it was killed.
    try expect(header[18] == header[19] && (1...2).contains(header[18]), "journal mode", "\(header[18])/\(header[19])")
    try expect(header[20] == 0, "reserved bytes of a page", header[20])
    try expect(Array(header[21...23]) == [64, 32, 32], "payload fractions", "\(Array(header[21...23]))")
    try expect(number(44) == 4, "schema format", number(44))
    try expect(number(52) == 0 && number(64) == 0, "vacuum mode", number(52))
    try expect(number(56) == 1, "text encoding", number(56))
    try expect(number(60) == Int(CatalogSchema.version), "user_version", number(60))
    try expect(number(68) == Int(CatalogSchema.applicationID), "application_id", number(68))
    try expect(header[72..<92].allSatisfy { $0 == 0 }, "reserved space", "not zero")
  }

  /// Tables, indexes and views, statement by statement.
  func checkSchema() throws {
    var expected: [String: SchemaShape.Object] = [:]
    for object in try SchemaShape.own().objects { expected[object.name] = object }
    for object in try SchemaShape.objects(of: connection) {
      guard let own = expected.removeValue(forKey: object.name) else {
        // ANALYZE makes tables of statistics, which change no result.
        guard !object.name.hasPrefix("sqlite_stat") else { continue }
        try report(
          IntegrityFinding(
            table: "sqlite_schema", row: "\(object.type) \(object.name)", problem: "does not belong to a catalog"))
        continue
      }
      guard object != own else { continue }
      try report(
        IntegrityFinding(
          table: "sqlite_schema", row: "\(own.type) \(own.name)", column: object.sql == own.sql ? nil : "sql",
          problem: "is not that of this version's schema"))
    }
    for name in expected.keys.sorted() {
      try report(
        IntegrityFinding(table: "sqlite_schema", row: "\(expected[name]?.type ?? "") \(name)", problem: "is missing"))
    }
  }

  /// SQLite's own look at every page, index and constraint.
  func checkPages() throws {
    progress("pages", 0, 1)
    var pageOwners: [Int: String]?
    try connection.forEachRow("PRAGMA integrity_check(200)") { row in
      let text = row.text("integrity_check")
      guard text != "ok" else { return }
      for line in text.split(separator: "\n") where !line.hasPrefix("***") {
        if pageOwners == nil { pageOwners = self.pageOwners() }
        let page = line.firstMatch(of: /(?:[Tt]ree page|Page|page) (\d+)/).flatMap { Int($0.1) }
        let table = page.flatMap { pageOwners?[$0] }
        try report(
          IntegrityFinding(table: table ?? "file", row: page.map { "page \($0)" } ?? "pages", problem: String(line)))
      }
    }
    progress("pages", 1, 1)
  }

  /// Which table or index every page belongs to, where SQLite is built to tell and the file still can.
  private func pageOwners() -> [Int: String] {
    var result: [Int: String] = [:]
    try? connection.forEachRow("SELECT pageno, name FROM dbstat") {
      result[Int($0.integer("pageno"))] = $0.text("name")
    }
    return result
  }

  /// Every foreign key.
  func checkReferences() throws {
    try connection.forEachRow("SELECT \"table\", rowid AS id, parent FROM pragma_foreign_key_check") { row in
      let table = row.text("table")
      let id: Int64? = try row.value("id")
      try report(
        IntegrityFinding(
          table: table, row: words.words(table, key: id.map { [("id", .integer($0))] } ?? []),
          problem: "points to a row of \(row.text("parent")) that is missing"))
    }
  }
}
