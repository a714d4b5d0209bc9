import Catalog

/// The statistic of a site: its row, and its numbers where somebody needs them.
struct SiteStatistic {
  var record: StatisticRecord
  private let numbers: Numbers

  private enum Numbers {
    case none
    case made(Matrix)
    /// In the catalog; the matrix if it was kept, else the diagonal.
    case stored(width: Int)
  }

  /// One whose numbers nobody needs.
  init(record: StatisticRecord) {
    self.record = record
    numbers = .none
  }

  /// One that was accumulated now.
  init(record: StatisticRecord, matrix: Matrix) {
    self.record = record
    numbers = .made(matrix)
  }

  /// One whose numbers are in the catalog.
  init(stored record: StatisticRecord, width: Int) {
    self.record = record
    numbers = .stored(width: width)
  }

  /// The numbers; nil: nobody needs them.
  ///
  /// - Throws: `CatalogError.damaged` if what was kept does not fit.
  func loaded(_ store: CatalogStore) throws -> LayerStatistic? {
    switch numbers {
    case .none: return nil
    case .made(let matrix): return LayerStatistic(hessian: matrix)
    case .stored(let width):
      let bytes = try storedBytes(store)
      let found =
        record.matrixBlobID != nil
        ? LayerStatistic(hessian: LowerTriangle.matrix(width: width, bytes: bytes))
        : LayerStatistic(diagonal: Matrix(rows: 1, columns: width, littleEndianBytes: bytes)?.values)
      guard found.hessian != nil || found.diagonal != nil else {
        throw CatalogError.damaged("statistic \(record.id) is not \(width) wide")
      }
      return found
    }
  }

  /// The numbers as pieces of a build name them, and what gives their bytes.
  func content(_ store: CatalogStore) throws -> (
    key: LayerBuildRequest.Statistic, bytes: () throws -> [UInt8]
  ) {
    switch numbers {
    case .none: return (.none, { [] })
    case .made(let matrix): return (.matrix(record.contentKey), { LowerTriangle.bytes(of: matrix) })
    case .stored:
      if record.matrixBlobID != nil { return (.matrix(record.contentKey), { try self.storedBytes(store) }) }
      let bytes = try storedBytes(store)
      return (.diagonal(SHA256.digest(of: bytes)), { bytes })
    }
  }

  private func storedBytes(_ store: CatalogStore) throws -> [UInt8] {
    guard let blobID = record.matrixBlobID ?? record.diagonalBlobID else {
      throw CatalogError.damaged("statistic \(record.id) has neither matrix nor diagonal")
    }
    return try store.read { try $0.blob(blobID) }
  }
}

extension VariantRecord {
  /// The row of a variant that is not stored yet.
  ///
  /// - Parameter statistic: of the layer's site; left out where the method looks at no data.
  init(
    _ product: LayerProduct, of layer: LayerRecord, _ made: CompressionPlan.LayerLevel, method: MethodRecord,
    statistic: StatisticRecord?, numericsID: Int64
  ) {
    let source = made.method.needsData ? statistic : nil
    self.init(
      recipeKey: ArtefactKey.variant(
        weight: layer.weightDigest, method: method.digest, level: made.level.description, statistic: source?.recipeKey),
      contentKey: SHA256.digest(of: product.packed), weightID: layer.weightID, methodID: method.id,
      level: made.level.description, bits: product.bits, sparsity: product.sparsity,
      statisticRecipeKey: source?.recipeKey, statisticID: source?.id, nmse: product.nmse, codeBits: product.codeBits,
      storedBits: Int64(product.packed.count) * 8, dampingUsed: product.dampingUsed,
      deadInputCount: product.deadInputCount, trouble: product.trouble, numericsID: numericsID)
  }
}
