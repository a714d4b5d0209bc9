import Catalog

/// The bytes of the tensors of a GGUF file, from the checkpoint and the variants.
struct GGUFElements {
  /// Elements that are quantized at a time.
  private static let chunkElementCount = 1 << 20

  private let source: ExportSource
  private let indices: [String: Int]

  init(_ source: ExportSource) {
    self.source = source
    indices = Dictionary(uniqueKeysWithValues: source.layers.enumerated().map { ($0.element.name, $0.offset) })
  }

  /// The index of a layer that the plan names.
  func index(ofLayer name: String) -> Int {
    guard let index = indices[name] else { preconditionFailure("the plan names only layers that there are") }
    return index
  }

  /// Hands the bytes of a tensor to `body`, in order.
  ///
  /// - Throws: `InferenceError.invalidData` for a value that does not fit its type, as the checkpoint and the catalog, and
  ///   what `body` throws.
  func forEachChunk(of tensor: GGUFExportPlan.Tensor, _ body: (ArraySlice<UInt8>) throws -> Void) throws {
    switch (tensor.content, tensor.source) {
    case (.copied, let name?):
      guard let order = tensor.rowOrder else { return try source.checkpoint.forEachChunk(ofTensor: name, body) }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(tensor.description.byteCount)
      try source.checkpoint.forEachChunk(ofTensor: name) { bytes += $0 }
      try body(order.applied(to: bytes)[...])
    case (.widened(let addsOne), let name?):
      let vector = try source.checkpoint.vector(name, count: tensor.description.shape[0])
      let bytes = Self.bytes(vector.values.map { addsOne ? 1 + $0 : $0 })
      try body((tensor.rowOrder?.applied(to: bytes) ?? bytes)[...])
    case (.quantized, let name?): try quantize(name, tensor, body)
    case (.layer(let layer), _):
      let bytes = try bytes(ofLayer: index(ofLayer: layer), as: tensor.description.type)
      try body((tensor.rowOrder?.applied(to: bytes) ?? bytes)[...])
    case (.values(let values), _): try body(Self.bytes(values)[...])
    case (.zeros, _):
      let zeros = [UInt8](repeating: 0, count: min(tensor.description.byteCount, 1 << 20))
      var left = tensor.description.byteCount
      while left > 0 {
        let count = min(left, zeros.count)
        try body(zeros[..<count])
        left -= count
      }
    default: preconditionFailure("a tensor without a source is made of something else than the checkpoint")
    }
  }

  /// The bytes of a variant's weights, row by row in the checkpoint's order.
  private func bytes(ofLayer index: Int, as type: GGUFType) throws -> [UInt8] {
    switch try source.weight(ofLayer: index) {
    case .blocks(let weight) where weight.type == type: return weight.bytes
    case .quantized(let weight) where type.isQuantized: return try PlainGridContainer.encode(weight).bytes
    case let weight:
      return try Self.rounded(weight.dequantized(), to: type, name: source.layers[index].name)
    }
  }

  /// The bytes of plain numbers.
  ///
  /// - Throws: `InferenceError.invalidData` if one does not fit.
  static func rounded(_ matrix: Matrix, to type: GGUFType, name: String) throws -> [UInt8] {
    let elementType: TensorElementType =
      switch type {
      case .float16: .float16
      case .bfloat16: .bfloat16
      default: .float32
      }
    guard let bytes = FloatConversion.storedBytes(matrix, as: elementType) else {
      throw InferenceError.invalidData(file: name, detail: "a weight does not fit \(type.name)")
    }
    return bytes
  }

  /// Quantizes or rounds a matrix of the checkpoint, some rows at a time: all types of GGUF are made of single rows.
  private func quantize(
    _ name: String, _ tensor: GGUFExportPlan.Tensor, _ body: (ArraySlice<UInt8>) throws -> Void
  ) throws {
    let shape = tensor.description.shape
    let width = shape[shape.count - 1]
    let type = tensor.description.type
    guard let elementType = source.checkpoint.tensors.first(where: { $0.name == name })?.elementType else {
      preconditionFailure("the plan names only tensors that there are")
    }
    let rowByteCount = width * elementType.byteCount
    let rowCount = max(1, Self.chunkElementCount / width)
    func convert(_ bytes: ArraySlice<UInt8>) throws {
      let matrix = try Self.matrix(bytes, elementType, columns: width, name: name)
      if type.isQuantized {
        try body(try GGUFTensor(quantizing: matrix, as: type).bytes[...])
      } else {
        try body(try Self.rounded(matrix, to: type, name: name)[...])
      }
    }
    var pending: [UInt8] = []
    // A tensor of one chunk after another: rows do not end where chunks do.
    try source.checkpoint.forEachChunk(ofTensor: name) { chunk in
      pending += chunk
      guard pending.count >= rowCount * rowByteCount else { return }
      let whole = pending.count / rowByteCount * rowByteCount
      try convert(pending[..<whole])
      pending.removeFirst(whole)
    }
    if !pending.isEmpty { try convert(pending[...]) }
  }

  private static func matrix(
    _ bytes: ArraySlice<UInt8>, _ elementType: TensorElementType, columns: Int, name: String
  ) throws -> Matrix {
    let width = elementType.byteCount
    let bytes = Array(bytes)
    let matrix = Matrix(uninitializedRows: bytes.count / width / columns, columns: columns)
    for index in matrix.storage.indices {
      let offset = index * width
      switch elementType {
      case .float16:
        matrix.storage[index] = FloatConversion.widened(float16: bytes.littleEndian(at: offset, as: UInt16.self))
      case .bfloat16:
        matrix.storage[index] = Float(bitPattern: UInt32(bytes.littleEndian(at: offset, as: UInt16.self)) << 16)
      case .float64:
        matrix.storage[index] = Float(Double(bitPattern: bytes.littleEndian(at: offset, as: UInt64.self)))
      default: matrix.storage[index] = Float(bitPattern: bytes.littleEndian(at: offset, as: UInt32.self))
      }
      guard matrix.storage[index].isFinite else {
        throw InferenceError.invalidData(file: name, detail: "element \(index) of a row is \(matrix.storage[index])")
      }
    }
    return matrix
  }

  private static func bytes(_ values: [Float]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * values.count)
    for value in values { bytes.append(littleEndian: value.bitPattern) }
    return bytes
  }
}
