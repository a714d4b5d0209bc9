import Foundation
import Inference

/// The most that single-precision products reach on this machine.
struct ProductPeak {
  /// GFLOP/s of one thread.
  var oneThread: Double
  /// GFLOP/s of all threads together, each with products of its own.
  var allThreads: Double
  var threadCount: Int

  static func measure(threadCount: Int) -> ProductPeak {
    ProductPeak(
      oneThread: best(threadCount: 1), allThreads: best(threadCount: threadCount), threadCount: threadCount)
  }

  /// The higher figures of two measurements: a disturbed moment must not pass for a low peak, of which everything else
  /// would be a large share.
  func merged(with other: ProductPeak) -> ProductPeak {
    let all = max(allThreads, other.allThreads)
    return ProductPeak(
      oneThread: max(oneThread, other.oneThread, all / Double(threadCount)), allThreads: all, threadCount: threadCount)
  }

  private static func best(threadCount: Int) -> Double {
    [(size: 1024, repetitions: 6), (2048, 1)].map { size, repetitions in
      let operands = (0..<threadCount).map { _ in
        (Matrix(rows: size, columns: size, values: Noise.values(size * size)), Matrix(rows: size, columns: size))
      }
      let seconds = Stopwatch.best(of: 8) {
        DispatchQueue.concurrentPerform(iterations: threadCount) { thread in
          for _ in 0..<repetitions { _ = BLAS.linear(operands[thread].0, operands[thread].1) }
        }
      }
      let flops = 2 * Double(size) * Double(size) * Double(size) * Double(repetitions * threadCount)
      return flops / seconds * 1e-9
    }.max() ?? 0
  }

  var section: BenchSection {
    BenchSection(
      key: "peak", title: "1. The machine's peak",
      words: """
        Single-precision matrix products (OpenBLAS, one thread each) of 1024 x 1024 and 2048 x 2048, the better of the \
        two: first one alone, then \(threadCount) independent ones at once; the best of many, before and after section 2.
        """,
      figures: [
        Figure("one_thread_gflops", "1 thread", oneThread, "GFLOP/s"),
        Figure("all_threads_gflops", "\(threadCount) threads", allThreads, "GFLOP/s"),
      ])
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
