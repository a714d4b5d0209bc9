import Foundation

/// A measured figure, with what it is compared with.
struct Figure {
  /// Its name in JSON.
  var key: String
  /// Its name in the table.
  var label: String
  var value: Double
  var unit: String
  /// Digits behind the point.
  var digits = 1
  /// The same of what evodb is compared with.
  var reference: Double?
  /// How many times better than the reference, or the share of it.
  var ratio: Double?
  var aim = ""

  init(_ key: String, _ label: String, _ value: Double, _ unit: String, digits: Int = 1) {
    self.key = key
    self.label = label
    self.value = value
    self.unit = unit
    self.digits = digits
  }

  /// Beside the figure of another, of which a larger one is better.
  func against(rate reference: Double?, aim: String = "") -> Figure {
    var figure = self
    figure.reference = reference
    figure.ratio = reference.map { value / $0 }
    figure.aim = aim
    return figure
  }

  /// Beside the figure of another, of which a smaller one is better.
  func against(time reference: Double?, aim: String = "") -> Figure {
    var figure = self
    figure.reference = reference
    figure.ratio = reference.map { $0 / value }
    figure.aim = aim
    return figure
  }

  /// With what it should reach.
  func aiming(_ aim: String) -> Figure {
    var figure = self
    figure.aim = aim
    return figure
  }
}

/// One part of the benchmark's report.
struct BenchSection {
  var key: String
  var title: String
  /// The measurements in words.
  var words: String
  /// The meaning of the column `reference`; empty: there is none.
  var reference = ""
  var figures: [Figure]
}

/// Prints sections as tables when they are there, or all of them as JSON at the end.
struct BenchReport {
  let isJSON: Bool
  private var objects: [String: Any] = [:]

  init(isJSON: Bool) { self.isJSON = isJSON }

  /// Words before the first section.
  func note(_ text: String) {
    let target = isJSON ? FileHandle.standardError : FileHandle.standardOutput
    target.write(Data((Self.wrapped(text, width: 110) + "\n").utf8))
  }

  mutating func add(_ section: BenchSection) {
    guard isJSON else {
      FileHandle.standardOutput.write(Data(Self.table(section).utf8))
      return
    }
    var object: [String: Any] = [:]
    for figure in section.figures {
      object[figure.key] = figure.value
      if let reference = figure.reference { object["\(figure.key)_reference"] = reference }
      if let ratio = figure.ratio { object["\(figure.key)_ratio"] = ratio }
    }
    if !section.reference.isEmpty { object["reference"] = section.reference }
    objects[section.key] = object
  }

  func finish() throws {
    guard isJSON else { return }
    let data = try JSONSerialization.data(withJSONObject: objects, options: [.prettyPrinted, .sortedKeys])
    FileHandle.standardOutput.write(data + Data("\n".utf8))
  }

  private static func table(_ section: BenchSection) -> String {
    var rows = [["", "evodb", section.reference.isEmpty ? "" : "reference", "ratio", "aim"]]
    for figure in section.figures {
      rows.append([
        figure.label, "\(number(figure.value, figure.digits)) \(figure.unit)",
        figure.reference.map { "\(number($0, figure.digits)) \(figure.unit)" } ?? "",
        figure.ratio.map { "\(number($0, 2)) x" } ?? "", figure.aim,
      ])
    }
    let used = rows[0].indices.filter { column in rows.dropFirst().contains { !$0[column].isEmpty } }
    let widths = used.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row -> String in
      zip(used, widths).map { column, width in
        let pad = String(repeating: " ", count: width - row[column].count)
        return column == 0 ? row[column] + pad : pad + row[column]
      }.joined(separator: "   ")
    }
    let reference = section.reference.isEmpty ? "" : wrapped("Reference: \(section.reference)", width: 110) + "\n"
    return "\n\(section.title)\n\(wrapped(section.words, width: 110))\n\(reference)"
      + lines.map { "  \($0)\n" }.joined()
  }

  private static func number(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

  private static func wrapped(_ text: String, width: Int) -> String {
    var lines = [""]
    for word in text.split(separator: " ") {
      if lines[lines.count - 1].count + word.count + 1 > width { lines.append("") }
      lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
    }
    return lines.joined(separator: "\n")
  }
}
