import Catalog
import Inference
import Search

extension CatalogError: ExitCodeProviding {
  var exitCode: ExitCode {
    switch self {
    case .missing, .notFound: return .missingInput
    case .exists, .nameTaken: return .outputExists
    case .notACatalog, .newerSchema, .olderSchema, .damaged, .untrusted: return .badData
    case .oldSQLite, .queryTimedOut, .queryTooLarge: return .failure
    case .refusedQuery, .invalidQuery, .invalidName: return .usage
    case .locked, .busy, .queryStopped, .interrupted: return .tryAgain
    case .inputOutput: return .inputOutput
    case .notPermitted: return .permission
    }
  }
}

extension SQLiteError: ExitCodeProviding {
  var exitCode: ExitCode {
    if isBusy { return .tryAgain }
    if isStorageFailure { return .inputOutput }
    if isPermission { return .permission }
    if isDamage { return .badData }
    return .failure
  }
}

extension InferenceError: ExitCodeProviding {
  var exitCode: ExitCode {
    switch self {
    case .missingInput: return .missingInput
    case .invalidData, .unsupported: return .badData
    case .impossible: return .impossible
    case .inputOutput: return .inputOutput
    case .notPermitted: return .permission
    case .outputExists: return .outputExists
    case .interrupted: return .tryAgain
    }
  }
}

extension SearchError: ExitCodeProviding {
  var exitCode: ExitCode {
    switch self {
    case .impossible, .notBuilt: return .impossible
    case .invalidParameter: return .usage
    case .invalidProfile: return .badData
    case .interrupted: return .tryAgain
    }
  }
}
