import Catalog
import Inference

/// Looks through a catalog for pairs of assignments that break error monotonicity.
public enum MonotonicitySurvey {
  /// Surveys all data sets and measures of a model: every pair of assignments complete on the same set.
  ///
  /// The error of an assignment is Σ nmse over its layers, each layer counting once (as in the reference's dynamic
  /// programming); a dense layer has error 0. Assignments that remove subblocks are compared by subsets alone.
  ///
  /// - Parameters:
  ///   - measure: the label of the only one to look at; nil: all that fitness is computed with.
  ///   - limit: pairs that are kept per set, measure and kind; all are counted.
  public static func run(model: ModelRecord, measure wanted: String? = nil, limit: Int, tx: CatalogTransaction) throws
    -> [MonotonicityFinding]
  {
    let errors = try tx.layerErrors()
    let layers = try tx.layers(ofModel: model.id)
    var contents: [Int64: (error: Double?, removed: Set<Int>, parts: [[Int64]])] = [:]
    var findings: [MonotonicityFinding] = []
    var seen: Set<Int64> = []
    for set in try tx.dataSets() where seen.insert(set.sequenceListID).inserted {
      // Tasks leave measures of continuations, which say nothing of a whole sequence.
      for measure in try tx.measures() where measure.firstToken == nil && (wanted ?? measure.label) == measure.label {
        let complete = try tx.completeSums(
          modelID: model.id, measureID: measure.id, sequenceListID: set.sequenceListID)
        guard complete.assignments.count > 1, complete.predictionCounts.count > 1 else { continue }
        let points = try complete.assignments.map { known in
          let content = try contents[known.id] ?? content(of: tx.assignment(id: known.id), layers, errors)
          contents[known.id] = content
          return MonotonicityCheck.Point(
            id: known.id, error: content.error, removed: content.removed, parts: content.parts, sums: known.sums)
        }
        let check = MonotonicityCheck(
          points, predictionCounts: complete.predictionCounts, occurrenceCounts: complete.occurrenceCounts, limit: limit
        )
        for (kind, result) in [("layer-error", check.byError()), ("subset", check.bySubset())]
        where result.pairCount > 0 {
          findings.append(
            MonotonicityFinding(
              sequenceListID: set.sequenceListID, measureID: measure.id, kind: kind,
              assignmentCount: result.pointCount, pairCount: result.pairCount,
              violationCount: result.violationCount,
              pairs: result.violations.map { pair($0, kind, points) }))
        }
      }
    }
    return findings
  }

  private static func pair(
    _ violation: MonotonicityCheck.Violation, _ kind: String, _ points: [MonotonicityCheck.Point]
  ) -> MonotonicityFinding.Pair {
    let (lighter, heavier) = (points[violation.lighter], points[violation.heavier])
    let isSubset = kind == "subset"
    return MonotonicityFinding.Pair(
      lighterID: lighter.id, heavierID: heavier.id,
      lighterError: isSubset ? Double(lighter.removed.count) : lighter.error ?? 0,
      heavierError: isSubset ? Double(heavier.removed.count) : heavier.error ?? 0,
      difference: violation.difference.value, standardError: violation.difference.standardError)
  }

  private static func content(
    of assignment: AssignmentRecord, _ layers: [LayerRecord], _ errors: [Int64: Double]
  ) throws -> (error: Double?, removed: Set<Int>, parts: [[Int64]]) {
    guard assignment.variantIDs.count == layers.count else {
      throw CatalogError.damaged("assignment \(assignment.digest.short) does not have one entry per layer")
    }
    let blockCount = (layers.map(\.blockIndex).max() ?? -1) + 1
    var parts = [[Int64]](repeating: [], count: 2 * blockCount)
    for layer in layers {
      // 0 is no local id: it stands for dense weights.
      parts[place(layer.blockIndex, isMLP: layer.subblock == "mlp")].append(assignment.variantIDs[layer.index] ?? 0)
    }
    let removed = Set(
      assignment.droppedSubblocks.compactMap { Subblock(name: $0) }.map {
        place($0.blockIndex, isMLP: $0.half == .mlp)
      })
    var error: Double? = removed.isEmpty ? 0 : nil
    for id in assignment.variantIDs.compactMap({ $0 }) { error = error.flatMap { sum in errors[id].map { sum + $0 } } }
    return (error, removed, parts)
  }

  private static func place(_ block: Int, isMLP: Bool) -> Int { 2 * block + (isMLP ? 1 : 0) }
}
