import Foundation

/// The architecture of a checkpoint as far as it changes results, in one spelling.
///
/// Each family in `Models/` parses its own `config.json` and refuses every setting that would change results and is not
/// implemented, so that a configuration that parses is one that evodb computes faithfully.
public struct ModelConfiguration: Equatable, Sendable {
  /// A model family, by its `model_type`.
  public struct Architecture: RawRepresentable, Hashable, Sendable {
    /// The `model_type`.
    public let rawValue: String

    /// From a `model_type`, whether it is known or not.
    public init(rawValue: String) { self.rawValue = rawValue }
  }

  /// The family.
  public let architecture: Architecture
  /// Width of the residual stream.
  public let hiddenSize: Int
  /// Width inside the MLP.
  public let intermediateSize: Int
  /// Number of transformer blocks.
  public let blockCount: Int
  /// Number of query heads.
  public let headCount: Int
  /// Number of key and value heads; divides `headCount`.
  public let keyValueHeadCount: Int
  /// Width of one head; even, and not always `hiddenSize / headCount`.
  public let headDimension: Int
  /// Number of token ids: rows of the embedding.
  public let vocabularySize: Int
  /// Longest sequence the model was made for, in tokens.
  public let maximumPositions: Int
  /// The constant added to the mean square in RMS normalisation; at least 0.
  public let normEpsilon: Double
  /// Base of the rotary position frequencies; above 0. Of no meaning where positions are learned.
  public let ropeTheta: Double
  /// Whether the output projection is the embedding matrix.
  public let tiedEmbeddings: Bool

  // What only some models have. Each value here means "not there", and is left out of the model digest.

  /// How rotary frequencies differ from the geometric series.
  public var ropeScaling = RopeScaling.none
  /// Whether positions are a learned table instead of rotations.
  public var learnedPositions = false
  /// Whether the query, key and value layers have biases.
  public var attentionInputBias = false
  /// Whether the attention's output layer has a bias.
  public var attentionOutputBias = false
  /// Whether the layers of the MLP have biases.
  public var mlpBias = false
  /// Whether each query and key head is normalised.
  public var queryKeyNorm = false
  /// By block, the positions a query sees, its own included; nil: all earlier ones. Empty: no block has a window.
  public var attentionWindows: [Int?] = []
  /// Scores are divided by the root of this instead of the root of `headDimension`.
  public var attentionScaleDivisor: Double?
  /// Scores are softly limited to ± this.
  public var attentionCap: Double?
  /// Logits are softly limited to ± this.
  public var logitCap: Double?

  /// Largest `config.json` read, in bytes; real ones have a few thousand.
  private static let fileByteLimit = 16 << 20

  /// Reads a `config.json`.
  ///
  /// - Throws: `InferenceError.missingInput`, `.inputOutput`, or as `init(json:file:)`.
  public init(contentsOf url: URL) throws {
    try self.init(json: try RandomAccessFile.contents(of: url, limit: Self.fileByteLimit), file: url.path)
  }

  /// Parses the text of a `config.json`, in the spelling of transformers before or from version 5.
  ///
  /// - Throws: `InferenceError.invalidData` for broken JSON, a missing field or a value out of range; `.unsupported` for a
  ///   setting that evodb does not implement. Both name field and value.
  public init(json: [UInt8], file: String) throws {
    let fields = try ConfigurationFields(json: json, file: file)
    let modelType = try fields.text("model_type")
    guard let family = ModelFamilies.family(modelType: modelType) else {
      throw fields.unsupported("model_type", rule: "evodb runs \(ModelFamilies.names)")
    }
    try fields.refuseQuantization()
    self = try family.configuration(fields)
  }

  /// All values that every model has, for the parsers of the families.
  init(
    architecture: Architecture, hiddenSize: Int, intermediateSize: Int, blockCount: Int, headCount: Int,
    keyValueHeadCount: Int, headDimension: Int, vocabularySize: Int, maximumPositions: Int, normEpsilon: Double,
    ropeTheta: Double, tiedEmbeddings: Bool
  ) {
    self.architecture = architecture
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.blockCount = blockCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount
    self.headDimension = headDimension
    self.vocabularySize = vocabularySize
    self.maximumPositions = maximumPositions
    self.normEpsilon = normEpsilon
    self.ropeTheta = ropeTheta
    self.tiedEmbeddings = tiedEmbeddings
  }
}
