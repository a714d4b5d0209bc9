/// "Did you mean": the nearest of the names that exist.
enum Suggestion {
  /// The name with the smallest edit distance, if it is near enough to be meant; the earlier of two equally near.
  ///
  /// Near is at most a third of the length and at least 1; a name that `word` begins (`--valid` for `--validation`) is
  /// always near enough, if it is the only one.
  static func nearest(to word: String, among names: [String]) -> String? {
    guard !word.isEmpty else { return nil }
    var best: (name: String, distance: Int)?
    for name in names {
      let distance = editDistance(Array(word.lowercased()), Array(name.lowercased()))
      if distance < best?.distance ?? .max { best = (name, distance) }
    }
    if let best, best.distance <= max(1, word.count / 3) { return best.name }
    let begun = names.filter { $0.hasPrefix(word) }
    return begun.count == 1 ? begun.first : nil
  }

  /// Damerau's distance (optimal string alignment): insertions, deletions, substitutions and swaps of neighbours.
  static func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    guard !a.isEmpty, !b.isEmpty else { return a.count + b.count }
    var twoBack: [Int] = []
    var previous = Array(0...b.count)
    for i in 1...a.count {
      var current = [i]
      for j in 1...b.count {
        let substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
        var distance = min(previous[j] + 1, current[j - 1] + 1, substitution)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { distance = min(distance, twoBack[j - 2] + 1) }
        current.append(distance)
      }
      twoBack = previous
      previous = current
    }
    return previous[b.count]
  }
}
