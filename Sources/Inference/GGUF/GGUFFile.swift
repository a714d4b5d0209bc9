import Foundation

/// A GGUF file: its metadata and the list of its tensors in memory, their elements read on demand.
///
/// The file stays open as long as this object lives. Nothing is allocated on the word of the file alone. Source: ggml,
/// `docs/gguf.md`; what its C reader refuses is refused here.
public final class GGUFFile: Sendable {
  /// The metadata, in the order of the file.
  public let fields: [GGUFField]
  /// The tensors, in the order of the file.
  public let tensors: [GGUFTensorDescription]
  /// The file's path.
  public var path: String { file.path }
  /// Bytes of the file.
  public var byteCount: Int { file.byteCount }

  private let file: RandomAccessFile
  private let fileOffsets: [Int]
  private let fieldPlaces: [ByteString: Int]
  private let tensorPlaces: [ByteString: Int]

  /// Opens `url` and checks its header.
  ///
  /// - Throws: `InferenceError.missingInput`, `.inputOutput`, `.invalidData` (naming the broken rule) or `.unsupported`
  ///   (another version, byte order or element type).
  public init(_ url: URL) throws {
    file = try RandomAccessFile(url)
    var reader = GGUFHeaderReader(file)
    let (header, dataStart) = try reader.read()
    fields = header.fields
    tensors = header.tensors
    fileOffsets = header.offsets.map { dataStart + $0 }
    // Keys and names are unique in a header.
    fieldPlaces = Dictionary(fields.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
    tensorPlaces = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The value of a key of the metadata, or nil.
  public subscript(key: ByteString) -> GGUFValue? { fieldPlaces[key].map { fields[$0].value } }

  /// The description of a tensor, or nil.
  public func tensor(named name: ByteString) -> GGUFTensorDescription? { tensorPlaces[name].map { tensors[$0] } }

  /// The stored bytes of a tensor.
  ///
  /// - Throws: `InferenceError.invalidData` if there is no such tensor, `.inputOutput`.
  public func bytes(ofTensor name: ByteString) throws -> [UInt8] {
    let index = try place(of: name)
    return try file.bytes(at: fileOffsets[index], count: tensors[index].byteCount)
  }

  /// A tensor of a quantized type, `[n]` as [1, n], three and four dimensions as [product of all but the last, last].
  ///
  /// - Throws: `InferenceError.invalidData` if there is no such tensor or a scale is not finite, `.unsupported` for another
  ///   type, `.inputOutput`.
  public func quantized(named name: ByteString) throws -> GGUFTensor {
    let tensor = tensors[try place(of: name)]
    guard tensor.type.isQuantized else { throw unreadable(tensor) }
    let shape = tensor.matrixShape
    do {
      return try GGUFTensor(type: tensor.type, rows: shape.rows, columns: shape.columns, bytes: bytes(ofTensor: name))
    } catch InferenceError.invalidData(_, let detail) {
      throw InferenceError.invalidData(file: path, detail: "tensor \(name): \(detail)")
    }
  }

  /// A tensor of weights as Float32, of a shape as in `quantized(named:)`.
  ///
  /// - Throws: `InferenceError.invalidData` if there is no such tensor or a scale is not finite, `.unsupported` if it holds
  ///   other than F32, F16, BF16 or a quantized type, `.inputOutput`.
  public func matrix(named name: ByteString) throws -> Matrix {
    let tensor = tensors[try place(of: name)]
    if tensor.type.isQuantized { return try quantized(named: name).dequantized() }
    guard [.float32, .float16, .bfloat16].contains(tensor.type) else { throw unreadable(tensor) }
    let bytes = try bytes(ofTensor: name)
    let shape = tensor.matrixShape
    let matrix = Matrix(uninitializedRows: shape.rows, columns: shape.columns)
    for index in matrix.storage.indices {
      switch tensor.type {
      case .float32: matrix.storage[index] = Float(bitPattern: bytes.littleEndian(at: 4 * index, as: UInt32.self))
      case .float16:
        matrix.storage[index] = FloatConversion.widened(float16: bytes.littleEndian(at: 2 * index, as: UInt16.self))
      default:
        matrix.storage[index] = Float(bitPattern: UInt32(bytes.littleEndian(at: 2 * index, as: UInt16.self)) << 16)
      }
    }
    return matrix
  }

  private func place(of name: ByteString) throws -> Int {
    guard let index = tensorPlaces[name] else {
      throw InferenceError.invalidData(file: path, detail: "there is no tensor \(name)")
    }
    return index
  }

  private func unreadable(_ tensor: GGUFTensorDescription) -> InferenceError {
    .unsupported(file: path, detail: "tensor \(tensor.name): reading weights of type \(tensor.type.name)")
  }
}

extension GGUFTensorDescription {
  /// Rows and columns as a matrix.
  fileprivate var matrixShape: (rows: Int, columns: Int) {
    (shape.dropLast().reduce(1, *), shape[shape.count - 1])
  }
}
