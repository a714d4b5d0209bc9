/// One step from a schema version to the next. Steps are numbered, go forward only, and never change once released.
struct Migration: Sendable {
  /// The version it starts from; it ends at the next.
  var from: Int64
  /// Changes tables and rows inside the upgrade's transaction. New or changed rows need their checks: use `RowWriter`.
  var apply: @Sendable (Connection) throws -> Void

  /// All steps of this build.
  static let all: [Migration] = []
}

/// A version of the schema: what an upgraded file must look like.
struct SchemaVersion: Sendable {
  var number: Int64
  /// The text of `schema.sql`.
  var text: String

  /// This build's.
  static var current: SchemaVersion { SchemaVersion(number: CatalogSchema.version, text: CatalogSchema.text) }
}
