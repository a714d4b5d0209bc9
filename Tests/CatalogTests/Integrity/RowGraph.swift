@testable import Catalog

/// All rows of a small catalog and which rows need which, told by the schema and the rules of docs/care.md.
struct RowGraph {
  private(set) var rows: [String: [[SQLValue]]] = [:]
  private let shapes: [TableDescription]

  static let leftOut: Set<String> = [
    "catalog_property", "calibration_stream", "teacher_state", "set_fitness", "blob_chunk",
  ]
  /// Rows that are lost with any of these.
  private static let wholes = [
    "tensor": "model", "site": "model", "layer": "model", "sequence_list_item": "sequence_list", "task_choice": "task",
    "space_unit": "space", "space_level": "space", "space_member": "space",
  ]
  private static let ofGenerations: Set = ["candidate", "stage", "stage_result"]
  private static let dispensable: Set = [
    "job.run_id", "run.origin_run_id", "run.start_assignment_id", "run.found_assignment_id", "variant.blob_id",
    "statistic.diagonal_blob_id", "statistic.matrix_blob_id", "observation.job_id", "generation.job_id",
  ]

  init(_ folder: CatalogFolder) throws {
    shapes = TableDescription.all.filter { !Self.leftOut.contains($0.name) }
    for shape in shapes {
      rows[shape.name] = try folder.rows(
        "SELECT \(shape.columns.map(\.name).joined(separator: ", ")) FROM \(shape.name)")
    }
  }

  static func key(_ row: [SQLValue], _ table: String) -> String {
    TableDescription.named(table).order.map { "\(row[$0])" }.joined(separator: "/")
  }

  /// Whether a row with this key is there: a run may be open again, a statistic without its diagonal.
  func has(_ row: [SQLValue], in table: String) -> Bool {
    let key = Self.key(row, table)
    return (rows[table] ?? []).contains { Self.key($0, table) == key }
  }

  /// Keys of the row and of everything that cannot be without it, by table.
  func standing(on row: [SQLValue], of table: String) -> [String: Set<String>] {
    var lost: [String: Set<String>] = [table: [Self.key(row, table)]]
    func isLost(_ row: [SQLValue], _ shape: TableDescription) -> Bool {
      lost[shape.name]?.contains(Self.key(row, shape.name)) == true
    }
    var isGrowing = true
    func lose(_ key: String, _ table: String) {
      if lost[table, default: []].insert(key).inserted { isGrowing = true }
    }
    func part(_ row: [SQLValue]) -> String { "\(row[0])/\(row[1])" }
    while isGrowing {
      isGrowing = false
      for shape in shapes {
        for row in rows[shape.name] ?? [] {
          for (place, column) in shape.columns.enumerated() {
            guard let parent = column.parent, !Self.dispensable.contains("\(shape.name).\(column.name)") else {
              continue
            }
            if lost[parent]?.contains("\(row[place])") == true { lose(Self.key(row, shape.name), shape.name) }
            // A whole goes with its part.
            if Self.wholes[shape.name] == parent, isLost(row, shape) { lose("\(row[place])", parent) }
          }
          if Self.ofGenerations.contains(shape.name) {
            if isLost(row, shape) { lose(part(row), "generation") }
            if lost["generation"]?.contains(part(row)) == true { lose(Self.key(row, shape.name), shape.name) }
          }
          if shape.name == "generation", case .integer(let index) = row[1], index > 0,
            lost["generation"]?.contains("\(row[0])/\(SQLValue.integer(index - 1))") == true
          {
            lose(part(row), "generation")
          }
          if shape.name == "assignment", case .text(let list) = row[4] {
            for id in list.split(whereSeparator: { !$0.isNumber }).compactMap({ Int64($0) })
            where lost["variant"]?.contains("\(SQLValue.integer(id))") == true {
              lose(Self.key(row, shape.name), shape.name)
            }
          }
        }
        if shape.name == "weight" {
          for row in rows["weight"] ?? [] {
            let layers = (rows["layer"] ?? []).filter { $0[8] == row[0] }
            if let layer = shapes.first(where: { $0.name == "layer" }), layers.allSatisfy({ isLost($0, layer) }) {
              lose(Self.key(row, "weight"), "weight")
            }
          }
        }
      }
    }
    return lost
  }
}
