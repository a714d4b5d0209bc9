import COpenBLAS
import Foundation

/// Single-precision BLAS and LAPACK on `Matrix`, always on the calling thread.
///
/// OpenBLAS's own threads stay off: sequences and candidates run in parallel instead, so that no result depends on a
/// thread count.
public enum BLAS {
  // Where it has one thread already (OPENBLAS_NUM_THREADS=1), setting the number would only map a buffer.
  private static let singleThreaded: Void = {
    if openblas_get_num_threads() != 1 { openblas_set_num_threads(1) }
  }()

  /// Address space that OpenBLAS maps for each product under way, and keeps.
  static let bufferByteCount = 128 << 20
  private static let reservation = BufferReservation()
  /// How many buffers OpenBLAS has mapped ahead.
  static var reservedBufferCount: Int { reservation.count }

  /// Has OpenBLAS map the buffers of `count` products at a time now: if it cannot later, it tries for ever. The caller has
  /// made sure that there is room.
  static func reserveBuffers(_ count: Int) {
    _ = singleThreaded
    reservation.raise(to: count)
  }

  /// A rectangle of a row-major matrix: rows `rows`, columns `columns` of a buffer with `stride` floats a row.
  package struct Panel {
    let start: UnsafeMutablePointer<Float>
    let rows: Int
    let columns: Int
    let stride: Int
  }

  /// `result ← scale · op(a) · op(b) + keep · result`, where op transposes if asked.
  static func multiply(
    _ a: Panel, transposed transposeA: Bool = false, _ b: Panel, transposed transposeB: Bool = false,
    into result: Panel, scale: Float = 1, keep: Float = 0
  ) {
    _ = singleThreaded
    let inner = transposeA ? a.rows : a.columns
    precondition(inner == (transposeB ? b.columns : b.rows))
    precondition(result.rows == (transposeA ? a.columns : a.rows))
    precondition(result.columns == (transposeB ? b.rows : b.columns))
    guard result.rows > 0, result.columns > 0 else { return }
    cblas_sgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      blasint(result.rows), blasint(result.columns), blasint(inner), scale, a.start, blasint(a.stride),
      b.start, blasint(b.stride), keep, result.start, blasint(result.stride))
  }

  /// `x · wᵀ`: activations `x` [n, in] through a linear weight `w` [out, in] give [n, out].
  package static func linear(_ x: Matrix, _ w: Matrix) -> Matrix {
    let result = Matrix(uninitializedRows: x.rows, columns: w.rows)
    linear(x, w, into: result)
    return result
  }

  /// Writes the product into an existing matrix. `[n, out]`
  package static func linear(_ x: Matrix, _ w: Matrix, into result: Matrix) {
    multiply(x.panel, transposed: false, w.panel, transposed: true, into: result.panel)
  }

  /// `matrix ← matrix − x · yᵀ` for vectors `x` [rows] and `y` [columns].
  static func subtractOuterProduct(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, yStride: Int = 1, from matrix: Panel
  ) {
    _ = singleThreaded
    guard matrix.rows > 0, matrix.columns > 0 else { return }
    cblas_sger(
      CblasRowMajor, blasint(matrix.rows), blasint(matrix.columns), -1, x, 1, y, blasint(yStride), matrix.start,
      blasint(matrix.stride))
  }

  /// Rows `range` of `matrix` ← themselves − xᵀ·y, where x is the part `range` of row `xRow` of `xMatrix` and y row `yRow`
  /// of `yMatrix`.
  static func subtractOuterProduct(
    row xRow: Int, of xMatrix: Matrix, row yRow: Int, of yMatrix: Matrix, fromRows range: Range<Int>, of matrix: Matrix
  ) {
    precondition(range.upperBound <= xMatrix.columns && yMatrix.columns == matrix.columns)
    subtractOuterProduct(
      xMatrix.base + xRow * xMatrix.columns + range.lowerBound, yMatrix.base + yRow * yMatrix.columns,
      from: matrix.panel(rows: range, columns: 0..<matrix.columns))
  }

  /// Cholesky-factors a symmetric positive definite matrix in place: `a = Uᵀ·U` with U in the upper triangle (the
  /// strictly lower one is left as it was), or `a = L·Lᵀ` with L in the lower.
  ///
  /// - Returns: false if the matrix is not positive definite; its content is then undefined.
  static func cholesky(_ a: Matrix, upper: Bool) -> Bool {
    _ = singleThreaded
    precondition(a.rows == a.columns)
    // Column-major LAPACK sees the transpose, so our upper triangle is its lower one.
    var triangle: CChar = CChar(UInt8(ascii: upper ? "L" : "U"))
    var n = blasint(a.rows)
    var stride = n
    var info = blasint(0)
    spotrf_(&triangle, &n, a.storage.baseAddress, &stride, &info)
    return info == 0
  }

  /// Replaces a Cholesky factor from `cholesky(_:upper:)` by the same triangle of the inverse of the factored matrix.
  ///
  /// - Returns: false if the factor is singular.
  static func invertFromCholesky(_ factor: Matrix, upper: Bool) -> Bool {
    _ = singleThreaded
    var triangle: CChar = CChar(UInt8(ascii: upper ? "L" : "U"))
    var n = blasint(factor.rows)
    var stride = n
    var info = blasint(0)
    spotri_(&triangle, &n, factor.storage.baseAddress, &stride, &info)
    return info == 0
  }

  /// Replaces a triangular matrix by its inverse in place; the other triangle is left as it was.
  ///
  /// - Returns: false if it is singular.
  static func invertTriangle(_ factor: Matrix, upper: Bool) -> Bool {
    _ = singleThreaded
    precondition(factor.rows == factor.columns)
    // Column-major LAPACK sees the transpose, so our upper triangle is its lower one.
    var triangle: CChar = CChar(UInt8(ascii: upper ? "L" : "U"))
    var diagonal = CChar(UInt8(ascii: "N"))
    var n = blasint(factor.rows)
    var stride = max(1, n)
    var info = blasint(0)
    strtri_(&triangle, &diagonal, &n, factor.storage.baseAddress, &stride, &info)
    return info == 0
  }

  /// `x · s` for a symmetric matrix `s` [in, in], of which only the lower triangle is read, and `x` [n, in].
  static func multiply(_ x: Matrix, bySymmetric s: Matrix) -> Matrix {
    _ = singleThreaded
    precondition(s.rows == s.columns && x.columns == s.rows)
    let result = Matrix(uninitializedRows: x.rows, columns: x.columns)
    guard x.rows > 0, x.columns > 0 else { return result }
    cblas_ssymm(
      CblasRowMajor, CblasRight, CblasLower, blasint(x.rows), blasint(x.columns), 1, s.base, blasint(s.columns), x.base,
      blasint(x.columns), 0, result.base, blasint(x.columns))
    return result
  }

  /// OpenBLAS's version and the kernel set it chose for this processor, for the numerics of an observation.
  public static var identity: (version: String, core: String) {
    _ = singleThreaded
    let version = configuration.split(separator: " ").prefix(2).joined(separator: " ")
    return (version, String(cString: openblas_get_corename()))
  }

  private static var configuration: String { String(cString: openblas_get_config()) }

  /// Advice if the kernel set in use is not the best for this processor; nil: nothing is wrong.
  public static var kernelAdvice: BLASKernelAdvice? {
    BLASKernelAdvice(
      used: identity.core, features: Processor.features, canChoose: configuration.contains("DYNAMIC_ARCH"),
      request: ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"])
  }
}

/// `@unchecked Sendable`: `lock` guards the count.
private final class BufferReservation: @unchecked Sendable {
  private let lock = NSLock()
  private var reserved = 0

  var count: Int { lock.withLock { reserved } }

  func raise(to wanted: Int) {
    lock.withLock {
      guard wanted > reserved, evodb_openblas_reserve(Int32(clamping: wanted)) != 0 else { return }
      reserved = wanted
    }
  }
}

extension BLAS.Panel {
  /// A rectangle of the rectangle.
  func part(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> BLAS.Panel {
    precondition(rowRange.upperBound <= rows && columnRange.upperBound <= columns)
    return BLAS.Panel(
      start: start + rowRange.lowerBound * stride + columnRange.lowerBound, rows: rowRange.count,
      columns: columnRange.count, stride: stride)
  }
}

extension Matrix {
  /// The whole matrix as a panel.
  package var panel: BLAS.Panel { panel(rows: 0..<rows, columns: 0..<columns) }

  /// The rectangle `rows` × `columns` as a panel.
  func panel(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> BLAS.Panel {
    precondition(rowRange.upperBound <= rows && columnRange.upperBound <= columns)
    return BLAS.Panel(
      start: base + rowRange.lowerBound * columns + columnRange.lowerBound, rows: rowRange.count,
      columns: columnRange.count, stride: columns)
  }
}
