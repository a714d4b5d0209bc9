/// All that evodb knows of a table: its columns, what names a row in every file, the formula of its key, and what becomes of
/// its rows in a merge, a digest, a pack and a salvage. Whatever walks over tables takes it from here.
///
/// `schema.sql` tells SQLite columns, types, keys and references; `TableDescriptionTests` hold the two against each other.
struct TableDescription: Sendable {
  /// How far the rows of a table reach.
  enum Kind: Sendable {
    /// Content-addressed: merged, and in every digest of a catalog.
    case content
    /// Who did what with it, by name: merged, and in the digest that includes provenance.
    case provenance
    /// Merged, and in no digest: it follows from the digest of what it belongs to, or says what happened where.
    case accompanying
    /// Never leaves the file.
    case local
    /// Never leaves the file, and is computed again rather than saved.
    case cache
    /// Never leaves the file, follows from other rows, and is made anew by whatever deletes those (`FitnessUpkeep`).
    case derived
  }

  /// Which of two rows stays that have the same key and different content.
  enum Winner: Sendable {
    /// The one with the smaller digest of its shared columns.
    case smallerDigest
    /// The one with the smaller number in a column; a number rather than NULL.
    case smaller(String)
    /// The one with the later time in a column; two states of one thing are no conflict.
    case later(String)
  }

  /// Names that are unique within a file, and claimed in a merge (`MergedNames`).
  struct Naming: Sendable {
    /// The column with the name.
    var column = "name"
    /// The column that tells things of the same name apart: a digest, a UUID, or a reference to a row with a digest.
    var key: String
  }

  let name: String
  let kind: Kind
  /// The schema version that brought the table. Digests leave a later one out where it is empty, so that those of old files
  /// stay.
  let since: Int64
  /// In the order of the table, without `row_check`.
  let columns: [ColumnDescription]
  /// Whether rows have a check of their own; the bytes of blobs do not.
  let hasRowCheck: Bool
  /// The table of whose rows its rows are parts.
  let owner: String?
  /// Whether rows stay in a pack though nothing points to them.
  let standsAlone: Bool
  /// Whether no digest proves what the local ids in its rows point to.
  let isUnproven: Bool
  let winner: Winner
  /// Positions of shared columns that keys of other rows are made of: a file that says otherwise cannot be merged.
  let agreed: [Int]
  let naming: Naming?
  /// Recomputes what follows from other values: keys by their formulas, counts and sums; nil: nothing does.
  let check: Check?

  /// A method of `RowKeys`.
  typealias Check = @Sendable (RowKeys) -> (RowKeys.Report) throws -> Void

  // MARK: What follows

  /// Positions of the columns that name a row in every file.
  let identity: [Int]
  /// Positions of the columns by which SQLite keeps the rows in order; empty where that is the order of their making.
  let order: [Int]
  /// Positions of the columns that are compared between files, beside the identity.
  let shared: [Int]
  /// Positions of the columns that come along with both and are not compared.
  let accompanying: [Int]
  /// Positions of the columns in a row's digest, in their order there.
  let digested: [Int]
  /// Positions of the columns by which digests of other rows name a row.
  let citation: [Int]
  /// All columns, separated by commas.
  let columnList: String
  /// `a IS ? AND b IS ?` over the identity.
  let identityCondition: String
  /// The same over `order`.
  let orderCondition: String
  /// Inserts a row with its check.
  let insertion: String
  /// The same unless its key is there.
  let insertionIfNew: String
  /// Changes all columns of the row with an id, but the id.
  let updating: String
  private let positions: [String: Int]

  /// - Parameters:
  ///   - digested: columns of a row's digest; nil: all keys and shared ones in the order of the table.
  ///   - citation: columns by which digests name a row; nil: its keys.
  init(
    _ name: String, _ kind: Kind, since: Int64 = 1, partOf owner: String? = nil, hasRowCheck: Bool = true,
    standsAlone: Bool = false,
    isUnproven: Bool = false, winner: Winner = .smallerDigest, agreed: [String] = [], naming: Naming? = nil,
    digested: [String]? = nil, citation: [String]? = nil, check: Check? = nil, _ groups: [ColumnDescription]...
  ) {
    self.name = name
    self.kind = kind
    self.since = since
    self.owner = owner
    self.hasRowCheck = hasRowCheck
    self.standsAlone = standsAlone
    self.isUnproven = isUnproven
    self.winner = winner
    self.naming = naming
    self.check = check
    let columns = groups.flatMap { $0 }
    self.columns = columns
    let positions = Dictionary(uniqueKeysWithValues: zip(columns.map(\.name), columns.indices))
    func places(_ names: [String]) -> [Int] { names.compactMap { positions[$0] } }
    self.agreed = places(agreed)
    func condition(_ places: [Int]) -> String { places.map { "\(columns[$0].name) IS ?" }.joined(separator: " AND ") }
    let identity = columns.indices.filter { columns[$0].scope == .key }
    let shared = columns.indices.filter { columns[$0].scope == .shared }
    let order = columns.first?.name == "id" ? [0] : hasRowCheck ? identity : []
    self.positions = positions
    self.identity = identity
    self.order = order
    self.shared = shared
    accompanying = columns.indices.filter { ![.key, .shared, .local].contains(columns[$0].scope) }
    self.digested = digested.map(places) ?? (identity + shared).sorted()
    self.citation = citation.map(places) ?? identity
    columnList = columns.map(\.name).joined(separator: ", ")
    identityCondition = condition(identity)
    orderCondition = condition(order)
    let stored = columns.map(\.name) + (hasRowCheck ? ["row_check"] : [])
    let marks = Array(repeating: "?", count: stored.count).joined(separator: ", ")
    insertion = "INSERT INTO \(name) (\(stored.joined(separator: ", "))) VALUES (\(marks))"
    // Not INSERT OR IGNORE, which also passes over rows that break other rules (sqlite.org/lang_conflict.html).
    insertionIfNew = insertion + " ON CONFLICT DO NOTHING"
    updating = "UPDATE \(name) SET \(stored.dropFirst().map { "\($0) = ?" }.joined(separator: ", ")) WHERE id = ?"
  }

  /// Whether rows have a local id.
  var hasID: Bool { columns.first?.name == "id" }

  /// Whether rows come along in a merge.
  var isMerged: Bool { kind == .content || kind == .provenance || kind == .accompanying }

  /// Whether rows belong to a generation of a run: they lie where `RunMerger` puts the generation.
  var isOfGeneration: Bool { identityColumns.prefix(2) == ["run_id", "generation_index"] }

  /// The names of the columns that name a row in every file.
  var identityColumns: [String] { identity.map { columns[$0].name } }

  /// The position of a column.
  subscript(column: String) -> Int {
    guard let position = positions[column] else { preconditionFailure("\(name) has no column \(column)") }
    return position
  }

  /// Whether there is such a column.
  func has(_ column: String) -> Bool { positions[column] != nil }

  /// Some of a row's values.
  func values(_ row: [SQLValue], at places: [Int]) -> [SQLValue] { places.map { row[$0] } }

  // MARK: Rules

  /// Checks a row against the rules that hold whatever other rows say: right types, finite numbers, UTF-8 texts, and
  /// names without terminal control characters.
  ///
  /// - Parameter row: the values in the order of the columns.
  /// - Returns: nil if the row keeps the rules; else the column, and what is wrong with its value in words that follow
  ///   its name.
  func violation(of row: RowBytes) -> (column: String, problem: String)? {
    for (column, place) in zip(columns, row.places) {
      let fits: Bool
      switch place.kind {
      case .null: fits = !column.isRequired
      case .integer: fits = column.type == .integer
      case .real: fits = column.type == .real && Double(bitPattern: row.word(in: place.range)).isFinite
      case .text: fits = column.type == .text
      case .blob: fits = column.type == .blob
      }
      guard fits else { return (column.name, "is no \(column.type.rawValue)") }
      guard place.kind == .text else { continue }
      let bytes = row.bytes[place.range]
      if bytes.contains(where: { $0 >= 0x80 }), String(validating: bytes, as: UTF8.self) == nil {
        return (column.name, "is not UTF-8")
      }
      // Names are shown and typed.
      if column.name == "name", CatalogName.holdsControlCharacters(String(decoding: bytes, as: UTF8.self)) {
        return (column.name, "holds control characters")
      }
    }
    return nil
  }
}
