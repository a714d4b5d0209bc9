import Catalog

extension NumericsRecord {
  /// The arithmetic of this process.
  public static var current: NumericsRecord {
    let blas = BLAS.identity
    return NumericsRecord(blasVersion: blas.version, blasCore: blas.core, kernels: VectorKernels.identity)
  }
}
