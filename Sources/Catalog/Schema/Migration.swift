/// One step from a schema version to the next. Steps are numbered, go forward only, and never change once released.
struct Migration: Sendable {
  /// The version it starts from; it ends at the next.
  var from: Int64
  /// Changes tables and rows inside the upgrade's transaction; views, and what follows from other rows (`FitnessUpkeep`), are
  /// no concern of it (`CatalogUpgrade`). New or changed rows need their checks: use `RowWriter`.
  var apply: @Sendable (Connection) throws -> Void

  /// All steps of this build.
  static let all: [Migration] = [Migration(from: 1, apply: toVersion2)]

  /// Version 2: standard errors count different sequences, truth values are called `is_…`, complete fitness is stored, and sensitivity
  /// sweeps say what they changed.
  private static func toVersion2(_ connection: Connection) throws {
    // Stored findings whose standard errors counted a repeated sequence more than once; `evodb monotonicity` makes them anew.
    for table in ["monotonicity_pair", "monotonicity_count"] {
      try connection.execute(
        """
        DELETE FROM \(table) WHERE sequence_list_id IN (
          SELECT sequence_list_id FROM sequence_list_item GROUP BY sequence_list_id
          HAVING count(DISTINCT sequence_id) < count(*))
        """)
    }
    // Values and their order stay, and so do the checks. Nothing points to these two.
    for (table, statement) in Version2.renewed {
      try connection.execute("ALTER TABLE \(table) RENAME TO \(table)_1")
      try connection.execute(statement)
      try connection.execute("INSERT INTO \(table) SELECT * FROM \(table)_1")
      try connection.execute("DROP TABLE \(table)_1")
    }
    try connection.execute(Version2.setFitness)
    try connection.execute(Version2.unitChange)
    try connection.execute("DROP INDEX run_by_recipe")
    try connection.execute("DROP INDEX assignment_by_setting")
    try connection.execute("CREATE INDEX assignment_by_text ON assignment (lower(hex(digest)))")
    try connection.execute("CREATE INDEX variant_by_sparsity ON variant (sparsity) WHERE sparsity IS NOT NULL")
  }
}

/// A version of the schema, which an upgraded file must have.
struct SchemaVersion: Sendable {
  var number: Int64
  /// The text of `schema.sql`.
  var text: String

  /// This build's.
  static var current: SchemaVersion { SchemaVersion(number: CatalogSchema.version, text: CatalogSchema.text) }
}
