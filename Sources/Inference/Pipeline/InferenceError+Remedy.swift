import Catalog

extension InferenceError: Remediable {
  /// The command that helps; nil: none does.
  public var remedy: Remedy? {
    switch self {
    case .changedModel(_, _, let origin):
      return .importChangedModel(catalog: origin.catalog, folder: origin.folder, name: origin.name)
    case .diverged: return .traceDivergence
    case .notCalibrated: return .calibrate
    case .unfit(_, .plainFolder(let assignment)): return .exportModel(assignment: assignment)
    case .unfit(_, .search(let runtime, let ties)):
      return .searchForRuntime(runtime.rawValue, ties: ties, isSymmetric: runtime.mixesOnlySymmetric)
    case .unfit(_, nil): return nil
    case .missingInput, .invalidData, .unsupported, .impossible, .notPermitted, .inputOutput, .outputExists,
      .systemLimit, .refusedRequest, .wrongAnswer, .wrongWorker, .interrupted:
      return nil
    }
  }
}
