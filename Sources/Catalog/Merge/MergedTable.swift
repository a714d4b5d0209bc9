/// How the rows of a table are merged: which columns say the same in every file, found from `SharedTable`.
///
/// A new shared table joins by being listed there: its columns that the listed query names are compared, the others are
/// the file's own business and come along with a row that is new.
struct MergedTable {
  let shape: TableShape
  /// Positions of the columns that are compared between files, beside the identity.
  let shared: [Int]
  /// Positions of the columns of the generations of a run; nil: rows that do not belong to a generation.
  let generationKey: (run: Int, generation: Int)?

  /// Tables whose rows follow from others' digests, and what happened where.
  private static let implied: Set = ["job", "space_unit", "space_level", "space_member"]
  /// Tables that `BlobMerger` and `RunMerger` see to.
  static let special: Set = ["blob", "blob_chunk", "run"]

  /// nil: a table that never leaves its file.
  init?(_ shape: TableShape) {
    let listed = (SharedTable.contents + SharedTable.provenance).first { $0.name == shape.name }
    guard listed != nil || Self.implied.contains(shape.name) else { return nil }
    self.shape = shape
    let words = listed.map { table in
      Set(table.sql.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init))
    }
    shared = shape.columns.indices.filter { position in
      let name = shape.columns[position].name
      return name != "id" && !shape.identity.contains(position) && (words?.contains(name) ?? true)
    }
    if shape.name != "run", let run = shape.position(of: "run_id"),
      let generation = shape.position(of: "generation_index"), shape.identity.contains(run)
    {
      generationKey = (run, generation)
    } else {
      generationKey = nil
    }
  }

  /// All tables that are merged row by row, parents first.
  static func all(of schema: SchemaShape) -> [MergedTable] {
    schema.tables.filter { !special.contains($0.name) }.compactMap { MergedTable($0) }
  }
}
