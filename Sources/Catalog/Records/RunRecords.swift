/// Where assignments are searched: units, their levels, and the pinned variants and costs.
public struct SpaceRecord: Equatable, Sendable {
  /// A layer of a unit at a level.
  public struct Member: Equatable, Sendable {
    /// Local id of the layer.
    public var layerID: Int64
    /// Name of the layer.
    public var layerName: String
    /// Index of the layer in its model.
    public var layerIndex: Int
    /// The pinned realisation; nil: dense, or dropped.
    public var variantID: Int64?
    /// Its content key.
    public var contentKey: Digest?
    /// Whether the layer's subblock is removed.
    public var isDropped: Bool

    /// Creates a member.
    public init(
      layerID: Int64, layerName: String, layerIndex: Int, variantID: Int64?, contentKey: Digest?, isDropped: Bool
    ) {
      self.layerID = layerID
      self.layerName = layerName
      self.layerIndex = layerIndex
      self.variantID = variantID
      self.contentKey = contentKey
      self.isDropped = isDropped
    }
  }

  /// A level of a unit.
  public struct Level: Equatable, Sendable {
    /// Its share of a budget, in the unit of the space's cost.
    public var cost: Int64
    /// The physical level, `bits=3`.
    public var label: String
    /// The layers of the unit, each with its variant, or dense, or dropped.
    public var members: [Member]

    /// Creates a level.
    public init(cost: Int64, label: String, members: [Member]) {
      self.cost = cost
      self.label = label
      self.members = members
    }
  }

  /// A position of the search.
  public struct Unit: Equatable, Sendable {
    /// The layer's name, or names of tied layers.
    public var name: String
    /// Mutation group under `size`.
    public var sizeGroup: String
    /// Mutation group under `name`.
    public var nameGroup: String
    /// Dense weights it covers.
    public var weightCount: Int
    /// The least compressed first.
    public var levels: [Level]

    /// Creates a unit.
    public init(name: String, sizeGroup: String, nameGroup: String, weightCount: Int, levels: [Level]) {
      self.name = name
      self.sizeGroup = sizeGroup
      self.nameGroup = nameGroup
      self.weightCount = weightCount
      self.levels = levels
    }
  }

  /// Local id.
  public var id: Int64 = 0
  /// Local id of the model.
  public var modelID: Int64
  /// Content key of the model.
  public var modelDigest: Digest
  /// `codes`, `stored`, `weights`, `subblocks`.
  public var cost: String
  /// In order.
  public var units: [Unit]

  /// A space that is not stored yet.
  public init(modelID: Int64, modelDigest: Digest, cost: String, units: [Unit]) {
    self.modelID = modelID
    self.modelDigest = modelDigest
    self.cost = cost
    self.units = units
  }

  /// Content key.
  public var digest: Digest {
    var record = CanonicalRecord(kind: "space")
    record.set("model", modelDigest)
    record.set("cost", cost)
    for (unitIndex, unit) in units.enumerated() {
      record.set("unit.\(unitIndex)", "\(unit.name)/\(unit.sizeGroup)/\(unit.nameGroup)/\(unit.weightCount)")
      for (levelIndex, level) in unit.levels.enumerated() {
        // In the order in which the catalog gives them back.
        let members = level.members.sorted { $0.layerIndex < $1.layerIndex }.map { member in
          "\(member.layerName)=\(member.isDropped ? "drop" : member.contentKey?.hex ?? "dense")"
        }
        record.set("level.\(unitIndex).\(levelIndex)", "\(level.cost)/\(level.label)/\(members.joined(separator: ","))")
      }
    }
    return record.digest
  }
}

extension SpaceRecord.Unit: StoredRecord {
  static let table = TableDescription.spaceUnit
  static let blank = SpaceRecord.Unit(name: "", sizeGroup: "", nameGroup: "", weightCount: 0, levels: [])
  static let fields = [
    Field("name", \Self.name), Field("size_group", \.sizeGroup), Field("name_group", \.nameGroup),
    Field("weight_count", \.weightCount),
  ]
}

extension SpaceRecord.Level: StoredRecord {
  static let table = TableDescription.spaceLevel
  static let blank = SpaceRecord.Level(cost: 0, label: "", members: [])
  static let fields = [Field("cost_bits", \Self.cost), Field("label", \.label)]
}

/// One search and how it stands.
public struct RunRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64 = 0
  /// Its name, unique in a catalog.
  public var name: String
  /// Content key of the recipe and everything it points to.
  public var recipeDigest: Digest
  /// How assignments were chosen: `evolution`, `guided`, or the name of a baseline.
  public var strategy: String
  /// Revision of the strategy's code.
  public var engineRevision: Int
  /// All parameters, JSON.
  public var recipe: String
  /// Local id of what is compressed.
  public var modelID: Int64
  /// Local id of the choices.
  public var spaceID: Int64
  /// Local id of the fitness.
  public var measureID: Int64
  /// Local id of what fitness is measured on.
  public var calibrationSetID: Int64
  /// Local id of the held-out data set; nil: none.
  public var validationSetID: Int64?
  /// No candidate costs more.
  public var budget: Int64
  /// Local id of the run it branched from; nil: none.
  public var originRunID: Int64?
  /// The generation of that run whose parent it began with; nil: none.
  public var originGeneration: Int?
  /// Local id of the uncompressed assignment.
  public var denseAssignmentID: Int64
  /// Local id of the first parent; nil: not chosen yet.
  public var startAssignmentID: Int64?
  /// Local id of what the result is compared with.
  public var referenceAssignmentID: Int64?
  /// Local id of the last parent; nil: not finished.
  public var foundAssignmentID: Int64?
  /// nil: not finished.
  public var recommendation: Recommendation?
  /// Whether all is done.
  public var isFinished: Bool

  /// A run that has not begun.
  public init(
    name: String, strategy: String = evolution, engineRevision: Int, recipeDigest: Digest, recipe: String,
    modelID: Int64, spaceID: Int64, measureID: Int64, calibrationSetID: Int64, validationSetID: Int64?, budget: Int64,
    denseAssignmentID: Int64, referenceAssignmentID: Int64?
  ) {
    self.name = name
    self.strategy = strategy
    self.engineRevision = engineRevision
    self.recipeDigest = recipeDigest
    self.recipe = recipe
    self.modelID = modelID
    self.spaceID = spaceID
    self.measureID = measureID
    self.calibrationSetID = calibrationSetID
    self.validationSetID = validationSetID
    self.budget = budget
    self.denseAssignmentID = denseAssignmentID
    self.referenceAssignmentID = referenceAssignmentID
    isFinished = false
  }

  /// Which assignment a finished run says to take.
  public enum Recommendation: String, Equatable, Sendable {
    /// The run's result.
    case found
    /// The assignment that the result is compared with.
    case reference
  }

  /// The strategy of a search.
  public static let evolution = "evolution"
  /// The strategy of a search that measures sensitivities.
  public static let guided = "guided"

  /// Content key of a recipe and everything it points to.
  ///
  /// - Parameters:
  ///   - recipe: all parameters, canonical JSON.
  ///   - calibration: of the sequences that fitness is measured on.
  ///   - validation: of those that are held out; nil: none.
  public static func recipeDigest(
    strategy: String = evolution, engineRevision: Int, recipe: String, space: Digest, calibration: Digest,
    validation: Digest?
  ) -> Digest {
    var record = CanonicalRecord(kind: "recipe")
    if strategy != evolution { record.set("strategy", strategy) }
    record.set("engine_revision", engineRevision)
    record.set("recipe", recipe)
    record.set("space", space)
    record.set("calibration", calibration)
    record.set("validation", validation)
    return record.digest
  }
}

extension RunRecord: StoredRecord {
  static let table = TableDescription.run
  static let blank = RunRecord(
    name: "", engineRevision: 0, recipeDigest: .zero, recipe: "", modelID: 0, spaceID: 0, measureID: 0,
    calibrationSetID: 0, validationSetID: nil, budget: 0, denseAssignmentID: 0, referenceAssignmentID: nil)
  static let fields = [
    Field("id", \Self.id), Field("name", \.name), Field("recipe_digest", \.recipeDigest),
    Field("strategy", \.strategy), Field("engine_revision", \.engineRevision), Field("recipe", \.recipe),
    Field("model_id", \.modelID), Field("space_id", \.spaceID), Field("budget_bits", \.budget),
    Field("measure_id", \.measureID), Field("calibration_set_id", \.calibrationSetID),
    Field("validation_set_id", \.validationSetID), Field("origin_run_id", \.originRunID),
    Field("origin_generation", \.originGeneration), Field("dense_assignment_id", \.denseAssignmentID),
    Field("start_assignment_id", \.startAssignmentID), Field("reference_assignment_id", \.referenceAssignmentID),
    Field("found_assignment_id", \.foundAssignmentID), Field("recommendation", \.recommendation),
    Field("state", \.state),
  ]

  /// How a run stands, as a catalog calls it.
  fileprivate enum State: String, ColumnValue { case open, finished }

  fileprivate var state: State {
    get { isFinished ? .finished : .open }
    set { isFinished = newValue == .finished }
  }
}

extension RunRecord.Recommendation: ColumnValue {}

/// The assignments of a run that are evaluated on whole data sets.
public enum RunPoint: String, CaseIterable, Equatable, Sendable {
  /// The uncompressed model.
  case dense
  /// The first parent.
  case start
  /// The assignment that the result is compared with.
  case reference
  /// The last parent.
  case found
}

/// The use of a data set in a run.
public enum DataSetRole: String, Equatable, Sendable {
  /// Fitness is measured on it.
  case calibration
  /// Held out for the report.
  case validation
}

/// A line of a run's report.
public struct RunResult: Equatable, Sendable {
  /// Which assignment of the run.
  public var point: RunPoint
  /// Which data set.
  public var dataSet: String
  /// The use of the data set.
  public var role: DataSetRole
  /// The measure's label: `kl`, `topk-kl:10`, `perplexity`.
  public var measure: String
  /// Mean KL per token in nats, or perplexity, over the whole set.
  public var value: Double
  /// Standard error of `value` over sequences; nil for a single one.
  public var standardError: Double?
  /// `value` minus that of the reference.
  public var difference: Double?
  /// Paired standard error of `difference` over sequences.
  public var differenceStandardError: Double?
  /// Code bits per compressible weight.
  public var averageBits: Double
  /// Stored bits per compressible weight.
  public var averageStoredBits: Double
  /// Bytes of all compressible layers.
  public var storedByteCount: Int64
  /// Share of the compressible weights that sparse variants set to zero; nil: no layer is sparse.
  public var sparsity: Double?
  /// Removed subblocks.
  public var droppedSubblockCount: Int
  /// Which assignment.
  public var assignment: Digest
}
