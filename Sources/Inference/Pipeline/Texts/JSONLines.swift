import Foundation

/// Texts in JSON: a record a line (JSON Lines, ndjson), or all records in one array, each with its text in a named field.
enum JSONLines {
  /// How files with records are called.
  private static let endings = ["jsonl", "ndjson", "jsonlines", "json"]

  /// Whether a file of this name is one with records.
  static func isNamed(_ name: String) -> Bool {
    let parts = name.split(separator: ".")
    return parts.count > 1 && endings.contains(parts.last?.lowercased() ?? "")
  }

  /// The texts of a field, in order.
  ///
  /// - Parameter file: its name in errors.
  /// - Throws: `InferenceError.invalidData` naming the record and what is wrong with it.
  static func texts(_ bytes: ArraySlice<UInt8>, field: String, file: String) throws -> [String] {
    var texts: [String] = []
    try forEachRecord(bytes, file: file) { record, place in
      guard let value = record[ByteString(field)] else {
        throw InferenceError.invalidData(
          file: place, detail: "has no field \"\(field)\" to be the text field; its fields are \(names(of: record))")
      }
      guard let text = value.string else {
        throw InferenceError.invalidData(
          file: place, detail: "the text field \"\(field)\" must be a string, is \(value.summary)")
      }
      texts.append(text.description)
      return true
    }
    guard !texts.isEmpty else { throw InferenceError.invalidData(file: file, detail: "has no records") }
    return texts
  }

  /// The fields of the first record, for the message that asks for one; nil: it cannot be read.
  static func fields(_ bytes: ArraySlice<UInt8>) -> String? {
    var result: String?
    try? forEachRecord(bytes, file: "") { record, _ in
      result = names(of: record)
      return false
    }
    return result
  }

  private static func names(of record: StrictJSON.Object) -> String {
    let names = record.members.prefix(12).map(\.key.description).joined(separator: ", ")
    return record.members.isEmpty ? "none" : names + (record.members.count > 12 ? ", …" : "")
  }

  /// - Parameter body: false ends it.
  private static func forEachRecord(
    _ bytes: ArraySlice<UInt8>, file: String, _ body: (StrictJSON.Object, String) throws -> Bool
  ) throws {
    func object(_ value: StrictJSON, _ place: String) throws -> StrictJSON.Object {
      guard let object = value.object else {
        throw InferenceError.invalidData(file: place, detail: "is no JSON object, but \(value.summary)")
      }
      return object
    }
    if bytes.first(where: { !isSpace($0) }) == UInt8(ascii: "[") {
      let document = try StrictJSON.parse(Array(bytes), file: file)
      for (index, value) in (document.array ?? []).enumerated() {
        let place = "\(file), record \(index + 1)"
        guard try body(object(value, place), place) else { return }
      }
      return
    }
    var number = 0
    var rest = bytes
    while !rest.isEmpty {
      number += 1
      let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
      let line = rest[..<end]
      rest = rest[min(end + 1, rest.endIndex)...]
      if line.allSatisfy(isSpace) { continue }
      let place = "\(file), line \(number)"
      guard try body(object(StrictJSON.parse(Array(line), file: place), place), place) else { return }
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}
