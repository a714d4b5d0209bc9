extension RowKeys {
  /// A weight's key is made from the tensor of the layer that has it.
  func checkWeights(_ report: Report) throws {
    var seen: Set<Int64> = []
    try connection.forEachRow(
      """
      SELECT w.id, w.digest, w.output_count, w.input_count, w.dense_bits, l.name, t.dtype, t.shape,
        t.digest AS tensor_digest
      FROM layer l JOIN weight w ON w.id = l.weight_id
      LEFT JOIN tensor t ON t.model_id = l.model_id AND t.name = l.name || '.weight'
      """
    ) { row in
      let (id, name, dtype) = (row.integer("id"), row.text("name"), row.text("dtype"))
      seen.insert(id)
      func defect(_ detail: String) throws {
        try report(RowDefect(table: "weight", row: name, detail: detail, key: [.integer(id)]))
      }
      guard let shape = TensorRecord.shape(of: row.text("shape")),
        let digest = Digest(bytes: row.bytes("tensor_digest"))
      else { return try defect("its tensor is missing or has no shape") }
      let tensor = TensorRecord(name: name, dtype: dtype, shape: shape, digest: digest)
      try compare(row.bytes("digest"), ArtefactKey.weight(tensor), "weight", id, report, name: name)
      let bits = ["BF16": 16, "F16": 16, "F32": 32][dtype]
      if shape.map(Int64.init) != [row.integer("output_count"), row.integer("input_count")]
        || (bits.map { $0 != row.integer("dense_bits") } ?? false)
      {
        try defect("its size is not that of its tensor")
      }
    }
    try connection.forEachRow("SELECT id, digest FROM weight") { row in
      let id = row.integer("id")
      if !seen.contains(id) {
        try report(
          RowDefect(table: "weight", row: short(row.bytes("digest")), detail: "no layer has it", key: [.integer(id)]))
      }
    }
  }

  func checkModels(_ report: Report) throws {
    try connection.forEachRow("SELECT \(ModelRecord.columns) FROM model") { row in
      let (id, name, blockCount) = (row.integer("id"), row.text("name"), row.integer("block_count"))
      func defect(_ detail: String) throws {
        try report(RowDefect(table: "model", row: name, detail: detail, key: [.integer(id)]))
      }
      var tensors: [TensorRecord] = []
      var parameters: Int64? = 0
      try connection.forEachRow(
        "SELECT \(TensorRecord.columns) FROM tensor WHERE model_id = ?", [.integer(id)]
      ) { row in
        guard TensorRecord.shape(of: row.text("shape")) != nil else { return parameters = nil }
        let tensor = try TensorRecord(row)
        tensors.append(tensor)
        parameters = parameters.flatMap { sum in
          Self.product(tensor.shape.map(Int64.init)).flatMap { Self.sum(sum, $0) }
        }
      }
      guard let fields = ArtefactKey.configuration(json: row.text("configuration")) else {
        return try defect("its configuration is not a plain JSON object")
      }
      let key = ArtefactKey.model(configuration: fields, tensors: tensors)
      try compare(row.bytes("digest"), key, "model", id, report, name: name)
      var weights: Int64? = 0
      try connection.forEachRow(
        """
        SELECT w.output_count, w.input_count, l.block_index FROM layer l JOIN weight w ON w.id = l.weight_id
        WHERE l.model_id = ?
        """, [.integer(id)]
      ) { layer in
        weights = weights.flatMap { sum in
          Self.product([layer.integer("output_count"), layer.integer("input_count")]).flatMap { Self.sum(sum, $0) }
        }
        if !(0..<max(0, blockCount)).contains(layer.integer("block_index")) { weights = nil }
      }
      if parameters != row.integer("parameter_count") || weights != row.integer("compressible_weight_count") {
        try defect("its counts are not those of its tensors and layers")
      }
      try checkLayers(ofModel: id, defect)
    }
  }

  /// The layers of a model are numbered from 0, and each is measured at a site of its block that is as wide as its input
  /// and that no layer of the other subblock shares.
  private func checkLayers(ofModel id: Int64, _ defect: (String) throws -> Void) throws {
    var next: Int64 = 0
    var isWhole = true
    var subblocks: [Int64: String] = [:]
    var misplaced: String?
    try connection.forEachRow(
      """
      SELECT l.layer_index, l.name, l.subblock, s.id AS site_id,
        l.block_index = s.block_index AND w.input_count = s.width AS fits
      FROM layer l JOIN site s ON s.id = l.site_id AND s.model_id = l.model_id JOIN weight w ON w.id = l.weight_id
      WHERE l.model_id = ? ORDER BY l.layer_index
      """, [.integer(id)]
    ) { row in
      isWhole = isWhole && row.integer("layer_index") == next
      next += 1
      let (site, own) = (row.integer("site_id"), row.text("subblock"))
      let subblock = subblocks[site] ?? own
      subblocks[site] = subblock
      if row.integer("fits") != 1 || subblock != own { misplaced = misplaced ?? row.text("name") }
    }
    let count = try connection.integer("SELECT count(*) FROM layer WHERE model_id = ?", [.integer(id)])
    if !isWhole || count != next {
      try defect("its layers are not numbered from 0, or lack their site")
    } else if let misplaced {
      try defect("the site of \(misplaced) is not that of its input")
    }
  }

  func checkSequences(_ report: Report) throws {
    try connection.forEachRow("SELECT id, digest, token_count, token_ids FROM sequence") { row in
      let (id, digest, count) = (row.integer("id"), row.bytes("digest"), row.integer("token_count"))
      let bytes = row.bytes("token_ids")
      let ids = SequenceRecord.tokenIDs(bytes)
      if bytes.count % 4 != 0 || Int64(ids.count) != count || ids.contains(where: { $0 < 0 }) {
        let detail = "its token ids are not \(count) numbers of at least 0"
        try report(RowDefect(table: "sequence", row: short(digest), detail: detail, key: [.integer(id)]))
      } else {
        try compare(digest, SequenceRecord.digest(of: ids), "sequence", id, report)
      }
    }
  }

  func checkSequenceLists(_ report: Report) throws {
    try connection.forEachRow(
      "SELECT id, digest, sequence_count, token_count, prediction_count FROM sequence_list"
    ) { row in
      let (id, digest) = (row.integer("id"), row.bytes("digest"))
      var digests: [Digest] = []
      var tokens: Int64? = 0
      var isGapless = true
      try connection.forEachRow(
        """
        SELECT i.position, s.digest, s.token_count FROM sequence_list_item i JOIN sequence s ON s.id = i.sequence_id
        WHERE i.sequence_list_id = ? ORDER BY i.position
        """, [.integer(id)]
      ) { item in
        isGapless = isGapless && item.integer("position") == Int64(digests.count)
        digests.append(try item.value("digest"))
        tokens = tokens.flatMap { Self.sum($0, item.integer("token_count")) }
      }
      let count = Int64(digests.count)
      if !isGapless || count != row.integer("sequence_count") || tokens != row.integer("token_count")
        || tokens.flatMap({ Self.sum($0, -count) }) != row.integer("prediction_count")
      {
        let detail = "its counts are not those of its items"
        try report(RowDefect(table: "sequence_list", row: short(digest), detail: detail, key: [.integer(id)]))
      } else {
        try compare(digest, SequenceListRecord.digest(of: digests), "sequence_list", id, report)
      }
    }
  }

  func checkTasks(_ report: Report) throws {
    try connection.forEachRow("SELECT id, digest, item_count FROM task") { row in
      let (id, digest) = (row.integer("id"), row.bytes("digest"))
      var items: [[TaskRecord.KeyedChoice]] = []
      var isGapless = true
      try connection.forEachRow(
        """
        SELECT c.item_index, c.choice_index, s.digest AS sequence, m.digest AS measure, c.is_answer,
          c.character_count, c.byte_count
        FROM task_choice c JOIN sequence s ON s.id = c.sequence_id JOIN measure m ON m.id = c.measure_id
        WHERE c.task_id = ? ORDER BY c.item_index, c.choice_index
        """, [.integer(id)]
      ) { choice in
        let (item, index) = (choice.integer("item_index"), choice.integer("choice_index"))
        if item == Int64(items.count), index == 0 { items.append([]) }
        guard item == Int64(items.count) - 1, index == items.last.map({ Int64($0.count) }) else {
          isGapless = false
          return
        }
        items[items.count - 1].append(
          TaskRecord.KeyedChoice(
            sequence: try choice.value("sequence"), measure: try choice.value("measure"),
            isAnswer: try choice.value("is_answer"), characterCount: try choice.value("character_count"),
            byteCount: try choice.value("byte_count")))
      }
      if !isGapless || Int64(items.count) != row.integer("item_count") {
        let detail = "its choices are not numbered from 0"
        try report(RowDefect(table: "task", row: short(digest), detail: detail, key: [.integer(id)]))
      } else {
        try compare(digest, TaskRecord.digest(of: items), "task", id, report)
      }
    }
  }

  // MARK: Checked numbers

  static func product(_ factors: [Int64]) -> Int64? {
    factors.reduce(1) { product, factor in
      product.flatMap {
        let (value, overflow) = $0.multipliedReportingOverflow(by: factor)
        return overflow ? nil : value
      }
    }
  }

  static func sum(_ a: Int64, _ b: Int64) -> Int64? {
    let (value, overflow) = a.addingReportingOverflow(b)
    return overflow ? nil : value
  }
}
