/// A step that a user can take about an error, in the catalog's own terms. Only a command line knows the verbs and options
/// for it, and says it in them. Paths are as the user gave them; where one is nil, any will do or it is not known.
public enum Remedy: Equatable, Sendable {
  /// Run again: what stood in the way passes.
  case runAgain
  /// Make a catalog.
  case makeCatalog(path: String?)
  /// Instead of writing to this catalog, write to a copy.
  case copyCatalog(path: String)
  /// Wait for the writer, or for a copy made when it has ended.
  case waitForCopy(path: String)
  /// Bring a catalog to this evodb's schema.
  case upgradeCatalog(path: String)
  /// Have a change that a killed process left half done taken back, by somebody who may write to the catalog.
  case recoverCatalog(path: String)
  /// Find out what is wrong with a catalog.
  case verifyCatalog(path: String?)
  /// Find out what is wrong with a damaged catalog, and save the rest.
  case mendCatalog
  /// Save what the file holds without its log.
  case salvageFile(path: String)
  /// Add a model.
  case importModel
  /// Undo what changed in a model's folder, or take it as it is now, as the same model or, if `name` is nil, as another.
  case importChangedModel(catalog: String, folder: String, name: String?)
  /// Add a data set.
  case addDataSet
  /// Make what a calibration keeps.
  case calibrate
  /// Build levels of a method; `levels` in their text form (`bits=3`), any if empty; `isSymmetric`: on symmetric grids.
  case build(method: String, levels: [String], isSymmetric: Bool = false)
  /// Get weights back that a pack left out.
  case restoreWeights
  /// Find the place where a model's activations cease to be finite.
  case traceDivergence
  /// Begin a run.
  case startSearch
  /// Search under the rules of a runtime that runs the result, by its name; `ties`: the ties among them that are missing;
  /// `isSymmetric`: whether levels must be built symmetric first.
  case searchForRuntime(String, ties: [String], isSymmetric: Bool)
  /// Go on with a run.
  case resumeRun(catalog: String?, name: String)
  /// Look which runs there are.
  case listRuns(catalog: String)
  /// Look which jobs there are, and their numerics.
  case listJobs
  /// Take a profile in and name it by its digest.
  case importProfile(catalog: String, path: String)
  /// Say from which sparsity a profile's steps count, and how many weights a step is.
  case giveSparsityScale
  /// Write the model itself, compressed by an assignment.
  case exportModel(assignment: String)
  /// Give a parameter that was left out, or another value; `values`: those to choose from.
  case choose(Parameter, values: [String])
  /// Let a query take longer.
  case allowMoreTime

  /// A parameter that a remedy is about.
  public enum Parameter: CaseIterable, Sendable {
    case model
    case dataSet
    /// The name of a new model or run.
    case name
  }
}

/// An error about which a user may be able to do something. Its description says only what is wrong.
public protocol Remediable: Error {
  /// The step to take; nil: there is none, or the description says it.
  var remedy: Remedy? { get }
}
