/// A place of a catalog that is not as it was written.
public struct IntegrityFinding: Equatable, Sendable {
  /// The table; `file` for what concerns the file as a whole.
  public var table: String
  /// The row in words: `variant 17: model.layers.3.mlp.up_proj at bits=3 by gptq`.
  public var row: String
  /// The column, where it can be told.
  public var column: String?
  /// The problem in words that follow the name of the column or row.
  public var problem: String

  /// Creates a finding about a row, or about a column of it.
  public init(table: String, row: String, column: String? = nil, problem: String) {
    self.table = table
    self.row = row
    self.column = column
    self.problem = problem
  }
}

/// Counts of the rows and bytes that a verification has checked.
public struct VerificationCounts: Equatable, Sendable {
  /// Rows whose check was recomputed.
  public var rowCount = 0
  /// Blobs whose digest was recomputed.
  public var blobCount = 0
  /// Their bytes.
  public var blobByteCount: Int64 = 0

  /// Nothing yet.
  public init() {}
}
