import Foundation
import Inference

/// The most that products of an arithmetic reach on this machine.
struct ProductPeak {
  var arithmetic: Arithmetic
  /// GFLOP/s of one thread.
  var oneThread: Double
  /// GFLOP/s of all threads together, each with products of its own.
  var allThreads: Double
  var threadCount: Int

  static func measure(_ arithmetic: Arithmetic, threadCount: Int) -> ProductPeak {
    ProductPeak(
      arithmetic: arithmetic, oneThread: best(arithmetic, threadCount: 1),
      allThreads: best(arithmetic, threadCount: threadCount), threadCount: threadCount)
  }

  /// The higher figures of two measurements: a disturbed moment must not pass for a low peak, of which everything else
  /// would be a large share.
  func merged(with other: ProductPeak) -> ProductPeak {
    let all = max(allThreads, other.allThreads)
    return ProductPeak(
      arithmetic: arithmetic, oneThread: max(oneThread, other.oneThread, all / Double(threadCount)), allThreads: all,
      threadCount: threadCount)
  }

  private static func best(_ arithmetic: Arithmetic, threadCount: Int) -> Double {
    [(size: 512, repetitions: 24), (1024, 6), (2048, 1)].map { size, repetitions in
      let operands = (0..<threadCount).map { _ in
        (
          x: Matrix(rows: size, columns: size, values: Noise.values(size * size)),
          w: PackedWeights(Matrix(rows: size, columns: size), arithmetic: arithmetic)
        )
      }
      let seconds = Stopwatch.best(of: 8) {
        DispatchQueue.concurrentPerform(iterations: threadCount) { thread in
          for _ in 0..<repetitions { _ = MatrixProduct.linear(operands[thread].x, operands[thread].w) }
        }
      }
      let flops = 2 * Double(size) * Double(size) * Double(size) * Double(repetitions * threadCount)
      return flops / seconds * 1e-9
    }.max() ?? 0
  }

  static func section(_ peaks: [ProductPeak]) -> BenchSection {
    BenchSection(
      key: "peak", title: "1. The machine's peak",
      words: """
        Matrix products in each arithmetic (one thread each) of 512 x 512, 1024 x 1024 and 2048 x 2048, the best of the three: \
        first one alone, then several at once, as many as threads; the best of many, before and after section 2. evodb's own \
        use its \(KernelSet.current.rawValue) kernels.
        """,
      figures: peaks.flatMap { peak in
        [
          Figure(
            "\(peak.arithmetic.rawValue)_one_thread_gflops", "\(peak.arithmetic.rawValue), 1 thread", peak.oneThread,
            "GFLOP/s"),
          Figure(
            "\(peak.arithmetic.rawValue)_all_threads_gflops",
            "\(peak.arithmetic.rawValue), \(peak.threadCount) threads",
            peak.allThreads, "GFLOP/s"),
        ]
      })
  }
}

/// Repeatable numbers that look nearly normal.
enum Noise {
  static func values(_ count: Int, seed: UInt64 = 1) -> [Float] {
    var state = seed
    return (0..<count).map { _ in
      var sum: Float = 0
      for _ in 0..<3 {
        // Knuth's linear congruential generator (MMIX); only its upper bits are used.
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        sum += Float(state >> 40) / Float(1 << 24) - 0.5
      }
      return sum * 2
    }
  }
}
