import Foundation

/// A model folder in the layout of the Hugging Face hub: `config.json`, `model.safetensors` or shards with
/// `model.safetensors.index.json`, and perhaps `tokenizer.json`.
///
/// Its files stay open as long as this object lives; reads may run on several threads.
public final class Checkpoint: Sendable {
  /// The folder.
  public let directory: URL
  /// The model's configuration, read from `config.json`.
  public let configuration: ModelConfiguration
  /// The tensors of all shards under their canonical names (`TensorNames`), sorted by the bytes of those.
  public let tensors: [TensorDescription]
  /// The folder's `tokenizer.json`, or nil if it has none.
  public let tokenizerURL: URL?

  private let files: [SafetensorsFile]
  private let places: [ByteString: Place]
  private let uses = UsedNames()
  private let watch: (any TensorGuard)?

  /// Where a tensor lies.
  private struct Place {
    var file: Int
    /// Under its canonical name.
    var tensor: TensorDescription
  }

  /// Opens a model folder: reads its configuration and the headers of all weight files.
  ///
  /// - Throws: `InferenceError.missingInput` if the folder, `config.json`, the weights or a shard is not there;
  ///   `.invalidData`, `.unsupported` and `.inputOutput` as the readers of those files.
  public convenience init(directory: URL) throws { try self.init(directory: directory, watch: nil) }

  /// - Parameter watch: looks at the bytes that are read.
  init(directory: URL, watch: (any TensorGuard)?) throws {
    self.directory = directory
    self.watch = watch
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
    places = try Self.places(in: files, configuration)
    tensors = places.values.map(\.tensor).sorted { $0.key < $1.key }

    let tokenizer = directory.appendingPathComponent("tokenizer.json")
    tokenizerURL = try Self.exists(tokenizer) ? tokenizer : nil
  }

  /// Whether there is a tensor called `name`, compared as UTF-8 bytes.
  public func contains(_ name: String) -> Bool { places[ByteString(name)] != nil }

  /// Whether a tensor was asked for by name.
  func isUsed(_ key: ByteString) -> Bool { uses.contains(key) }

  /// The weight files and the state each is in; nil: it has just been changed, so that the next change need not show.
  ///
  /// - Parameter settling: whether the system is to write out what other processes changed first, as it must be before
  ///   their bytes are looked at.
  func fileStates(settling: Bool) throws -> [(path: String, state: FileState?)] {
    try files.map { file in
      if settling { file.settle() }
      let state = try file.state()
      return (file.path, state.isSettled() ? state : nil)
    }
  }

  /// The state of the file that holds a tensor.
  func fileState(ofTensor name: String) throws -> FileState { try place(of: name).file.state() }

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
    let (file, tensor) = try place(of: name)
    guard [.bfloat16, .float16].contains(tensor.elementType),
      tensor.byteCount > StoredMatrix.largestWidenedByteCount / 2
    else { return StoredMatrix(try matrix(name, rows: rows, columns: columns)) }
    let isBFloat16 = tensor.elementType == .bfloat16
    let matrix = try read(tensor, of: file) { sight in
      StoredMatrix(
        rows: rows, columns: columns, words: try file.words(of: tensor, sight: sight), isBFloat16: isBFloat16)
    }
    if let position = matrix.firstNonFiniteWord {
      throw InferenceError.invalidData(
        file: file.path, detail: "tensor \(name): element \(position) is NaN or infinite")
    }
    return matrix
  }

  /// Hands the stored bytes of a tensor to `body`, in order and in pieces of at most `chunkByteCount` bytes.
  ///
  /// - Throws: `InferenceError.invalidData` if there is no such tensor, `.inputOutput`, and whatever `body` throws.
  public func forEachChunk(
    ofTensor name: String, chunkByteCount: Int = 1 << 20, _ body: (ArraySlice<UInt8>) throws -> Void
  ) throws {
    let (file, tensor) = try place(of: name)
    guard let watch else { return try file.forEachChunk(of: tensor, chunkByteCount: chunkByteCount, body) }
    // What has been handed out cannot be taken back: the bytes are looked at whatever state their file is in.
    file.settle()
    let state = try file.state()
    let isSettled = state.isSettled()
    let check = watch.beginCheck(of: tensor, file: file.path)
    try file.forEachChunk(of: tensor, chunkByteCount: chunkByteCount) { chunk in
      check.update(chunk)
      try body(chunk)
    }
    try check.finish()
    if isSettled, try file.state() == state { watch.remember(tensor, of: file.path, in: state) }
  }

  /// Checks from the headers alone that a tensor is there, has a shape and holds floats that can be read.
  ///
  /// - Throws: `InferenceError.invalidData` if it is missing or has another shape, `.unsupported` for other types.
  func requireTensor(_ name: String, shape: [Int]) throws {
    let (file, tensor) = try place(of: name)
    uses.insert(tensor.key)
    guard tensor.shape == shape else {
      throw InferenceError.invalidData(
        file: file.path,
        detail: "tensor \(name): config.json implies shape \(shape), found \(tensor.shape)")
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
    let (headFile, one) = try place(of: head)
    let (embeddingFile, other) = try place(of: embedding)
    uses.insert(one.key)
    var isEqual = one.elementType == other.elementType && one.shape == other.shape
    var position = 0
    try headFile.forEachChunk(of: one) { chunk in
      guard isEqual else { return }
      isEqual = try embeddingFile.bytes(of: other, at: position, count: chunk.count)[...] == chunk
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

  /// A layer's weight [rows, columns], read when it is asked for.
  func source(_ name: String, rows: Int, columns: Int) -> any WeightSource {
    CheckpointWeight(checkpoint: self, name: name, rows: rows, columns: columns)
  }

  /// A weight as the right factor of `x · wᵀ`: a strip of rows is read, widened and laid out after the other.
  ///
  /// - Throws: as `matrix`.
  fileprivate func packed(_ name: String, rows: Int, columns: Int, for arithmetic: Arithmetic) throws -> PackedWeights {
    guard arithmetic != .openblas else {
      return try matrix(name, rows: rows, columns: columns).packed(for: arithmetic)
    }
    try requireTensor(name, shape: [rows, columns])
    let (file, tensor) = try place(of: name)
    var nonFinite: (position: Int, value: Float)?
    let packed = try read(tensor, of: file) { sight in
      nonFinite = nil
      return try PackedWeights(columns: rows, depth: columns, arithmetic: arithmetic) { range, strip in
        let (start, count) = (range.lowerBound * columns, range.count * columns)
        let target = UnsafeMutableBufferPointer(rebasing: strip.storage[..<count])
        try file.read(tensor, from: start, into: target, sight: sight)
        guard nonFinite == nil, !FloatConversion.areFinite(UnsafeBufferPointer(target)) else { return }
        nonFinite = target.firstIndex { !$0.isFinite }.map { (start + $0, target[$0]) }
      }
    }
    if let nonFinite { throw Self.nonFinite(file, name, nonFinite.position, nonFinite.value) }
    return packed
  }

  private static func nonFinite(
    _ file: SafetensorsFile, _ name: String, _ position: Int, _ value: Float
  ) -> InferenceError {
    .invalidData(file: file.path, detail: "tensor \(name): element \(position) is \(value)")
  }

  private func weight(_ name: String, shape: [Int], allowingNonFinite: Bool) throws -> Matrix {
    try requireTensor(name, shape: shape)
    let (file, tensor) = try place(of: name)
    let matrix = try read(tensor, of: file) { try file.matrix(of: tensor, sight: $0) }
    guard allowingNonFinite || FloatConversion.areFinite(UnsafeBufferPointer(matrix.storage)) else {
      let position = matrix.storage.firstIndex { !$0.isFinite } ?? 0
      throw Self.nonFinite(file, name, position, matrix.storage[position])
    }
    return matrix
  }

  /// Reads a tensor, and looks at its bytes unless its file is known to be as it was.
  private func read<T>(
    _ tensor: TensorDescription, of file: SafetensorsFile, _ body: (SafetensorsFile.Sight?) throws -> T
  ) throws -> T {
    guard let watch else { return try body(nil) }
    let state = try file.state()
    if watch.knows(tensor, in: state) {
      let result = try body(nil)
      if try file.state() == state { return result }
      // It changed while it was read: what came out is thrown away.
    }
    file.settle()
    let before = try file.state()
    let isSettled = before.isSettled()
    let check = watch.beginCheck(of: tensor, file: file.path)
    let result = try body { check.update($0) }
    try check.finish()
    if isSettled, try file.state() == before { watch.remember(tensor, of: file.path, in: before) }
    return result
  }

  private func place(of name: String) throws -> (file: SafetensorsFile, tensor: TensorDescription) {
    guard let place = places[ByteString(name)] else {
      let path = files.count == 1 ? files[0].path : directory.path
      throw InferenceError.invalidData(file: path, detail: "there is no tensor \(name), which config.json implies")
    }
    return (files[place.file], place.tensor)
  }

  /// Where all tensors lie, by their canonical names.
  private static func places(in files: [SafetensorsFile], _ configuration: ModelConfiguration) throws
    -> [ByteString: Place]
  {
    let names = try ModelFamilies.family(of: configuration).tensorNames
    var places: [ByteString: Place] = [:]
    for (position, file) in files.enumerated() {
      for tensor in file.tensors {
        let key = names.canonical(tensor.key)
        // Names are unique inside a file by its header, and among shards by the index.
        guard places.updateValue(Place(file: position, tensor: tensor.renamed(key)), forKey: key) == nil else {
          throw InferenceError.invalidData(
            file: file.path, detail: "tensor \(key) is there twice: with the prefix \"model.\" and without it")
        }
      }
    }
    if configuration.tiedEmbeddings, places[names.embedding] == nil,
      let head = places.removeValue(forKey: TensorNames.head)
    {
      places[names.embedding] = Place(file: head.file, tensor: head.tensor.renamed(names.embedding))
    }
    return places
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

/// A layer's weight in a checkpoint.
private struct CheckpointWeight: WeightSource {
  let checkpoint: Checkpoint
  /// The tensor's.
  let name: String
  let rows: Int
  let columns: Int

  func matrix() throws -> Matrix { try checkpoint.matrix(name, rows: rows, columns: columns) }

  func packed(for arithmetic: Arithmetic) throws -> PackedWeights {
    try checkpoint.packed(name, rows: rows, columns: columns, for: arithmetic)
  }
}
