import Foundation

/// `quantize_config.json`, and `quantization_config`, of a model in the format of GPTQ.
enum GPTQConfiguration {
  /// The value. What most layers have stands at the top, and `dynamic` has a pattern for those that differ.
  ///
  /// - Parameters:
  ///   - layers: the compressible layers of the export, with at least one scheme.
  ///   - others: names of all other linear layers; the head is left out by itself.
  ///   - version: how zero points are stored.
  ///   - program: the name and version of what wrote it.
  static func value(_ layers: [PackedLayer], others: [String], version: GPTQFormat.Version, program: String)
    -> StrictJSON
  {
    var counts: [PackedScheme: Int] = [:]
    for scheme in layers.compactMap(\.scheme) { counts[scheme, default: 0] += 1 }
    let base = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.first?.key
    var members = base.map { scheme($0) } ?? []
    members += [
      ("lm_head", .bool(false)),
      ("quant_method", .string("gptq")),
      ("checkpoint_format", .string(ByteString(version.rawValue))),
      ("format", .string(ByteString(version.rawValue))),
      ("pack_dtype", .string("int32")),
      ("meta", .members([("quantizer", .array([.string(ByteString(program))]))])),
    ]
    let dynamic = patterns(layers, others: others, base: base)
    if !dynamic.isEmpty { members.append(("dynamic", .members(dynamic))) }
    return .members(members)
  }

  private static func scheme(_ scheme: PackedScheme) -> [(ByteString, StrictJSON)] {
    [
      ("bits", .integer(Int64(scheme.bits))),
      ("group_size", .integer(Int64(scheme.groupSize ?? -1))),
      ("desc_act", .bool(scheme.hasActivationOrder)),
      ("sym", .bool(scheme.isSymmetric)),
    ]
  }

  /// Layers that one pattern names: of equal roles in several blocks.
  private struct Pattern {
    var prefix: String
    var blocks: [Int]
    /// The part behind the block's index, as a regular expression.
    var tail: String
    var scheme: PackedScheme?
  }

  /// Patterns for the layers that have another scheme than `base`, or none.
  ///
  /// vLLM asks for the fused name (`self_attn.qkv_proj`), GPTQModel for each of its parts: where these agree, their pattern
  /// matches both.
  private static func patterns(_ layers: [PackedLayer], others: [String], base: PackedScheme?)
    -> [(ByteString, StrictJSON)]
  {
    var found: [Pattern] = []
    for layer in layers where layer.scheme != base {
      guard let (prefix, path) = layer.surroundings else { continue }
      var roles = [layer.role]
      if let fused = FusedLayers.group(ofRole: layer.role),
        layers.allSatisfy({
          $0.block != layer.block || !fused.roles.contains($0.role) || $0.scheme == layer.scheme
        })
      {
        roles = fused.roles + [fused.fusedRole]
      }
      let names = roles.map(escaped)
      let tail = escaped(path) + (names.count == 1 ? names[0] : "(?:\(names.joined(separator: "|")))")
      if let place = found.firstIndex(where: { ($0.prefix, $0.tail, $0.scheme) == (prefix, tail, layer.scheme) }) {
        if found[place].blocks.last != layer.block { found[place].blocks.append(layer.block) }
      } else {
        found.append(Pattern(prefix: prefix, blocks: [layer.block], tail: tail, scheme: layer.scheme))
      }
    }
    let overrides = found.map { pattern -> (ByteString, StrictJSON) in
      let numbers = pattern.blocks.map { String($0) }
      let block = numbers.count == 1 ? numbers[0] : "(?:\(numbers.joined(separator: "|")))"
      let expression = "^\(escaped(pattern.prefix))\(block)\\.\(pattern.tail)$"
      return pattern.scheme.map { (ByteString("+:" + expression), .members(scheme($0))) }
        ?? (ByteString("-:" + expression), .members([]))
    }
    let excluded = others.filter { $0 != "lm_head" }.map { (ByteString("-:^\(escaped($0))$"), StrictJSON.members([])) }
    return overrides + excluded
  }

  /// A name as a regular expression that matches it alone.
  private static func escaped(_ text: String) -> String { text.replacingOccurrences(of: ".", with: "\\.") }
}
