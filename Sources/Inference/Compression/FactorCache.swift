import Foundation

/// Hessian factors of some sites: one serves all levels and methods, and all layers of a site without zero columns of their
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
