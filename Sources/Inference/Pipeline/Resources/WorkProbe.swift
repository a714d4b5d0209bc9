import Catalog
import Foundation

/// How long the pieces of work on a model take on this machine at this moment, measured on a few of them.
///
/// Nothing is stored. Long sequences are measured on their beginnings and extrapolated by the operations of their products.
struct WorkProbe {
  /// Seconds of one sequence of the longest length through one block, when all threads are at work.
  private(set) var blockSeconds = 0.0
  /// Floating-point operations a second of one thread in that pass.
  private(set) var productRate = 1.0
  /// Seconds of reading and widening a dense weight.
  private(set) var loadSecondsPerWeight = 0.0
  /// Seconds of adding a token's input to a Hessian, over its width squared.
  private(set) var hessianSecondsPerSquare = 0.0
  /// Seconds of factoring a Hessian, over its width cubed.
  private(set) var factorSecondsPerCube = 0.0
  /// Seconds that compressing a layer at one level takes beside its products, a weight; measuring its error included.
  private(set) var levelSecondsPerWeight = 0.0
  /// Seconds of digesting and storing a byte.
  private(set) var storeSecondsPerByte = 0.0
  /// Seconds of the measures of one token, the dense model's probabilities not included.
  private(set) var measureSecondsPerToken = 0.0
  /// Seconds of the dense model's probabilities of one token.
  private(set) var teacherSecondsPerToken = 0.0

  /// Operations in one block of a sequence at most: a tenth of a second or two.
  private static let largestOperationCount = 2e10
  /// Seconds that a repeated measurement takes at most.
  private static let patience = 0.1

  private let model: OpenModel
  private let tokenIDs: [Int32]
  private let threadCount: Int
  private let length: Int

  /// Measures what a calibration or a build does.
  static func compression(_ model: OpenModel, sequence: [Int32]?, plan: CompressionPlan, threadCount: Int) throws
    -> WorkProbe
  {
    var probe = WorkProbe(model, sequence, threadCount)
    let network = model.network
    let narrowest = network.sites.filter { $0.blockIndex == 0 }.min { $0.width < $1.width }
    guard let narrowest, let layer = network.layers.first(where: { $0.siteIndex == narrowest.index }) else {
      return probe
    }
    var input = Matrix(rows: 1, columns: narrowest.width)
    if sequence != nil { try probe.measureBlock { site, x in if site == narrowest.index { input = x.copy() } } }
    let arithmetic = model.arithmetic
    let accumulator = HessianAccumulator(width: narrowest.width, arithmetic: arithmetic)
    let squares = Double(input.rows) * Double(narrowest.width * narrowest.width)
    probe.hessianSecondsPerSquare =
      repeated { accumulator.add(input) } / squares
    let hessian = accumulator.hessian(sequenceCount: 1)
    let bytes = LowerTriangle.bytes(of: hessian)
    // The catalog writes a byte twice, first into its log; digesting it takes about as long as that.
    probe.storeSecondsPerByte = 2 * once { _ = SHA256.digest(of: bytes) } / Double(bytes.count)
    let record = model.layers[layer.index]
    guard let level = plan.levels(of: record).first else { return probe }
    let width = Double(narrowest.width)
    let weights = Double(record.weightCount)
    if level.method.need == .matrix {
      // What few tokens make is singular and is damped more, to the same work.
      probe.factorSecondsPerCube =
        try once { _ = try HessianFactor(hessian: hessian, dampingFraction: 0.1, arithmetic: arithmetic) }
        / (width * width * width)
    }
    // The Hessian of few tokens stands in for that of all.
    let compression = LayerCompression(
      weight: try model.weights.matrix(layer.index, .dense), name: record.name, siteName: record.siteName,
      modelName: model.record.name, type: model.layerTypes[layer.index],
      statistic: plan.needsStatistics ? LayerStatistic(hessian: hessian) : nil, factors: FactorCache(),
      arithmetic: arithmetic)
    // The first call makes the factor, too.
    _ = try compression.product(level.method, at: level.level)
    let seconds = try once { _ = try compression.product(level.method, at: level.level) }
    let products = probe.levelProducts(rows: record.outputCount, columns: record.inputCount, need: level.method.need)
    probe.levelSecondsPerWeight = max(0, seconds - products / probe.productRate) / weights
    return probe
  }

  /// Measures what an evaluation does.
  static func evaluation(_ model: OpenModel, sequence: [Int32], threadCount: Int) throws -> WorkProbe {
    var probe = WorkProbe(model, sequence, threadCount)
    var stream = Matrix(rows: 1, columns: 1)
    stream = try probe.measureBlock { _, _ in }
    let hidden = model.network.finish(stream)
    let count = Double(max(hidden.rows - 1, 1))
    var probabilities = hidden
    probe.teacherSecondsPerToken =
      once { probabilities = FitnessSums.logProbabilities(hidden: hidden, model: model.network) } / count
    let ids = Array(probe.tokenIDs.prefix(hidden.rows))
    probe.measureSecondsPerToken =
      repeated {
        _ = FitnessSums.sums(
          hidden: hidden, tokenIDs: ids, teacher: .whole(probabilities), measures: [.kl], model: model.network)
      } / count
    return probe
  }

  private init(_ model: OpenModel, _ sequence: [Int32]?, _ threadCount: Int) {
    self.model = model
    self.threadCount = threadCount
    length = sequence?.count ?? 0
    let perToken = Double(Self.blockWeights(model)) * 2
    let affordable = Int(max(16, min(1e9, Self.largestOperationCount / max(perToken, 1))))
    tokenIDs = Array((sequence ?? []).prefix(affordable))
  }

  private static func blockWeights(_ model: OpenModel) -> Int {
    model.network.layers.filter { $0.subblock.blockIndex == 0 }.reduce(0) { $0 + $1.outputCount * $1.inputCount }
  }

  /// Operations of the products of one block on a sequence.
  private func blockOperations(tokens: Int) -> Double {
    let network = model.network
    let mixed = network.sites.first { $0.blockIndex == 0 && $0.name.hasSuffix("o_in") }?.width ?? network.hiddenSize
    let pairs = Double(tokens) * Double(tokens + 1) / 2
    return 2 * Double(Self.blockWeights(model)) * Double(tokens) + 4 * pairs * Double(mixed)
  }

  /// Operations of compressing a layer at one level and measuring its error: both multiply a weight with a triangle.
  func levelProducts(rows: Int, columns: Int, need: StatisticNeed) -> Double {
    need == .matrix ? 2 * Double(rows) * Double(columns) * Double(columns) : 0
  }

  /// Sets block seconds and product rate; returns the stream after the block.
  @discardableResult
  private mutating func measureBlock(_ tap: @escaping (Int, Matrix) -> Void) throws -> Matrix {
    let network = model.network
    let weights = model.weights
    let x = network.embed(tokenIDs)
    let loading = try Self.once {
      for layer in network.layers where layer.subblock.blockIndex == 0 { _ = try weights.weight(layer.index, .dense) }
    }
    loadSecondsPerWeight = loading / Double(max(Self.blockWeights(model), 1))
    let output = try network.block(0, x, weight: { try weights.weight($0, .dense) }, dropped: [], tap: tap)
    let threads = threadCount
    let seconds = try Self.repeated {
      try Parallel.forEach(threads, threadCount: threads, cancellation: Cancellation()) { _ in
        _ = try network.block(0, x, weight: { try weights.weight($0, .dense) }, dropped: [], tap: nil)
      }
    }
    productRate = max(1, blockOperations(tokens: tokenIDs.count) / max(seconds, 1e-9))
    blockSeconds = seconds * blockOperations(tokens: length) / max(blockOperations(tokens: tokenIDs.count), 1)
    return output
  }

  private static func once(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    return seconds(since: start)
  }

  /// The shortest of a few calls: what disturbs them only makes them longer.
  private static func repeated(_ body: () throws -> Void) rethrows -> Double {
    var best = Double.infinity
    let start = ContinuousClock.now
    for _ in 0..<5 {
      best = min(best, try once(body))
      if seconds(since: start) > patience { break }
    }
    return best
  }

  private static func seconds(since start: ContinuousClock.Instant) -> Double {
    let duration = ContinuousClock.now - start
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}
