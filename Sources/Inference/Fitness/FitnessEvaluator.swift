import Foundation

/// Evaluates many nearly equal models on the same sequences.
///
/// The unit of computation is one sequence of one candidate; prefixes that candidates share are computed once, and
/// sequences and candidates run in parallel. Neither changes a bit of a result.
public final class FitnessEvaluator: Sendable {
  /// One sequence and the candidates wanted on it.
  public struct Request: Sendable {
    /// The sequence, at least 2 ids.
    public var tokenIDs: [Int32]
    /// Indices of candidates.
    public var candidates: [Int]
    /// The measures to sum up.
    public var measures: [Measure]
    /// The dense model's last hidden state [n, hidden]; nil if no measure needs it.
    public var teacherHidden: Matrix?

    /// Creates a question about a sequence.
    public init(tokenIDs: [Int32], candidates: [Int], measures: [Measure], teacherHidden: Matrix?) {
      self.tokenIDs = tokenIDs
      self.candidates = candidates
      self.measures = measures
      self.teacherHidden = teacherHidden
    }

    fileprivate var fedTokenIDs: [Int32] { Array(tokenIDs.prefix(FitnessEvaluator.fedCount(of: tokenIDs, measures))) }
  }

  /// How many tokens are fed: all, or all but the last if only continuations are wanted, whose sequences may be one token
  /// longer than the model.
  static func fedCount(of tokenIDs: [Int32], _ measures: [Measure]) -> Int {
    let wantsContinuationsOnly = !measures.isEmpty && measures.allSatisfy { $0.firstToken != nil }
    return wantsContinuationsOnly ? tokenIDs.count - 1 : tokenIDs.count
  }

  /// The model.
  public let model: any LanguageModel
  private let weights: WeightCache
  private let threadCount: Int
  private let sharesPrefixes: Bool
  private let keepsTeacherProbabilities: Bool
  private let layersOfBlock: [Range<Int>]

  /// - Parameters:
  ///   - sharesPrefixes: false computes every candidate from its first block, which takes less memory.
  ///   - keepsTeacherProbabilities: false computes the dense model's probabilities of a sequence again for every
  ///     candidate, which takes less memory.
  public init(
    model: any LanguageModel, weights: WeightCache, threadCount: Int, sharesPrefixes: Bool = true,
    keepsTeacherProbabilities: Bool = true
  ) {
    self.model = model
    self.weights = weights
    self.threadCount = threadCount
    self.sharesPrefixes = sharesPrefixes
    self.keepsTeacherProbabilities = keepsTeacherProbabilities
    layersOfBlock = (0..<model.blockCount).map { block in
      let indices = model.layers.filter { $0.subblock.blockIndex == block }.map(\.index)
      return (indices.first ?? 0)..<((indices.last ?? -1) + 1)
    }
  }

  /// The dense model's last hidden states [n, hidden].
  ///
  /// - Parameter onResult: called once per sequence, from any thread, one at a time.
  public func teacherHiddenStates(
    _ sequences: [[Int32]], cancellation: Cancellation,
    onResult: @escaping (Int, Matrix, EvaluationWork) throws -> Void
  ) throws {
    let dense = LayerChoices.dense(layerCount: model.layers.count)
    let requests = sequences.map { Request(tokenIDs: $0, candidates: [0], measures: [], teacherHidden: nil) }
    try walk([dense], requests, cancellation) { sequence, _, hidden, work in { try onResult(sequence, hidden, work) } }
  }

  /// Sums of the measures for every requested (candidate, sequence).
  ///
  /// - Parameter onResult: called once per (request, candidate), from any thread, one at a time, roughly in the order of
  ///   the requests; a sum is nil where it is not finite. Work that candidates share counts for the first of them.
  public func evaluate(
    _ candidates: [LayerChoices], _ requests: [Request], cancellation: Cancellation,
    onResult: @escaping (_ request: Int, _ candidate: Int, _ sums: [Measure: Double?], EvaluationWork) throws -> Void
  ) throws {
    let teachers = requests.map { request in
      LazyTeacher(
        request.measures.contains { $0.needsTeacher } ? request.teacherHidden : nil, uses: request.candidates.count,
        isKept: keepsTeacherProbabilities && request.candidates.count > 1)
    }
    try walk(candidates, requests, cancellation) { [model] index, candidate, hidden, work in
      let teacher = teachers[index].teacher(model: model)
      let sums = FitnessSums.sums(
        hidden: hidden, tokenIDs: requests[index].tokenIDs, teacher: teacher, measures: requests[index].measures,
        model: model)
      teachers[index].release()
      return { try onResult(index, candidate, sums, work) }
    }
  }

  /// Walks the trie of every request. `leaf` computes in parallel; what it returns is called one at a time.
  private func walk(
    _ candidates: [LayerChoices], _ requests: [Request], _ cancellation: Cancellation,
    leaf:
      @escaping (_ request: Int, _ candidate: Int, _ hidden: Matrix, EvaluationWork) throws -> (() throws -> Void)
  ) throws {
    let stack = TaskStack()
    let reporting = NSLock()
    var trees: [[Int]: PrefixTree] = [:]

    func tree(_ wanted: [Int]) -> PrefixTree {
      if let tree = trees[wanted] { return tree }
      let tree = PrefixTree(candidates, wanted: wanted, layersOfBlock: layersOfBlock, sharing: sharesPrefixes)
      trees[wanted] = tree
      return tree
    }

    /// - Parameter blockTokens: computed on the way here, and not yet in any result.
    func visit(_ request: Int, _ node: PrefixTree.Node, _ input: Matrix, blockTokens: Int) throws {
      var node = node
      var x = input
      var blockTokens = blockTokens
      while true {
        try cancellation.check()
        let candidate = candidates[node.candidate]
        x = try model.block(
          node.blockIndex, x, weight: { try self.weights.weight($0, candidate.choices[$0]) },
          dropped: candidate.dropped, tap: nil)
        blockTokens += x.rows
        guard node.children.count == 1 else { break }
        node = node.children[0]
      }
      let output = x
      let count = blockTokens
      if !node.children.isEmpty {
        stack.push(
          node.children.enumerated().map { place, child in
            { try visit(request, child, output, blockTokens: place == 0 ? count : 0) }
          })
        return
      }
      let hidden = model.finish(output)
      for (place, candidate) in node.leaves.enumerated() {
        let work = EvaluationWork(
          forwardTokenCount: output.rows, forwardBlockTokenCount: place == 0 ? count : 0)
        let report = try leaf(request, candidate, hidden, work)
        try reporting.withLock { try report() }
      }
    }

    stack.push(
      requests.indices.flatMap { request -> [TaskStack.Task] in
        let roots = tree(requests[request].candidates).roots
        let start = LazyEmbedding(model: model, tokenIDs: requests[request].fedTokenIDs)
        return roots.map { root in { try visit(request, root, start.matrix(), blockTokens: 0) } }
      })
    try stack.run(threadCount: threadCount)
  }
}

/// The embedded tokens of a request, made when its first task runs.
///
/// `@unchecked Sendable`: `lock` guards the matrix.
private final class LazyEmbedding: @unchecked Sendable {
  private let lock = NSLock()
  private let model: any LanguageModel
  private let tokenIDs: [Int32]
  private weak var made: Matrix?

  init(model: any LanguageModel, tokenIDs: [Int32]) {
    self.model = model
    self.tokenIDs = tokenIDs
  }

  func matrix() -> Matrix {
    lock.withLock {
      if let made { return made }
      let matrix = model.embed(tokenIDs)
      made = matrix
      return matrix
    }
  }
}

/// The dense model's log-probabilities of one sequence: made by the first candidate that needs them, freed by the last.
///
/// `@unchecked Sendable`: `lock` guards the matrix and the count.
private final class LazyTeacher: @unchecked Sendable {
  private let lock = NSLock()
  private let hidden: Matrix?
  private let isKept: Bool
  private var remaining: Int
  private var made: Matrix?

  init(_ hidden: Matrix?, uses: Int, isKept: Bool) {
    self.hidden = hidden
    self.isKept = isKept
    remaining = uses
  }

  func teacher(model: some LanguageModel) -> FitnessSums.Teacher? {
    guard let hidden else { return nil }
    guard isKept else { return .hidden(hidden) }
    return lock.withLock {
      if let made { return .whole(made) }
      let matrix = FitnessSums.logProbabilities(hidden: hidden, model: model)
      made = matrix
      return .whole(matrix)
    }
  }

  func release() {
    lock.withLock {
      remaining -= 1
      if remaining == 0 { made = nil }
    }
  }
}
