/// What Hessians, their factors, error correction and layer errors are computed with.
enum CompressionProducts {
  /// evodb's own float32 products: the same bits on every machine (docs/decisions/0022-factors-on-own-products.md).
  case own
  /// OpenBLAS's, whose bits depend on its version and kernels.
  case openBLAS
}

extension Arithmetic {
  /// Compression needs the precision of float32, whatever forward passes are computed in.
  var compressionProducts: CompressionProducts { self == .openblas ? .openBLAS : .own }
}
