extension CompressedLayer {
  /// A quantized weight in its packed form.
  init(_ quantized: QuantizedWeight, factor: HessianFactor?) {
    let bits = quantized.format.bits
    self.init(
      packed: WeightPacking.encode(quantized), weights: quantized.dequantized(), bits: Double(bits),
      codeBits: Int64(bits) * Int64(quantized.rows) * Int64(quantized.columns), factor: factor)
  }

  /// A pruned weight in its packed form.
  init(_ sparse: SparseWeight, denseBits: Int, factor: HessianFactor?) {
    self.init(
      packed: SparseWeightPacking.encode(sparse), weights: sparse.dense(),
      sparsity: Double(sparse.zeroCount) / Double(max(sparse.rows * sparse.columns, 1)),
      codeBits: Int64(sparse.values.count) * Int64(denseBits), factor: factor)
  }
}

extension CompressedLayer {
  /// A weight in a type of GGUF in its packed form.
  init(_ weight: BlockWeight, factor: HessianFactor?) {
    self.init(
      packed: BlockWeightPacking.encode(weight), weights: weight.dequantized(), bits: weight.type.bitsPerWeight,
      // Scales lie inside of the blocks, and GGUF's own counting has them.
      codeBits: 8 * Int64(weight.bytes.count), factor: factor)
  }
}

extension CompressionMethod {
  /// The weights that a level prunes.
  ///
  /// - Throws: `InferenceError.impossible` for a level that prunes none.
  func sparsityTarget(_ level: Level) throws -> SparsityTarget {
    guard let target = level.sparsityTarget else { throw noLevel(level) }
    return target
  }

  func sparseByteCount(_ rows: Int, _ columns: Int, _ denseBits: Int, _ level: Level) throws -> Int {
    try SparseWeightPacking.packedByteCount(
      rows: rows, columns: columns, zeroCount: try sparsityTarget(level).zeroCount(rows: rows, columns: columns),
      // 64-bit weights are computed with, and stored, as 32-bit ones.
      valueByteCount: min(denseBits, 32) / 8)
  }
}

extension QuantizationParameters {
  /// The parameters that a method's options say; options that it does not have are at their defaults.
  init(bits: Int, _ values: MethodValues) {
    self.init(
      bits: bits, symmetric: values.flag(.symmetric), quantizationGroupSize: values.integer(.quantizationGroupSize),
      activationOrder: values.flag(.activationOrder), dampingFraction: values.real(.dampingFraction),
      columnBlockSize: values.integer(.columnBlockSize),
      groupRange: GroupRange(rawValue: values.word(.groupRange)) ?? .current,
      rangeContainsZero: values.flag(.rangeContainsZero),
      scaleType: ScaleType(rawValue: values.word(.scaleType)) ?? .float16)
  }

  /// The parameters at a level of a method that quantizes to bit-widths.
  ///
  /// - Throws: `InferenceError.impossible` for a level of another kind.
  init(_ level: Level, _ values: MethodValues, of method: any MethodDefinition.Type) throws {
    guard case .bits(let bits) = level else { throw CompressionMethod(method, values).noLevel(level) }
    self.init(bits: bits, values)
  }
}

extension CompressionMethod {
  /// A method that quantizes, with its options as `parameters` says; those that it does not have are left out.
  init(_ definition: any MethodDefinition.Type, parameters: QuantizationParameters) {
    self.init(definition)
    let all: [(MethodOption, MethodOption.Value)] = [
      (.symmetric, .flag(parameters.symmetric)),
      (.quantizationGroupSize, .integer(parameters.quantizationGroupSize)),
      (.rangeContainsZero, .flag(parameters.rangeContainsZero)),
      (.activationOrder, .flag(parameters.activationOrder)),
      (.columnBlockSize, .integer(parameters.columnBlockSize)),
      (.dampingFraction, .real(parameters.dampingFraction)),
      (.groupRange, .word(parameters.groupRange.rawValue)), (.scaleType, .word(parameters.scaleType.rawValue)),
    ]
    for (option, value) in all where definition.options.contains(option) { values[option] = value }
  }
}
