/// A depth profile of EvoPress: one line per block, saying what is removed: `none`, `attn`, `mlp` or `attn+mlp`.
///
/// Source: EvoPress, `evo_drop_search.py`.
public struct DepthProfile: Equatable, Sendable {
  /// The part of a block that is removed.
  public enum Removal: String, CaseIterable, Sendable {
    case none
    case attention = "attn"
    case mlp
    case block = "attn+mlp"

    /// Whether the attention goes.
    public var removesAttention: Bool { self == .attention || self == .block }
    /// Whether the MLP goes.
    public var removesMLP: Bool { self == .mlp || self == .block }
  }

  /// By block.
  public var removals: [Removal]

  /// From removals.
  public init(removals: [Removal]) { self.removals = removals }

  /// From the names of removed subblocks, `3.attention`; names of other blocks and halves are left out.
  public init(blockCount: Int, dropped: Set<String>) {
    removals = (0..<blockCount).map { block in
      switch (dropped.contains("\(block).attention"), dropped.contains("\(block).mlp")) {
      case (true, true): .block
      case (true, false): .attention
      case (false, true): .mlp
      case (false, false): .none
      }
    }
  }

  /// Parses the text of a profile. Blank lines may stand at its end only: elsewhere they would move blocks.
  ///
  /// - Throws: `SearchError.invalidProfile` naming the line.
  public init(_ text: String) throws {
    removals = try ProfileText.lines(text).enumerated().map { index, line in
      guard line.number == index + 1 else {
        throw SearchError.invalidProfile(
          detail: "profile line \(index + 1): is blank; it must say what block \(index) loses")
      }
      guard let removal = Removal(rawValue: String(line.text)) else {
        throw ProfileText.unexpected(line, "none, attn, mlp or attn+mlp")
      }
      return removal
    }
  }

  /// Names of the removed subblocks, `3.attention`.
  public var dropped: Set<String> {
    Set(
      removals.enumerated().flatMap { block, removal in
        (removal.removesAttention ? ["\(block).attention"] : []) + (removal.removesMLP ? ["\(block).mlp"] : [])
      })
  }

  /// The canonical text, every line ended.
  public var text: String { removals.map { "\($0.rawValue)\n" }.joined() }
}
