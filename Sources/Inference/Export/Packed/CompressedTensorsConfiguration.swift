/// `quantization_config` of a model in the format of compressed-tensors.
enum CompressedTensorsConfiguration {
  /// The value.
  ///
  /// One scheme makes one group of all linear layers. Several make a group each, which names its layers exactly: vLLM and
  /// transformers look for exact names first, and vLLM finds the parts of a fused layer by them.
  ///
  /// - Parameters:
  ///   - layers: the compressible layers of the export.
  ///   - others: names of all other linear layers, such as `lm_head`.
  static func value(_ layers: [PackedLayer], others: [String]) -> StrictJSON {
    let plain = layers.filter { $0.scheme == nil }.map(\.name) + others
    let schemes = Set(layers.compactMap(\.scheme)).sorted()
    let groups = schemes.enumerated().map { index, scheme in
      let targets = schemes.count == 1 ? ["Linear"] : layers.filter { $0.scheme == scheme }.map(\.name)
      return (ByteString("group_\(index)"), group(scheme, targets))
    }
    return .members([
      ("config_groups", .members(groups)),
      ("format", .string("pack-quantized")),
      ("global_compression_ratio", .null),
      ("ignore", .array(plain.map { .string(ByteString($0)) })),
      ("kv_cache_scheme", .null),
      ("quant_method", .string("compressed-tensors")),
      ("quantization_status", .string("compressed")),
    ])
  }

  private static func group(_ scheme: PackedScheme, _ targets: [String]) -> StrictJSON {
    .members([
      ("input_activations", .null),
      ("output_activations", .null),
      ("targets", .array(targets.map { .string(ByteString($0)) })),
      (
        "weights",
        .members([
          ("actorder", .null),
          ("dynamic", .bool(false)),
          ("group_size", scheme.groupSize.map { .integer(Int64($0)) } ?? .null),
          ("num_bits", .integer(Int64(scheme.bits))),
          ("strategy", .string(scheme.groupSize == nil ? "channel" : "group")),
          ("symmetric", .bool(scheme.isSymmetric)),
          ("type", .string("int")),
        ])
      ),
    ])
  }
}
