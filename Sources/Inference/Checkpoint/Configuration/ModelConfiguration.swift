import Foundation

/// The architecture of a checkpoint as far as it changes results, in one spelling.
///
/// Each family parses its own `config.json` in `ModelConfiguration+FAMILY.swift` and refuses every setting that would
/// change results and is not implemented, so that a configuration that parses is one that evodb computes faithfully.
public struct ModelConfiguration: Equatable, Sendable {
  /// The model families that are implemented, by their `model_type`.
  public enum Architecture: String, Sendable, CaseIterable {
    /// Llama 2, Llama 3 and everything with their layout.
    case llama

    /// Raised by hand when the results of this architecture change beyond rounding.
    public var revision: Int {
      switch self {
      case .llama: 1
      }
    }
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
  /// Base of the rotary position frequencies; above 0.
  public let ropeTheta: Double
  /// Whether the output projection is the embedding matrix.
  public let tiedEmbeddings: Bool

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
    guard let architecture = Architecture.allCases.first(where: { ByteString($0.rawValue) == modelType }) else {
      let known = Architecture.allCases.map(\.rawValue).joined(separator: ", ")
      throw fields.unsupported("model_type", rule: "evodb runs \(known)")
    }
    try fields.refuseForeignCode()
    switch architecture {
    case .llama: self = try Self.llama(fields)
    }
  }

  /// All values, for the parsers of the families.
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
