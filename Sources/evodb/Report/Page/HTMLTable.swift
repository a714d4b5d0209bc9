/// A result as a table of HTML, with the cells of tables on a terminal.
enum HTMLTable {
  /// - Parameters:
  ///   - caption: what screen readers call it.
  ///   - limit: bytes; rows beyond them are left out, with a note.
  static func element(_ table: ResultTable, caption: String, limit: Int) -> String {
    var text = "<div class=\"scroll\" tabindex=\"0\"><table><caption>\(Markup.escaped(caption))</caption><thead><tr>"
    for column in table.columns {
      text += "<th scope=\"col\"\(alignment(column))>\(Markup.escaped(column.name))</th>"
    }
    text += "</tr></thead><tbody>\n"
    var count = 0
    for row in table.rows where text.utf8.count < limit {
      count += 1
      text += "<tr>"
      for (column, value) in zip(table.columns, row) {
        let isNumber = column.alignment == .right || value.isNumber
        text += "<td\(isNumber ? " class=\"num\"" : "")>\(Markup.escaped(column.kind.shown(value)))</td>"
      }
      text += "</tr>\n"
    }
    text += "</tbody></table></div>\n"
    if table.rows.count > count {
      text += "<p class=\"note\">The first \(count) of \(HumanFormat.count(Int64(table.rows.count))) rows.</p>\n"
    }
    return text
  }

  private static func alignment(_ column: ResultColumn) -> String { column.alignment == .right ? " class=\"num\"" : "" }
}

extension ResultValue {
  fileprivate var isNumber: Bool {
    switch self {
    case .integer, .real: return true
    case .null, .text, .blob: return false
    }
  }
}
