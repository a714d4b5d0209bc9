import Foundation

@testable import Catalog
@testable import Inference
@testable import Search

extension RunCatalog {
  /// Stores sparse variants of every layer: its quantized variant at `bits` under the name of another method, which is
  /// all that a search needs of them.
  func addSparseVariants(method: String = "sparsegpt", zeros: (LayerRecord) -> [Int], pattern: String? = nil) throws {
    let model = try model()
    try store.write { tx in
      var key = CanonicalRecord(kind: "method")
      key.set("name", method)
      let record = try tx.store(method: MethodRecord(name: method, revision: 1, parameters: "{}", key: key))
      for layer in try tx.layers(ofModel: model.id) {
        let built = try tx.variants(ofWeight: layer.weightID).sorted { ($0.bits ?? 0) > ($1.bits ?? 0) }
        var settings = zeros(layer).map { (level: "zeros=\($0)", zeros: $0) }
        if let pattern { settings.append(("pattern=\(pattern)", layer.weightCount / 2)) }
        for (index, setting) in settings.enumerated() {
          let source = built[min(index, built.count - 1)]
          let packed = try tx.blob(source.blobID)
          var variant = source
          variant.methodID = record.id
          variant.level = setting.level
          variant.bits = nil
          variant.sparsity = Double(setting.zeros) / Double(layer.weightCount)
          variant.codeBits = Int64(layer.weightCount - setting.zeros) * 32
          variant.storedBits = Int64(layer.weightCount - setting.zeros) * 16 + Int64(layer.weightCount)
          var recipe = CanonicalRecord(kind: "variant")
          recipe.set("of", "\(layer.name) \(method) \(setting.level)")
          variant.recipeKey = recipe.digest
          _ = try tx.store(variant: variant, packed: packed)
        }
      }
    }
  }

  /// The cost of each candidate of all runs in its run's space, read from the tables alone.
  static let candidateCosts = """
    SELECT c.run_id, c.generation_index, c.candidate_index, r.budget_bits AS budget, (
      SELECT coalesce(sum(l.cost_bits), 0) FROM space_level l WHERE l.space_id = r.space_id
      AND EXISTS (SELECT 1 FROM space_member m WHERE m.space_id = l.space_id AND m.unit_index = l.unit_index
        AND m.level_index = l.level_index)
      AND NOT EXISTS (SELECT 1 FROM space_member m JOIN layer y ON y.id = m.layer_id
        JOIN json_each(a.variant_ids) j ON j.key = y.layer_index
        WHERE m.space_id = l.space_id AND m.unit_index = l.unit_index AND m.level_index = l.level_index
          AND (m.is_dropped <> EXISTS (SELECT 1 FROM json_each(a.dropped_subblocks) d
              WHERE d.value = y.block_index || '.' || y.subblock)
            OR m.variant_id IS NOT j.value))
    ) AS cost, r.space_id, a.id AS assignment_id, a.dropped_subblocks, a.variant_ids
    FROM candidate c JOIN assignment a ON a.id = c.assignment_id JOIN run r ON r.id = c.run_id
    """

  /// Single steps less of compression that would fit into the slack of a candidate: a layer's next level, or a dropped
  /// subblock at its cheapest. There must be none.
  static let fittingSteps = """
    WITH cost AS (\(candidateCosts)),
    -- Units of a candidate that hold its layers, at their levels.
    at AS (
      SELECT c.run_id, c.generation_index, c.candidate_index, c.budget - c.cost AS slack, c.space_id, m.unit_index,
        max(m.level_index) AS level_index
      FROM cost c JOIN json_each(c.variant_ids) j JOIN run r ON r.id = c.run_id
      JOIN layer y ON y.model_id = r.model_id AND y.layer_index = j.key
      JOIN space_member m ON m.space_id = c.space_id AND m.layer_id = y.id AND m.is_dropped = 0 AND m.variant_id IS j.value
      WHERE NOT EXISTS (SELECT 1 FROM json_each(c.dropped_subblocks) d WHERE d.value = y.block_index || '.' || y.subblock)
      GROUP BY 1, 2, 3, 6),
    -- What each subblock costs at its cheapest, as far as a unit of the space drops it beside others that hold it.
    opening AS (
      SELECT g.space_id, g.unit_index AS gate, (
        SELECT sum(cheapest) FROM (
          SELECT min(l.cost_bits) AS cheapest FROM space_member h JOIN space_level l ON l.space_id = h.space_id
            AND l.unit_index = h.unit_index
          WHERE h.space_id = g.space_id AND h.unit_index <> g.unit_index AND h.layer_id IN (
            SELECT i.layer_id FROM space_member i WHERE i.space_id = g.space_id AND i.unit_index = g.unit_index)
          GROUP BY h.unit_index)) AS cost,
        (SELECT y.block_index || '.' || y.subblock FROM space_member i JOIN layer y ON y.id = i.layer_id
          WHERE i.space_id = g.space_id AND i.unit_index = g.unit_index LIMIT 1) AS subblock
      FROM space_member g WHERE g.is_dropped = 1 GROUP BY g.space_id, g.unit_index)
    SELECT a.run_id, a.generation_index, a.candidate_index FROM at a
    JOIN space_level now ON now.space_id = a.space_id AND now.unit_index = a.unit_index
      AND now.level_index = a.level_index
    JOIN space_level less ON less.space_id = a.space_id AND less.unit_index = a.unit_index
      AND less.level_index = a.level_index - 1
    WHERE less.cost_bits - now.cost_bits <= a.slack
    UNION ALL
    SELECT c.run_id, c.generation_index, c.candidate_index FROM cost c JOIN opening o ON o.space_id = c.space_id
    JOIN json_each(c.dropped_subblocks) d ON d.value = o.subblock
    WHERE o.cost <= c.budget - c.cost
    """
}
