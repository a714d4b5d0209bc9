/// A request or a part of one: candidates that follow one another in the prefix trie.
///
/// A request is cut only where it is larger than the next piece shall be (`PieceSchedule`), because every part computes the prefix
/// that it shares with its neighbour again.
struct RequestCut {
  /// Index of the request.
  let request: Int
  /// The candidates of the part, by their index in the request.
  let candidates: [Int]
  /// What the part costs, in products.
  let cost: Double

  /// Where there are fewer takers than that makes parts, a part has at least as much work as so many whole candidates: what it
  /// computes again is small beside that.
  private static let fewestCandidates = 4.0

  /// Pieces for so many takers; those of the largest requests come first.
  ///
  /// - Parameters:
  ///   - shortest: a part costs at least about that much, in products.
  static func parts(_ requests: [EvaluationRequest], takers: Int, shortest: Double, _ cost: PassCost) -> [RequestCut] {
    // Requests of a stage mostly have equal candidates.
    var chains: [(candidates: [LayerChoices], needsTeacher: Bool, chain: Chain)] = []
    let prepared = requests.map { request -> Chain? in
      guard !request.candidates.isEmpty,
        request.candidates.allSatisfy({ $0.choices.count == cost.layersOfBlock.last?.upperBound ?? 0 })
      else { return nil }
      let needsTeacher = request.measures.contains { $0.needsTeacher }
      if let known = chains.first(where: { $0.needsTeacher == needsTeacher && $0.candidates == request.candidates }) {
        return known.chain
      }
      let chain = Chain(request.candidates, needsTeacher: needsTeacher, cost)
      chains.append((request.candidates, needsTeacher, chain))
      return chain
    }
    let costs = zip(requests, prepared).map { request, chain in
      Double(request.tokenIDs.count) * (chain?.cost ?? Double(request.candidates.count) * cost.whole)
    }
    var schedule = PieceSchedule(left: costs.reduce(0, +), takers: Double(takers))
    let order = requests.indices.sorted { (costs[$1], $0) < (costs[$0], $1) }
    return order.flatMap { index -> [RequestCut] in
      let tokens = Double(requests[index].tokenIDs.count)
      guard takers > 1, let chain = prepared[index] else {
        schedule.left -= costs[index]
        return [RequestCut(request: index, candidates: Array(requests[index].candidates.indices), cost: costs[index])]
      }
      let least = max(shortest, fewestCandidates * cost.whole * tokens)
      return chain.runs(perToken: tokens, least: least, shortest: shortest, &schedule).map {
        RequestCut(request: index, candidates: $0.members.sorted(), cost: $0.cost * tokens)
      }
    }
  }

  /// Candidates in the order of the trie, and what each adds for a token.
  private struct Chain {
    private var members: [Int] = []
    /// Behind the one before it.
    private var next: [Double] = []
    /// As the first of a part.
    private var first: [Double] = []
    /// The whole chain.
    private(set) var cost = 0.0

    init(_ candidates: [LayerChoices], needsTeacher: Bool, _ cost: PassCost) {
      let tree = PrefixTree(
        candidates, wanted: Array(candidates.indices), layersOfBlock: cost.layersOfBlock, sharing: true)
      let blockCount = cost.layersOfBlock.count
      func add(_ leaf: Int, sharing shared: Int) {
        members.append(leaf)
        next.append(cost.blocks(shared..<blockCount, of: candidates[leaf]) + cost.head)
        first.append(cost.blocks(0..<blockCount, of: candidates[leaf]) + cost.head * (needsTeacher ? 2 : 1))
      }
      func walk(_ node: PrefixTree.Node, _ common: Int) {
        for (place, leaf) in node.leaves.enumerated() { add(leaf, sharing: place == 0 ? common : blockCount) }
        for (place, child) in node.children.enumerated() {
          walk(child, place == 0 ? common : node.blockIndex + 1)
        }
      }
      for root in tree.roots { walk(root, 0) }
      self.cost = first[0] + next.dropFirst().reduce(0, +)
    }

    /// Runs of members.
    ///
    /// - Parameters:
    ///   - least: what a run should cost, for all tokens.
    ///   - shortest: what it costs at least.
    func runs(perToken tokens: Double, least: Double, shortest: Double, _ schedule: inout PieceSchedule) -> [(
      members: [Int], cost: Double
    )] {
      var result: [(members: [Int], cost: Double)] = []
      // What a run computes again, on the average.
      let repeated = zip(first, next).reduce(0) { $0 + $1.0 - $1.1 } / Double(members.count)
      var rest = cost
      var start = 0
      func take(_ length: Double?) {
        let run = length.map { self.run(from: start, length: $0) } ?? (end: members.count, cost: rest)
        result.append((Array(members[start..<run.end]), run.cost))
        let before = rest
        rest = run.end < members.count ? first[run.end] + next[(run.end + 1)...].reduce(0, +) : 0
        schedule.left -= (before - rest) * tokens
        start = run.end
      }
      while start < members.count {
        if let length = schedule.next(least: least) {
          take(rest * tokens <= 1.5 * length ? nil : length / tokens)
        } else {
          let count = schedule.pieceCount(of: rest * tokens, shortest: shortest)
          for number in stride(from: count, to: 0, by: -1) where start < members.count {
            take(number == 1 ? nil : (rest + Double(number - 1) * repeated) / Double(number))
          }
        }
      }
      return result
    }

    /// The run whose length is about `length` and behind which little is shared.
    private func run(from start: Int, length: Double) -> (end: Int, cost: Double) {
      var sum = first[start]
      var best: (end: Int, cost: Double, loss: Double)?
      var end = start + 1
      while end < members.count, best == nil || sum <= 1.25 * length {
        if sum >= 0.75 * length {
          // What is computed again, and what somebody waits for.
          let loss = first[end] - next[end] + abs(sum - length) / 2
          if best.map({ loss < $0.loss }) ?? true { best = (end, sum, loss) }
        }
        sum += next[end]
        end += 1
      }
      return best.map { ($0.end, $0.cost) } ?? (members.count, sum)
    }
  }
}
