/// A transformer language model as evodb computes it: block by block, with the compressible weights supplied from outside.
///
/// One architecture is one file that conforms; `ModelFamily` is what else a family states. Every function treats one sequence,
/// so that even with OpenBLAS, whose bits depend on the shapes of products, a result follows from the model and the sequence.
public protocol LanguageModel: Sendable {
  /// Transformer blocks.
  var blockCount: Int { get }
  /// Width of the residual stream.
  var hiddenSize: Int { get }
  /// Tokens in the vocabulary.
  var vocabularySize: Int { get }
  /// The longest sequence.
  var maximumLength: Int { get }
  /// All compressible layers, block by block; `index` counts through.
  var layers: [LayerDescription] { get }
  /// All inputs that layers share, block by block.
  var sites: [SiteDescription] { get }
  /// Bytes of the weights that are always in memory.
  var residentByteCount: Int { get }
  /// Keys and values of a token in a block: numbers that a `KeyValueCache` holds for them.
  var keyValueCount: Int { get }

  /// The residual stream [n, hidden] of token ids below `vocabularySize`.
  ///
  /// - Parameter cache: nil: the ids are one sequence; else each is the next of another sequence.
  func embed(_ tokenIDs: [Int32], cache: KeyValueCache?) -> Matrix
  /// The residual stream after block `index`.
  ///
  /// - Parameters:
  ///   - x: [n, hidden]; not changed.
  ///   - weight: the weight [out, in] of a layer by its index, packed for the model's arithmetic.
  ///   - dropped: subblocks that add nothing to the stream.
  ///   - tap: called with the input [n, width] of each site of the block, by site index; what it throws ends the work.
  ///   - cache: nil: the rows are one sequence; else each is the next position of another sequence.
  func block(
    _ index: Int, _ x: Matrix, weight: (Int) throws -> PackedWeights, dropped: Set<Subblock>,
    tap: ((Int, Matrix) throws -> Void)?, cache: KeyValueCache?
  ) throws -> Matrix
  /// The last hidden state [n, hidden], after the final norm.
  func finish(_ x: Matrix) -> Matrix
  /// Logits [rows, vocabulary] of some rows of the last hidden state.
  func logits(_ hidden: Matrix, rows: Range<Int>) -> Matrix
}

extension LanguageModel {
  /// The residual stream [n, hidden] of one sequence of token ids below `vocabularySize`.
  public func embed(_ tokenIDs: [Int32]) -> Matrix { embed(tokenIDs, cache: nil) }

  /// The residual stream of one sequence after block `index`.
  public func block(
    _ index: Int, _ x: Matrix, weight: (Int) throws -> PackedWeights, dropped: Set<Subblock>,
    tap: ((Int, Matrix) throws -> Void)?
  ) throws -> Matrix {
    try block(index, x, weight: weight, dropped: dropped, tap: tap, cache: nil)
  }

  /// The inputs of all sites of block `index` for one sequence: the block up to its last product, which nobody asks for.
  ///
  /// - Parameter tap: as of `block`.
  func siteInputs(
    ofBlock index: Int, _ x: Matrix, weight: (Int) throws -> PackedWeights, tap: @escaping (Int, Matrix) -> Void
  ) throws {
    var missing = sites.count { $0.blockIndex == index }
    do {
      _ = try block(
        index, x, weight: weight, dropped: [],
        tap: { site, input in
          tap(site, input)
          missing -= 1
          if missing == 0 { throw AllSitesSeen() }
        })
    } catch is AllSitesSeen {}
  }
}

/// Ends a block whose output is not wanted.
private struct AllSitesSeen: Error {}

/// A half of a transformer block.
public struct Subblock: Hashable, Sendable {
  /// Which half.
  public enum Half: String, Sendable {
    case attention
    case mlp
  }
  /// 0-based.
  public var blockIndex: Int
  /// Which half.
  public var half: Half

  /// Creates the name of half a block.
  public init(blockIndex: Int, half: Half) {
    self.blockIndex = blockIndex
    self.half = half
  }

  /// From `3.attention`; nil for anything else.
  public init?(name: String) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let index = Int(parts[0]), index >= 0, let half = Half(rawValue: String(parts[1])) else {
      return nil
    }
    // One spelling only: names are compared as texts.
    guard String(index) == parts[0] else { return nil }
    self.init(blockIndex: index, half: half)
  }

  /// `3.attention`.
  public var name: String { "\(blockIndex).\(half.rawValue)" }
}

/// A compressible linear weight.
public struct LayerDescription: Equatable, Sendable {
  /// Position in the model.
  public var index: Int
  /// `model.layers.3.self_attn.q_proj`; the tensor is this with `.weight` behind it.
  public var name: String
  /// The half of the block it belongs to.
  public var subblock: Subblock
  /// `q_proj`, …
  public var role: String
  /// Index of the site its input is measured at.
  public var siteIndex: Int
  /// Rows.
  public var outputCount: Int
  /// Columns.
  public var inputCount: Int

  /// The checkpoint's tensor.
  public var tensorName: String { name + ".weight" }
}

/// An input that layers share.
public struct SiteDescription: Equatable, Sendable {
  /// Position in the model.
  public var index: Int
  /// `model.layers.3.self_attn.in`.
  public var name: String
  /// 0-based.
  public var blockIndex: Int
  /// Length of an input vector.
  public var width: Int
}
