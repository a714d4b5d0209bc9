import Catalog

extension NumericsRecord {
  /// How this process computes with an arithmetic: with a specified one as every other machine does.
  public init(_ arithmetic: Arithmetic) {
    if arithmetic == .openblas {
      let blas = BLAS.identity
      self.init(blasVersion: blas.version, blasCore: blas.core, kernels: VectorKernels.identity)
    } else {
      self.init(blasVersion: "", blasCore: "", kernels: "\(arithmetic.identity) \(VectorKernels.identity)")
    }
  }
}

/// The revisions of this build's computations. Results of an older revision differ beyond rounding.
public enum Revisions {
  /// The revision that this build gives to what `CatalogStore.revisions()` calls so; nil if it does not make it.
  public static func current(of what: String) -> Int? {
    let words = what.split(separator: " ", maxSplits: 1).map { String($0) }
    guard words.count == 2 else { return nil }
    switch words[0] {
    case "method": return MethodRegistry.shared.definition(named: words[1])?.revision
    case "statistic": return HessianStatistic.revision
    case "measure": return Measure.revision
    case "architecture": return ModelFamilies.family(modelType: ByteString(words[1]))?.revision
    default: return nil
    }
  }
}
