/// The rule for names in a catalog: they are shown, typed, and merged into other files.
public enum CatalogName {
  /// Bytes of the longest name.
  public static let largestByteCount = 200

  /// - Parameter kind: the kind of thing it names, for the error.
  /// - Throws: `CatalogError.invalidName`.
  public static func require(_ name: String, of kind: String) throws {
    guard !name.isEmpty, name.utf8.count <= largestByteCount, !holdsControlCharacters(name) else {
      throw CatalogError.invalidName(
        "the name of a \(kind) must have 1 to \(largestByteCount) bytes and no control characters")
    }
  }

  /// Whether a terminal would obey some of it.
  static func holdsControlCharacters(_ text: String) -> Bool {
    text.unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }
  }
}
