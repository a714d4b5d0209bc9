import Foundation
import Inference

/// Calibration, GPTQ and SparseGPT.
struct CompressionTimes {
  /// Section 4: builds all levels into the example's catalog.
  static func section(_ example: ExampleCatalog, runsReference: Bool) throws -> BenchSection {
    let (seconds, outcome) = try Stopwatch.time { try example.build() }
    let measured =
      runsReference
      ? ReferenceCompression.measured(
        model: example.modelFolder, layers: example.model.network.layers.map(\.name),
        sequences: example.sequences.map(\.tokenIDs), bits: ExampleCatalog.bits, threadCount: example.job.threadCount,
        temporaryFolder: example.folder) : nil
    let reference = measured ?? .recorded
    var figures = [
      Figure("total_seconds", "calibration and all levels", seconds, "s", digits: 2)
        .against(time: reference.seconds, aim: "3 x")
    ]
    var shapes: [(rows: Int, columns: Int, count: Int)] = []
    for layer in example.model.network.layers {
      if let known = shapes.firstIndex(where: { $0.rows == layer.outputCount && $0.columns == layer.inputCount }) {
        shapes[known].count += 1
      } else {
        shapes.append((layer.outputCount, layer.inputCount, 1))
      }
    }
    for (rows, columns, count) in shapes {
      let time = try gptqSeconds(rows: rows, columns: columns)
      figures.append(
        Figure(
          "gptq_milliseconds_\(rows)x\(columns)", "GPTQ of one \(rows) x \(columns) layer (\(count) of them)",
          time * 1e3,
          "ms", digits: 2))
      let pruning = try sparseGPTSeconds(rows: rows, columns: columns)
      figures.append(
        Figure(
          "sparsegpt_milliseconds_\(rows)x\(columns)", "SparseGPT of the same layer", pruning * 1e3, "ms", digits: 2))
    }
    for width in Set(shapes.map(\.columns)).sorted() {
      let time = try factorSeconds(width: width)
      figures.append(
        Figure("factor_milliseconds_\(width)", "factor of a Hessian, \(width) wide", time * 1e3, "ms", digits: 2))
    }
    return BenchSection(
      key: "compression", title: "4. Calibration, GPTQ and SparseGPT",
      words: """
        \(example.calibration.sequenceCount) sequences of \(ExampleCatalog.sequenceLength) tokens: Hessians of all sites \
        behind blocks quantized to 3 bits, then GPTQ at \(ExampleCatalog.bits.map { String($0) }.joined(separator: ", ")) \
        bits of all \(example.model.network.layers.count) layers (\(outcome.builtVariantCount) variants), packed and \
        committed durably, \(example.job.threadCount) threads, one run. Below: one layer at one level (mean over the \
        bit-widths, or over sparsities of 0.25, 0.5 and 0.75; one thread), its Hessian's factor apart, because one serves all levels and layers of a site.
        """,
      reference: reference.description,
      figures: figures)
  }

  private static func hessian(width: Int) -> Matrix {
    let inputs = Matrix(rows: width, columns: 2 * width, values: Noise.values(2 * width * width))
    return BLAS.linear(inputs, inputs)
  }

  private static func factorSeconds(width: Int) throws -> Double {
    let hessian = hessian(width: width)
    return try Stopwatch.best(of: 5) { _ = try HessianFactor(hessian: hessian) }
  }

  private static func gptqSeconds(rows: Int, columns: Int) throws -> Double {
    let weight = Matrix(rows: rows, columns: columns, values: Noise.values(rows * columns, seed: 2))
    let factor = try HessianFactor(hessian: hessian(width: columns))
    let times = try ExampleCatalog.bits.map { bits in
      try Stopwatch.best(of: 5) {
        _ = try GPTQ.quantize(weight: weight, factor: factor, parameters: QuantizationParameters(bits: bits))
      }
    }
    return times.reduce(0, +) / Double(times.count)
  }

  private static func sparseGPTSeconds(rows: Int, columns: Int) throws -> Double {
    let weight = Matrix(rows: rows, columns: columns, values: Noise.values(rows * columns, seed: 2))
    let factor = try HessianFactor(hessian: hessian(width: columns))
    let times = try [0.25, 0.5, 0.75].map { sparsity in
      let target = SparsityTarget.zeros(Int(sparsity * Double(rows * columns)))
      return try Stopwatch.best(of: 5) {
        _ = try SparseGPT.prune(weight: weight, factor: factor, target: target, valueType: .bfloat16)
      }
    }
    return times.reduce(0, +) / Double(times.count)
  }
}
