/// Rows in the words of people who know models, not tables.
struct RowWords {
  let connection: Connection

  /// Queries, by table, for the name of the row with an id. In a damaged file they may fail.
  private static let names: [String: String] = [
    "variant": """
    SELECT coalesce(l.name, 'weight ' || v.weight_id) || ' at ' || v.level || coalesce(' by ' || m.name, '')
    FROM variant v LEFT JOIN method m ON m.id = v.method_id LEFT JOIN layer l ON l.weight_id = v.weight_id
    WHERE v.id = ? LIMIT 1
    """,
    "statistic": "SELECT t.kind || ' of ' || s.name FROM statistic t JOIN site s ON s.id = t.site_id WHERE t.id = ?",
    "layer": "SELECT name FROM layer WHERE id = ?",
    "site": "SELECT name FROM site WHERE id = ?",
    "weight": "SELECT name FROM layer WHERE weight_id = ? LIMIT 1",
    "model": "SELECT name FROM model WHERE id = ?",
    "method": "SELECT name FROM method WHERE id = ?",
    "measure": "SELECT name FROM measure WHERE id = ?",
    "data_set": "SELECT name FROM data_set WHERE id = ?",
    "run": "SELECT name FROM run WHERE id = ?",
    "job": "SELECT command || ' of ' || started_at FROM job WHERE id = ?",
    "assignment": "SELECT substr(lower(hex(digest)), 1, 12) FROM assignment WHERE id = ?",
    "sequence_list": "SELECT 'data set ' || name FROM data_set WHERE sequence_list_id = ?",
    "blob": """
    SELECT what FROM (
      SELECT 'variant ' || v.id || ': ' || coalesce(l.name, 'weight ' || v.weight_id) || ' at ' || v.level AS what,
        v.blob_id AS id FROM variant v LEFT JOIN layer l ON l.weight_id = v.weight_id
      UNION ALL SELECT 'matrix of statistic ' || t.id || ': ' || t.kind || ' of ' || s.name, t.matrix_blob_id
        FROM statistic t JOIN site s ON s.id = t.site_id
      UNION ALL SELECT 'diagonal of statistic ' || t.id || ': ' || t.kind || ' of ' || s.name, t.diagonal_blob_id
        FROM statistic t JOIN site s ON s.id = t.site_id
      UNION ALL SELECT 'dense model''s state of sequence ' || sequence_id, hidden_blob_id FROM teacher_state
      UNION ALL SELECT 'streams of a stopped calibration', blob_id FROM calibration_stream)
    WHERE id = ? LIMIT 1
    """,
  ]

  /// A row by its table and the values of its key columns.
  func words(_ table: String, key: [(column: String, value: SQLValue)]) -> String {
    if key.count == 1, key[0].column == "id" {
      let number = "\(Self.spelled(table)) \(text(key[0].value))"
      return name(table, key[0].value).map { "\(number): \($0)" } ?? number
    }
    let parts = key.map { column, value in
      if column.hasSuffix("_id") {
        let parent = String(column.dropLast(3))
        return "\(Self.spelled(parent)) \(name(parent, value) ?? text(value))"
      }
      return "\(Self.spelled(column.replacing("_index", with: ""))) \(text(value))"
    }
    return parts.isEmpty ? "a row" : parts.joined(separator: ", ")
  }

  /// A blob with the row that uses it, such as `blob 3, variant 17: …`.
  func words(blob id: Int64) -> String {
    name("blob", .integer(id)).map { "blob \(id), \($0)" } ?? "blob \(id), which nothing uses"
  }

  private func name(_ table: String, _ id: SQLValue) -> String? {
    guard let sql = Self.names[table] else { return nil }
    // A name is a courtesy: where the file is too damaged to tell it, the number has to do.
    return try? connection.text(sql, [id])
  }

  private static func spelled(_ name: String) -> String { name.replacing("_", with: " ") }

  private func text(_ value: SQLValue) -> String {
    switch value {
    case .null: return "NULL"
    case .integer(let value): return "\(value)"
    case .real(let value): return "\(value)"
    case .text(let value): return value
    case .blob(let bytes): return String(Hexadecimal.string(bytes).prefix(12))
    }
  }
}
