/// The bytes over which a row's check is made: the values in column order, each with a type mark and, for texts and blobs,
/// its length (docs/catalog-format.md).
///
/// The one place that knows them, so that `verify` recomputes a check from nothing but the stored values.
struct RowBytes {
  /// A value's place in `bytes`, without mark and length.
  struct Place {
    enum Kind { case null, integer, real, text, blob }
    var kind: Kind
    var range: Range<Int>
  }

  private(set) var bytes: [UInt8] = []
  private(set) var places: [Place] = []

  /// No values.
  init() {}

  /// All values of a row but its check.
  init(_ values: [SQLValue]) {
    bytes.reserveCapacity(24 * values.count)
    places.reserveCapacity(values.count)
    for value in values { append(value) }
  }

  /// The first eight bytes of the SHA-256.
  var check: Int64 { SHA256.digest(of: bytes).prefix }

  /// The bits of the number at a place.
  func word(in range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }

  mutating func append(_ value: SQLValue) {
    switch value {
    case .null: appendNull()
    case .integer(let value): append(value)
    case .real(let value): append(value)
    case .text(let value): append(text: value.utf8)
    case .blob(let value): append(blob: value)
    }
  }

  mutating func appendNull() {
    bytes.append(0)
    places.append(Place(kind: .null, range: bytes.count..<bytes.count))
  }

  mutating func append(_ value: Int64) {
    bytes.append(1)
    append(word: UInt64(bitPattern: value), .integer)
  }

  mutating func append(_ value: Double) {
    bytes.append(2)
    // SQLite stores -0.0 as 0.0 (sqlite.org/floatingpoint.html).
    append(word: (value == 0 ? 0 : value).bitPattern, .real)
  }

  mutating func append(text: some Collection<UInt8>) { append(3, text, .text) }

  mutating func append(blob: some Collection<UInt8>) { append(4, blob, .blob) }

  /// Appends values that are bytes of another row already; their places are not noted.
  mutating func append(written values: [UInt8]) { bytes += values }

  /// Forgets the values, keeps the memory.
  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    places.removeAll(keepingCapacity: true)
  }

  private mutating func append(_ mark: UInt8, _ content: some Collection<UInt8>, _ kind: Place.Kind) {
    bytes.append(mark)
    withUnsafeBytes(of: UInt64(content.count).bigEndian) { bytes.append(contentsOf: $0) }
    let start = bytes.count
    bytes += content
    places.append(Place(kind: kind, range: start..<bytes.count))
  }

  private mutating func append(word: UInt64, _ kind: Place.Kind) {
    let start = bytes.count
    withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
    places.append(Place(kind: kind, range: start..<bytes.count))
  }
}
