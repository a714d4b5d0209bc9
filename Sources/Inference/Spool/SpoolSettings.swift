/// Times and numbers of a spool. Times are those of this process's clock: no two clocks are compared.
public struct SpoolSettings: Sendable {
  /// Every so many pieces of a worker one is computed a second time by another; 0: none.
  public var auditInterval = 64
  /// Seconds between two signs of life.
  public var beatSeconds = 2.0
  /// Seconds without a sign of life after which a worker's pieces are offered again.
  public var silenceSeconds = 30.0
  /// The shortest time between two looks at the folder, in seconds.
  public var pollSeconds = 0.004

  /// The defaults.
  public init() {}
}
