import Foundation

extension CatalogTransaction {
  /// Stores a model with its tensors, sites and layers, or finds it. A new name or folder replaces the old one.
  ///
  /// - Throws: `CatalogError.nameTaken` if another model has the name.
  public func store(
    model: ModelRecord, source: ModelSource, tensors: [TensorRecord], sites: [SiteRecord], layers: [LayerRecord]
  ) throws -> ModelRecord {
    try CatalogName.require(model.name, of: "model")
    let other = try connection.firstRow("SELECT digest FROM model WHERE name = ?", [.text(model.name)]) {
      try $0.value("digest") as Digest
    }
    if let other, other != model.digest {
      throw CatalogError.nameTaken("another model is called \(model.name)", remedy: .choose(.name, values: []))
    }
    let isNew = try id(of: model.digest, in: .model) == nil
    var model = model
    model.id = try intern(.model, model.digest, model.values)
    try rows.update(.model, id: model.id, ["name": .text(model.name)])
    try connection.run("DELETE FROM model_source WHERE model_id = ?", [.integer(model.id)])
    try insert(source, ofModel: model.id, importedAt: Timestamp.now())
    guard isNew else { return model }
    for tensor in tensors {
      try rows.insert(.tensor, tensor.values.merging(["model_id": .integer(model.id)]) { $1 })
    }
    var siteIDs: [String: Int64] = [:]
    for site in sites {
      siteIDs[site.name] = try rows.insert(.site, site.values.merging(["model_id": .integer(model.id)]) { $1 })
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
      throw CatalogError.notFound("the catalog holds no model", remedy: .importModel)
    }
    guard models.count == 1 else {
      throw CatalogError.notFound(
        "the catalog holds several models", remedy: .choose(.model, values: models.map(\.name)))
    }
    return models[0]
  }

  /// All models in the order of their import.
  public func models() throws -> [ModelRecord] { try records("ORDER BY id") }

  /// Where the model's files lie.
  public func source(ofModel modelID: Int64) throws -> ModelSource {
    let found: [ModelSource] = try records("WHERE model_id = ?", [.integer(modelID)])
    guard let source = found.first else {
      throw CatalogError.notFound("the catalog does not know where the model's files lie; import it again")
    }
    return source
  }

  /// Notes in which state the model's weight files were when their bytes were last looked at.
  public func note(fingerprint: String, ofModel modelID: Int64) throws {
    let known = try connection.firstRow(
      "SELECT \(ModelSource.columns), imported_at FROM model_source WHERE model_id = ?", [.integer(modelID)]
    ) { (source: try ModelSource($0), importedAt: $0.text("imported_at")) }
    guard case (var source, let importedAt)? = known else { return }
    source.fingerprint = fingerprint
    try connection.run("DELETE FROM model_source WHERE model_id = ?", [.integer(modelID)])
    try insert(source, ofModel: modelID, importedAt: importedAt)
  }

  private func insert(_ source: ModelSource, ofModel modelID: Int64, importedAt: String) throws {
    try rows.insert(
      .modelSource, source.values.merging(["model_id": .integer(modelID), "imported_at": .text(importedAt)]) { $1 })
  }

  /// The tensors of a model, by name.
  public func tensors(ofModel modelID: Int64) throws -> [TensorRecord] {
    try records("WHERE model_id = ? ORDER BY name", [.integer(modelID)])
  }

  /// The layers of a model by index.
  public func layers(ofModel modelID: Int64) throws -> [LayerRecord] {
    try connection.allRows(
      """
      SELECT l.id, l.layer_index, l.name, l.block_index, l.subblock, l.role, s.name AS site, l.weight_id,
        w.digest AS weight, w.output_count, w.input_count, w.dense_bits
      FROM layer l JOIN site s ON s.id = l.site_id JOIN weight w ON w.id = l.weight_id
      WHERE l.model_id = ? ORDER BY l.layer_index
      """, [.integer(modelID)]
    ) { row in
      var layer = LayerRecord(
        index: try row.value("layer_index"), name: row.text("name"), blockIndex: try row.value("block_index"),
        subblock: row.text("subblock"), role: row.text("role"), siteName: row.text("site"),
        weightDigest: try row.value("weight"), outputCount: try row.value("output_count"),
        inputCount: try row.value("input_count"), denseBits: try row.value("dense_bits"))
      (layer.id, layer.weightID) = (row.integer("id"), row.integer("weight_id"))
      return layer
    }
  }

  /// The input sites of a model, by block and name.
  public func sites(ofModel modelID: Int64) throws -> [SiteRecord] {
    try records("WHERE model_id = ? ORDER BY id", [.integer(modelID)])
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
