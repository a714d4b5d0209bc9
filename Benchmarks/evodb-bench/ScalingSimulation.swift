import Foundation
import Inference

/// How well a generation of the paper's recipe would fill more threads than this machine has: the evaluator's tasks in its
/// order, with the times that their pieces take here on one thread, and with what a second thread gains here that helps with one
/// sequence.
struct ScalingSimulation {
  /// Offspring and survivors of each stage, and its tokens (arXiv 2410.14649, section 4).
  private static let stages: [(candidates: Int, tokens: Int)] = [(128, 2048), (16, 16_384), (4, 131_072)]
  private static let threadCounts = [2, 8, 16, 32, 64, 128]
  /// Rows that a thread without a task takes from another at a time.
  private static let stripRowCount = 128

  /// Seconds of a sequence through one block.
  let blockSeconds: Double
  /// Seconds of a candidate's head and measures on a sequence.
  let leafSeconds: Double
  let blockCount: Int

  /// One node of the prefix trie: some blocks in a row, then other nodes or the measures of some candidates.
  private struct Node {
    var blocks: Int
    var leaves: Int
    var children: [Node]
  }

  /// Measures the pieces on one thread.
  init(_ evaluation: CandidateEvaluation) throws {
    let model = evaluation.model
    blockCount = model.blockCount
    let dense = LayerChoices.dense(layerCount: model.layers.count)
    let x = model.embed(evaluation.sequences[0])
    let weights = evaluation.weights
    func block() throws {
      _ = try model.block(
        0, x, weight: { try weights.weight($0, dense.choices[$0]) }, dropped: [], tap: nil)
    }
    try block()
    blockSeconds = try Stopwatch.best(of: 20) { try block() }
    let whole =
      try evaluation.seconds(threadCount: 1, sharesPrefixes: false, bestOf: 3)
      / Double(evaluation.candidates.count * evaluation.sequences.count)
    leafSeconds = max(0, whole - blockSeconds * Double(model.blockCount))
  }

  /// The section with a line for each number of threads.
  ///
  /// - Parameters:
  ///   - candidates: block by block what each candidate has there, of at least 128 candidates.
  ///   - alone: one candidate on one sequence, as long as those of the recipe.
  func section(candidates: [[[Int]]], alone: CandidateEvaluation) throws -> BenchSection {
    let length = alone.sequences[0].count
    let gain = try sharedGain(alone)
    // Two threads take 1 - c + c / 2 of the time, c being the share of work that can be cut.
    let cutShare = min(max(2 * (1 - 1 / gain), 0), 1)
    let tries = Self.stages.map { trie(Array(candidates.prefix($0.candidates)), from: 0) }
    let figures = Self.threadCounts.map { threads in
      var used = 0.0
      var elapsed = 0.0
      var lowest = 1.0
      for (stage, trie) in zip(Self.stages, tries) {
        let sequences = max(1, stage.tokens / length)
        let (work, time) = run(trie, sequences: sequences, length: length, cutShare: cutShare, threads: threads)
        used += work
        elapsed += time
        lowest = min(lowest, work / (time * Double(threads)))
      }
      return Figure(
        "threads_\(threads)", "\(threads) threads (worst stage \(Int((lowest * 100).rounded())) %)",
        100 * used / (elapsed * Double(threads)), "% busy", digits: 0
      ).aiming("90 %")
    }
    return BenchSection(
      key: "scaling_\(length)", title: "3c. A generation of the paper's recipe on more threads: a simulation",
      words: """
        The evaluator's order of tasks with the times of this machine: \(blockCount) blocks of \
        \(String(format: "%.2f", blockSeconds * 1e3)) ms a sequence, \(String(format: "%.2f", leafSeconds * 1e3)) ms for \
        head and measures of \(ExampleCatalog.sequenceLength) tokens, longer ones in proportion; 128 offspring on 2,048 \
        tokens, 16 on 16,384, 4 on 131,072, sequences of \(length) tokens, prefixes shared. A stage begins when the one \
        before has ended. Threads without a task take strips of \(Self.stripRowCount) rows from the others. Memory is not \
        simulated. Busy: with what one thread would have to do.
        """,
      figures: [
        Figure("shared_gain", "one candidate on one sequence, 2 threads against 1", gain, "x", digits: 2)
      ] + figures)
  }

  /// How much sooner two threads are done with one sequence of one candidate than one is.
  private func sharedGain(_ alone: CandidateEvaluation) throws -> Double {
    guard ProcessInfo.processInfo.activeProcessorCount > 1 else { return 1 }
    let one = try alone.seconds(threadCount: 1, sharesPrefixes: true, bestOf: 5)
    return try one / alone.seconds(threadCount: 2, sharesPrefixes: true, bestOf: 5)
  }

  private func trie(_ candidates: [[[Int]]], from block: Int) -> [Node] {
    guard block < blockCount else { return [] }
    let groups = Dictionary(grouping: candidates) { $0[block] }
    return groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { _, members in
      let below = trie(members, from: block + 1)
      // A chain is one task.
      if below.count == 1 {
        return Node(blocks: below[0].blocks + 1, leaves: below[0].leaves, children: below[0].children)
      }
      return Node(blocks: 1, leaves: below.isEmpty ? members.count : 0, children: below)
    }
  }

  /// Seconds of work, and seconds until all is done.
  private func run(
    _ roots: [Node], sequences: Int, length: Int, cutShare: Double, threads: Int
  ) -> (work: Double, time: Double) {
    let strips = max(1, length / Self.stripRowCount)
    /// How many times sooner a node is done with several threads.
    func speed(_ threads: Int) -> Double {
      let rounds = (strips + threads - 1) / threads
      return 1 / (1 - cutShare + cutShare * Double(rounds) / Double(strips))
    }
    var waiting: [Node] = (0..<sequences).flatMap { _ in roots }.reversed()
    var running: [(left: Double, node: Node)] = []
    var now = 0.0
    var work = 0.0
    while !waiting.isEmpty || !running.isEmpty {
      while running.count < threads, let node = waiting.popLast() {
        let seconds = Double(node.blocks) * blockSeconds + Double(node.leaves) * leafSeconds
        work += seconds
        running.append((seconds, node))
      }
      // Those without a task spread over all that have one.
      let speeds = running.indices.map { speed(threads / running.count + ($0 < threads % running.count ? 1 : 0)) }
      let step = zip(running, speeds).map { $0.left / $1 }.min() ?? 0
      now += step
      for index in running.indices { running[index].left -= step * speeds[index] }
      guard let next = running.indices.min(by: { running[$0].left < running[$1].left }) else { break }
      // The first child is taken first, as by the evaluator.
      waiting.append(contentsOf: running.remove(at: next).node.children.reversed())
    }
    return (work, now)
  }
}
