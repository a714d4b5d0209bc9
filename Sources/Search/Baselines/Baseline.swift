/// A way to choose an assignment that evolution is compared with.
public enum Baseline: String, CaseIterable, Codable, Sendable {
  case uniform
  case random
  case dp
  case higgs
  case sensitivityDP = "sensitivity-dp"
  case owl
  case cosine
  case windowCosine = "window-cosine"
  case perplexityScore = "perplexity-score"
  case klScore = "kl-score"
  case normRatio = "norm-ratio"
  case l2
  case normalizedL2 = "normalized-l2"
  case greedy
  case bruteForce = "brute-force"

  /// The rule of the baseline in one line, with its source.
  public var summary: String {
    switch self {
    case .uniform: return "the same level everywhere"
    case .random: return "the best of N random assignments within the budget, N being the number of candidates"
    case .dp: return "least sum of layer errors by dynamic programming (SPDY, arXiv 2201.13096, Algorithm 1)"
    case .higgs:
      return "least sum of layer errors, each scaled by what it alone costs the model (HIGGS, arXiv 2411.17525)"
    case .sensitivityDP: return "least sum of losses, every level of every layer measured by itself"
    case .owl: return "sparsity of a block by its share of outliers, best of 20 settings (OWL, arXiv 2310.05175)"
    case .cosine: return "remove blocks whose output is most like their input (ShortGPT, arXiv 2403.03853)"
    case .windowCosine:
      return "remove the k consecutive blocks that turn the stream least (Gromov et al., arXiv 2403.17887)"
    case .perplexityScore:
      return "remove blocks without which perplexity is lowest (Shortened Llama, arXiv 2402.02834)"
    case .klScore: return "remove blocks without which KL to the dense model is lowest"
    case .normRatio: return "remove blocks with the smallest |out - in| / |out| (weight subcloning, arXiv 2312.09299)"
    case .l2: return "remove blocks with the smallest |out - in|"
    case .normalizedL2: return "remove blocks with the smallest distance of normalised input and output"
    case .greedy: return "remove one unit at a time, scoring all that are left again"
    case .bruteForce: return "every set of the size asked for; a dry run says how many"
    }
  }

  /// Whether it can look for the worst: it chooses by fitness alone.
  public var canBeInverted: Bool { self == .random || self == .greedy || self == .bruteForce }

  /// Whether it measures units by themselves, on tokens of their own number.
  public var sweeps: Bool { self == .higgs || self == .sensitivityDP }

  /// Whether it adds up losses of units, over all of them or inside mutation groups.
  public var addsUp: Bool { self == .dp || sweeps }

  /// Whether it is about removing blocks, and needs a space of kept and removed units.
  public var removesBlocks: Bool {
    switch self {
    case .uniform, .random, .dp, .higgs, .sensitivityDP, .owl: return false
    default: return true
    }
  }
}
