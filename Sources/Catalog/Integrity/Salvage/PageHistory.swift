/// Whether pages that a log or journal holds are later or earlier states of a file's own pages, told by the rows that both
/// have: a row stays where it is, or moves to a page that is written with it, until somebody deletes it.
struct PageHistory {
  /// Rows are told by their first bytes, where their keys are; updates change later ones. Shorter rows, such as entries
  /// of indices over ids, can be the same in any two catalogs.
  private static let toldBytes = 24

  /// Rows of the older states.
  private(set) var rowCount = 0
  /// Those of them that the newer states have too.
  private(set) var keptCount = 0

  /// - Parameters:
  ///   - older: states of pages.
  ///   - newer: later states of the same pages, and of those to which their rows may have moved.
  init(older: [[UInt8]], newer: [[UInt8]]) {
    var known: Set<ArraySlice<UInt8>> = []
    for page in newer { known.formUnion(Self.rows(page)) }
    for page in older {
      for row in Self.rows(page) {
        rowCount += 1
        if known.contains(row) { keptCount += 1 }
      }
    }
  }

  /// Whether at least `share` of the rows were kept. Pages without rows can become anything.
  func keeps(_ share: Double) -> Bool { Double(keptCount) >= share * Double(rowCount) }

  /// The beginnings of the cells of a leaf (sqlite.org/fileformat2.html, 1.6).
  private static func rows(_ page: [UInt8]) -> [ArraySlice<UInt8>] {
    guard page.count >= 512, page[0] == 13 || page[0] == 10 else { return [] }
    let count = Int(page[3]) << 8 | Int(page[4])
    guard 8 + 2 * count <= page.count else { return [] }
    return (0..<count).compactMap { index in
      let start = Int(page[8 + 2 * index]) << 8 | Int(page[9 + 2 * index])
      guard start + toldBytes <= page.count else { return nil }
      // A payload of 128 bytes or more has a size of two bytes or more.
      guard page[start] & 0x80 != 0 || Int(page[start]) + 1 >= toldBytes else { return nil }
      return page[start..<start + toldBytes]
    }
  }
}
