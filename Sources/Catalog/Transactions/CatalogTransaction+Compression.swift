extension CatalogTransaction {
  /// Stores a method, or finds it.
  public func store(method: MethodRecord) throws -> MethodRecord {
    var method = method
    method.id = try intern(.method, method.digest, method.values)
    return method
  }

  /// All methods in the order of their first use.
  public func methods() throws -> [MethodRecord] { try records("ORDER BY id") }

  /// The realisation of a statistic that this machine's numerics made, else the one with the smallest content key.
  public func statistic(recipeKey: Digest, preferring numericsID: Int64) throws -> StatisticRecord? {
    let found: [StatisticRecord] = try records(
      "WHERE recipe_key = ? ORDER BY numerics_id <> ?, content_key LIMIT 1",
      [.digest(recipeKey), .integer(numericsID)])
    return try found.first.map { record in
      var record = record
      func here(_ id: Int64?) throws -> Int64? { try id.flatMap { try isHere(blob: $0) ? $0 : nil } }
      record.diagonalBlobID = try here(record.diagonalBlobID)
      // A matrix with other bytes than were accumulated is none.
      record.matrixBlobID = try here(record.matrixBlobID)
        .flatMap { try digest(ofBlob: $0) == record.contentKey ? $0 : nil }
      return record
    }
  }

  /// Stores a statistic with what is to be kept of it. One that is there gains a matrix or a diagonal it lacked.
  ///
  /// - Parameters:
  ///   - diagonal: float32 bytes [width], or nil.
  ///   - matrix: float32 bytes of the lower triangle, or nil.
  @discardableResult
  public func store(statistic record: StatisticRecord, diagonal: [UInt8]?, matrix: [UInt8]?) throws -> Int64 {
    let diagonalBlob = try diagonal.map { try store(blob: $0) }
    let matrixBlob = try matrix.map { try store(blob: $0) }
    let known = try connection.integer(
      "SELECT id FROM statistic WHERE recipe_key = ? AND content_key = ?",
      [.digest(record.recipeKey), .digest(record.contentKey)])
    if let known {
      var changes: [String: SQLValue] = [:]
      if let diagonalBlob { changes["diagonal_blob_id"] = .integer(diagonalBlob) }
      if let matrixBlob { changes["matrix_blob_id"] = .integer(matrixBlob) }
      if !changes.isEmpty { try rows.update(.statistic, id: known, changes) }
      return known
    }
    var record = record
    (record.diagonalBlobID, record.matrixBlobID) = (diagonalBlob, matrixBlob)
    return try rows.insert(.statistic, record.values)
  }

  /// The streams of a calibration that was stopped, float32 bytes, by the recipe key of the statistic they lead to.
  public func calibrationStream(recipeKey: Digest, numericsID: Int64) throws -> [UInt8]? {
    let blobID = try connection.integer(
      "SELECT blob_id FROM calibration_stream WHERE recipe_key = ? AND numerics_id = ?",
      [.digest(recipeKey), .integer(numericsID)])
    return try blobID.map { try blob($0) }
  }

  /// Keeps the streams of a calibration in place of all kept before.
  public func store(calibrationStream bytes: [UInt8], recipeKey: Digest, numericsID: Int64) throws {
    try dropCalibrationStreams()
    try rows.insert(
      .calibrationStream,
      [
        "recipe_key": .digest(recipeKey), "numerics_id": .integer(numericsID),
        "blob_id": .integer(try store(blob: bytes)),
      ])
  }

  /// Forgets kept streams: their calibration is done, or others take their place.
  public func dropCalibrationStreams() throws {
    let blobIDs = try connection.integers("SELECT blob_id FROM calibration_stream")
    guard !blobIDs.isEmpty else { return }
    try connection.run("DELETE FROM calibration_stream")
    for id in blobIDs { try connection.run("DELETE FROM blob WHERE id = ?", [.integer(id)]) }
  }

  /// Stores a variant with its packed bytes, or finds it.
  public func store(variant: VariantRecord, packed: [UInt8]) throws -> VariantRecord {
    var variant = variant
    let known = try connection.firstRow(
      "SELECT id, blob_id FROM variant WHERE recipe_key = ? AND content_key = ?",
      [.digest(variant.recipeKey), .digest(variant.contentKey)]
    ) { (id: $0.integer("id"), blobID: $0.integer("blob_id")) }
    if let known {
      (variant.id, variant.blobID) = known
      // A pack of results brought the row without its weights, or the row of a damaged file points to others' weights.
      let isRight = try digest(ofBlob: known.blobID) == variant.contentKey
      if try !isRight || !isHere(blob: known.blobID), !packed.isEmpty {
        variant.blobID = try store(blob: packed)
        if !isRight { try rows.update(.variant, id: variant.id, ["blob_id": .integer(variant.blobID)]) }
      }
      return variant
    }
    variant.blobID = try store(blob: packed)
    variant.id = try rows.insert(.variant, variant.values)
    return variant
  }

  /// The realisation of a variant recipe with most observations, ties by content key; nil if it was never built, or its
  /// weights are not in this file. A row that points to other weights than its content key names does not count as built.
  public func variant(recipeKey: Digest) throws -> VariantRecord? {
    let ids = try connection.integers(
      """
      SELECT v.id FROM variant v JOIN blob b ON b.id = v.blob_id
      WHERE v.recipe_key = ? AND b.digest = v.content_key AND (b.chunk_count > 0 OR b.byte_count = 0)
      ORDER BY v.content_key
      """, [.digest(recipeKey)])
    return try mostObserved(ids).map { try variant(id: $0) }
  }

  /// All variants of a dense weight whose packed bytes are here, per (method, level, calibration) the realisation with
  /// most observations.
  public func variants(ofWeight weightID: Int64) throws -> [VariantRecord] {
    var recipes: [Digest: [Int64]] = [:]
    var order: [Digest] = []
    try connection.forEachRow(
      """
      SELECT v.recipe_key, v.id FROM variant v JOIN blob b ON b.id = v.blob_id
      WHERE v.weight_id = ? AND b.digest = v.content_key AND (b.chunk_count > 0 OR b.byte_count = 0) ORDER BY v.id
      """, [.integer(weightID)]
    ) { row in
      let key: Digest = try row.value("recipe_key")
      if recipes[key] == nil { order.append(key) }
      recipes[key, default: []].append(row.integer("id"))
    }
    return try order.compactMap { key in try mostObserved(recipes[key] ?? []).map { try variant(id: $0) } }
  }

  /// Put together once: a search asks for every variant.
  private static let variantQuery = """
    SELECT \(VariantRecord.columns(of: "v")), s.sequence_list_id, s.upstream_method_id, s.upstream_level
    FROM variant v LEFT JOIN statistic s ON s.id = v.statistic_id WHERE v.id = ?
    """

  /// A variant by its local id.
  ///
  /// - Throws: `CatalogError.damaged` if there is none.
  public func variant(id: Int64) throws -> VariantRecord {
    let variant = try connection.firstRow(Self.variantQuery, [.integer(id)]) { row in
      var variant = try VariantRecord(row)
      let sequenceListID: Int64? = try row.value("sequence_list_id")
      variant.calibration = try sequenceListID.map {
        VariantRecord.Calibration(
          sequenceListID: $0, upstreamMethodID: try row.value("upstream_method_id"),
          upstreamLevel: try row.value("upstream_level"))
      }
      return variant
    }
    guard let variant else { throw CatalogError.damaged("variant \(id) is missing") }
    return variant
  }

  /// The packed bytes of a variant, which are those that its content key names.
  ///
  /// - Throws: `CatalogError.damaged` naming the variant, `.notFound` if its bytes were left out of the file.
  public func packedWeights(of variant: VariantRecord) throws -> [UInt8] {
    guard try digest(ofBlob: variant.blobID) == variant.contentKey else {
      throw CatalogError.damaged("\(try words(variant)) does not have the packed bytes that its content key names")
    }
    return try blob(variant.blobID)
  }

  /// The variant as people know it: `variant 17: model.layers.3.mlp.up_proj at bits=3 by gptq`.
  public func words(_ variant: VariantRecord) throws -> String {
    RowWords(connection: connection).words("variant", key: [("id", .integer(variant.id))])
  }

  /// Of several realisations the one whose assignments have most observations. Nearly always there is only one, and
  /// nothing is counted.
  private func mostObserved(_ ids: [Int64]) throws -> Int64? {
    guard ids.count > 1 else { return ids.first }
    let counted = try ids.map { id in
      let count = try connection.integer(
        """
        SELECT count(*) FROM evaluation e JOIN assignment a ON a.id = e.assignment_id
        WHERE EXISTS (SELECT 1 FROM json_each(a.variant_ids) j WHERE j.value = ?)
        """, [.integer(id)])
      return (id: id, count: count ?? 0, key: try variant(id: id).contentKey)
    }
    return counted.min { ($1.count, $0.key) < ($0.count, $1.key) }?.id
  }
}
