import Foundation

/// Checks packed bytes, whose digest is right, as the weights of a layer of the given size. Returns the problem in
/// words, nil if there is none. The catalog itself does not know the format.
public typealias PackedWeightProblem = (_ packed: [UInt8], _ outputCount: Int, _ inputCount: Int) -> String?

extension RowKeys {
  func checkStatistics(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT t.id, t.recipe_key, t.content_key, t.kind, t.revision, m.architecture_revision, m.digest AS model,
        s.name AS site, s.width, l.digest AS sequence_list, u.digest AS upstream_method, t.upstream_level,
        x.digest AS matrix, d.byte_count AS diagonal_bytes
      FROM statistic t JOIN site s ON s.id = t.site_id JOIN model m ON m.id = s.model_id
      JOIN sequence_list l ON l.id = t.sequence_list_id LEFT JOIN method u ON u.id = t.upstream_method_id
      LEFT JOIN blob x ON x.id = t.matrix_blob_id LEFT JOIN blob d ON d.id = t.diagonal_blob_id
      """
    ) { row in
      let (id, site, width) = (row.integer("id"), row.text("site"), row.integer("width"))
      func defect(_ detail: String, without column: String) throws {
        try report(
          RowDefect(
            table: "statistic", row: "at \(site)", detail: detail, key: [.integer(id)], mend: [column: .null]))
      }
      let upstreamMethod: Digest? = try row.value("upstream_method")
      let key = ArtefactKey.statistic(
        kind: row.text("kind"), revision: row.integer("revision"),
        architectureRevision: row.integer("architecture_revision"), model: try row.value("model"), site: site,
        data: try row.value("sequence_list"), upstream: upstreamMethod.map { ($0, row.text("upstream_level")) })
      try compare(row.bytes("recipe_key"), key, "statistic", id, report, name: "at \(site)")
      if !row.isNull("matrix"), row.bytes("matrix") != row.bytes("content_key") {
        try defect("its matrix is not what its content key says", without: "matrix_blob_id")
      }
      if let bytes: Int64 = try row.value("diagonal_bytes"), Self.product([width, 4]) != bytes {
        try defect("its diagonal has \(bytes) bytes, not 4 for each of \(width) inputs", without: "diagonal_blob_id")
      }
    }
  }

  /// Holds what is kept twice against each other: a diagonal against its matrix, wherever the bytes of both are here.
  func checkDiagonals(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT t.id, s.name AS site, t.matrix_blob_id, t.diagonal_blob_id
      FROM statistic t JOIN site s ON s.id = t.site_id JOIN blob x ON x.id = t.matrix_blob_id
      JOIN blob d ON d.id = t.diagonal_blob_id WHERE x.chunk_count > 0 AND d.chunk_count > 0
      """
    ) { row in
      let diagonal = try bytes(ofBlob: row.integer("diagonal_blob_id"))
      var found: [UInt8] = []
      // Rows of a lower triangle, one after another: the last number of each.
      var (line, next, start) = (0, 0, 0)
      try connection.forEachRow(
        "SELECT bytes FROM blob_chunk WHERE blob_id = ? ORDER BY chunk_index",
        [.integer(row.integer("matrix_blob_id"))]
      ) { chunk in
        let piece = chunk.bytes("bytes")
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
            table: "statistic", row: "at \(row.text("site"))", detail: "its diagonal is not that of its matrix",
            key: [.integer(row.integer("id"))], mend: ["diagonal_blob_id": .null]))
      }
    }
  }

  /// Lets somebody who knows packed weights look at those that are here.
  func checkPackedWeights(_ problem: PackedWeightProblem, _ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT v.id, v.level, v.blob_id, w.output_count, w.input_count,
        (SELECT l.name FROM layer l WHERE l.weight_id = v.weight_id LIMIT 1) AS layer
      FROM variant v JOIN weight w ON w.id = v.weight_id JOIN blob b ON b.id = v.blob_id WHERE b.chunk_count > 0
      """
    ) { row in
      let packed = try bytes(ofBlob: row.integer("blob_id"))
      guard let detail = problem(packed, try row.value("output_count"), try row.value("input_count")) else { return }
      try report(
        RowDefect(
          table: "variant", row: "of \(row.text("layer")) at \(row.text("level"))",
          detail: "its packed bytes are no weights of its layer: \(detail)", key: [.integer(row.integer("id"))]))
    }
  }

  /// As they are stored; their digest is checked elsewhere.
  private func bytes(ofBlob id: Int64) throws -> [UInt8] {
    var result: [UInt8] = []
    try connection.forEachRow("SELECT bytes FROM blob_chunk WHERE blob_id = ? ORDER BY chunk_index", [.integer(id)]) {
      result += $0.bytes("bytes")
    }
    return result
  }

  func checkVariants(_ report: Report) throws {
    try connection.forEachRow(
      """
      SELECT v.id, (SELECT l.name FROM layer l WHERE l.weight_id = v.weight_id LIMIT 1) AS layer, v.level,
        w.digest AS weight, m.digest AS method, v.statistic_recipe_key, v.recipe_key, v.content_key, b.digest AS blob,
        t.recipe_key AS realised_recipe_key, b.byte_count, v.stored_bits, v.code_bits, v.dead_input_count
      FROM variant v JOIN weight w ON w.id = v.weight_id JOIN method m ON m.id = v.method_id
      JOIN blob b ON b.id = v.blob_id LEFT JOIN statistic t ON t.id = v.statistic_id
      """
    ) { row in
      let (id, level) = (row.integer("id"), row.text("level"))
      let name = "of \(row.text("layer")) at \(level)"
      func defect(_ detail: String) throws {
        try report(RowDefect(table: "variant", row: name, detail: detail, key: [.integer(id)]))
      }
      let key = ArtefactKey.variant(
        weight: try row.value("weight"), method: try row.value("method"), level: level,
        statistic: try row.value("statistic_recipe_key"))
      try compare(row.bytes("recipe_key"), key, "variant", id, report, name: name)
      if row.bytes("content_key") != row.bytes("blob") {
        try defect("its packed bytes are not what its content key says")
      }
      if !row.isNull("realised_recipe_key"), row.bytes("realised_recipe_key") != row.bytes("statistic_recipe_key") {
        try defect("it rests on a statistic of another recipe")
      }
      if Self.product([row.integer("byte_count"), 8]) != row.integer("stored_bits") || row.integer("code_bits") < 0
        || row.integer("dead_input_count") < 0
      {
        try defect("its sizes are not those of its packed bytes")
      }
    }
  }

  func checkAssignments(_ report: Report) throws {
    var variants: [Int64: VariantRecord] = [:]
    for variant: VariantRecord in try transaction.records() { variants[variant.id] = variant }
    var methods: [Int64: Digest] = [:]
    try connection.forEachRow("SELECT id, digest FROM method") { methods[$0.integer("id")] = try $0.value("digest") }
    var models: [Int64: (key: AssignmentKey, layers: [LayerRecord])] = [:]
    for model in try transaction.models() {
      let layers = try transaction.layers(ofModel: model.id)
      models[model.id] = (AssignmentKey(model: model.digest, layers: layers, methods: methods), layers)
    }
    let decoder = JSONDecoder()
    try connection.forEachRow(
      """
      SELECT id, digest, setting_digest, model_id, variant_ids, dropped_subblocks, code_bits, stored_bits FROM assignment
      """
    ) { row in
      let (rowID, digest) = (row.integer("id"), row.bytes("digest"))
      func wrong(_ detail: String) throws {
        try report(RowDefect(table: "assignment", row: short(digest), detail: detail, key: [.integer(rowID)]))
      }
      guard let model = models[row.integer("model_id")],
        let ids = try? decoder.decode([Int64?].self, from: Data(row.text("variant_ids").utf8)),
        let droppedList = try? decoder.decode([String].self, from: Data(row.text("dropped_subblocks").utf8)),
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
      let keys = model.key.digests(variants: chosen, dropped: dropped)
      if digest != keys.content.bytes || row.bytes("setting_digest") != keys.setting.bytes {
        try wrong("its key is not that of its content")
      } else if codeBits != row.integer("code_bits") || storedBits != row.integer("stored_bits")
        || droppedList != dropped.sorted()
      {
        try wrong("its sizes are not the sums of its layers'")
      }
    }
  }
}
