extension Verification {
  /// What must hold between rows: each query gives the table, the id and the problem of rows that break a rule.
  private static let rules: [(table: String, sql: String)] = [
    (
      "sequence",
      """
      SELECT id, 'has ' || length(token_ids) || ' bytes of token ids for ' || token_count || ' tokens' FROM sequence
      WHERE length(token_ids) <> 4 * token_count
      """
    ),
    (
      "sequence_list",
      """
      SELECT l.id, 'counts ' || l.sequence_count || ' sequences of ' || l.token_count || ' tokens, but has '
        || count(s.id) || ' of ' || coalesce(sum(s.token_count), 0)
      FROM sequence_list l LEFT JOIN sequence_list_item i ON i.sequence_list_id = l.id
      LEFT JOIN sequence s ON s.id = i.sequence_id GROUP BY l.id
      HAVING l.sequence_count <> count(s.id) OR l.token_count <> coalesce(sum(s.token_count), 0)
        OR l.prediction_count <> l.token_count - l.sequence_count OR max(i.position) <> l.sequence_count - 1
      """
    ),
    (
      "model",
      """
      SELECT m.id, 'counts ' || m.compressible_weight_count || ' compressible weights, but its layers have '
        || sum(w.output_count * w.input_count)
      FROM model m JOIN layer l ON l.model_id = m.id JOIN weight w ON w.id = l.weight_id GROUP BY m.id
      HAVING m.compressible_weight_count <> sum(w.output_count * w.input_count)
      """
    ),
    (
      "variant",
      """
      SELECT v.id, 'is said to have ' || v.stored_bits || ' bits, but its blob has ' || 8 * b.byte_count
      FROM variant v JOIN blob b ON b.id = v.blob_id WHERE v.content_key <> b.digest
      """
    ),
    (
      "assignment",
      """
      SELECT a.id, 'lists ' || count(*) || ' layers, but its model has ' || (SELECT count(*) FROM layer l
        WHERE l.model_id = a.model_id)
      FROM assignment a, json_each(a.variant_ids) j GROUP BY a.id
      HAVING count(*) <> (SELECT count(*) FROM layer l WHERE l.model_id = a.model_id)
      """
    ),
    (
      "assignment",
      """
      SELECT a.id, 'lists for ' || l.name || ' what is no variant of it'
      FROM assignment a, json_each(a.variant_ids) j JOIN layer l ON l.model_id = a.model_id AND l.layer_index = j.key
      LEFT JOIN variant v ON v.id = j.value
      WHERE j.value IS NOT NULL AND (v.id IS NULL OR v.weight_id <> l.weight_id) GROUP BY a.id
      """
    ),
  ]

  /// Counts, lists and sums that are stored beside what they are made of.
  func checkSums() throws {
    for (index, rule) in Self.rules.enumerated() {
      progress("sums", Int64(index), Int64(Self.rules.count))
      try connection.forEachRow(rule.sql) { row in
        try report(
          IntegrityFinding(
            table: rule.table, row: words.words(rule.table, key: [("id", row.statement.value(0))]),
            problem: row.text(1)))
      }
    }
    progress("sums", Int64(Self.rules.count), Int64(Self.rules.count))
  }
}
