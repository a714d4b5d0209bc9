import Foundation
import Inference

/// A generation of the paper's recipe on many workers: how long pieces wait for files, for each other, and for the end of a
/// stage.
///
/// Takers are threads; each claims a piece, reads it, computes it and answers. Every operation on a file takes the latency of the
/// file system, eight of the coordinator's are under way at once, and pages are looked at four times a second at most.
struct ClusterSimulation {
  /// A model and the machines for it.
  struct Shape {
    var name: String
    var key: String
    var parameterCount: Double
    /// Threads of a worker.
    var threadCount: Int

    static let all = [
      Shape(name: "7B", key: "7b", parameterCount: 7e9, threadCount: 8),
      Shape(name: "70B", key: "70b", parameterCount: 70e9, threadCount: 16),
    ]
  }

  /// Candidates and tokens of each stage (arXiv 2410.14649, section 4).
  private static let stages: [(candidates: Int, tokens: Int)] = [(128, 2048), (16, 16_384), (4, 131_072)]
  private static let sequenceLength = 2048
  private static let workerCounts = [10, 100, 1000]
  private static let latencies = [0.001, 0.02, 1]
  /// The share of their blocks that a candidate has in common with a neighbour in the trie.
  private static let sharedShare = 0.5
  private static let coordinatorStreams = 8.0
  private static let longestPause = 0.25
  /// The age of a directory that NFS may still show.
  private static let staleSeconds = 30.0
  private static let islandCount = 4

  private let shape: Shape
  /// Seconds of a candidate on a sequence, by one thread.
  private let candidateSeconds: Double

  init(_ shape: Shape, operationsPerSecond: Double) {
    self.shape = shape
    candidateSeconds = 2 * shape.parameterCount * Double(Self.sequenceLength) / operationsPerSecond
  }

  /// Seconds of a run of candidates on a sequence.
  private func pieceSeconds(_ candidates: Int) -> Double {
    candidateSeconds * (1 + Double(candidates - 1) * (1 - Self.sharedShare))
  }

  /// How a stage goes.
  private struct Stage {
    var elapsed = 0.0
    /// Seconds of all threads in computing.
    var busy = 0.0
    /// Seconds for which the coordinator's operations on files keep one of its streams busy.
    var clerk = 0.0
  }

  /// A stage of some searches side by side.
  ///
  /// - Parameters:
  ///   - joinSeconds: when workers come; until then there is the coordinator, with the threads of one worker.
  private func stage(
    _ candidates: Int, _ tokens: Int, takers: Int, latency: Double, searches: Int = 1, joinSeconds: Double = 0
  ) -> Stage {
    let sequences = searches * max(tokens / Self.sequenceLength, 1)
    // Cut as RequestCut does it.
    let shortest = SpoolCoordinator.shortestPieceSeconds(writeSeconds: 3 * latency)
    var schedule = PieceSchedule(left: Double(sequences) * pieceSeconds(candidates), takers: Double(takers))
    var pieces: [Double] = []
    for _ in 0..<sequences {
      var rest = candidates
      func take(_ length: Double?) {
        let share = length.map { ($0 / candidateSeconds - 1) / (1 - Self.sharedShare) + 1 }
        let count = share.map { min(max(Int($0.rounded()), 1), rest) } ?? rest
        pieces.append(pieceSeconds(count))
        schedule.left -= pieceSeconds(rest) - (rest > count ? pieceSeconds(rest - count) : 0)
        rest -= count
      }
      while rest > 0 {
        if let length = schedule.next(least: max(shortest, 4 * candidateSeconds)) {
          take(pieceSeconds(rest) <= 1.5 * length ? nil : length)
        } else {
          let count = schedule.pieceCount(of: pieceSeconds(rest), shortest: shortest)
          for number in stride(from: count, to: 0, by: -1) where rest > 0 {
            let repeated = Double(number - 1) * candidateSeconds * Self.sharedShare
            take(number == 1 ? nil : (pieceSeconds(rest) + repeated) / Double(number))
          }
        }
      }
    }
    pieces.sort(by: >)
    // Published in order, a few at a time: written, synced and renamed.
    let published = pieces.indices.map { (Double($0) / Self.coordinatorStreams).rounded(.down) * 3 * latency }
    var free = (0..<min(takers, pieces.count)).map { taker in
      min(Self.longestPause, 50 * 4 * latency) / 2 + latency + (taker < shape.threadCount ? 0 : joinSeconds)
    }
    var answered: [Double] = []
    for (index, seconds) in pieces.enumerated() {
      // The taker that is free first; few enough to look at all.
      let taker = free.indices.min { free[$0] < free[$1] } ?? 0
      let start = max(free[taker], published[index] + latency)
      // A claim is written and linked, the request read, the answer written, synced and renamed.
      free[taker] = start + 3 * latency + seconds + 3 * latency
      answered.append(free[taker])
    }
    answered.sort()
    var clerk = 0.0
    for time in answered { clerk = max(clerk, time) + latency / Self.coordinatorStreams }
    return Stage(
      elapsed: clerk + latency, busy: pieces.reduce(0, +),
      clerk: Double(pieces.count) * 4 * latency / Self.coordinatorStreams)
  }

  private func generation(_ takers: Int, latency: Double, searches: Int = 1, joinSeconds: Double = 0) -> [Stage] {
    Self.stages.enumerated().map { index, stage in
      self.stage(
        stage.candidates, stage.tokens, takers: takers, latency: latency, searches: searches,
        joinSeconds: index == 0 ? joinSeconds : 0)
    }
  }

  /// The share of a generation's time that its first stage takes, and that work ahead on it would save if its guess of the parent
  /// were right: as far as the threads that are idle in the later stages can do it.
  private func speculation(_ stages: [Stage], takers: Int) -> Double {
    let elapsed = stages.reduce(0) { $0 + $1.elapsed }
    let idle = stages.dropFirst().reduce(0) { $0 + $1.elapsed * Double(takers) - $1.busy }
    return min(1, idle / max(stages[0].busy, 1e-9)) * stages[0].elapsed / elapsed
  }

  /// A line for each number of workers and latency, and for what may go otherwise at the middle latency.
  func section() -> BenchSection {
    var figures: [Figure] = []
    func percent(_ share: Double) -> String { String(format: share < 0.1 ? "%.1f %%" : "%.0f %%", 100 * share) }
    for count in Self.workerCounts {
      let takers = count * shape.threadCount
      func add(_ key: String, _ label: String, _ stages: [Stage], searches: Int = 1, _ remark: String) {
        let elapsed = stages.reduce(0) { $0 + $1.elapsed }
        let used = stages.reduce(0) { $0 + $1.busy } / (elapsed * Double(takers)) * 100
        figures.append(
          Figure(
            "workers_\(count)_\(key)", "\(count) workers, \(label): \(Self.time(elapsed))\(remark)", used, "% used",
            digits: 1))
      }
      for latency in Self.latencies {
        let stages = generation(takers, latency: latency)
        let elapsed = stages.reduce(0) { $0 + $1.elapsed }
        let clerk = stages.reduce(0) { $0 + $1.clerk } / elapsed
        add(
          "latency_\(Int(latency * 1000))ms", "\(Int(latency * 1000)) ms", stages,
          ", the coordinator's files \(percent(clerk))")
      }
      let latency = Self.latencies[1]
      add(
        "stale", "20 ms, first seen 30 s late", generation(takers, latency: latency, joinSeconds: Self.staleSeconds), ""
      )
      let four = generation(takers, latency: latency, searches: Self.islandCount)
      let one = generation(takers, latency: latency).reduce(0) { $0 + $1.elapsed }
      let each = four.reduce(0) { $0 + $1.elapsed } / Double(Self.islandCount)
      add("islands", "20 ms, \(Self.islandCount) islands", four, ", \(String(format: "%.1f", one / each)) x the work")
      let saved = speculation(generation(takers, latency: latency), takers: takers)
      figures.append(
        Figure(
          "workers_\(count)_speculation", "\(count) workers, 20 ms: work ahead would save at most", 100 * saved,
          "% of the time",
          digits: 1))
    }
    return BenchSection(
      key: "cluster_simulation_\(shape.key)", title: "Cluster: a generation of a \(shape.name) model, simulated",
      words:
        "Workers of \(shape.threadCount) threads, \(Self.time(candidateSeconds)) for a candidate on \(Self.sequenceLength) tokens by one thread, "
        + "as measured here on the example; neighbours share half of their blocks. A directory that is 30 s old hides new workers for as "
        + "long, and no piece: they come late to the first generation. Work ahead is on the first stage of the next generation, "
        + "by threads that wait in the later stages of this one, if the guess of its parent is always right.",
      figures: figures)
  }

  private static func time(_ seconds: Double) -> String {
    seconds < 120 ? String(format: "%.1f s", seconds) : String(format: "%.1f min", seconds / 60)
  }
}
