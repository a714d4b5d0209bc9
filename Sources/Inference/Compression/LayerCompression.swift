/// A variant as it was computed: the packed weights and what is known of them.
struct LayerProduct: Equatable, Sendable {
  /// The stored form.
  var packed: [UInt8]
  /// Bits of a code; nil: not a quantization.
  var bits: Double?
  /// Share of pruned weights; nil: not a sparsification.
  var sparsity: Double?
  /// Bits that count under cost `codes`.
  var codeBits: Int64
  /// Damping fraction that made the Hessian factor; nil: none.
  var dampingUsed: Double?
  /// Inputs that were always zero.
  var deadInputCount: Int
  /// Relative layer error; nil: no Hessian, or no number.
  var nmse: Double?
  /// Numerical trouble in words; nil: none.
  var trouble: String?
}

/// Statistics of a layer's inputs that its methods need: the Hessian, or its diagonal alone.
struct LayerStatistic: Sendable {
  /// The Hessian [in, in].
  var hessian: Matrix?
  /// Its diagonal `[in]`, where the matrix is not there.
  var diagonal: [Float]?

  /// The diagonal of the Hessian.
  var hessianDiagonal: [Float]? {
    hessian.map { matrix in (0..<matrix.rows).map { matrix[$0, $0] } } ?? diagonal
  }
}

/// How a checkpoint stores a layer.
struct LayerType: Equatable, Sendable {
  /// The type of kept weights of a sparse variant.
  var valueType: SparseValueType
  /// Bits of a weight.
  var denseBits: Int
}

/// One layer while its variants are made.
struct LayerCompression {
  private let weight: Matrix
  private let name: String
  private let siteName: String
  private let modelName: String
  private let type: LayerType
  private let statistic: LayerStatistic?
  private let error: LayerError?
  private let factors: FactorCache
  private let arithmetic: Arithmetic

  /// - Parameters:
  ///   - weight: the dense weight [out, in].
  ///   - name: the layer's, for errors.
  ///   - siteName: of its input, under which `factors` are shared.
  ///   - modelName: for errors.
  ///   - statistic: of the layer's site; nil if no method needs one.
  ///   - arithmetic: of factors, corrections and errors.
  init(
    weight: Matrix, name: String, siteName: String, modelName: String, type: LayerType, statistic: LayerStatistic?,
    factors: FactorCache, arithmetic: Arithmetic
  ) {
    self.weight = weight
    self.name = name
    self.siteName = siteName
    self.modelName = modelName
    self.type = type
    self.statistic = statistic
    self.factors = factors
    self.arithmetic = arithmetic
    error = statistic?.hessian.map { LayerError(weight: weight, hessian: $0, arithmetic: arithmetic) }
  }

  /// Makes a variant.
  ///
  /// - Throws: `InferenceError`, as the methods; what is wrong with numbers names the layer, its site and the model.
  func product(_ method: CompressionMethod, at level: Level) throws -> LayerProduct {
    do {
      return try made(method, level)
    } catch InferenceError.invalidData(let part, let detail) {
      let advice =
        part == "Hessian" || part == "weight"
        ? "use other calibration data, or select the layers without this one"
        : "build with a larger damping, or select the layers without this one"
      throw InferenceError.invalidData(
        file: "\(name) of \(modelName)",
        detail: "\(method.title) at \(level) failed: \(part)"
          + "\(part == "Hessian" ? " of \(siteName)" : ""): \(detail); \(advice)")
    }
  }

  private func made(_ method: CompressionMethod, _ level: Level) throws -> LayerProduct {
    let definition = method.definition
    guard definition.levelKinds.contains(level.kind) else { throw method.noLevel(level) }
    var product = try definition.compress(input(for: method.need), to: level, method.values)
    if let factor = product.factor {
      product.deadInputCount = factor.deadInputCount
      if factor.dampingFractionUsed > factor.dampingFraction {
        product.trouble.insert(
          "Hessian not positive definite at damping \(factor.dampingFraction); used \(factor.dampingFractionUsed)",
          at: 0)
      }
    }
    var nmse = error.map { $0.nmse(compressed: product.weights) }
    // SQLite keeps no NaN: the column is then empty, and the row says why.
    if nmse?.isNaN == true {
      nmse = nil
      product.trouble.append(
        "the layer error is not a number: the products of weights and Hessian left the range of Float32")
    }
    return LayerProduct(
      packed: product.packed, bits: product.bits, sparsity: product.sparsity, codeBits: product.codeBits,
      dampingUsed: product.factor?.dampingFractionUsed, deadInputCount: product.deadInputCount, nmse: nmse,
      trouble: product.trouble.isEmpty ? nil : product.trouble.joined(separator: "; "))
  }

  /// The layer with the statistic that a method needs.
  private func input(for need: StatisticNeed) -> LayerInput {
    let hessian = need == .matrix ? statistic?.hessian : nil
    return LayerInput(
      weight: weight, valueType: type.valueType, denseBits: type.denseBits, hessian: hessian,
      hessianDiagonal: need >= .diagonal ? statistic?.hessianDiagonal : nil
    ) { [factors, weight, siteName, arithmetic] dampingFraction, activationOrder in
      guard let hessian else { preconditionFailure("error correction needs a Hessian") }
      return try factors.factor(
        site: siteName, hessian: hessian, weight: weight, dampingFraction: dampingFraction,
        activationOrder: activationOrder, arithmetic: arithmetic)
    }
  }
}
