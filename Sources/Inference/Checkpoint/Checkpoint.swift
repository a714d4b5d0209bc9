import Foundation

/// A model folder in the layout of the Hugging Face hub: `config.json`, `model.safetensors` or shards with
/// `model.safetensors.index.json`, and perhaps `tokenizer.json`.
///
/// Its files stay open as long as this object lives; reads may run on several threads.
public final class Checkpoint: Sendable {
  /// The folder.
  public let directory: URL
  /// What `config.json` says.
  public let configuration: ModelConfiguration
  /// The tensors of all shards, sorted by the bytes of their names.
  public let tensors: [TensorDescription]
  /// The folder's `tokenizer.json`, or nil if it has none.
  public let tokenizerURL: URL?

  private let files: [SafetensorsFile]
  private let fileOfTensor: [ByteString: Int]

  /// Opens a model folder: reads its configuration and the headers of all weight files.
  ///
  /// - Throws: `InferenceError.missingInput` if the folder, `config.json`, the weights or a shard is not there;
  ///   `.invalidData`, `.unsupported` and `.inputOutput` as the readers of those files.
  public init(directory: URL) throws {
    self.directory = directory
    guard let kind = try FileKind(atPath: directory.path) else {
      throw InferenceError.missingInput(path: directory.path, reason: "no such folder")
    }
    guard kind == .folder else {
      throw InferenceError.missingInput(path: directory.path, reason: "a model is a folder, this is a file")
    }
    let configurationURL = directory.appendingPathComponent("config.json")
    guard try Self.exists(configurationURL) else {
      throw InferenceError.missingInput(
        path: configurationURL.path, reason: "a model folder needs a config.json in the layout of Hugging Face")
    }
    configuration = try ModelConfiguration(contentsOf: configurationURL)
    files = try Self.openWeights(in: directory)

    var all: [(tensor: TensorDescription, file: Int)] = []
    for (position, file) in files.enumerated() { all += file.tensors.map { ($0, position) } }
    all.sort { $0.tensor.key < $1.tensor.key }
    tensors = all.map(\.tensor)
    // Unique inside a file by its header, and among shards by the index.
    fileOfTensor = Dictionary(all.map { ($0.tensor.key, $0.file) }, uniquingKeysWith: { first, _ in first })

    let tokenizer = directory.appendingPathComponent("tokenizer.json")
    tokenizerURL = try Self.exists(tokenizer) ? tokenizer : nil
  }

  /// Whether there is a tensor called `name`, compared as UTF-8 bytes.
  public func contains(_ name: String) -> Bool { fileOfTensor[ByteString(name)] != nil }

  /// A weight as Float32.
  ///
  /// - Parameters:
  ///   - name: the tensor's Hugging Face name with its ending, `model.layers.0.mlp.up_proj.weight`.
  ///   - rows: the first dimension it must have (outputs of a linear weight).
  ///   - columns: the second one (inputs).
  ///   - allowingNonFinite: whether NaN and infinity are let through.
  /// - Returns: a new [rows, columns] matrix, owned by the caller.
  /// - Throws: `InferenceError.invalidData` if the tensor is missing, has another shape or holds a NaN or infinity;
  ///   `.unsupported` if it does not hold floats; `.inputOutput`.
  public func matrix(
    _ name: String, rows: Int, columns: Int, allowingNonFinite: Bool = false
  ) throws -> Matrix {
    try weight(name, shape: [rows, columns], allowingNonFinite: allowingNonFinite)
  }

  /// A one-dimensional weight as Float32, such as a norm or a bias.
  ///
  /// - Returns: a new [1, count] matrix, owned by the caller.
  /// - Throws: as `matrix`.
  public func vector(_ name: String, count: Int, allowingNonFinite: Bool = false) throws -> Matrix {
    try weight(name, shape: [count], allowingNonFinite: allowingNonFinite)
  }

  /// A weight [rows, columns] in the type it is stored in, or widened once if that makes a small one.
  ///
  /// - Throws: as `matrix`.
  func stored(_ name: String, rows: Int, columns: Int) throws -> StoredMatrix {
    try requireTensor(name, shape: [rows, columns])
    let file = try file(holding: name)
    guard let tensor = file.tensor(named: name), [.bfloat16, .float16].contains(tensor.elementType),
      tensor.byteCount > StoredMatrix.largestWidenedByteCount / 2
    else { return StoredMatrix(try matrix(name, rows: rows, columns: columns)) }
    let isBFloat16 = tensor.elementType == .bfloat16
    let words = try file.words(of: tensor)
    if let position = FloatConversion.firstNonFinite(words, isBFloat16: isBFloat16) {
      words.deallocate()
      throw InferenceError.invalidData(
        file: file.path, detail: "tensor \(name): element \(position) is NaN or infinite")
    }
    return StoredMatrix(rows: rows, columns: columns, words: words, isBFloat16: isBFloat16)
  }

  /// Hands the stored bytes of a tensor to `body`, in order and in pieces of at most `chunkByteCount` bytes.
  ///
  /// - Throws: `InferenceError.invalidData` if there is no such tensor, `.inputOutput`, and whatever `body` throws.
  public func forEachChunk(
    ofTensor name: String, chunkByteCount: Int = 1 << 20, _ body: (ArraySlice<UInt8>) throws -> Void
  ) throws {
    try file(holding: name).forEachChunk(ofTensor: name, chunkByteCount: chunkByteCount, body)
  }

  /// Checks from the headers alone that a tensor is there, has a shape and holds floats that can be read.
  ///
  /// - Throws: `InferenceError.invalidData` if it is missing or has another shape, `.unsupported` for other types.
  func requireTensor(_ name: String, shape: [Int]) throws {
    let file = try file(holding: name)
    guard let tensor = file.tensor(named: name), tensor.shape == shape else {
      throw InferenceError.invalidData(
        file: file.path,
        detail: "tensor \(name): config.json implies shape \(shape), found \(file.tensor(named: name)?.shape ?? [])")
    }
    guard tensor.elementType.isReadableFloat else {
      throw InferenceError.unsupported(
        file: file.path, detail: "tensor \(name): reading \(tensor.elementType.rawValue) as floats")
    }
  }

  /// Checks that a head in the file of a model with `tie_word_embeddings` is its embedding, if there is one.
  ///
  /// - Throws: `InferenceError.unsupported` if it is another tensor: transformers 5 would use it, earlier versions not.
  func requireEqual(_ head: String, _ embedding: String) throws {
    guard contains(head), contains(embedding) else { return }
    let (headFile, embeddingFile) = (try file(holding: head), try file(holding: embedding))
    let (one, other) = (headFile.tensor(named: head), embeddingFile.tensor(named: embedding))
    var isEqual = one?.elementType == other?.elementType && one?.shape == other?.shape
    var position = 0
    try headFile.forEachChunk(ofTensor: head) { chunk in
      guard isEqual else { return }
      isEqual = try embeddingFile.bytes(ofTensor: embedding, at: position, count: chunk.count)[...] == chunk
      position += chunk.count
    }
    guard isEqual else {
      throw InferenceError.unsupported(
        file: headFile.path,
        detail:
          "tensor \(head) differs from \(embedding), but config.json has tie_word_embeddings: transformers 5 uses it, "
          + "earlier versions do not; set tie_word_embeddings to false, or leave the tensor out")
    }
  }

  private func weight(_ name: String, shape: [Int], allowingNonFinite: Bool) throws -> Matrix {
    try requireTensor(name, shape: shape)
    let file = try file(holding: name)
    let matrix = try file.matrix(named: name)
    guard allowingNonFinite || FloatConversion.areFinite(UnsafeBufferPointer(matrix.storage)) else {
      let position = matrix.storage.firstIndex { !$0.isFinite } ?? 0
      throw InferenceError.invalidData(
        file: file.path, detail: "tensor \(name): element \(position) is \(matrix.storage[position])")
    }
    return matrix
  }

  private func file(holding name: String) throws -> SafetensorsFile {
    guard let position = fileOfTensor[ByteString(name)] else {
      let place = files.count == 1 ? files[0].path : directory.path
      throw InferenceError.invalidData(file: place, detail: "there is no tensor \(name), which config.json implies")
    }
    return files[position]
  }

  /// As transformers does, a single `model.safetensors` goes before an index.
  private static func openWeights(in directory: URL) throws -> [SafetensorsFile] {
    let single = directory.appendingPathComponent("model.safetensors")
    if try exists(single) { return [try SafetensorsFile(single)] }
    let indexURL = directory.appendingPathComponent("model.safetensors.index.json")
    guard try exists(indexURL) else {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
      let hasPickle = names.contains { $0.hasSuffix(".bin") || $0.hasSuffix(".pt") || $0.hasSuffix(".pth") }
      throw InferenceError.missingInput(
        path: directory.path,
        reason: hasPickle
          ? "no safetensors weights; pickle files are never read: convert them to model.safetensors first"
          : "no model.safetensors and no model.safetensors.index.json")
    }
    let index = try ShardIndex(contentsOf: indexURL)
    let shards = try index.shardNames.map { name in
      let url = directory.appendingPathComponent(name.description)
      guard try exists(url) else {
        throw InferenceError.missingInput(
          path: url.path, reason: "a shard that model.safetensors.index.json names is not there")
      }
      return (name: name, file: try SafetensorsFile(url))
    }
    try index.verify(shards)
    return shards.map(\.file)
  }

  private static func exists(_ url: URL) throws -> Bool { try FileKind(atPath: url.path) != nil }
}
