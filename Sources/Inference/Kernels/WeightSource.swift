/// A layer's weight [out, in] that is read where it is wanted: as a matrix, or straight into the kernels' layout.
///
/// Both give the same values.
public protocol WeightSource {
  /// The weight [out, in].
  ///
  /// - Throws: if it cannot be read.
  func matrix() throws -> Matrix

  /// The weight as the right factor of `x · wᵀ`.
  ///
  /// - Throws: as `matrix()`.
  func packed(for arithmetic: Arithmetic) throws -> PackedWeights
}

extension Matrix: WeightSource {
  /// The matrix itself.
  public func matrix() -> Matrix { self }

  /// The matrix laid out anew, or itself for OpenBLAS.
  public func packed(for arithmetic: Arithmetic) -> PackedWeights { PackedWeights(self, arithmetic: arithmetic) }
}
