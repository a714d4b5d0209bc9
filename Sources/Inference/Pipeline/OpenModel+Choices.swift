import Catalog

extension OpenModel {
  /// What the forward pass puts in the place of every layer.
  ///
  /// - Throws: `CatalogError.damaged` if the assignment does not fit the model.
  func choices(of assignment: AssignmentRecord) throws -> LayerChoices {
    guard assignment.variantIDs.count == layers.count else {
      throw CatalogError.damaged("assignment \(assignment.digest.short) does not have one entry per layer")
    }
    let dropped = try assignment.droppedSubblocks.map { name in
      guard let subblock = Subblock(name: name) else {
        throw CatalogError.damaged("assignment \(assignment.digest.short) drops \(name), which is no subblock")
      }
      return subblock
    }
    return LayerChoices(
      choices: assignment.variantIDs.map { $0.map { .variant($0) } ?? .dense }, dropped: Set(dropped))
  }
}
