/// One step from a schema version to the next. Steps are numbered, go forward only, and never change once released.
struct Migration: Sendable {
  /// The version it starts from; it ends at the next.
  var from: Int64
  /// Changes tables and rows inside the upgrade's transaction; views are no concern of it (`CatalogUpgrade`). New or changed
  /// rows need their checks: use `RowWriter`.
  var apply: @Sendable (Connection) throws -> Void

  /// All steps of this build.
  static let all: [Migration] = [Migration(from: 1, apply: toVersion2)]

  /// Version 2: standard errors count different sequences.
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
  }
}

/// A version of the schema: what an upgraded file must look like.
struct SchemaVersion: Sendable {
  var number: Int64
  /// The text of `schema.sql`.
  var text: String

  /// This build's.
  static var current: SchemaVersion { SchemaVersion(number: CatalogSchema.version, text: CatalogSchema.text) }
}
