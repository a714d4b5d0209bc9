/// Candidates as a trie over blocks: two candidates share a node as long as all their blocks so far are equal, so that a
/// walk over the trie computes every distinct prefix once.
struct PrefixTree {
  final class Node: Sendable {
    /// The block this node computes.
    let blockIndex: Int
    /// Any of its candidates: they agree up to and including this block.
    let candidate: Int
    /// One node for each different next block; empty at the last block.
    let children: [Node]
    /// Candidates that end here.
    let leaves: [Int]

    init(blockIndex: Int, candidate: Int, children: [Node], leaves: [Int]) {
      self.blockIndex = blockIndex
      self.candidate = candidate
      self.children = children
      self.leaves = leaves
    }
  }

  /// One per distinct first block.
  let roots: [Node]

  /// - Parameters:
  ///   - candidates: all candidates.
  ///   - wanted: the indices to include.
  ///   - sharing: false gives every candidate its own chain.
  init(_ candidates: [LayerChoices], wanted: [Int], layersOfBlock: [Range<Int>], sharing: Bool) {
    func subtrees(_ members: [Int], _ block: Int) -> [Node] {
      guard block < layersOfBlock.count else { return [] }
      var groups: [[Int]] = []
      var groupOfSignature: [Signature: Int] = [:]
      for member in members {
        let signature = Signature(candidates[member], block: block, layers: layersOfBlock[block])
        if sharing, let group = groupOfSignature[signature] {
          groups[group].append(member)
        } else {
          groupOfSignature[signature] = groups.count
          groups.append([member])
        }
      }
      let isLast = block + 1 == layersOfBlock.count
      return groups.map { group in
        Node(
          blockIndex: block, candidate: group[0], children: subtrees(group, block + 1), leaves: isLast ? group : [])
      }
    }
    roots = subtrees(wanted, 0)
  }

  private struct Signature: Hashable {
    var choices: ArraySlice<WeightChoice>
    var dropsAttention: Bool
    var dropsMLP: Bool

    init(_ candidate: LayerChoices, block: Int, layers: Range<Int>) {
      choices = candidate.choices[layers]
      dropsAttention = candidate.dropped.contains(Subblock(blockIndex: block, half: .attention))
      dropsMLP = candidate.dropped.contains(Subblock(blockIndex: block, half: .mlp))
    }
  }
}
