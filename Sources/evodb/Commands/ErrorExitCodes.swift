import Catalog
import Inference
import Search

extension CatalogError: ExitCodeProviding {
  var exitCode: ExitCode {
    switch self {
    case .missing, .notFound: return .missingInput
    case .exists, .danglingLink, .nameTaken: return .outputExists
    case .notACatalog, .newerSchema, .olderSchema, .damaged, .untrusted, .wrongLog: return .badData
    case .oldSQLite, .queryTimedOut, .queryTooLarge: return .failure
    case .refusedQuery, .invalidQuery, .invalidName: return .usage
    case .locked, .busy, .queryStopped, .interrupted: return .tryAgain
    case .inputOutput, .displaced: return .inputOutput
    case .notPermitted: return .permission
    case .pathTooLong, .severalNames: return .impossible
    }
  }
}

extension SQLiteError: ExitCodeProviding {
  var exitCode: ExitCode {
    if isBusy { return .tryAgain }
    if isStorageFailure { return .inputOutput }
    if isPermission { return .permission }
    if isDamage || isConstraint { return .badData }
    return .failure
  }
}

extension InferenceError: ExitCodeProviding {
  var exitCode: ExitCode {
    switch self {
    case .missingInput: return .missingInput
    case .invalidData, .changedModel, .diverged, .unsupported: return .badData
    case .impossible, .notCalibrated, .unfit: return .impossible
    case .inputOutput: return .inputOutput
    case .notPermitted: return .permission
    case .outputExists: return .outputExists
    case .systemLimit: return .systemLimit
    case .refusedRequest: return .impossible
    case .wrongAnswer: return .internalError
    case .wrongWorker: return .badData
    case .interrupted: return .tryAgain
    }
  }
}

extension SearchError: ExitCodeProviding {
  var exitCode: ExitCode {
    switch self {
    case .impossible, .notBuilt, .noProfile: return .impossible
    case .invalidParameter, .unknownStep: return .usage
    case .invalidProfile: return .badData
    case .interrupted: return .tryAgain
    }
  }
}
