/// A compressible layer of an export, and how it is packed.
struct PackedLayer: Equatable {
  /// Its name in the export, where blocks are renumbered: `model.layers.3.self_attn.q_proj`.
  var name: String
  /// Index of its block in the export.
  var block: Int
  /// `q_proj`.
  var role: String
  /// nil: it is stored as plain weights.
  var scheme: PackedScheme?

  /// In a few words.
  var words: String { scheme?.words ?? "plain weights" }

  /// The name in parts: before the block's index, between it and the role, both with their dots.
  var surroundings: (prefix: String, path: String)? {
    let infix = ".\(block)."
    guard let place = name.firstRange(of: infix), name.hasSuffix("." + role) else { return nil }
    return (name[..<place.lowerBound] + ".", String(name[place.upperBound...].dropLast(role.count)))
  }
}
