import Catalog

extension OpenModel {
  /// The model in its arithmetic.
  public var evaluated: EvaluatedModel {
    EvaluatedModel(
      digest: record.digest, architectureRevision: record.architectureRevision,
      numerics: NumericsRecord(arithmetic).digest)
  }

  /// A worker in this process.
  ///
  /// - Parameter sharesPrefixes: false computes every candidate from its first block.
  public func worker(threadCount: Int, sharesPrefixes: Bool = true) -> InProcessWorker {
    InProcessWorker(
      evaluated, network: network, weights: weights, contents: contents, threadCount: threadCount,
      sharesPrefixes: sharesPrefixes && memory.sharesPrefixes,
      keepsTeacherProbabilities: memory.keepsTeacherProbabilities)
  }

  /// The choice of an assignment for every layer, by content.
  ///
  /// - Throws: `CatalogError.damaged` if the assignment does not fit the model.
  public func choices(of assignment: AssignmentRecord, _ tx: CatalogTransaction) throws -> LayerChoices {
    guard assignment.variantIDs.count == layers.count else {
      throw CatalogError.damaged("assignment \(assignment.digest.short) does not have one entry per layer")
    }
    let dropped = try assignment.droppedSubblocks.map { name in
      guard let subblock = Subblock(name: name) else {
        throw CatalogError.damaged("assignment \(assignment.digest.short) drops \(name), which is no subblock")
      }
      return subblock
    }
    return LayerChoices(choices: try contents.choices(assignment.variantIDs, tx), dropped: Set(dropped))
  }
}
