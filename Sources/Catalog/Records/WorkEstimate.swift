/// Time, memory, tokens and disk space of a job, expected or measured.
public struct WorkEstimate: Equatable, Sendable {
  /// Seconds.
  public var seconds: Double
  /// The most memory it holds at once, in bytes.
  public var peakMemoryByteCount: Int
  /// Tokens whose forward pass it computes.
  public var forwardTokenCount: Int
  /// Bytes by which the catalog grows.
  public var diskByteCount: Int

  /// Creates an estimate.
  public init(seconds: Double, peakMemoryByteCount: Int, forwardTokenCount: Int, diskByteCount: Int) {
    self.seconds = seconds
    self.peakMemoryByteCount = peakMemoryByteCount
    self.forwardTokenCount = forwardTokenCount
    self.diskByteCount = diskByteCount
  }
}
