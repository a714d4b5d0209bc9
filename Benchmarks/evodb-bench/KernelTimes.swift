import Foundation
import Inference

/// Section 7: the C kernels beside their twins in Swift.
struct KernelTimes {
  /// Hidden width, MLP width and vocabulary of the example, a whole sequence of rows each.
  private static let rows = 256
  private static let hidden = 256
  private static let mlp = 768
  private static let vocabulary = 4096

  static func section() throws -> BenchSection {
    var figures: [Figure] = []
    func add(_ key: String, _ label: String, elements: Int, _ ours: () -> Void, plain: () -> Void) {
      figures.append(figure(key, label, elements, ours, plain, digits: 3))
    }
    let x = noise(rows, hidden)
    let weight = noise(1, hidden)
    let target = PlainBuffer(rows * hidden)
    let xs = PlainBuffer(x)
    let ws = PlainBuffer(weight)
    add(
      "rms_norm", "RMS norm, rows of \(hidden)", elements: rows * hidden,
      { _ = VectorKernels.rmsNorm(x, weight: weight, epsilon: 1e-5) },
      plain: {
        for row in 0..<rows {
          PlainSwiftKernels.rmsNorm(
            target.base + row * hidden, xs.base + row * hidden, ws.base, count: hidden, epsilon: 1e-5)
        }
      })
    // Softmax works in place; after the first pass its rows are probabilities, which cost the same.
    let scores = noise(rows, rows)
    let plainScores = PlainBuffer(scores)
    add(
      "softmax", "causal softmax, rows of 1 to \(rows)", elements: rows * (rows + 1) / 2,
      { VectorKernels.causalSoftmax(scores.panel, firstQuery: 0, scale: 0.2) },
      plain: {
        for row in 0..<rows { PlainSwiftKernels.softmax(plainScores.base + row * rows, count: row + 1, scale: 0.2) }
      })
    let gate = Matrix(rows: rows, columns: mlp)
    let up = noise(rows, mlp)
    let plainGate = PlainBuffer(gate)
    let plainUp = PlainBuffer(up)
    let count = rows * mlp
    add(
      "silu_multiply", "silu(gate) * up", elements: count, { VectorKernels.siluMultiply(gate, up) },
      plain: { PlainSwiftKernels.siluMultiply(plainGate.base, plainUp.base, count: count) })
    figures.append(
      figure(
        "silu_multiply_simd", "  beside Swift's SIMD16", count, { VectorKernels.siluMultiply(gate, up) },
        { VectorSwiftKernels.siluMultiply(plainGate.base, plainUp.base, count: count) }, digits: 3))

    let teacher = noise(64, vocabulary, scale: 3)
    for row in 0..<teacher.rows {
      let shift = Float(VectorKernels.logSumExp(teacher, row: row))
      for column in 0..<vocabulary { teacher[row, column] -= shift }
    }
    let student = noise(64, vocabulary, scale: 3, seed: 5)
    let t = PlainBuffer(teacher)
    let s = PlainBuffer(student)
    let logits = 64 * vocabulary
    let sink = Sink()
    func rowwise(_ body: (Int) -> Double) { for row in 0..<64 { sink.value += body(row) } }
    let logSumExp = { rowwise { VectorKernels.logSumExp(student, row: $0) } }
    add(
      "log_sum_exp", "log-sum-exp, rows of \(vocabulary)", elements: logits, logSumExp,
      plain: { rowwise { PlainSwiftKernels.logSumExp(s.base + $0 * vocabulary, count: vocabulary) } })
    figures.append(
      figure(
        "log_sum_exp_simd", "  beside Swift's SIMD16", logits, logSumExp,
        { rowwise { VectorSwiftKernels.logSumExp(s.base + $0 * vocabulary, count: vocabulary) } }, digits: 3))
    let kl = {
      rowwise {
        VectorKernels.klDivergence(teacher: teacher, teacherRow: $0, student: student, row: $0, studentLogSumExp: 9)
      }
    }
    add(
      "kl_row", "KL, rows of \(vocabulary)", elements: logits, kl,
      plain: {
        rowwise {
          PlainSwiftKernels.klDivergence(
            teacher: t.base + $0 * vocabulary, student: s.base + $0 * vocabulary, studentLogSumExp: 9,
            count: vocabulary)
        }
      })
    figures.append(
      figure(
        "kl_row_simd", "  beside Swift's SIMD16", logits, kl,
        {
          rowwise {
            VectorSwiftKernels.klDivergence(
              teacher: t.base + $0 * vocabulary, student: s.base + $0 * vocabulary, studentLogSumExp: 9,
              count: vocabulary)
          }
        }, digits: 3))
    for bits in [3, 4] {
      let packed = WeightPacking.encode(
        try RoundToNearest.quantize(weight: noise(mlp, hidden), parameters: QuantizationParameters(bits: bits)))
      let seconds = try Stopwatch.best(of: 10, repetitions: 5) { _ = try WeightPacking.unpack(packed) }
      figures.append(
        Figure(
          "unpack_\(bits)_bits", "unpacking \(bits)-bit weights (Swift)", seconds / Double(mlp * hidden) * 1e9,
          "ns/weight", digits: 3))
    }
    return BenchSection(
      key: "kernels", title: "7. C kernels beside the same loops in Swift",
      words: """
        Nanoseconds an element on data in the caches, one thread, best of several. Unpacking takes packed codes to \
        float32, checks included; it is Swift.
        """,
      reference: """
        the same loops in optimised Swift as one would write them, with the system's exp; where it says so, in SIMD16 \
        vectors with the same polynomial for exp.
        """,
      figures: figures)
  }

  private static func figure(
    _ key: String, _ label: String, _ elements: Int, _ ours: () -> Void, _ plain: () -> Void, digits: Int
  ) -> Figure {
    let c = Stopwatch.best(of: 20, repetitions: 2, ours) / Double(elements) * 1e9
    let swift = Stopwatch.best(of: 6, repetitions: 1, plain) / Double(elements) * 1e9
    return Figure(key, label, c, "ns", digits: digits).against(time: swift)
  }

  private static func noise(_ rows: Int, _ columns: Int, scale: Float = 1, seed: UInt64 = 3) -> Matrix {
    Matrix(rows: rows, columns: columns, values: Noise.values(rows * columns, seed: seed).map { $0 * scale })
  }
}

/// Takes results, so that no loop is optimised away.
private final class Sink {
  var value = 0.0
}

/// Floats that Swift loops run over.
private final class PlainBuffer {
  let base: UnsafeMutablePointer<Float>

  init(_ count: Int) {
    base = UnsafeMutablePointer<Float>.allocate(capacity: count)
    base.initialize(repeating: 0, count: count)
  }

  convenience init(_ matrix: Matrix) {
    let values = matrix.values
    self.init(values.count)
    base.update(from: values, count: values.count)
  }

  deinit { base.deallocate() }
}
