/// Which blocks go when every block has a score: those that matter least.
public enum BlockRemoval {
  /// The blocks in the order in which they go: the smallest score first, ties to the smaller index.
  ///
  /// - Parameter importance: of every block; larger means that the block matters more.
  public static func order(importance: [Double]) -> [Int] {
    importance.indices.sorted { (importance[$0], $0) < (importance[$1], $1) }
  }

  /// The first of the consecutive blocks that matter least together (Gromov et al., arXiv 2403.17887).
  ///
  /// - Parameter distances: between the input of block i and the output of the last of its window, by i.
  public static func window(distances: [Double]) -> Int? {
    distances.indices.min { (distances[$0], $0) < (distances[$1], $1) }
  }
}
