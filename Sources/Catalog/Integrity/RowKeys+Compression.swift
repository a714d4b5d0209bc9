import Foundation

/// What is wrong with a variant's packed bytes, which have their digest, as the weights of a layer of this size; nil:
/// nothing. The catalog does not know the format.
public typealias PackedWeightProblem = (_ packed: [UInt8], _ outputCount: Int, _ inputCount: Int) -> String?

extension RowKeys {
  func checkStatistics(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT t.recipe_key, t.content_key, t.kind, t.revision, m.architecture_revision, m.digest, s.name, l.digest,
        u.digest, t.upstream_level, x.digest, x.byte_count, s.width, t.id, d.byte_count
      FROM statistic t JOIN site s ON s.id = t.site_id JOIN model m ON m.id = s.model_id
      JOIN sequence_list l ON l.id = t.sequence_list_id LEFT JOIN method u ON u.id = t.upstream_method_id
      LEFT JOIN blob x ON x.id = t.matrix_blob_id LEFT JOIN blob d ON d.id = t.diagonal_blob_id
      """
    ) { row in
      func defect(_ detail: String, without column: String) throws {
        try report(
          RowDefect(
            table: "statistic", row: "at \(row.text(6))", detail: detail, key: [.integer(row.integer(13))],
            mend: [column: .null]))
      }
      let upstream = row.isNull(8) ? nil : (method: try row.digest(8), level: row.text(9))
      let key = ArtefactKey.statistic(
        kind: row.text(2), revision: row.integer(3), architectureRevision: row.integer(4), model: try row.digest(5),
        site: row.text(6), data: try row.digest(7), upstream: upstream)
      try compare(row.bytes(0), key, "statistic", row.integer(13), report, name: "at \(row.text(6))")
      if !row.isNull(10), row.bytes(10) != row.bytes(1) {
        try defect("its matrix is not what its content key says", without: "matrix_blob_id")
      }
      if !row.isNull(14), Self.product([row.integer(12), 4]) != row.integer(14) {
        let detail = "its diagonal has \(row.integer(14)) bytes, not 4 for each of \(row.integer(12)) inputs"
        try defect(detail, without: "diagonal_blob_id")
      }
    }
  }

  /// Holds what is kept twice against each other: a diagonal against its matrix, wherever the bytes of both are here.
  func checkDiagonals(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT t.id, s.name, s.width, t.matrix_blob_id, t.diagonal_blob_id
      FROM statistic t JOIN site s ON s.id = t.site_id JOIN blob x ON x.id = t.matrix_blob_id
      JOIN blob d ON d.id = t.diagonal_blob_id WHERE x.chunk_count > 0 AND d.chunk_count > 0
      """
    ) { row in
      let diagonal = try bytes(ofBlob: row.integer(4))
      var found: [UInt8] = []
      // Rows of a lower triangle, one after another: the last number of each.
      var (line, next, start) = (0, 0, 0)
      try connection.forEachRow(
        "SELECT bytes FROM blob_chunk WHERE blob_id = ? ORDER BY chunk_index", [.integer(row.integer(3))]
      ) { chunk in
        let piece = chunk.bytes(0)
        // 4-byte numbers never lie across the border of two chunks, which are multiples of 4 bytes long.
        while next + 4 <= start + piece.count, found.count < diagonal.count {
          found += piece[next - start..<next - start + 4]
          line += 1
          next += 4 * (line + 1)
        }
        start += piece.count
      }
      if found != diagonal {
        try report(
          RowDefect(
            table: "statistic", row: "at \(row.text(1))", detail: "its diagonal is not that of its matrix",
            key: [.integer(row.integer(0))], mend: ["diagonal_blob_id": .null]))
      }
    }
  }

  /// Lets somebody who knows packed weights look at those that are here.
  func checkPackedWeights(_ problem: PackedWeightProblem, _ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT v.id, v.level, v.blob_id, w.output_count, w.input_count,
        (SELECT l.name FROM layer l WHERE l.weight_id = v.weight_id LIMIT 1)
      FROM variant v JOIN weight w ON w.id = v.weight_id JOIN blob b ON b.id = v.blob_id WHERE b.chunk_count > 0
      """
    ) { row in
      let packed = try bytes(ofBlob: row.integer(2))
      guard let detail = problem(packed, Int(row.integer(3)), Int(row.integer(4))) else { return }
      try report(
        RowDefect(
          table: "variant", row: "of \(row.text(5)) at \(row.text(1))",
          detail: "its packed bytes are no weights of its layer: \(detail)", key: [.integer(row.integer(0))]))
    }
  }

  /// As they are stored; their digest is checked elsewhere.
  private func bytes(ofBlob id: Int64) throws -> [UInt8] {
    var result: [UInt8] = []
    try connection.forEachRow("SELECT bytes FROM blob_chunk WHERE blob_id = ? ORDER BY chunk_index", [.integer(id)]) {
      result += $0.bytes(0)
    }
    return result
  }

  func checkVariants(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT v.recipe_key, v.content_key, w.digest, m.digest, v.level, v.statistic_recipe_key, b.digest, b.byte_count,
        v.stored_bits, v.code_bits, v.dead_input_count, t.recipe_key,
        (SELECT l.name FROM layer l WHERE l.weight_id = v.weight_id LIMIT 1), v.id
      FROM variant v JOIN weight w ON w.id = v.weight_id JOIN method m ON m.id = v.method_id
      JOIN blob b ON b.id = v.blob_id LEFT JOIN statistic t ON t.id = v.statistic_id
      """
    ) { row in
      let name = "of \(row.text(12)) at \(row.text(4))"
      func defect(_ detail: String) throws {
        try report(RowDefect(table: "variant", row: name, detail: detail, key: [.integer(row.integer(13))]))
      }
      let key = ArtefactKey.variant(
        weight: try row.digest(2), method: try row.digest(3), level: row.text(4),
        statistic: row.isNull(5) ? nil : try row.digest(5))
      try compare(row.bytes(0), key, "variant", row.integer(13), report, name: name)
      if row.bytes(1) != row.bytes(6) {
        try defect("its packed bytes are not what its content key says")
      }
      if !row.isNull(11), row.bytes(11) != row.bytes(5) {
        try defect("it rests on a statistic of another recipe")
      }
      if Self.product([row.integer(7), 8]) != row.integer(8) || row.integer(9) < 0 || row.integer(10) < 0 {
        try defect("its sizes are not those of its packed bytes")
      }
    }
  }

  func checkAssignments(_ report: Report) throws {
    let variants = try self.variants()
    var methods: [Int64: Digest] = [:]
    try connection.forEachRow("SELECT id, digest FROM method") { methods[$0.integer(0)] = try $0.digest(1) }
    var models: [Int64: (digest: Digest, layers: [LayerRecord])] = [:]
    for model in try transaction.models() {
      models[model.id] = (model.digest, try transaction.layers(ofModel: model.id))
    }
    let decoder = JSONDecoder()
    try connection.forEachRow(
      """
      SELECT digest, setting_digest, model_id, variant_ids, dropped_subblocks, code_bits, stored_bits, id FROM assignment
      """
    ) { row in
      func wrong(_ detail: String) throws {
        try report(
          RowDefect(
            table: "assignment", row: short(row.bytes(0)), detail: detail, key: [.integer(row.integer(7))]))
      }
      guard let model = models[row.integer(2)],
        let ids = try? decoder.decode([Int64?].self, from: Data(row.text(3).utf8)),
        let droppedList = try? decoder.decode([String].self, from: Data(row.text(4).utf8)),
        ids.count == model.layers.count
      else { return try wrong("its lists are not those of its model's layers") }
      let dropped = Set(droppedList)
      var chosen: [VariantRecord?] = []
      var codeBits: Int64? = 0
      var storedBits: Int64? = 0
      for (layer, id) in zip(model.layers, ids) {
        let isDropped = dropped.contains(layer.subblockName)
        guard let id else {
          chosen.append(nil)
          let bits = Self.product([Int64(layer.outputCount), Int64(layer.inputCount), Int64(layer.denseBits)])
          if !isDropped {
            codeBits = codeBits.flatMap { sum in bits.flatMap { Self.sum(sum, $0) } }
            storedBits = storedBits.flatMap { sum in bits.flatMap { Self.sum(sum, $0) } }
          }
          continue
        }
        guard let variant = variants[id], variant.weightID == layer.weightID, !isDropped else {
          return try wrong("\(layer.name) has a variant that is missing or another layer's")
        }
        chosen.append(variant)
        codeBits = codeBits.flatMap { Self.sum($0, variant.codeBits) }
        storedBits = storedBits.flatMap { Self.sum($0, variant.storedBits) }
      }
      let keys = AssignmentKey.digests(
        model: model.digest, layers: model.layers, variants: chosen, methods: methods, dropped: dropped)
      if row.bytes(0) != keys.content.bytes || row.bytes(1) != keys.setting.bytes {
        try wrong("its key is not that of its content")
      } else if codeBits != row.integer(5) || storedBits != row.integer(6) || droppedList != dropped.sorted() {
        try wrong("its sizes are not the sums of its layers'")
      }
    }
  }

  /// What assignments need of variants.
  private func variants() throws -> [Int64: VariantRecord] {
    var result: [Int64: VariantRecord] = [:]
    try connection.forEachRow(
      "SELECT id, recipe_key, content_key, weight_id, method_id, level, code_bits, stored_bits FROM variant"
    ) { row in
      result[row.integer(0)] = VariantRecord(
        recipeKey: try row.digest(1), contentKey: try row.digest(2), weightID: row.integer(3), methodID: row.integer(4),
        level: row.text(5), bits: nil, sparsity: nil, statisticRecipeKey: nil, statisticID: nil, nmse: nil,
        codeBits: row.integer(6), storedBits: row.integer(7), dampingUsed: nil, deadInputCount: 0, trouble: nil,
        numericsID: 0)
    }
    return result
  }
}
