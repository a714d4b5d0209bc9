extension RowKeys {
  /// A weight's key is made from the tensor of the layer that has it.
  func checkWeights(_ report: Report) throws {
    var seen: Set<Int64> = []
    try connection.forEachRow(
      """
      SELECT w.id, w.digest, w.output_count, w.input_count, w.dense_bits, l.name, t.dtype, t.shape, t.digest
      FROM layer l JOIN weight w ON w.id = l.weight_id
      LEFT JOIN tensor t ON t.model_id = l.model_id AND t.name = l.name || '.weight'
      """
    ) { row in
      seen.insert(row.integer(0))
      let name = row.text(5)
      func defect(_ detail: String) throws {
        try report(RowDefect(table: "weight", row: name, detail: detail, key: [.integer(row.integer(0))]))
      }
      guard let shape = TensorRecord.shape(of: row.text(7)), let bytes = Digest(bytes: row.bytes(8)) else {
        return try defect("its tensor is missing or has no shape")
      }
      let tensor = TensorRecord(name: name, dtype: row.text(6), shape: shape, digest: bytes)
      try compare(row.bytes(1), ArtefactKey.weight(tensor), "weight", row.integer(0), report, name: name)
      let bits = ["BF16": 16, "F16": 16, "F32": 32][row.text(6)]
      if shape.map(Int64.init) != [row.integer(2), row.integer(3)] || (bits.map { $0 != row.integer(4) } ?? false) {
        try defect("its size is not that of its tensor")
      }
    }
    try connection.forEachRow("SELECT id, digest FROM weight") { row in
      if !seen.contains(row.integer(0)) {
        try report(
          RowDefect(
            table: "weight", row: short(row.bytes(1)), detail: "no layer has it", key: [.integer(row.integer(0))]))
      }
    }
  }

  func checkModels(_ report: Report) throws {
    try connection.forEachRow(
      "SELECT id, digest, name, configuration, block_count, parameter_count, compressible_weight_count FROM model"
    ) { row in
      let name = row.text(2)
      func defect(_ detail: String) throws {
        try report(RowDefect(table: "model", row: name, detail: detail, key: [.integer(row.integer(0))]))
      }
      var tensors: [TensorRecord] = []
      var parameters: Int64? = 0
      try connection.forEachRow(
        "SELECT name, dtype, shape, digest FROM tensor WHERE model_id = ?", [.integer(row.integer(0))]
      ) { tensor in
        guard let shape = TensorRecord.shape(of: tensor.text(2)) else { return parameters = nil }
        tensors.append(
          TensorRecord(name: tensor.text(0), dtype: tensor.text(1), shape: shape, digest: try tensor.digest(3)))
        parameters = parameters.flatMap { sum in
          Self.product(shape.map(Int64.init)).flatMap { Self.sum(sum, $0) }
        }
      }
      guard let fields = ArtefactKey.configuration(json: row.text(3)) else {
        return try defect("its configuration is not a plain JSON object")
      }
      let key = ArtefactKey.model(configuration: fields, tensors: tensors)
      try compare(row.bytes(1), key, "model", row.integer(0), report, name: name)
      var weights: Int64? = 0
      try connection.forEachRow(
        """
        SELECT w.output_count, w.input_count, l.block_index FROM layer l JOIN weight w ON w.id = l.weight_id
        WHERE l.model_id = ?
        """, [.integer(row.integer(0))]
      ) { layer in
        weights = weights.flatMap { sum in
          Self.product([layer.integer(0), layer.integer(1)]).flatMap { Self.sum(sum, $0) }
        }
        if !(0..<max(0, row.integer(4))).contains(layer.integer(2)) { weights = nil }
      }
      if parameters != row.integer(5) || weights != row.integer(6) {
        try defect("its counts are not those of its tensors and layers")
      }
      try checkLayers(ofModel: row.integer(0), defect)
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
      SELECT l.layer_index, l.name, l.subblock, s.id, l.block_index = s.block_index AND w.input_count = s.width
      FROM layer l JOIN site s ON s.id = l.site_id AND s.model_id = l.model_id JOIN weight w ON w.id = l.weight_id
      WHERE l.model_id = ? ORDER BY l.layer_index
      """, [.integer(id)]
    ) { row in
      isWhole = isWhole && row.integer(0) == next
      next += 1
      let subblock = subblocks[row.integer(3)] ?? row.text(2)
      subblocks[row.integer(3)] = subblock
      if row.integer(4) != 1 || subblock != row.text(2) { misplaced = misplaced ?? row.text(1) }
    }
    let count = try connection.integer("SELECT count(*) FROM layer WHERE model_id = ?", [.integer(id)])
    if !isWhole || count != next {
      try defect("its layers are not numbered from 0, or lack their site")
    } else if let misplaced {
      try defect("the site of \(misplaced) is not that of its input")
    }
  }

  func checkSequences(_ report: Report) throws {
    try connection.forEachRow("SELECT digest, token_count, token_ids, id FROM sequence") { row in
      let bytes = row.bytes(2)
      let ids = bytes.withUnsafeBytes { buffer in
        (0..<buffer.count / 4).map { Int32(littleEndian: buffer.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self)) }
      }
      if bytes.count % 4 != 0 || Int64(ids.count) != row.integer(1) || ids.contains(where: { $0 < 0 }) {
        let detail = "its token ids are not \(row.integer(1)) numbers of at least 0"
        try report(
          RowDefect(table: "sequence", row: short(row.bytes(0)), detail: detail, key: [.integer(row.integer(3))]))
      } else {
        try compare(row.bytes(0), SequenceRecord.digest(of: ids), "sequence", row.integer(3), report)
      }
    }
  }

  func checkSequenceLists(_ report: Report) throws {
    try connection.forEachRow(
      "SELECT id, digest, sequence_count, token_count, prediction_count FROM sequence_list"
    ) { row in
      var digests: [Digest] = []
      var tokens: Int64? = 0
      var isGapless = true
      try connection.forEachRow(
        """
        SELECT i.position, s.digest, s.token_count FROM sequence_list_item i JOIN sequence s ON s.id = i.sequence_id
        WHERE i.sequence_list_id = ? ORDER BY i.position
        """, [.integer(row.integer(0))]
      ) { item in
        isGapless = isGapless && item.integer(0) == Int64(digests.count)
        digests.append(try item.digest(1))
        tokens = tokens.flatMap { Self.sum($0, item.integer(2)) }
      }
      let count = Int64(digests.count)
      if !isGapless || count != row.integer(2) || tokens != row.integer(3)
        || tokens.flatMap({ Self.sum($0, -count) }) != row.integer(4)
      {
        try report(
          RowDefect(
            table: "sequence_list", row: short(row.bytes(1)), detail: "its counts are not those of its items",
            key: [.integer(row.integer(0))]))
      } else {
        try compare(
          row.bytes(1), SequenceListRecord.digest(of: digests), "sequence_list", row.integer(0), report)
      }
    }
  }

  func checkTasks(_ report: Report) throws {
    try connection.forEachRow("SELECT id, digest, item_count FROM task") { row in
      var items: [[TaskRecord.KeyedChoice]] = []
      var isGapless = true
      try connection.forEachRow(
        """
        SELECT c.item_index, c.choice_index, s.digest, m.digest, c.is_answer, c.character_count, c.byte_count
        FROM task_choice c JOIN sequence s ON s.id = c.sequence_id JOIN measure m ON m.id = c.measure_id
        WHERE c.task_id = ? ORDER BY c.item_index, c.choice_index
        """, [.integer(row.integer(0))]
      ) { choice in
        if choice.integer(0) == Int64(items.count), choice.integer(1) == 0 { items.append([]) }
        guard choice.integer(0) == Int64(items.count) - 1, choice.integer(1) == Int64(items[items.count - 1].count)
        else {
          isGapless = false
          return
        }
        items[items.count - 1].append(
          TaskRecord.KeyedChoice(
            sequence: try choice.digest(2), measure: try choice.digest(3), isAnswer: choice.integer(4) != 0,
            characterCount: Int(choice.integer(5)), byteCount: Int(choice.integer(6))))
      }
      if !isGapless || Int64(items.count) != row.integer(2) {
        try report(
          RowDefect(
            table: "task", row: short(row.bytes(1)), detail: "its choices are not numbered from 0",
            key: [.integer(row.integer(0))]))
      } else {
        try compare(row.bytes(1), TaskRecord.digest(of: items), "task", row.integer(0), report)
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
