import Foundation

/// Counts the work of a calibration where the products run.
///
/// `@unchecked Sendable`: `lock` guards the count.
final class WorkCounter: @unchecked Sendable {
  private let lock = NSLock()
  private var blockTokens = 0

  func countBlock(tokens count: Int) { lock.withLock { blockTokens += count } }

  /// Tokens × blocks computed.
  var forwardBlockTokenCount: Int { lock.withLock { blockTokens } }
}
