/// A number of bytes, typed as `4GiB`, `512M`, `1.5 GB` or `4096`.
///
/// K, M, G and T, alone or with `iB`, are powers of 1024 as in `head -c` and `dd`; `kB`, `MB`, `GB` and `TB` are powers
/// of 1000. Small and capital letters are the same.
struct ByteSize: ArgumentValue, Equatable, Sendable {
  let bytes: Int64

  static let rule = "a size such as 4GiB, 512M, 2GB or 4096 (bytes)"

  init(bytes: Int64) {
    self.bytes = bytes
  }

  init?(argument: String) {
    let number = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let suffix = argument.dropFirst(number.count).drop { $0 == " " }.lowercased()
    guard let unit = Self.units[suffix] else { return nil }
    if let count = Int64(number) {
      let (bytes, overflow) = count.multipliedReportingOverflow(by: unit)
      guard !overflow else { return nil }
      self.bytes = bytes
    } else {
      guard number.contains(where: \.isNumber), let count = Double(number),
        let bytes = Int64(exactly: (count * Double(unit)).rounded())
      else { return nil }
      self.bytes = bytes
    }
  }

  var argumentText: String {
    let whole = ByteUnit.binary[1...4].last { bytes >= Int64($0.bytes) && bytes % Int64($0.bytes) == 0 }
    return whole.map { "\(bytes / Int64($0.bytes))\($0.name)" } ?? String(bytes)
  }

  private static let units: [String: Int64] = {
    var units: [String: Int64] = ["": 1, "b": 1]
    var binary: Int64 = 1
    var decimal: Int64 = 1
    for letter in ["k", "m", "g", "t"] {
      binary *= 1024
      decimal *= 1000
      units[letter] = binary
      units[letter + "ib"] = binary
      units[letter + "b"] = decimal
    }
    return units
  }()
}
