import TestSupport
import Testing

@testable import Catalog

/// The descriptions of tables say the same as `schema.sql`.
@Suite(.usualTimeLimit) struct TableDescriptionTests {
  private func connection() throws -> Connection {
    let connection = try Connection(path: "", access: .create, busyTimeoutMilliseconds: 0)
    try connection.execute(CatalogSchema.text)
    return connection
  }

  @Test func everyTableIsDescribed() throws {
    let names = Set(try connection().texts("SELECT name FROM sqlite_schema WHERE type = 'table'"))
    #expect(names == Set(TableDescription.all.map(\.name)))
    #expect(names.count == TableDescription.all.count)
  }

  @Test func everyColumnIsDescribedAsItIs() throws {
    let connection = try connection()
    for table in TableDescription.all {
      var parents: [String: String] = [:]
      try connection.forEachRow(
        "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?)", [.text(table.name)]
      ) { row in
        parents[row.text("from")] = row.text("table")
        #expect(row.text("to") == "id", "\(table.name).\(row.text("from"))")
      }
      var stored: [String] = []
      try connection.forEachRow(
        "SELECT name, type, \"notnull\" OR pk AS is_required FROM pragma_table_info(?) ORDER BY cid",
        [.text(table.name)]
      ) { row in
        let name = row.text("name")
        stored.append("\(name) \(row.text("type")) \(row.integer("is_required")) \(parents[name] ?? "-")")
      }
      var described = table.columns.map { column in
        "\(column.name) \(column.type.rawValue) \(column.isRequired ? 1 : 0) \(column.parent ?? "-")"
      }
      if table.hasRowCheck { described.append("row_check INTEGER 1 -") }
      #expect(stored == described, "\(table.name)")
    }
  }

  @Test func keysAreThoseThatSQLiteHolds() throws {
    let connection = try connection()
    for table in TableDescription.all {
      let primary = try connection.texts(
        "SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", [.text(table.name)])
      #expect(table.order.map { table.columns[$0].name } == primary, "\(table.name)")
      var unique: [[String]] = table.hasID ? [] : [primary]
      for key in try connection.texts("SELECT name FROM pragma_index_list(?) WHERE origin = 'u'", [.text(table.name)]) {
        unique.append(try connection.texts("SELECT name FROM pragma_index_info(?) ORDER BY seqno", [.text(key)]))
      }
      let identity = table.identityColumns
      #expect(unique.contains(identity), "\(table.name): \(identity)")
      if let naming = table.naming { #expect(unique.contains([naming.column]), "\(table.name)") }
    }
  }

  @Test func parentsComeBeforeChildren() {
    let places = Dictionary(uniqueKeysWithValues: TableDescription.all.enumerated().map { ($1.name, $0) })
    for table in TableDescription.all {
      for column in table.columns {
        guard let parent = column.parent ?? column.listed, parent != table.name else { continue }
        #expect((places[parent] ?? .max) < (places[table.name] ?? .min), "\(table.name) before \(parent)")
        // Parts go with their owner: what they point to can only go after it.
        guard let owner = table.owner, parent != owner, TableDescription.named(parent).owner == nil else { continue }
        #expect((places[parent] ?? .max) < (places[owner] ?? .min), "\(owner) before \(parent)")
      }
    }
  }

  @Test func whatIsSharedPointsToNothingThatStaysHere() {
    for table in TableDescription.all where table.isMerged {
      for column in table.columns {
        guard let parent = column.parent ?? column.listed else { continue }
        #expect(TableDescription.named(parent).isMerged, "\(table.name).\(column.name)")
        // Digests name rows of the other file by what they share.
        guard table.digested.contains(table[column.name]), table.kind != .accompanying else { continue }
        let cited = TableDescription.named(parent)
        #expect(!cited.citation.isEmpty && cited.citation.allSatisfy { cited.columns[$0].scope != .local })
      }
    }
  }

  @Test func everyDigestHoldsWhatIsSharedAndNothingElse() {
    for table in TableDescription.all {
      let shared = Set(table.identity + table.shared)
      // Two searches of one recipe have UUIDs of their own.
      let left: Set<Int> = table.name == "run" ? [table["uuid"]] : []
      #expect(Set(table.digested) == shared.subtracting(left), "\(table.name)")
      #expect(table.digested.count == Set(table.digested).count, "\(table.name)")
      for column in table.columns {
        switch column.scope {
        case .implied(let reason), .provenance(let reason): #expect(!reason.isEmpty && table.isMerged)
        case .local: #expect(!table.isMerged || column.name == "id", "\(table.name).\(column.name)")
        case .shared: #expect(table.isMerged, "\(table.name).\(column.name)")
        case .key: break
        }
      }
    }
  }

  @Test func whatAReferenceIsLostForIsMendedInPlace() {
    for table in TableDescription.all {
      for column in table.columns {
        guard let mend = column.mend else { continue }
        #expect(table.hasID && mend[column.name] == .null && !column.isRequired, "\(table.name).\(column.name)")
        for (name, value) in mend {
          #expect(table.has(name), "\(table.name).\(name)")
          if value == .null { #expect(!table.columns[table[name]].isRequired, "\(table.name).\(name)") }
        }
      }
    }
  }

  @Test func everyBlobIsSaidWhatItHolds() {
    for (table, column) in TableDescription.blob.references where table.owner != "blob" {
      #expect(column.contents?.isEmpty == false, "\(table.name).\(column.name)")
    }
    #expect(TableDescription.blob.references.count == 6)
  }

  /// The columns that a record does not hold: they come from what its row belongs to, or from the moment of its writing.
  private static let columnsWithoutField: [String: Set<String>] = [
    "numerics": ["id"], "model_source": ["model_id", "imported_at"], "tensor": ["model_id"], "site": ["model_id"],
    "space_unit": ["space_id", "unit_index"], "space_level": ["space_id", "unit_index", "level_index"],
    "run": ["uuid", "created_at"],
    "job": ["uuid", "user_name", "host_name", "started_at", "updated_at", "outcome", "message"],
  ]

  @Test func recordsHoldTheColumnsOfTheirTables() {
    func check<Record: StoredRecord>(_: Record.Type) {
      let table = Record.table
      for field in Record.fields {
        guard table.has(field.column) else {
          Issue.record("\(table.name) has no column \(field.column)")
          continue
        }
        let column = table.columns[table[field.column]]
        #expect(field.type == column.type && field.isOptional == !column.isRequired, "\(table.name).\(column.name)")
      }
      let names = Record.fields.map(\.column)
      #expect(Set(names).count == names.count)
      let left = Set(table.columns.map(\.name)).subtracting(names)
      #expect(left == Self.columnsWithoutField[table.name] ?? [], "\(table.name)")
    }
    check(NumericsRecord.self)
    check(MeasureRecord.self)
    check(MethodRecord.self)
    check(StatisticRecord.self)
    check(VariantRecord.self)
    check(ModelRecord.self)
    check(ModelSource.self)
    check(TensorRecord.self)
    check(SiteRecord.self)
    check(SpaceRecord.Unit.self)
    check(SpaceRecord.Level.self)
    check(RunRecord.self)
    check(JobRecord.self)
  }
}
