import Foundation

/// A safetensors file: its header in memory, its tensors read on demand.
///
/// The file stays open as long as this object lives, so replacing it by name does no harm. Reads are independent of each
/// other and may run on several threads. Nothing is allocated on the word of the file alone: every tensor's size has been
/// held against the size of the file.
public final class SafetensorsFile: Sendable {
  /// Bytes read at a time where values are converted: large enough to keep the system calls cheap, small enough for
  /// the second-level cache.
  private static let conversionByteCount = 1 << 18

  /// All tensors, sorted by the bytes of their names.
  public let tensors: [TensorDescription]
  /// The strings of `__metadata__`; empty if there are none.
  public let metadata: [ByteString: String]
  /// The file's path.
  public var path: String { file.path }
  /// Sees the bytes of a tensor as they are read, in order.
  typealias Sight = (UnsafeRawBufferPointer) -> Void

  private let file: RandomAccessFile
  private let positions: [ByteString: Int]

  /// Opens `url` and checks its header.
  ///
  /// - Throws: `InferenceError.missingInput`, `.inputOutput`, `.invalidData` (naming the broken rule) or `.unsupported`
  ///   (an unknown element type).
  public init(_ url: URL) throws {
    file = try RandomAccessFile(url)
    let header = try SafetensorsHeader(file)
    tensors = header.tensors
    metadata = header.metadata
    // The header's keys are unique.
    positions = Dictionary(
      tensors.enumerated().map { ($0.element.key, $0.offset) }, uniquingKeysWith: { first, _ in first })
  }

  /// Asks the system for the state of the open file.
  func state() throws -> FileState { try file.state() }

  /// Has the system write out what other processes changed through a mapping.
  func settle() { file.settle() }

  /// The description of the tensor called `name` (compared as UTF-8 bytes), or nil.
  public func tensor(named name: String) -> TensorDescription? {
    positions[ByteString(name)].map { tensors[$0] }
  }

  /// A float tensor as Float32: `[n]` as [1, n], a single number as [1, 1], three and more dimensions as
  /// [product of all but the last, last].
  ///
  /// F16 and BF16 widen exactly, F64 rounds to nearest even. The caller owns the matrix.
  ///
  /// - Throws: `InferenceError.invalidData` if there is no such tensor or it is too large, `.unsupported` if it does not
  ///   hold floats of 16 bits or more, `.inputOutput` if reading fails.
  public func matrix(named name: String) throws -> Matrix { try matrix(of: existing(name)) }

  /// A float tensor of this file as Float32, as `matrix(named:)`.
  func matrix(of tensor: TensorDescription, sight: Sight? = nil) throws -> Matrix {
    let columns = tensor.shape.last ?? 1
    var rows = 1
    for dimension in tensor.shape.dropLast() {
      let (product, overflow) = rows.multipliedReportingOverflow(by: dimension)
      guard !overflow else { throw tooLarge(tensor) }
      rows = product
    }
    let (count, countOverflow) = rows.multipliedReportingOverflow(by: columns)
    guard !countOverflow, !count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride).overflow else {
      throw tooLarge(tensor)
    }
    let matrix = Matrix(uninitializedRows: rows, columns: columns)
    try read(tensor, from: 0, into: matrix.storage, sight: sight)
    return matrix
  }

  /// Some elements of a tensor of floats as Float32.
  ///
  /// - Parameters:
  ///   - first: place of the first element, row-major; as many are read as `target` takes.
  ///   - sight: is shown the bytes that are read.
  /// - Throws: `InferenceError.unsupported` for other types, `.inputOutput`.
  func read(
    _ tensor: TensorDescription, from first: Int, into target: UnsafeMutableBufferPointer<Float>, sight: Sight?
  ) throws {
    switch tensor.elementType {
    case .bfloat16: try convert(tensor, from: first, into: target, sight, FloatConversion.widenBFloat16)
    case .float16: try convert(tensor, from: first, into: target, sight, FloatConversion.widenFloat16)
    case .float64: try convert(tensor, from: first, into: target, sight, FloatConversion.narrowFloat64)
    case .float32:
      try file.read(
        at: tensor.fileOffset + first * MemoryLayout<Float>.stride, into: UnsafeMutableRawBufferPointer(target))
      sight?(UnsafeRawBufferPointer(target))
      #if _endian(big)
        for index in target.indices {
          target[index] = Float(bitPattern: UInt32(littleEndian: target[index].bitPattern))
        }
      #endif
    default:
      throw InferenceError.unsupported(
        file: path, detail: "tensor \(tensor.name): reading \(tensor.elementType.rawValue) as floats")
    }
  }

  /// The stored words of an F16 or BF16 tensor, row-major and little-endian; the caller deallocates them.
  func words(of tensor: TensorDescription, sight: Sight? = nil) throws -> UnsafeMutableBufferPointer<UInt16> {
    precondition(tensor.elementType == .bfloat16 || tensor.elementType == .float16)
    let words = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: tensor.byteCount / 2)
    do {
      try file.read(at: tensor.fileOffset, into: UnsafeMutableRawBufferPointer(words))
    } catch {
      words.deallocate()
      throw error
    }
    sight?(UnsafeRawBufferPointer(words))
    return words
  }

  /// A tensor of integers or truth values, row-major; those of U64 that do not fit as the largest Int64.
  ///
  /// - Throws: `InferenceError.invalidData` if there is no such tensor, `.unsupported` for other element types,
  ///   `.inputOutput` if reading fails.
  public func integers(named name: String) throws -> (shape: [Int], values: [Int64]) {
    let tensor = try existing(name)
    guard tensor.elementType.isInteger else {
      throw InferenceError.unsupported(
        file: path, detail: "tensor \(name): reading \(tensor.elementType.rawValue) as integers")
    }
    let bytes = try file.bytes(at: tensor.fileOffset, count: tensor.byteCount)
    func values<Element: FixedWidthInteger>(_ type: Element.Type) -> [Int64] {
      bytes.withUnsafeBytes { raw in
        let stride = MemoryLayout<Element>.stride
        return (0..<raw.count / stride).map {
          Int64(clamping: Element(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * stride, as: type)))
        }
      }
    }
    switch tensor.elementType {
    case .int32: return (tensor.shape, values(Int32.self))
    case .int16: return (tensor.shape, values(Int16.self))
    case .int8: return (tensor.shape, values(Int8.self))
    case .uint64: return (tensor.shape, values(UInt64.self))
    case .uint32: return (tensor.shape, values(UInt32.self))
    case .uint16: return (tensor.shape, values(UInt16.self))
    case .uint8, .bool: return (tensor.shape, values(UInt8.self))
    default: return (tensor.shape, values(Int64.self))
    }
  }

  /// A part of the stored bytes of a tensor of this file.
  func bytes(of tensor: TensorDescription, at offset: Int, count: Int) throws -> [UInt8] {
    precondition(offset >= 0 && count >= 0 && offset + count <= tensor.byteCount)
    return try file.bytes(at: tensor.fileOffset + offset, count: count)
  }

  /// Hands the stored bytes of a tensor to `body`, in order and in pieces of at most `chunkByteCount` bytes.
  ///
  /// A slice is valid after the call, but keeping it costs a copy of the next piece's buffer.
  ///
  /// - Throws: `InferenceError.invalidData` if there is no such tensor, `.inputOutput`, and whatever `body` throws.
  public func forEachChunk(
    ofTensor name: String, chunkByteCount: Int = 1 << 20, _ body: (ArraySlice<UInt8>) throws -> Void
  ) throws {
    try forEachChunk(of: existing(name), chunkByteCount: chunkByteCount, body)
  }

  /// As `forEachChunk(ofTensor:)`, of a tensor of this file.
  func forEachChunk(
    of tensor: TensorDescription, chunkByteCount: Int = 1 << 20, _ body: (ArraySlice<UInt8>) throws -> Void
  ) throws {
    precondition(chunkByteCount > 0)
    var buffer = [UInt8](repeating: 0, count: min(chunkByteCount, tensor.byteCount))
    var position = 0
    while position < tensor.byteCount {
      let count = min(buffer.count, tensor.byteCount - position)
      try buffer.withUnsafeMutableBytes {
        try file.read(
          at: tensor.fileOffset + position, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]))
      }
      try body(buffer[..<count])
      position += count
    }
  }

  /// Reads elements of `tensor` piece by piece and converts them.
  private func convert<Element: FixedWidthInteger>(
    _ tensor: TensorDescription, from first: Int, into target: UnsafeMutableBufferPointer<Float>, _ sight: Sight?,
    _ conversion: (UnsafeBufferPointer<Element>, UnsafeMutableBufferPointer<Float>) -> Void
  ) throws {
    let stride = MemoryLayout<Element>.stride
    let elementCount = target.count
    let capacity = min(Self.conversionByteCount / stride, elementCount)
    guard capacity > 0 else { return }
    let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: capacity)
    defer { buffer.deallocate() }
    var position = 0
    while position < elementCount {
      let piece = UnsafeMutableBufferPointer(rebasing: buffer[..<min(capacity, elementCount - position)])
      try file.read(at: tensor.fileOffset + (first + position) * stride, into: UnsafeMutableRawBufferPointer(piece))
      sight?(UnsafeRawBufferPointer(piece))
      conversion(UnsafeBufferPointer(piece), UnsafeMutableBufferPointer(rebasing: target[position...]))
      position += piece.count
    }
  }

  private func existing(_ name: String) throws -> TensorDescription {
    guard let tensor = tensor(named: name) else {
      throw InferenceError.invalidData(file: path, detail: "there is no tensor \(name)")
    }
    return tensor
  }

  private func tooLarge(_ tensor: TensorDescription) -> InferenceError {
    .invalidData(file: path, detail: "tensor \(tensor.name): shape \(tensor.shape) does not fit in memory")
  }
}
