extension CatalogStore {
  /// Holds everything that is stored against its checks: pages, schema, rows, blobs, keys, counts and sums.
  ///
  /// It sees one state of the file, also beside a writer, and changes nothing.
  ///
  /// - Parameters:
  ///   - packedWeightProblem: looks into the packed bytes of variants; nil: their digests are all that is checked.
  ///   - onFinding: gets what is wrong as it is found; at most `maximumFindings` of a kind.
  ///   - progress: called with what is being looked at, how much is done and how much there is.
  ///   - isCancelled: asked often.
  /// - Throws: `CancellationError`; `CatalogError.damaged` if SQLite cannot read anything at all.
  public func verify(
    maximumFindings: Int = 1000, packedWeightProblem: PackedWeightProblem? = nil,
    onFinding: (IntegrityFinding) throws -> Void,
    progress: (String, Int64, Int64) -> Void = { _, _, _ in }, isCancelled: @escaping () -> Bool = { false }
  ) throws -> VerificationCounts {
    try read { transaction in
      try transaction.connection.watched(by: isCancelled) {
        try withoutActuallyEscaping(onFinding) { onFinding in
          try withoutActuallyEscaping(progress) { progress in
            let verification = Verification(
              transaction: transaction, maximumFindings: maximumFindings, packedWeightProblem: packedWeightProblem,
              onFinding: onFinding, progress: progress, isCancelled: isCancelled)
            return try verification.run()
          }
        }
      }
    }
  }
}

extension CatalogTransaction {
  /// The first thing that verify finds wrong, in the middle of a transaction; nil: nothing.
  package func firstFinding() throws -> IntegrityFinding? {
    var first: IntegrityFinding?
    let verification = Verification(
      transaction: self, maximumFindings: 1, packedWeightProblem: nil, onFinding: { first = first ?? $0 },
      progress: { _, _, _ in }, isCancelled: { false })
    _ = try verification.run()
    return first
  }
}

/// One walk over a file, from its header to the keys of its rows. Damage in one place does not end it: each part is looked
/// at for itself.
final class Verification {
  let transaction: CatalogTransaction
  var connection: Connection { transaction.connection }
  var counts = VerificationCounts()
  private(set) lazy var words = RowWords(connection: connection)
  private let maximumFindings: Int
  let packedWeightProblem: PackedWeightProblem?
  private let onFinding: (IntegrityFinding) throws -> Void
  let progress: (String, Int64, Int64) -> Void
  private let isCancelled: () -> Bool
  private(set) var findingCount = 0

  init(
    transaction: CatalogTransaction, maximumFindings: Int, packedWeightProblem: PackedWeightProblem?,
    onFinding: @escaping (IntegrityFinding) throws -> Void, progress: @escaping (String, Int64, Int64) -> Void,
    isCancelled: @escaping () -> Bool
  ) {
    self.transaction = transaction
    self.packedWeightProblem = packedWeightProblem
    self.maximumFindings = maximumFindings
    self.onFinding = onFinding
    self.progress = progress
    self.isCancelled = isCancelled
  }

  func run() throws -> VerificationCounts {
    try part("file", "the file") { try checkHeader() }
    try part("file", "the schema") { try checkSchema() }
    try part("file", "the pages") { try checkPages() }
    for table in TableDescription.all where table.hasRowCheck {
      try part(table.name, "the rows") { try checkRows(of: table) }
    }
    try part("blob", "the blobs") { try checkBlobs() }
    try part("file", "the references") { try checkReferences() }
    // What contradicts itself is told only of a file whose rows are what was written.
    if findingCount == 0 { try checkKeys() }
    return counts
  }

  func report(_ finding: IntegrityFinding) throws {
    findingCount += 1
    if findingCount <= maximumFindings { try onFinding(finding) }
  }

  /// Runs a part; what SQLite cannot read is a finding.
  func part(_ table: String, _ what: String, _ body: () throws -> Void) throws {
    // SQLite asks too, but not in the middle of its own check of the pages.
    if isCancelled() { throw CancellationError() }
    do {
      try body()
    } catch let error as SQLiteError where !error.isInterrupted && !error.isBusy && !error.isStorageFailure {
      try report(IntegrityFinding(table: table, row: what, problem: "cannot be read: \(error.message)"))
    } catch let error as CatalogError {
      guard case .damaged(let detail) = error else { throw error }
      try report(IntegrityFinding(table: table, row: what, problem: detail))
    }
  }
}
