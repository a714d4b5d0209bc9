import Foundation
import Inference

/// Section 11: Hessians, their factors, error correction and layer errors on own products beside OpenBLAS, on one thread.
struct CompressionSpeed {
  private static let widths = [256, 576, 1024, 1536, 2048]
  /// Of the example, of a 135M and of a 1.1B Llama: outputs, inputs.
  private static let layers = [
    (256, 256), (768, 256), (256, 768), (576, 576), (192, 576), (1536, 576), (576, 1536), (2048, 2048),
  ]
  private static let sequenceLength = 1024
  private static let sequenceCount = 8
  private static let ways: [Arithmetic] = [.float32, .openblas]

  static func section() throws -> BenchSection {
    let blas = BLAS.identity
    var figures: [Figure] = []
    for width in widths { figures += try measure(width: width) }
    for (rows, columns) in layers { figures += try measure(rows: rows, columns: columns) }
    return BenchSection(
      key: "factors", title: "11. Hessians, factors and error correction",
      words: """
        \(Processor.name.isEmpty ? "A processor without a name" : Processor.name), \(KernelSet.current.rawValue) \
        kernels. Hessians of \(sequenceCount * sequenceLength) tokens with their layout, factors with damping, GPTQ at 3 bits and its layer error; \
        one thread, best of several. OPENBLAS_CORETYPE chooses the reference's kernels.
        """,
      reference: "the same with OpenBLAS \(blas.version) and its \(blas.core) kernels", figures: figures)
  }

  /// Seconds each way; they take turns, so that a disturbed moment meets both.
  private static func seconds(_ body: (Arithmetic) throws -> Void) rethrows -> [Double] {
    var best = ways.map { _ in Double.infinity }
    for _ in 0..<5 {
      for (index, way) in ways.enumerated() {
        best[index] = min(best[index], try Stopwatch.time { try body(way) }.seconds)
      }
    }
    return best
  }

  private static func figure(_ key: String, _ label: String, _ seconds: [Double]) -> Figure {
    Figure(key, label, seconds[0] * 1e3, "ms", digits: 2).against(time: seconds[1] * 1e3, aim: "1 x")
  }

  private static func measure(width: Int) throws -> [Figure] {
    let inputs = Matrix(rows: sequenceLength, columns: width, values: Noise.values(sequenceLength * width))
    let accumulation = seconds { way in
      let accumulator = HessianAccumulator(width: width, arithmetic: way)
      for _ in 0..<sequenceCount { accumulator.add(inputs) }
      _ = accumulator.hessian(sequenceCount: sequenceCount)
    }
    let hessian = hessian(width: width)
    let factor = try seconds { _ = try HessianFactor(hessian: hessian, arithmetic: $0) }
    return [
      figure("hessian_milliseconds_\(width)", "Hessian, \(width) wide", accumulation),
      figure("factor_milliseconds_\(width)", "its factor", factor),
    ]
  }

  private static func measure(rows: Int, columns: Int) throws -> [Figure] {
    let weight = Matrix(rows: rows, columns: columns, values: Noise.values(rows * columns, seed: 2))
    let hessian = hessian(width: columns)
    let parameters = QuantizationParameters(bits: 3)
    let factors = try ways.map { try HessianFactor(hessian: hessian, arithmetic: $0) }
    let errors = ways.map { LayerError(weight: weight, hessian: hessian, arithmetic: $0) }
    let gptq = try seconds { way in
      guard let factor = factors.first(where: { $0.arithmetic == way }) else { return }
      _ = try GPTQ.quantize(weight: weight, factor: factor, parameters: parameters)
    }
    let quantized = try GPTQ.quantize(weight: weight, factor: factors[0], parameters: parameters).dequantized()
    let error = seconds { way in
      guard let index = ways.firstIndex(of: way) else { return }
      _ = errors[index].nmse(compressed: quantized)
    }
    return [
      figure("gptq_milliseconds_\(rows)x\(columns)", "GPTQ of a \(rows) x \(columns) layer", gptq),
      figure("error_milliseconds_\(rows)x\(columns)", "its layer error", error),
    ]
  }

  private static func hessian(width: Int) -> Matrix {
    let accumulator = HessianAccumulator(width: width)
    accumulator.add(Matrix(rows: 2 * width, columns: width, values: Noise.values(2 * width * width)))
    return accumulator.hessian(sequenceCount: 1)
  }
}
