import Catalog
import Inference

/// Subblocks that are kept or removed together.
struct DropUnit {
  /// `3.attention`, `3` for a block, `2-3` for a pair of blocks.
  var name: String
  /// `attention`, `mlp` or `block`.
  var role: String
  /// The layers inside.
  var layers: [LayerRecord]
  /// How many subblocks it holds.
  var subblockCount: Int
  /// Whether it may be removed.
  var isAllowed: Bool

  /// All subblocks of a model, tied.
  ///
  /// - Parameters:
  ///   - ties: `block` and `pairs` count.
  ///   - allowed: names of subblocks that may go; empty: all. A unit may go if all of it may.
  static func all(_ model: ModelRecord, _ layers: [LayerRecord], ties: [UnitTie], allowed: [String]) -> [DropUnit] {
    let may = Set(allowed)
    func unit(_ name: String, _ role: String, _ subblocks: [String]) -> DropUnit {
      let inside = layers.filter { subblocks.contains($0.subblockName) }
      let isAllowed = subblocks.allSatisfy { name in
        (may.isEmpty || may.contains(name)) && inside.contains { $0.subblockName == name }
      }
      return DropUnit(name: name, role: role, layers: inside, subblockCount: subblocks.count, isAllowed: isAllowed)
    }
    func halves(_ block: Int) -> [String] { ["\(block).attention", "\(block).mlp"] }
    let blocks = 0..<model.blockCount
    if ties.contains(.pairs) {
      return stride(from: 0, to: model.blockCount, by: 2).map { block in
        guard block + 1 < model.blockCount else {
          var last = unit("\(block)", "block", halves(block))
          last.isAllowed = false
          return last
        }
        return unit("\(block)-\(block + 1)", "block", halves(block) + halves(block + 1))
      }
    }
    if ties.contains(.block) { return blocks.map { unit("\($0)", "block", halves($0)) } }
    return blocks.flatMap { block in
      halves(block).map { unit($0, $0.hasSuffix("mlp") ? "mlp" : "attention", [$0]) }
    }
  }
}

/// A list of subblocks that may be removed.
public enum DropList {
  /// Reads a list: one subblock per line, `3.attention`, `3.mlp`, or `3` for both; `#` begins a comment.
  ///
  /// - Parameter blockCount: of the model.
  /// - Returns: the names of the subblocks, sorted, each once.
  /// - Throws: `SearchError.invalidProfile` naming the line.
  public static func parse(_ text: String, blockCount: Int) throws -> [String] {
    var names: [String] = []
    for (index, line) in ProfileText.withoutMark(text).split(
      omittingEmptySubsequences: false, whereSeparator: \.isNewline
    ).enumerated() {
      let content = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
      guard let entry = content.first else { continue }
      guard content.count == 1 else {
        throw SearchError.invalidProfile(
          detail: "line \(index + 1): expected one subblock, such as 3.attention, found ‘\(line.prefix(60))’")
      }
      do {
        names += try subblocks(String(entry), blockCount: blockCount)
      } catch SearchError.invalidProfile(let detail) {
        throw SearchError.invalidProfile(detail: "line \(index + 1): \(detail)")
      }
    }
    guard !names.isEmpty else { throw SearchError.invalidProfile(detail: "the list names no subblock") }
    return Array(Set(names)).sorted()
  }

  /// The subblocks that `3.attention`, `3.mlp` or `3` names.
  ///
  /// - Throws: `SearchError.invalidProfile`.
  static func subblocks(_ entry: String, blockCount: Int) throws -> [String] {
    let parts = entry.split(separator: ".", omittingEmptySubsequences: false)
    guard let first = parts.first, let block = Int(first), String(block) == first, parts.count <= 2 else {
      throw SearchError.invalidProfile(
        detail: "‘\(entry.prefix(60))’ is no subblock: write 3.attention, 3.mlp, or 3 for both halves of block 3")
    }
    guard (0..<blockCount).contains(block) else {
      throw SearchError.invalidProfile(
        detail: "there is no block \(block); the model has the blocks 0 to \(blockCount - 1)")
    }
    guard parts.count == 2 else { return ["\(block).attention", "\(block).mlp"] }
    guard parts[1] == "attention" || parts[1] == "mlp" else {
      throw SearchError.invalidProfile(
        detail: "‘\(entry.prefix(60))’ is no subblock: after the block's number comes attention or mlp")
    }
    return [entry]
  }
}

/// Which layers, or which subblocks, take their level together.
public enum UnitTie: String, Sendable, CaseIterable {
  /// q, k and v of a block: runtimes fuse them.
  case qkv
  /// gate and up of a block: runtimes fuse them.
  case gateUp = "gate_up"
  /// All layers of an attention or an MLP.
  case subblock
  /// All layers of a block; its attention and its MLP are dropped together.
  case block
  /// Blocks 0 and 1, 2 and 3, …: each pair is dropped whole. Of an odd number of blocks the last one stays.
  case pairs

  /// The group of a layer; nil: this does not tie it.
  func group(of layer: LayerRecord) -> String? {
    let role = layer.role
    switch self {
    case .qkv: return FusedLayers.qkv.roles.contains(role) ? "\(layer.blockIndex).qkv" : nil
    case .gateUp: return FusedLayers.gateUp.roles.contains(role) ? "\(layer.blockIndex).gate_up" : nil
    case .subblock: return layer.subblockName
    case .block: return "\(layer.blockIndex)"
    case .pairs: return nil
    }
  }

  /// Layers in groups that take one level each, in the order of their first layers.
  ///
  /// - Throws: `SearchError.invalidParameter` if two ties want one layer.
  static func units(_ layers: [LayerRecord], ties: [UnitTie]) throws -> [[LayerRecord]] {
    var places: [String: Int] = [:]
    var units: [[LayerRecord]] = []
    for layer in layers {
      let groups = ties.compactMap { $0.group(of: layer) }
      guard groups.count <= 1 else {
        throw SearchError.invalidParameter(
          detail: "\(layer.name) would be tied twice, by \(ties.map(\.rawValue).joined(separator: " and ")); choose one"
        )
      }
      if let group = groups.first, let place = places[group] {
        units[place].append(layer)
      } else {
        if let group = groups.first { places[group] = units.count }
        units.append([layer])
      }
    }
    return units
  }
}
