import Foundation

/// A count that several threads share.
///
/// `@unchecked Sendable`: `lock` guards the count.
public final class SharedCounter: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0

  /// Begins at 0.
  public init() {}

  /// The count so far.
  public var value: Int { lock.withLock { count } }

  /// Adds 1.
  ///
  /// - Returns: the new count.
  @discardableResult
  public func next() -> Int {
    lock.withLock {
      count += 1
      return count
    }
  }
}

/// A list to which several threads append.
///
/// `@unchecked Sendable`: `lock` guards the list.
public final class SharedList<Element: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private var elements: [Element] = []

  /// Begins empty.
  public init() {}

  /// What was appended so far, in order.
  public var all: [Element] { lock.withLock { elements } }

  /// Appends an element.
  public func append(_ element: Element) { lock.withLock { elements.append(element) } }
}
