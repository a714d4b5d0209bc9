/// What a job is expected to take, or what it took.
public struct WorkEstimate: Equatable, Sendable {
  /// Seconds.
  public var seconds: Double
  /// The most memory it holds at once, in bytes.
  public var peakMemoryByteCount: Int
  /// Tokens whose forward pass it computes.
  public var forwardTokenCount: Int
  /// Bytes by which the catalog grows.
  public var diskByteCount: Int

  /// All fields.
  public init(seconds: Double, peakMemoryByteCount: Int, forwardTokenCount: Int, diskByteCount: Int) {
    self.seconds = seconds
    self.peakMemoryByteCount = peakMemoryByteCount
    self.forwardTokenCount = forwardTokenCount
    self.diskByteCount = diskByteCount
  }
}
