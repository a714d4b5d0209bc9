import Foundation

extension CatalogTransaction {
  /// Stores a model with its tensors, sites and layers, or finds it. A new name or folder replaces the old one.
  ///
  /// - Throws: `CatalogError.nameTaken` if another model has the name.
  public func store(
    model: ModelRecord, source: ModelSource, tensors: [TensorRecord], sites: [SiteRecord], layers: [LayerRecord]
  ) throws -> ModelRecord {
    try CatalogName.require(model.name, of: "model")
    if let other = try connection.firstRow(
      "SELECT digest FROM model WHERE name = ?", [.text(model.name)], { try $0.digest(0) }), other != model.digest
    {
      throw CatalogError.nameTaken("another model is called \(model.name); choose a name with --name")
    }
    let isNew = try id(of: model.digest, in: .model) == nil
    var model = model
    model.id = try intern(
      .model, model.digest,
      [
        "name": .text(model.name), "architecture": .text(model.architecture),
        "architecture_revision": .integer(model.architectureRevision), "configuration": .text(model.configuration),
        "block_count": .integer(model.blockCount), "parameter_count": .integer(model.parameterCount),
        "compressible_weight_count": .integer(model.compressibleWeightCount),
      ])
    try rows.update(.model, id: model.id, ["name": .text(model.name)])
    try connection.run("DELETE FROM model_source WHERE model_id = ?", [.integer(model.id)])
    try rows.insert(
      .modelSource,
      [
        "model_id": .integer(model.id), "folder": .text(source.folder), "fingerprint": .text(source.fingerprint),
        "tokenizer_digest": .digest(source.tokenizerDigest), "imported_at": .text(Timestamp.now()),
      ])
    guard isNew else { return model }
    for tensor in tensors {
      try rows.insert(
        .tensor,
        [
          "model_id": .integer(model.id), "name": .text(tensor.name), "dtype": .text(tensor.dtype),
          "shape": .text(tensor.shapeText),
          "digest": .digest(tensor.digest),
        ])
    }
    var siteIDs: [String: Int64] = [:]
    for site in sites {
      siteIDs[site.name] = try rows.insert(
        .site,
        [
          "model_id": .integer(model.id), "name": .text(site.name), "block_index": .integer(site.blockIndex),
          "width": .integer(site.width),
        ])
    }
    for layer in layers {
      let weightID = try intern(
        .weight, layer.weightDigest,
        [
          "output_count": .integer(layer.outputCount), "input_count": .integer(layer.inputCount),
          "dense_bits": .integer(layer.denseBits),
        ])
      try rows.insert(
        .layer,
        [
          "model_id": .integer(model.id), "layer_index": .integer(layer.index), "name": .text(layer.name),
          "block_index": .integer(layer.blockIndex), "subblock": .text(layer.subblock), "role": .text(layer.role),
          "site_id": .integer(siteIDs[layer.siteName]), "weight_id": .integer(weightID),
        ])
    }
    return model
  }

  /// The model called `name`, or whose digest starts with it; with nil, the only model of the catalog.
  ///
  /// - Throws: `CatalogError.notFound` if there is none, or several.
  public func model(_ name: String?) throws -> ModelRecord {
    let models = try self.models()
    if let name {
      let found = models.filter { $0.name == name }
      if let model = found.first { return model }
      return try Self.only(
        models.filter { $0.digest.hex.hasPrefix(name) && name.count >= 8 }, "model", name, models.map(\.name))
    }
    guard !models.isEmpty else {
      throw CatalogError.notFound("the catalog holds no model; add one with: evodb import FILE MODEL_DIR")
    }
    guard models.count == 1 else {
      throw CatalogError.notFound(
        "the catalog holds several models; choose with --model: \(models.map(\.name).joined(separator: ", "))")
    }
    return models[0]
  }

  /// All models in the order of their import.
  public func models() throws -> [ModelRecord] {
    var result: [ModelRecord] = []
    try connection.forEachRow(
      """
      SELECT id, digest, name, architecture, architecture_revision, configuration, block_count, parameter_count,
        compressible_weight_count FROM model ORDER BY id
      """
    ) { row in
      var model = ModelRecord(
        digest: try row.digest(1), name: row.text(2), architecture: row.text(3),
        architectureRevision: Int(row.integer(4)), configuration: row.text(5), blockCount: Int(row.integer(6)),
        parameterCount: Int(row.integer(7)), compressibleWeightCount: Int(row.integer(8)))
      model.id = row.integer(0)
      result.append(model)
    }
    return result
  }

  /// Where the model's files lie.
  public func source(ofModel modelID: Int64) throws -> ModelSource {
    let source = try connection.firstRow(
      "SELECT folder, fingerprint, tokenizer_digest FROM model_source WHERE model_id = ?", [.integer(modelID)]
    ) { row in
      ModelSource(
        folder: row.text(0), fingerprint: row.text(1), tokenizerDigest: row.isNull(2) ? nil : try row.digest(2))
    }
    guard let source else {
      throw CatalogError.notFound("the catalog does not know where the model's files lie; import it again")
    }
    return source
  }

  /// Notes in which state the model's weight files were when their bytes were last looked at.
  public func note(fingerprint: String, ofModel modelID: Int64) throws {
    let row = try connection.firstRow(
      "SELECT folder, tokenizer_digest, imported_at FROM model_source WHERE model_id = ?", [.integer(modelID)],
      { $0.values })
    guard let row else { return }
    try connection.run("DELETE FROM model_source WHERE model_id = ?", [.integer(modelID)])
    try rows.insert(
      .modelSource,
      [
        "model_id": .integer(modelID), "folder": row[0], "fingerprint": .text(fingerprint), "tokenizer_digest": row[1],
        "imported_at": row[2],
      ])
  }

  /// The tensors of a model, by name.
  public func tensors(ofModel modelID: Int64) throws -> [TensorRecord] {
    var result: [TensorRecord] = []
    try connection.forEachRow(
      "SELECT name, dtype, shape, digest FROM tensor WHERE model_id = ? ORDER BY name", [.integer(modelID)]
    ) { row in
      guard let shape = TensorRecord.shape(of: row.text(2)) else {
        throw CatalogError.damaged("tensor \(row.text(0)): its shape is no list of integers")
      }
      result.append(TensorRecord(name: row.text(0), dtype: row.text(1), shape: shape, digest: try row.digest(3)))
    }
    return result
  }

  /// The layers of a model by index.
  public func layers(ofModel modelID: Int64) throws -> [LayerRecord] {
    var result: [LayerRecord] = []
    try connection.forEachRow(
      """
      SELECT l.id, l.layer_index, l.name, l.block_index, l.subblock, l.role, s.name, w.id, w.digest, w.output_count,
        w.input_count, w.dense_bits
      FROM layer l JOIN site s ON s.id = l.site_id JOIN weight w ON w.id = l.weight_id
      WHERE l.model_id = ? ORDER BY l.layer_index
      """, [.integer(modelID)]
    ) { row in
      var layer = LayerRecord(
        index: Int(row.integer(1)), name: row.text(2), blockIndex: Int(row.integer(3)), subblock: row.text(4),
        role: row.text(5), siteName: row.text(6), weightDigest: try row.digest(8), outputCount: Int(row.integer(9)),
        inputCount: Int(row.integer(10)), denseBits: Int(row.integer(11)))
      layer.id = row.integer(0)
      layer.weightID = row.integer(7)
      result.append(layer)
    }
    return result
  }

  /// The input sites of a model, by block and name.
  public func sites(ofModel modelID: Int64) throws -> [SiteRecord] {
    var result: [SiteRecord] = []
    try connection.forEachRow(
      "SELECT id, name, block_index, width FROM site WHERE model_id = ? ORDER BY id", [.integer(modelID)]
    ) { row in
      var site = SiteRecord(name: row.text(1), blockIndex: Int(row.integer(2)), width: Int(row.integer(3)))
      site.id = row.integer(0)
      result.append(site)
    }
    return result
  }

  /// The single element of `found`.
  static func only<T>(_ found: [T], _ kind: String, _ name: String, _ known: [String]) throws -> T {
    guard let first = found.first else {
      let list = known.isEmpty ? "there is none" : "known: \(known.prefix(20).joined(separator: ", "))"
      throw CatalogError.notFound("no \(kind) called \(name); \(list)")
    }
    guard found.count == 1 else {
      throw CatalogError.notFound("\(name) fits \(found.count) \(kind)s; give more digits")
    }
    return first
  }
}
