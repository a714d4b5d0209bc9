/// A program that runs exported models, with the rules by which it refuses some.
///
/// Sources: vLLM, `compressed_tensors/utils.py` and `gptq_utils.py` (shards of a fused layer must match one scheme), its
/// kernels for weights of 4 and 8 bits, which every platform has, and those for 2 to 8 bits on GPUs (from August 2026);
/// transformers 5.24 with compressed-tensors 0.20.1, run.
public enum ServingRuntime: String, CaseIterable, Sendable {
  /// vLLM with what all of its platforms have: 4 and 8 bits.
  case vllm
  /// vLLM on GPUs: 2 to 8 bits.
  case vllmGPU = "vllm-gpu"
  /// transformers: one asymmetric width, or symmetric ones.
  case transformers
  /// llama.cpp and what is built on it: the types of GGUF.
  case gguf

  /// Its name in sentences.
  public var title: String {
    switch self {
    case .vllm: "vLLM"
    case .vllmGPU: "vLLM on GPUs"
    case .transformers: "transformers"
    case .gguf: "llama.cpp"
    }
  }

  /// Bits of codes that it runs; empty: it takes none, but the types of GGUF.
  public var bits: [Int] {
    switch self {
    case .vllm: [4, 8]
    case .vllmGPU, .transformers: [2, 3, 4, 5, 6, 7, 8]
    case .gguf: []
    }
  }

  /// Layers that must have one scheme.
  public var fusedLayers: [FusedLayers] {
    switch self {
    case .vllm, .vllmGPU: FusedLayers.all
    case .transformers, .gguf: []
    }
  }

  /// Whether layers of several schemes must all be symmetric.
  public var mixesOnlySymmetric: Bool { self == .transformers }

  /// The bits that it runs and where, as it reads after "runs".
  public var bitsRule: String {
    switch self {
    case .vllm: "4 and 8 bits everywhere (2 to 8 on GPUs: \(ServingRuntime.vllmGPU.rawValue))"
    case .vllmGPU, .transformers: "2 to 8 bits"
    case .gguf: "types of GGUF, such as Q4_K"
    }
  }

  /// Checks that it runs packed layers together.
  ///
  /// - Throws: `InferenceError.unfit` with the layers, the rule, and what mends it.
  func validate(_ layers: [PackedLayer], format: String) throws {
    let schemes = layers.filter { $0.scheme != nil }
    if let layer = schemes.first(where: { !bits.contains($0.scheme?.bits ?? 0) }) {
      throw InferenceError.unfit(
        detail: "\(title) runs \(bitsRule); \(layer.name) has \(layer.scheme?.bits ?? 0)",
        mend: .search(runtime: self, ties: []))
    }
    if let (fused, first, other) = disagreement(layers) {
      throw InferenceError.unfit(
        detail:
          "\(title) computes \(Self.list(fused.roles)) as one layer, which needs one scheme; \(first.name) has "
          + "\(first.words), and \(other.name) \(other.words)",
        mend: .search(runtime: self, ties: [fused.tie]))
    }
    let distinct = Set(schemes.compactMap(\.scheme))
    guard mixesOnlySymmetric, distinct.count > 1 else { return }
    guard format != GPTQFormat.formatName else {
      throw InferenceError.unfit(
        detail:
          "\(title) reads one scheme of \(format) only, and this has \(distinct.count); compressed-tensors mixes them",
        mend: nil)
    }
    guard let layer = schemes.first(where: { $0.scheme?.isSymmetric == false }) else { return }
    throw InferenceError.unfit(
      detail:
        "\(title) loads several schemes in one model only if all are symmetric; \(layer.name) has \(layer.words)",
      mend: .search(runtime: self, ties: []))
  }

  /// Two layers that it fuses and that have not the same scheme.
  private func disagreement(_ layers: [PackedLayer]) -> (FusedLayers, PackedLayer, PackedLayer)? {
    var firsts: [String: PackedLayer] = [:]
    for layer in layers {
      guard let fused = fusedLayers.first(where: { $0.roles.contains(layer.role) }) else { continue }
      let key = "\(layer.block) \(fused.tie)"
      if let first = firsts[key] {
        if first.scheme != layer.scheme { return (fused, first, layer) }
      } else {
        firsts[key] = layer
      }
    }
    return nil
  }

  private static func list(_ words: [String]) -> String {
    words.dropLast().joined(separator: ", ") + " and " + (words.last ?? "")
  }
}

/// A way to an assignment that an export can hold.
public enum ExportMend: Equatable, Sendable {
  /// Write plain weights: the assignment by its digest.
  case plainFolder(assignment: String)
  /// Search under the rules of a runtime; `ties`: those of its ties that are missing.
  case search(runtime: ServingRuntime, ties: [String])
}
