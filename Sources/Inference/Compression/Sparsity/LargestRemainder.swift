/// Splitting a whole number in proportion: every part gets the whole number below its share, and what is left goes to the
/// parts with the largest remainders, ties by index.
enum LargestRemainder {
  /// The parts of `total`, in proportion to `weights`, each at least `least` and at most its weight.
  ///
  /// Parts whose share would lie below their least get it, and the others share the rest among themselves.
  ///
  /// - Parameters:
  ///   - weights: not negative, with `total` ≤ their sum.
  ///   - least: not above the weights, with a sum ≤ `total`; nil: zeros.
  static func split(_ total: Int, by weights: [Int], least: [Int]? = nil) -> [Int] {
    let least = least ?? Array(repeating: 0, count: weights.count)
    precondition(total >= 0 && total <= weights.reduce(0, +) && least.reduce(0, +) <= total)
    var parts = Array(repeating: 0, count: weights.count)
    var open = Array(weights.indices)
    var rest = total
    while true {
      let shares = proportional(rest, by: open.map { weights[$0] })
      let short = zip(open, shares).filter { $1 < least[$0] }.map(\.0)
      if short.isEmpty {
        for (index, share) in zip(open, shares) { parts[index] = share }
        return parts
      }
      for index in short {
        parts[index] = least[index]
        rest -= least[index]
      }
      open.removeAll { short.contains($0) }
    }
  }

  private static func proportional(_ total: Int, by weights: [Int]) -> [Int] {
    let sum = weights.reduce(0, +)
    guard sum > 0 else { return weights }
    var parts: [Int] = []
    var remainders: [Int] = []
    for weight in weights {
      // The product of two counts may need more than 64 bits.
      let product = total.multipliedFullWidth(by: weight)
      let (quotient, remainder) = sum.dividingFullWidth(product)
      parts.append(quotient)
      remainders.append(remainder)
    }
    let missing = total - parts.reduce(0, +)
    let order = weights.indices.sorted { remainders[$0] != remainders[$1] ? remainders[$0] > remainders[$1] : $0 < $1 }
    for index in order.prefix(missing) { parts[index] += 1 }
    return parts
  }
}
