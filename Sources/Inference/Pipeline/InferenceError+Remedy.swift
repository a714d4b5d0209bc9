import Catalog

extension InferenceError: Remediable {
  /// The command that helps; nil: none does.
  public var remedy: Remedy? {
    switch self {
    case .changedModel(_, _, let origin):
      return .importChangedModel(catalog: origin.catalog, folder: origin.folder, name: origin.name)
    case .diverged: return .traceDivergence
    case .notCalibrated: return .calibrate
    case .missingInput, .invalidData, .unsupported, .impossible, .notPermitted, .inputOutput, .outputExists,
      .systemLimit, .refusedRequest, .wrongAnswer, .interrupted:
      return nil
    }
  }
}
