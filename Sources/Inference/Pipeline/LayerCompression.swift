import Catalog
import Foundation

/// The statistic of a site: its row, and its numbers once they are needed.
struct SiteStatistic {
  var record: StatisticRecord
  /// The Hessian.
  var matrix: Matrix?
  /// Its diagonal, where the matrix is not there.
  var diagonal: [Float]?

  init(record: StatisticRecord, matrix: Matrix? = nil) {
    self.record = record
    self.matrix = matrix
  }

  /// Reads the matrix if it was kept, else the diagonal.
  ///
  /// - Throws: `CatalogError.damaged` if what was kept does not fit.
  init(stored record: StatisticRecord, width: Int, store: CatalogStore) throws {
    self.record = record
    guard let blobID = record.matrixBlobID ?? record.diagonalBlobID else {
      throw CatalogError.damaged("statistic \(record.id) has neither matrix nor diagonal")
    }
    let bytes = try store.read { try $0.blob(blobID) }
    if record.matrixBlobID != nil {
      matrix = LowerTriangle.matrix(width: width, bytes: bytes)
    } else {
      diagonal = Matrix(rows: 1, columns: width, littleEndianBytes: bytes)?.values
    }
    guard matrix != nil || diagonal != nil else {
      throw CatalogError.damaged("statistic \(record.id) is not \(width) wide")
    }
  }

  /// The diagonal of the Hessian.
  var hessianDiagonal: [Float]? { matrix.map { matrix in (0..<matrix.rows).map { matrix[$0, $0] } } ?? diagonal }
}

/// One layer while its variants are made.
struct LayerCompression {
  private let weight: Matrix
  private let layer: LayerRecord
  private let modelName: String
  private let valueType: SparseValueType
  private let statistic: SiteStatistic?
  private let error: LayerError?
  private let factors: FactorCache
  private let arithmetic: Arithmetic
  private let numericsID: Int64

  /// - Parameters:
  ///   - weight: the dense weight [out, in].
  ///   - modelName: for errors.
  ///   - valueType: of kept weights.
  ///   - statistic: of the layer's site; nil if no method needs one.
  ///   - arithmetic: of factors, corrections and errors.
  init(
    weight: Matrix, layer: LayerRecord, modelName: String, valueType: SparseValueType, statistic: SiteStatistic?,
    factors: FactorCache, arithmetic: Arithmetic, numericsID: Int64
  ) {
    self.weight = weight
    self.layer = layer
    self.modelName = modelName
    self.valueType = valueType
    self.statistic = statistic
    self.factors = factors
    self.arithmetic = arithmetic
    self.numericsID = numericsID
    error = statistic?.matrix.map { LayerError(weight: weight, hessian: $0, arithmetic: arithmetic) }
  }

  /// Makes a variant.
  ///
  /// - Throws: `InferenceError`, as the methods; what is wrong with numbers names the layer, its site and the model.
  func variant(
    _ wanted: CompressionPlan.LayerLevel, method: MethodRecord
  ) throws -> (record: VariantRecord, packed: [UInt8]) {
    do {
      return try made(wanted, method: method)
    } catch InferenceError.invalidData(let part, let detail) {
      let advice =
        part == "Hessian" || part == "weight"
        ? "use other calibration data, or select the layers without this one"
        : "build with a larger damping, or select the layers without this one"
      throw InferenceError.invalidData(
        file: "\(layer.name) of \(modelName)",
        detail: "\(wanted.method.title) at \(wanted.level) failed: \(part)"
          + "\(part == "Hessian" ? " of \(layer.siteName)" : ""): \(detail); \(advice)")
    }
  }

  private func made(
    _ wanted: CompressionPlan.LayerLevel, method: MethodRecord
  ) throws -> (record: VariantRecord, packed: [UInt8]) {
    let definition = wanted.method.definition
    guard definition.levelKinds.contains(wanted.level.kind) else { throw wanted.method.noLevel(wanted.level) }
    var product = try definition.compress(input(for: wanted.method.need), to: wanted.level, wanted.method.values)
    if let factor = product.factor {
      product.deadInputCount = factor.deadInputCount
      if factor.dampingFractionUsed > factor.dampingFraction {
        product.trouble.insert(
          "Hessian not positive definite at damping \(factor.dampingFraction); used \(factor.dampingFractionUsed)",
          at: 0)
      }
    }
    let nmse = error.map { $0.nmse(compressed: product.weights) }
    // SQLite keeps no NaN: the column is then empty, and the row says why.
    if nmse?.isNaN == true {
      product.trouble.append(
        "the layer error is not a number: the products of weights and Hessian left the range of Float32")
    }
    let source = wanted.method.needsData ? statistic?.record : nil
    let record = VariantRecord(
      recipeKey: ArtefactKey.variant(
        weight: layer.weightDigest, method: method.digest, level: wanted.level.description, statistic: source?.recipeKey
      ),
      contentKey: SHA256.digest(of: product.packed), weightID: layer.weightID, methodID: method.id,
      level: wanted.level.description, bits: product.bits, sparsity: product.sparsity,
      statisticRecipeKey: source?.recipeKey, statisticID: source?.id,
      nmse: nmse, codeBits: product.codeBits,
      storedBits: Int64(product.packed.count) * 8, dampingUsed: product.factor?.dampingFractionUsed,
      deadInputCount: product.deadInputCount,
      trouble: product.trouble.isEmpty ? nil : product.trouble.joined(separator: "; "), numericsID: numericsID)
    return (record, product.packed)
  }

  /// The layer with the statistic that a method needs.
  private func input(for need: StatisticNeed) -> LayerInput {
    let hessian = need == .matrix ? statistic?.matrix : nil
    return LayerInput(
      weight: weight, valueType: valueType, denseBits: layer.denseBits, hessian: hessian,
      hessianDiagonal: need >= .diagonal ? statistic?.hessianDiagonal : nil
    ) { [factors, weight, layer, arithmetic] dampingFraction, activationOrder in
      guard let hessian else { preconditionFailure("error correction needs a Hessian") }
      return try factors.factor(
        site: layer.siteName, hessian: hessian, weight: weight, dampingFraction: dampingFraction,
        activationOrder: activationOrder, arithmetic: arithmetic)
    }
  }
}

/// Hessian factors of one block: one serves all levels and methods, and all layers of a site without zero columns of their
/// own.
///
/// `@unchecked Sendable`: `lock` guards the lists. A site is factored by one thread, the others wait for it: they would do
/// the same work in twice the memory.
final class FactorCache: @unchecked Sendable {
  private let lock = NSLock()
  private var factors: [(site: String, factor: HessianFactor)] = []
  private var siteLocks: [String: NSLock] = [:]

  func factor(
    site: String, hessian: Matrix, weight: Matrix, dampingFraction: Double, activationOrder: Bool,
    arithmetic: Arithmetic
  ) throws -> HessianFactor {
    let siteLock = lock.withLock {
      let siteLock = siteLocks[site] ?? NSLock()
      siteLocks[site] = siteLock
      return siteLock
    }
    return try siteLock.withLock {
      let known = lock.withLock {
        factors.first {
          $0.site == site && $0.factor.activationOrder == activationOrder
            && $0.factor.dampingFraction == dampingFraction && $0.factor.serves(weight)
        }
      }
      if let known { return known.factor }
      let factor = try HessianFactor(
        hessian: hessian, zeroColumns: HessianFactor.zeroColumns(of: weight), dampingFraction: dampingFraction,
        activationOrder: activationOrder, arithmetic: arithmetic)
      lock.withLock { factors.append((site, factor)) }
      return factor
    }
  }
}
