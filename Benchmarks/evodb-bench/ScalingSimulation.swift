import Foundation
import Inference

/// How well a generation of the paper's recipe would fill more threads than this machine has: the evaluator's tasks in its
/// order, with the times that their pieces take here on one thread.
struct ScalingSimulation {
  /// Offspring and survivors of each stage, and its tokens (arXiv 2410.14649, section 4).
  private static let stages: [(candidates: Int, tokens: Int)] = [(128, 2048), (16, 16_384), (4, 131_072)]
  private static let threadCounts = [2, 8, 16, 32, 64, 128]

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
  /// - Parameter candidates: block by block what each candidate has there, of at least 128 candidates.
  func section(candidates: [[[Int]]], sequenceLength: Int) -> BenchSection {
    let tries = Self.stages.map { trie(Array(candidates.prefix($0.candidates)), from: 0) }
    let figures = Self.threadCounts.map { threads in
      var used = 0.0
      var elapsed = 0.0
      var lowest = 1.0
      for (stage, trie) in zip(Self.stages, tries) {
        let sequences = max(1, stage.tokens / sequenceLength)
        let (work, time) = run(trie, sequences: sequences, threads: threads)
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
      key: "scaling_\(sequenceLength)", title: "3c. A generation of the paper's recipe on more threads: a simulation",
      words: """
        The evaluator's order of tasks with the times of this machine: \(blockCount) blocks of \
        \(String(format: "%.2f", blockSeconds * 1e3)) ms a sequence, \(String(format: "%.2f", leafSeconds * 1e3)) ms for \
        head and measures of \(ExampleCatalog.sequenceLength) tokens, longer ones in proportion; 128 offspring on 2,048 tokens, 16 on 16,384, 4 on 131,072, sequences of \(sequenceLength) \
        tokens, prefixes shared. A stage begins when the one before has ended. Memory is not simulated.
        """,
      figures: figures)
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
  private func run(_ roots: [Node], sequences: Int, threads: Int) -> (work: Double, time: Double) {
    var waiting: [Node] = (0..<sequences).flatMap { _ in roots }.reversed()
    var running: [(end: Double, node: Node)] = []
    var now = 0.0
    var work = 0.0
    while !waiting.isEmpty || !running.isEmpty {
      while running.count < threads, let node = waiting.popLast() {
        let seconds = Double(node.blocks) * blockSeconds + Double(node.leaves) * leafSeconds
        work += seconds
        running.append((now + seconds, node))
      }
      guard let next = running.indices.min(by: { running[$0].end < running[$1].end }) else { break }
      let done = running.remove(at: next)
      now = done.end
      // The first child is taken first, as by the evaluator.
      waiting.append(contentsOf: done.node.children.reversed())
    }
    return (work, now)
  }
}
