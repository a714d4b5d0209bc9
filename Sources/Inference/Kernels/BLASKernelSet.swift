/// One of OpenBLAS's sets of kernels for x86-64, by the name it reports and `OPENBLAS_CORETYPE` takes.
public struct BLASKernelSet: Equatable, Sendable {
  /// As OpenBLAS reports it.
  public let name: String
  /// The processor features without which it cannot run.
  let needs: Processor.Features
  /// Sets of one rank are equally fast, those of the next about twice as fast: float32 products in vectors of 4 numbers, of
  /// 8, of 8 with fused multiplication and addition, of 16.
  let rank: Int

  /// All sets, of a rank the one to be advised last. Sets that are not listed, such as those of other processors, are
  /// never judged.
  static let all = [
    BLASKernelSet(name: "Core2", needs: [], rank: 0), BLASKernelSet(name: "Penryn", needs: [], rank: 0),
    BLASKernelSet(name: "Dunnington", needs: [], rank: 0), BLASKernelSet(name: "Atom", needs: [], rank: 0),
    BLASKernelSet(name: "Nano", needs: [], rank: 0), BLASKernelSet(name: "Opteron", needs: [], rank: 0),
    BLASKernelSet(name: "Opteron_SSE3", needs: [], rank: 0), BLASKernelSet(name: "Barcelona", needs: [], rank: 0),
    BLASKernelSet(name: "Bobcat", needs: [], rank: 0), BLASKernelSet(name: "Nehalem", needs: [], rank: 0),
    BLASKernelSet(name: "Prescott", needs: [], rank: 0),
    // Bulldozer and Piledriver have fused instructions that only AMD made.
    BLASKernelSet(name: "Bulldozer", needs: [.avx, .amd], rank: 1),
    BLASKernelSet(name: "Piledriver", needs: [.avx, .amd], rank: 1),
    BLASKernelSet(name: "Steamroller", needs: [.avx, .amd], rank: 1),
    BLASKernelSet(name: "Sandybridge", needs: .avx, rank: 1),
    BLASKernelSet(name: "Excavator", needs: [.avx2, .amd], rank: 2), BLASKernelSet(name: "Zen", needs: .avx2, rank: 2),
    BLASKernelSet(name: "Haswell", needs: .avx2, rank: 2),
    BLASKernelSet(name: "SkylakeX", needs: .avx512, rank: 3),
    BLASKernelSet(name: "SapphireRapids", needs: .avx512BFloat16, rank: 3),
    BLASKernelSet(name: "Cooperlake", needs: .avx512BFloat16, rank: 3),
  ]

  /// One of each kind, as tests compare them.
  static let compared = ["Prescott", "Sandybridge", "Haswell", "SkylakeX", "Cooperlake"]

  /// Names of those of `compared` that a processor can run, weakest first.
  public static func runnable(on features: Processor.Features = Processor.features) -> [String] {
    all.filter { compared.contains($0.name) && features.isSuperset(of: $0.needs) }.map(\.name)
  }

  /// The best set for a processor. On AMD's it is one for AVX2: their AVX-512 has gained nothing where it was measured with
  /// OpenBLAS's kernels, which are tuned for Intel's.
  static func best(for features: Processor.Features) -> BLASKernelSet? {
    let name =
      features.contains(.amd) && features.contains(.avx2)
      ? "Zen" : all.last { features.isSuperset(of: $0.needs) }?.name
    return all.first { $0.name == name }
  }
}

/// The processor can do more than the kernels that OpenBLAS took, as versions that do not know the processor do.
public struct BLASKernelAdvice: Equatable, Sendable, CustomStringConvertible {
  /// The set in use.
  public let used: String
  /// The one to take.
  public let better: String
  /// Whether this OpenBLAS has several sets to choose from.
  public let canChoose: Bool
  /// Whether the user named a set in `OPENBLAS_CORETYPE`.
  public let isUsersChoice: Bool

  /// - Parameters:
  ///   - used: as OpenBLAS names it.
  ///   - request: the value of `OPENBLAS_CORETYPE`.
  /// - Returns: nil if the set is one of the fastest for these features, or one that is not known here.
  public init?(used: String, features: Processor.Features, canChoose: Bool, request: String?) {
    guard !features.isEmpty, let best = BLASKernelSet.best(for: features),
      let rank = BLASKernelSet.all.first(where: { $0.name.lowercased() == used.lowercased() })?.rank, rank < best.rank
    else { return nil }
    self.used = used
    better = best.name
    self.canChoose = canChoose
    isUsersChoice = request?.isEmpty == false
  }

  /// The problem and what to do, in words.
  public var description: String {
    let state =
      isUsersChoice
      ? "OPENBLAS_CORETYPE has chosen \(used) kernels"
      : "OpenBLAS does not know this processor and took \(used) kernels"
    let remedy =
      canChoose
      ? "OPENBLAS_CORETYPE=\(better) evodb …"
      : "this OpenBLAS was built for one processor only; install one with DYNAMIC_ARCH, or a newer one"
    return "\(state), which are several times slower than those for its instructions: \(remedy)"
  }
}
