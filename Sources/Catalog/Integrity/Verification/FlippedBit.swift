/// The one bit by which a row differs from what was written, found by trying: the check tells when a guess is right.
struct FlippedBit {
  /// Index of the value; nil: the bit is in the check itself.
  var column: Int?
  /// The value as it was written, for people.
  var original: String?

  /// Rows longer than this are not searched: the time grows with the square of the length.
  private static let longest = 4096

  /// - Parameters:
  ///   - row: the stored values.
  ///   - check: the stored check, which `row` does not have.
  /// - Returns: nil if more than one bit is wrong.
  static func find(in row: RowBytes, check: Int64) -> FlippedBit? {
    if (row.check ^ check).nonzeroBitCount == 1 { return FlippedBit() }
    guard row.bytes.count <= longest else { return nil }
    var bytes = row.bytes
    for (column, place) in row.places.enumerated() {
      switch place.kind {
      case .null: continue
      case .text, .blob:
        for index in place.range {
          for bit in 0..<8 {
            bytes[index] ^= 1 << UInt8(bit)
            if SHA256.digest(of: bytes).prefix == check {
              let shown = place.kind == .text ? "'\(String(decoding: bytes[place.range], as: UTF8.self))'" : nil
              return FlippedBit(column: column, original: shown)
            }
            bytes[index] ^= 1 << UInt8(bit)
          }
        }
      case .integer, .real:
        let word = row.word(in: place.range)
        for guess in guesses(word, isReal: place.kind == .real) {
          withUnsafeBytes(of: guess.bigEndian) { bytes.replaceSubrange(place.range, with: $0) }
          if SHA256.digest(of: bytes).prefix == check {
            let shown = place.kind == .real ? "\(Double(bitPattern: guess))" : "\(Int64(bitPattern: guess))"
            return FlippedBit(column: column, original: shown)
          }
        }
        bytes.replaceSubrange(place.range, with: row.bytes[place.range])
      }
    }
    return nil
  }

  /// All numbers from which one flipped bit makes `word`. SQLite stores integers, and reals that are whole, in 1 to 8
  /// bytes with sign extension (sqlite.org/fileformat2.html, section 2.1).
  private static func guesses(_ word: UInt64, isReal: Bool) -> [UInt64] {
    var result = isReal ? (0..<64).map { word ^ 1 << UInt64($0) } : []
    let value = Double(bitPattern: word)
    guard !isReal || (value == value.rounded() && value.magnitude < 1e15) else { return result }
    let integer = isReal ? Int64(value) : Int64(bitPattern: word)
    for width in [8, 16, 24, 32, 48, 64] {
      for bit in 0..<width {
        let shift = Int64(64 - width)
        let flipped = ((integer ^ Int64(bitPattern: 1 << UInt64(bit))) << shift) >> shift
        result.append(isReal ? Double(flipped).bitPattern : UInt64(bitPattern: flipped))
      }
    }
    return result
  }
}
