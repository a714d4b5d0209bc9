import Foundation

extension CatalogTransaction {
  /// Stores a sequence, or finds it.
  public func store(sequence tokenIDs: [Int32]) throws -> SequenceRecord {
    let digest = SequenceRecord.digest(of: tokenIDs)
    let id = try intern(
      .sequence, digest,
      [
        "token_count": .integer(tokenIDs.count),
        "token_ids": .blob(tokenIDs.flatMap { id in withUnsafeBytes(of: id.littleEndian) { Array($0) } }),
      ])
    return SequenceRecord(id: id, digest: digest, tokenIDs: tokenIDs)
  }

  /// Stores an ordered list of sequences, or finds it.
  public func store(sequenceList sequences: [SequenceRecord]) throws -> SequenceListRecord {
    let digest = SequenceListRecord.digest(of: sequences.map(\.digest))
    if let id = try id(of: digest, in: .sequenceList) {
      return SequenceListRecord(id: id, digest: digest, sequences: sequences)
    }
    let tokens = sequences.reduce(0) { $0 + $1.tokenIDs.count }
    let id = try intern(
      .sequenceList, digest,
      [
        "sequence_count": .integer(sequences.count), "token_count": .integer(tokens),
        "prediction_count": .integer(tokens - sequences.count),
      ])
    for (position, sequence) in sequences.enumerated() {
      try rows.insert(
        .sequenceListItem,
        ["sequence_list_id": .integer(id), "position": .integer(position), "sequence_id": .integer(sequence.id)])
    }
    return SequenceListRecord(id: id, digest: digest, sequences: sequences)
  }

  /// Stores a named data set. The same content under the same name is found again.
  ///
  /// - Throws: `CatalogError.nameTaken` if the name belongs to other content.
  public func store(
    dataSet name: String, sequences: [[Int32]], tokenizerDigest: Digest?, textDigest: Digest?, options: String,
    droppedTokenCount: Int
  ) throws -> (dataSet: DataSetRecord, isNew: Bool) {
    let list = try store(sequenceList: sequences.map { try store(sequence: $0) })
    try CatalogName.require(name, of: "data set")
    if let known = try dataSets().first(where: { $0.name == name }) {
      guard known.digest == list.digest else {
        throw CatalogError.nameTaken("a data set called \(name) has other content; choose another name")
      }
      return (known, false)
    }
    try rows.insert(
      .dataSet,
      [
        "name": .text(name), "sequence_list_id": .integer(list.id), "tokenizer_digest": .digest(tokenizerDigest),
        "text_digest": .digest(textDigest), "options": .text(options),
        "dropped_token_count": .integer(droppedTokenCount), "created_at": .text(Timestamp.now()),
      ])
    return (try dataSet(name), true)
  }

  /// All data sets in the order of their making.
  public func dataSets() throws -> [DataSetRecord] {
    try connection.allRows(
      """
      SELECT d.id, d.name, d.sequence_list_id, l.digest, d.tokenizer_digest, d.text_digest, d.options,
        d.dropped_token_count, l.sequence_count, l.token_count, (SELECT count(DISTINCT i.sequence_id)
          FROM sequence_list_item i WHERE i.sequence_list_id = l.id) AS distinct_sequence_count
      FROM data_set d JOIN sequence_list l ON l.id = d.sequence_list_id ORDER BY d.id
      """
    ) { row in
      DataSetRecord(
        id: row.integer("id"), name: row.text("name"), sequenceListID: row.integer("sequence_list_id"),
        digest: try row.value("digest"), tokenizerDigest: try row.value("tokenizer_digest"),
        textDigest: try row.value("text_digest"), options: row.text("options"),
        droppedTokenCount: try row.value("dropped_token_count"), sequenceCount: try row.value("sequence_count"),
        distinctSequenceCount: try row.value("distinct_sequence_count"), tokenCount: try row.value("token_count"))
    }
  }

  /// The data set called `name`; with nil, the only one of the catalog.
  ///
  /// - Throws: `CatalogError.notFound`.
  public func dataSet(_ name: String?) throws -> DataSetRecord {
    let all = try dataSets()
    if let name { return try Self.only(all.filter { $0.name == name }, "data set", name, all.map(\.name)) }
    guard let first = all.first else {
      throw CatalogError.notFound("the catalog holds no data set", remedy: .addDataSet)
    }
    guard all.count == 1 else {
      throw CatalogError.notFound(
        "the catalog holds several data sets", remedy: .choose(.dataSet, values: all.map(\.name)))
    }
    return first
  }

  /// The input tokens of a data set's content or a minibatch.
  ///
  /// - Throws: `CatalogError.notFound` if no list has this content key.
  public func tokenCount(ofSequenceList digest: Digest) throws -> Int {
    let count = try connection.integer("SELECT token_count FROM sequence_list WHERE digest = ?", [.blob(digest.bytes)])
    guard let count else { throw CatalogError.notFound("no list of sequences \(digest.short)") }
    return Int(count)
  }

  /// The sequences of a list in order.
  public func sequences(ofList listID: Int64) throws -> [SequenceRecord] {
    try connection.allRows(
      """
      SELECT s.id, s.digest, s.token_ids FROM sequence_list_item i JOIN sequence s ON s.id = i.sequence_id
      WHERE i.sequence_list_id = ? ORDER BY i.position
      """, [.integer(listID)]
    ) { row in
      SequenceRecord(
        id: row.integer("id"), digest: try row.value("digest"),
        tokenIDs: SequenceRecord.tokenIDs(row.bytes("token_ids")))
    }
  }
}

extension CatalogTransaction {
  /// The data set that the newest statistic rests on; nil if there is no statistic, or its data set has no name here.
  public func lastCalibratedDataSet() throws -> DataSetRecord? {
    let listID = try connection.integer("SELECT sequence_list_id FROM statistic ORDER BY id DESC LIMIT 1")
    return try dataSets().first { $0.sequenceListID == listID }
  }
}
