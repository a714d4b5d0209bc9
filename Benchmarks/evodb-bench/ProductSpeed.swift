import Foundation
import Inference

/// Section 10: evodb's own products, every kernel set beside OpenBLAS, on one thread.
struct ProductSpeed {
  /// A linear layer of a model, by its role.
  private struct Layer {
    var name: String
    var inputs: Int
    var outputs: Int
  }

  /// The distinct shapes of the example, of a 135M and of a 1.1B Llama, their heads last.
  private static let layers = [
    Layer(name: "10M query", inputs: 256, outputs: 256), Layer(name: "10M key", inputs: 256, outputs: 128),
    Layer(name: "10M gate", inputs: 256, outputs: 768), Layer(name: "10M down", inputs: 768, outputs: 256),
    Layer(name: "10M head", inputs: 256, outputs: 4096),
    Layer(name: "135M query", inputs: 576, outputs: 576), Layer(name: "135M key", inputs: 576, outputs: 192),
    Layer(name: "135M gate", inputs: 576, outputs: 1536), Layer(name: "135M down", inputs: 1536, outputs: 576),
    Layer(name: "135M head", inputs: 576, outputs: 49_152),
    Layer(name: "1.1B query", inputs: 2048, outputs: 2048), Layer(name: "1.1B key", inputs: 2048, outputs: 256),
    Layer(name: "1.1B gate", inputs: 2048, outputs: 5632), Layer(name: "1.1B down", inputs: 5632, outputs: 2048),
    Layer(name: "1.1B head", inputs: 2048, outputs: 32_000),
  ]
  private static let tokenCounts = [16, 64, 256, 1024]
  /// The shapes take turns, so that a disturbed moment meets each of them in some rounds only.
  private static let roundCount = 6
  /// Of one product in one round, at least.
  private static let leastSeconds = 0.02

  /// One way to compute a product.
  private struct Way {
    var arithmetic: Arithmetic
    var kernels: KernelSet

    var key: String { "\(arithmetic.rawValue)_\(kernels.rawValue)" }
    var label: String { "\(arithmetic.rawValue), \(kernels.rawValue)" }
  }

  /// float32 has no kernels of its own among AMX; plain C is not made for speed.
  private static let ways = KernelSet.available.reversed().flatMap { set -> [Way] in
    switch set {
    case .portable: return []
    case .amx: return [Way(arithmetic: .bfloat16, kernels: set)]
    case .neon, .avx2, .avx512: return Arithmetic.own.map { Way(arithmetic: $0, kernels: set) }
    }
  }

  static func section() -> BenchSection {
    let blas = BLAS.identity
    var figures: [Figure] = []
    for layer in layers {
      for tokens in tokenCounts where tokens * layer.inputs * layer.outputs < 1 << 35 {
        figures += measure(layer, tokens: tokens)
      }
    }
    return BenchSection(
      key: "products", title: "10. Matrix products",
      words: """
        \(Processor.name.isEmpty ? "A processor without a name" : Processor.name); kernel sets \
        \(KernelSet.available.map(\.rawValue).joined(separator: ", ")). Activations [tokens, in] through a packed weight \
        [out, in] on one thread, the layout and rounding of the activations included, packing the weight not. Best of many \
        in \(roundCount) rounds. OPENBLAS_CORETYPE chooses the reference's kernels.
        """,
      reference: "OpenBLAS \(blas.version), float32, its \(blas.core) kernels, from plain matrices", figures: figures)
  }

  private static func measure(_ layer: Layer, tokens: Int) -> [Figure] {
    let w = Matrix(
      rows: layer.outputs, columns: layer.inputs, values: Noise.values(layer.outputs * layer.inputs, seed: 1))
    let x = Matrix(rows: tokens, columns: layer.inputs, values: Noise.values(tokens * layer.inputs, seed: 2))
    let result = Matrix(rows: tokens, columns: layer.outputs)
    let packed = Arithmetic.own.map { PackedWeights(w, arithmetic: $0) }
    var best = [Double](repeating: .infinity, count: ways.count)
    var reference = Double.infinity
    func time(_ body: () -> Void) -> Double {
      var total = 0.0
      var shortest = Double.infinity
      while total < leastSeconds {
        let seconds = Stopwatch.time(body).seconds
        total += seconds
        shortest = min(shortest, seconds)
      }
      return shortest
    }
    for _ in 0..<roundCount {
      for (index, way) in ways.enumerated() {
        guard let weights = packed.first(where: { $0.arithmetic == way.arithmetic }) else { continue }
        best[index] = min(
          best[index], time { MatrixProduct.multiply(x.panel, weights, into: result.panel, kernels: way.kernels) })
      }
      reference = min(reference, time { BLAS.linear(x, w, into: result) })
    }
    let work = 2 * Double(tokens) * Double(layer.inputs) * Double(layer.outputs) * 1e-9
    return zip(ways, best).map { way, seconds in
      let name = layer.name.replacingOccurrences(of: " ", with: "_").replacingOccurrences(of: ".", with: "_")
      let figure = Figure(
        "\(name)_\(tokens)_\(way.key)", "\(layer.name), \(tokens) x \(layer.inputs) -> \(layer.outputs), \(way.label)",
        work / seconds, "GFLOP/s", digits: 0)
      return figure.against(rate: work / reference, aim: way.kernels == .amx ? "1000 GFLOP/s" : "")
    }
  }
}
