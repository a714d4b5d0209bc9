import struct Catalog.Digest
import struct Catalog.SHA256

/// A piece of a build: some variants of one layer.
struct LayerBuildRequest: Equatable, Sendable {
  private static let kind = "layer-build-request"

  /// A method at a level.
  struct Variant: Equatable, Sendable {
    var method: CompressionMethod
    var level: Level
  }

  /// What is known of the layer's inputs, by content: SHA-256 of float32 bytes, little-endian.
  enum Statistic: Hashable, Sendable {
    /// Nothing, and no method needs more.
    case none
    /// The diagonal of the Hessian [in].
    case diagonal(Digest)
    /// The lower triangle of the Hessian, row by row.
    case matrix(Digest)
  }

  /// SHA-256 of `bytes`, by which an answer names its request.
  let key: Digest
  /// Which model under which arithmetic.
  let model: EvaluatedModel
  /// Position of the layer in the model.
  let layerIndex: Int
  /// What is known of the layer's inputs.
  let statistic: Statistic
  /// The wanted variants, at least one.
  let variants: [Variant]
  /// The canonical bytes.
  let bytes: [UInt8]

  /// Creates a request; its key follows from the rest.
  init(model: EvaluatedModel, layerIndex: Int, statistic: Statistic, variants: [Variant]) {
    self.model = model
    self.layerIndex = layerIndex
    self.statistic = statistic
    self.variants = variants
    var writer = ByteWriter(kind: Self.kind)
    model.write(to: &writer)
    writer.append(layerIndex)
    switch statistic {
    case .none: writer.append([0])
    case .diagonal(let key):
      writer.append([1])
      writer.append(key)
    case .matrix(let key):
      writer.append([2])
      writer.append(key)
    }
    writer.append(list: variants) { variant, writer in
      writer.append(variant.method)
      writer.append(text: variant.level.description)
    }
    bytes = writer.bytes
    key = SHA256.digest(of: bytes)
  }

  /// Reads what `bytes` gave.
  ///
  /// - Throws: `InferenceError.invalidData` for anything else; `.refusedRequest` for a method or a revision of one that
  ///   this process does not have.
  init(bytes: [UInt8]) throws {
    var reader = try ByteReader(bytes, kind: Self.kind)
    let model = try EvaluatedModel(from: &reader)
    let index = try reader.integer()
    let statistic: Statistic =
      switch try reader.byte() {
      case 0: .none
      case 1: .diagonal(try reader.digest())
      case 2: .matrix(try reader.digest())
      case let code: throw reader.invalid("there is no statistic \(code)")
      }
    let variants = try reader.list(elementSize: 16) { reader in
      let method = try reader.method()
      let text = try reader.text()
      guard let level = Level(text) else { throw reader.invalid("‘\(text)’ is no level") }
      return Variant(method: method, level: level)
    }
    try reader.end()
    guard !variants.isEmpty else { throw reader.invalid("it asks for no variant") }
    self.init(model: model, layerIndex: index, statistic: statistic, variants: variants)
  }
}

/// A worker's answer to a `LayerBuildRequest`.
struct LayerBuildAnswer: Sendable {
  private static let kind = "layer-build-answer"

  /// The request's key.
  var request: Digest
  /// Digest of the arithmetic that computed it.
  var numerics: Digest
  /// The variants, in the order of the request.
  var products: [LayerProduct]

  /// The bytes, with their SHA-256 behind them.
  var bytes: [UInt8] {
    var writer = ByteWriter(kind: Self.kind)
    writer.append(request)
    writer.append(numerics)
    writer.append(list: products) { product, writer in
      for value in [product.bits, product.sparsity, product.dampingUsed, product.nmse] {
        writer.append(flag: value != nil)
        writer.append(bits: value?.bitPattern ?? 0)
      }
      writer.append(bits: UInt64(bitPattern: product.codeBits))
      writer.append(product.deadInputCount)
      writer.append(flag: product.trouble != nil)
      writer.append(text: product.trouble ?? "")
      writer.append(bits: UInt64(product.packed.count))
      writer.append(product.packed)
    }
    return writer.sealed
  }

  init(request: Digest, numerics: Digest, products: [LayerProduct]) {
    self.request = request
    self.numerics = numerics
    self.products = products
  }

  /// Reads what `bytes` gave.
  ///
  /// - Throws: `InferenceError.invalidData` for anything else, such as damaged bytes.
  init(bytes: [UInt8]) throws {
    var reader = try ByteReader(sealed: bytes, kind: Self.kind)
    request = try reader.digest()
    numerics = try reader.digest()
    products = try reader.list(elementSize: 61) { reader in
      func number() throws -> Double? {
        let (isThere, bits) = (try reader.flag(), try reader.bits())
        guard isThere || bits == 0 else { throw reader.invalid("a number that is not there has a value") }
        return isThere ? Double(bitPattern: bits) : nil
      }
      let (bits, sparsity, damping, nmse) = (try number(), try number(), try number(), try number())
      let codeBits = Int64(bitPattern: try reader.bits())
      let deadCount = try reader.integer()
      let (hasTrouble, trouble) = (try reader.flag(), try reader.text())
      return LayerProduct(
        packed: Array(try reader.take(try reader.long())), bits: bits, sparsity: sparsity, codeBits: codeBits,
        dampingUsed: damping, deadInputCount: deadCount, nmse: nmse, trouble: hasTrouble ? trouble : nil)
    }
    try reader.end()
  }

  /// Holds the answer against its request: the packed weights must be such, of the layer's size and the level's length.
  ///
  /// - Parameter denseBits: bits of a weight as the checkpoint stores it.
  /// - Throws: `InferenceError.wrongAnswer`.
  func check(_ wanted: LayerBuildRequest, of layer: LayerDescription, denseBits: Int) throws {
    func wrong(_ detail: String) -> InferenceError { .wrongAnswer(detail: detail) }
    try wanted.model.checkAnswer(to: request, wanted: wanted.key, numerics)
    guard products.count == wanted.variants.count else {
      throw wrong("it has \(products.count) variants where \(wanted.variants.count) were asked for")
    }
    for (product, variant) in zip(products, wanted.variants) {
      let what = "\(layer.name) at \(variant.level)"
      let length = try variant.method.definition.packedByteCount(
        rows: layer.outputCount, columns: layer.inputCount, denseBits: denseBits, at: variant.level,
        variant.method.values)
      guard product.packed.count == length else {
        throw wrong("\(what) takes \(product.packed.count) bytes, not \(length)")
      }
      do {
        let weights = try WeightPacking.unpack(product.packed)
        guard (weights.rows, weights.columns) == (layer.outputCount, layer.inputCount) else {
          throw wrong(
            "\(what) is \(weights.rows) × \(weights.columns), not \(layer.outputCount) × \(layer.inputCount)")
        }
      } catch InferenceError.invalidData(_, let detail) {
        throw wrong("\(what): \(detail)")
      } catch InferenceError.unsupported(_, let detail) {
        throw wrong("\(what): \(detail)")
      }
      let weightCount = layer.outputCount * layer.inputCount
      let hasMatrix = if case .matrix = wanted.statistic { true } else { false }
      let isPlausible =
        product.bits.map { $0 > 0 && $0 <= 64 } ?? true
        && product.sparsity.map { (0...1).contains($0) } ?? true
        && (0...Int64(weightCount) * 64).contains(product.codeBits)
        && product.dampingUsed.map { (0...HessianFactor.largestDampingFraction).contains($0) } ?? true
        && (0...layer.inputCount).contains(product.deadInputCount)
        && product.nmse.map { hasMatrix && $0 >= 0 } ?? (!hasMatrix || product.trouble != nil)
      guard isPlausible else { throw wrong("\(what) has figures that no such variant has") }
    }
  }
}

extension ByteWriter {
  /// A method with its revision and those of its options that are not at their defaults.
  mutating func append(_ method: CompressionMethod) {
    append(text: method.name)
    append(method.definition.revision)
    append(list: method.values.givenKeys) { key, writer in
      writer.append(text: key)
      guard let option = method.definition.options.first(where: { $0.key == key }) else { return }
      switch method.values[option] {
      case .flag(let flag): writer.append(byte: 0, long: flag ? 1 : 0)
      case .integer(let integer):
        writer.append([1])
        writer.append(bits: UInt64(bitPattern: Int64(integer)))
      case .real(let real):
        writer.append([2])
        writer.append(bits: real.bitPattern)
      case .word(let word):
        writer.append([3])
        writer.append(text: word)
      }
    }
  }
}

extension ByteReader {
  mutating func method() throws -> CompressionMethod {
    let (name, revision) = (try text(), try integer())
    guard let definition = MethodRegistry.shared.definition(named: name) else {
      throw InferenceError.refusedRequest(.malformed("there is no method \(name) here"))
    }
    guard definition.revision == revision else {
      throw InferenceError.refusedRequest(.otherRevision(of: name, wanted: revision, own: definition.revision))
    }
    var method = CompressionMethod(definition)
    let given = try list(elementSize: 5) { reader in
      let key = try reader.text()
      let value: MethodOption.Value
      switch try reader.byte() {
      case 0: value = .flag(try reader.bits() != 0)
      case 1: value = .integer(Int(Int64(bitPattern: try reader.bits())))
      case 2: value = .real(Double(bitPattern: try reader.bits()))
      case 3: value = .word(try reader.text())
      case let code: throw reader.invalid("there is no option of type \(code)")
      }
      return (key: key, value: value)
    }
    for (key, value) in given {
      guard let option = definition.options.first(where: { $0.key == key }) else {
        throw InferenceError.refusedRequest(.malformed("\(name) has no option \(key) here"))
      }
      switch (value, option.standard) {
      case (.flag, .flag), (.integer, .integer), (.word, .word): break
      case (.real(let number), .real) where number.isFinite: break
      default: throw invalid("the option \(key) has a value of another type")
      }
      if case .word(let word) = value, !option.words.contains(word) {
        throw invalid("the option \(key) has no value \(word)")
      }
      method.values[option] = value
    }
    return method
  }
}
