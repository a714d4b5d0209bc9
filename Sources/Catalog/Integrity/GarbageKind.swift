/// A kind of rows that a catalog can do without: all of them can be computed again.
public enum GarbageKind: String, CaseIterable, Sendable {
  /// Variants that no assignment, space or calibration uses, and blobs and token lists that nothing points to.
  case unused
  /// The dense model's states and the streams of a stopped calibration.
  case caches
  /// Unused variants, and statistics without variants, that an older revision of evodb made.
  case revisions
  /// The matrices of statistics: without them new levels need a new calibration.
  case statistics
  /// Sums of fitness on data sets that do not follow from the observations, if another program changed those. All are made
  /// anew.
  case fitness

  /// Dropped where nothing is said: only what costs little, or nothing, to make again.
  public static let standard: [GarbageKind] = [.unused, .caches, .revisions, .fitness]
}

/// The size of one part of a kind of garbage.
public struct Garbage: Equatable, Sendable {
  /// Which kind.
  public var kind: GarbageKind
  /// The part of the kind: `variants`, `blobs`, …
  public var what: String
  /// Rows to drop.
  public var rowCount: Int64
  /// Bytes of their blobs.
  public var byteCount: Int64
}
