/// How results are printed on stdout.
enum OutputFormat: String, ArgumentChoice, Sendable {
  /// Aligned columns with units, for people.
  case table
  /// One JSON document: an array of objects, or one object.
  case json
  /// One JSON object a line.
  case jsonl
  /// Comma-separated values as in RFC 4180, with a header line.
  case csv
}
