/// The schema of a catalog: the embedded `schema.sql`.
public enum CatalogSchema {
  /// The schema version of this build, as in `PRAGMA user_version`.
  public static let version: Int64 = 2
  /// The mark of a catalog, as in `PRAGMA application_id`: "evod".
  static let applicationID: Int64 = 0x6576_6F64
  /// STRICT tables need SQLite 3.37.
  static let requiredSQLite: Int32 = 3_037_000

  /// The text of `schema.sql`.
  public static var text: String { String(decoding: PackageResources.schema_sql, as: UTF8.self) }

  /// SHA-256 of the text. Until 0.1.0 it recognises files of other development builds.
  static let digest = SHA256.digest(of: PackageResources.schema_sql)
}
