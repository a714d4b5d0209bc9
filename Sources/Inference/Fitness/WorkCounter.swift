import Foundation

/// Counts forward work where the products run.
///
/// `@unchecked Sendable`: `lock` guards the counts.
public final class WorkCounter: @unchecked Sendable {
  private let lock = NSLock()
  private var tokens = 0
  private var blockTokens = 0

  /// Nothing done yet.
  public init() {}

  func countBlock(tokens count: Int) { lock.withLock { blockTokens += count } }
  func countForward(tokens count: Int) { lock.withLock { tokens += count } }

  /// Tokens whose forward pass was computed to its end.
  public var forwardTokenCount: Int { lock.withLock { tokens } }
  /// Tokens × blocks computed.
  public var forwardBlockTokenCount: Int { lock.withLock { blockTokens } }
}
