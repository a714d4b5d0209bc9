/// A JSON value to be written; objects keep the order in which their members were added.
enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  /// Written in the shortest form that reads back to the same double; NaN and infinities become `null`.
  case real(Double)
  case text(String)
  case array([JSONValue])
  case object(JSONObject)

  /// On one line.
  var compact: String {
    var writer = JSONWriter(isPretty: false)
    writer.write(self, depth: 0)
    return writer.text
  }

  /// On many lines, indented by two spaces, without a newline at the end.
  var pretty: String {
    var writer = JSONWriter(isPretty: true)
    writer.write(self, depth: 0)
    return writer.text
  }
}

/// Members of a JSON object, in the order of adding.
struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
  private(set) var members: [(name: String, value: JSONValue)] = []

  init() {}

  init(dictionaryLiteral elements: (String, JSONValue)...) {
    for (name, value) in elements { self[name] = value }
  }

  /// Sets a member; a name that is there keeps its place. Setting nil removes it.
  subscript(name: String) -> JSONValue? {
    get { members.first { $0.name == name }?.value }
    set {
      let index = members.firstIndex { $0.name == name }
      switch (index, newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append((name, value))
      case (nil, nil): break
      }
    }
  }

  static func == (a: JSONObject, b: JSONObject) -> Bool {
    a.members.elementsEqual(b.members) { $0 == $1 }
  }
}

/// Writes JSON (RFC 8259) into a text.
struct JSONWriter {
  let isPretty: Bool
  private(set) var text = ""

  init(isPretty: Bool) {
    self.isPretty = isPretty
  }

  mutating func write(_ value: JSONValue, depth: Int) {
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .real(let value): text += value.isFinite ? value.description : "null"
    case .text(let value): text += Self.quoted(value)
    case .array(let values):
      writeList("[", "]", count: values.count, depth: depth) { writer, index in
        writer.write(values[index], depth: depth + 1)
      }
    case .object(let object):
      writeList("{", "}", count: object.members.count, depth: depth) { writer, index in
        let (name, value) = object.members[index]
        writer.text += Self.quoted(name) + (writer.isPretty ? ": " : ":")
        writer.write(value, depth: depth + 1)
      }
    }
  }

  private mutating func writeList(
    _ open: String, _ close: String, count: Int, depth: Int, element: (inout JSONWriter, Int) -> Void
  ) {
    text += open
    for index in 0..<count {
      if index > 0 { text += "," }
      if isPretty { text += "\n" + String(repeating: "  ", count: depth + 1) }
      element(&self, index)
    }
    if isPretty, count > 0 { text += "\n" + String(repeating: "  ", count: depth) }
    text += close
  }

  /// `text` in quotes. Whatever could disturb a terminal is escaped too, so that JSON is safe to look at.
  static func quoted(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    result.append("\"")
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result.append(contentsOf: "\\\"".unicodeScalars)
      case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\r": result.append(contentsOf: "\\r".unicodeScalars)
      case "\t": result.append(contentsOf: "\\t".unicodeScalars)
      case _ where TerminalText.isHarmful(scalar):
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          let padding = String(repeating: "0", count: 4 - digits.count)
          result.append(contentsOf: "\\u\(padding)\(digits)".unicodeScalars)
        }
      default: result.append(scalar)
      }
    }
    result.append("\"")
    return String(result)
  }
}
