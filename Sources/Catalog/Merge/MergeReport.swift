/// The counts and notes of a merge.
public struct MergeReport: Equatable, Sendable {
  /// Rows of one table.
  public struct Counts: Equatable, Sendable {
    /// The table.
    public var table: String
    /// Rows that were not here.
    public var newCount = 0
    /// Rows that were here with the same content.
    public var equalCount = 0
    /// Rows that were here with other content under the same key; the same one of the two stays in either order.
    public var conflictCount = 0
  }

  /// By table, parents first.
  public var tables: [Counts] = []
  /// Sentences for the user: names that were changed, runs that went on, branches.
  public var notes: [String] = []
  /// Pairs of answers to the same question by different arithmetic that agree to 1e-4, in the file as it is now.
  public var agreeingCount = 0
  /// Pairs that do not: the rows of the view `conflict`.
  public var disagreeingCount = 0
  /// Variants of the files read whose packed bytes are here now: what rests on them is warm.
  public var warmVariantCount = 0
  /// All variants of the files read.
  public var variantCount = 0

  /// Rows of all tables that were not here.
  public var newCount: Int { tables.reduce(0) { $0 + $1.newCount } }
  /// Rows of all tables that were here.
  public var equalCount: Int { tables.reduce(0) { $0 + $1.equalCount } }
  /// Rows of all tables that were here with other content.
  public var conflictCount: Int { tables.reduce(0) { $0 + $1.conflictCount } }

  /// Adds to the counts of a table.
  mutating func count(_ table: String, new: Int = 0, equal: Int = 0, conflict: Int = 0) {
    if let index = tables.firstIndex(where: { $0.table == table }) {
      tables[index].newCount += new
      tables[index].equalCount += equal
      tables[index].conflictCount += conflict
    } else {
      tables.append(Counts(table: table, newCount: new, equalCount: equal, conflictCount: conflict))
    }
  }
}
