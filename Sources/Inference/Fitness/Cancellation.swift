import Foundation

/// A request to stop at the next safe place, made from another thread.
///
/// `@unchecked Sendable`: `lock` guards the flag.
public final class Cancellation: @unchecked Sendable {
  private let lock = NSLock()
  private var requested = false

  /// Nothing requested yet.
  public init() {}

  /// Asks to stop.
  public func request() { lock.withLock { requested = true } }

  /// Whether somebody asked.
  public var isRequested: Bool { lock.withLock { requested } }

  /// - Throws: `InferenceError.interrupted` if somebody asked.
  public func check() throws {
    if isRequested { throw InferenceError.interrupted }
  }
}
