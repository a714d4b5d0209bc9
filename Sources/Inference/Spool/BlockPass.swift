import struct Catalog.Digest
import struct Catalog.SHA256

/// A piece of a calibration: the residual stream of one sequence through one block.
struct BlockPassRequest: Equatable, Sendable {
  private static let kind = "block-pass-request"

  /// SHA-256 of `bytes`, by which an answer names its request.
  let key: Digest
  /// Which model under which arithmetic.
  let model: EvaluatedModel
  /// 0-based.
  let blockIndex: Int
  /// The weights of the block's layers, in their order.
  let choices: [WeightChoice]
  /// Tokens of the sequence.
  let rowCount: Int
  /// Content key of the stream [tokens, hidden] before the block: SHA-256 of its float32 bytes, little-endian.
  let stream: Digest
  /// Whether the inputs of the block's sites are asked for.
  let wantsInputs: Bool
  /// Whether the stream behind the block is asked for.
  let wantsStream: Bool
  /// The canonical bytes.
  let bytes: [UInt8]

  /// Creates a request; its key follows from the rest.
  init(
    model: EvaluatedModel, blockIndex: Int, choices: [WeightChoice], rowCount: Int, stream: Digest, wantsInputs: Bool,
    wantsStream: Bool
  ) {
    self.model = model
    self.blockIndex = blockIndex
    self.choices = choices
    self.rowCount = rowCount
    self.stream = stream
    self.wantsInputs = wantsInputs
    self.wantsStream = wantsStream
    var writer = ByteWriter(kind: Self.kind)
    model.write(to: &writer)
    writer.append(blockIndex)
    writer.append(rowCount)
    writer.append(stream)
    writer.append(flag: wantsInputs)
    writer.append(flag: wantsStream)
    writer.append(list: choices) { choice, writer in
      if case .variant(let key) = choice {
        writer.append(flag: true)
        writer.append(key)
      } else {
        writer.append(flag: false)
      }
    }
    bytes = writer.bytes
    key = SHA256.digest(of: bytes)
  }

  /// Reads what `bytes` gave.
  ///
  /// - Throws: `InferenceError.invalidData` for anything else.
  init(bytes: [UInt8]) throws {
    var reader = try ByteReader(bytes, kind: Self.kind)
    let model = try EvaluatedModel(from: &reader)
    let (block, rows, stream) = (try reader.integer(), try reader.integer(), try reader.digest())
    let (wantsInputs, wantsStream) = (try reader.flag(), try reader.flag())
    let choices = try reader.list(elementSize: 1) { try $0.flag() ? WeightChoice.variant($0.digest()) : .dense }
    try reader.end()
    self.init(
      model: model, blockIndex: block, choices: choices, rowCount: rows, stream: stream, wantsInputs: wantsInputs,
      wantsStream: wantsStream)
  }
}

/// A worker's answer to a `BlockPassRequest`.
struct BlockPassAnswer: Sendable {
  private static let kind = "block-pass-answer"

  /// The request's key.
  var request: Digest
  /// Digest of the arithmetic that computed it.
  var numerics: Digest
  /// The stream [tokens, hidden] behind the block; nil: not asked for.
  var stream: Matrix?
  /// The inputs [tokens, width] of the block's sites in their order; empty: not asked for.
  var inputs: [Matrix]

  /// The bytes, with their SHA-256 behind them.
  var bytes: [UInt8] {
    var writer = ByteWriter(kind: Self.kind)
    writer.append(request)
    writer.append(numerics)
    writer.append(list: stream.map { [$0] } ?? []) { $1.append(matrix: $0) }
    writer.append(list: inputs) { $1.append(matrix: $0) }
    return writer.sealed
  }

  /// Reads what `bytes` gave.
  ///
  /// - Throws: `InferenceError.invalidData` for anything else, such as damaged bytes.
  init(bytes: [UInt8]) throws {
    var reader = try ByteReader(sealed: bytes, kind: Self.kind)
    request = try reader.digest()
    numerics = try reader.digest()
    let streams = try reader.list(elementSize: 8) { try $0.matrix() }
    guard streams.count <= 1 else { throw reader.invalid("it has \(streams.count) streams") }
    stream = streams.first
    inputs = try reader.list(elementSize: 8) { try $0.matrix() }
    try reader.end()
  }

  init(request: Digest, numerics: Digest, stream: Matrix?, inputs: [Matrix]) {
    self.request = request
    self.numerics = numerics
    self.stream = stream
    self.inputs = inputs
  }

  /// Holds the answer against its request.
  ///
  /// - Throws: `InferenceError.wrongAnswer`.
  func check(_ wanted: BlockPassRequest, of network: any LanguageModel) throws {
    func wrong(_ detail: String) -> InferenceError { .wrongAnswer(detail: detail) }
    try wanted.model.checkAnswer(to: request, wanted: wanted.key, numerics)
    func check(_ found: [Matrix], _ widths: [Int], _ what: String) throws {
      guard found.map({ [$0.rows, $0.columns] }) == widths.map({ [wanted.rowCount, $0] }) else {
        throw wrong(
          "\(what) \(found.map { "\($0.rows) × \($0.columns)" }), not \(widths.map { "\(wanted.rowCount) × \($0)" })")
      }
    }
    try check(stream.map { [$0] } ?? [], wanted.wantsStream ? [network.hiddenSize] : [], "its streams are")
    let sites = network.sites.filter { $0.blockIndex == wanted.blockIndex }
    try check(inputs, wanted.wantsInputs ? sites.map(\.width) : [], "its inputs are")
  }
}

extension ByteWriter {
  mutating func append(matrix: Matrix) {
    append(matrix.rows)
    append(matrix.columns)
    append(matrix.littleEndianBytes)
  }
}

extension ByteReader {
  mutating func matrix() throws -> Matrix {
    let (rows, columns) = (try integer(), try integer())
    let (count, overflows) = rows.multipliedReportingOverflow(by: 4 * columns)
    guard !overflows, rows > 0, columns > 0,
      let matrix = Matrix(rows: rows, columns: columns, littleEndianBytes: Array(try take(count)))
    else { throw invalid("\(rows) × \(columns) is no size of a matrix") }
    return matrix
  }
}
