import Foundation

/// `model.safetensors.index.json`: which tensor lies in which shard.
struct ShardIndex {
  /// Largest index read, in bytes; that of a 405B model has 120 kB.
  private static let fileByteLimit = 100 << 20

  let file: String
  /// Shard file names by tensor name.
  let shards: [ByteString: ByteString]
  /// The shard names, sorted by bytes, each once.
  let shardNames: [ByteString]

  /// Reads an index and checks that its shard names are plain file names, so that a checkpoint never makes evodb open a
  /// file outside its folder.
  init(contentsOf url: URL) throws {
    file = url.path
    let json = try StrictJSON.parse(RandomAccessFile.contents(of: url, limit: Self.fileByteLimit), file: file)
    guard let map = json.object?["weight_map"]?.object else {
      throw InferenceError.invalidData(file: file, detail: "weight_map must be an object")
    }
    var shards: [ByteString: ByteString] = [:]
    for member in map.members {
      guard let name = member.value.string, Self.isPlainFileName(name) else {
        throw InferenceError.invalidData(
          file: file,
          detail: "weight_map: the shard of \(member.key) must be the plain name of a .safetensors file, found "
            + member.value.summary)
      }
      shards[member.key] = name
    }
    guard !shards.isEmpty else { throw InferenceError.invalidData(file: file, detail: "weight_map is empty") }
    self.shards = shards
    shardNames = Set(shards.values).sorted()
  }

  /// Checks that the shards hold exactly the tensors that the index places in them.
  func verify(_ files: [(name: ByteString, file: SafetensorsFile)]) throws {
    var found = 0
    for (name, shard) in files {
      for tensor in shard.tensors {
        guard let expected = shards[tensor.key] else {
          throw InferenceError.invalidData(file: file, detail: "\(name) holds \(tensor.name), which weight_map lacks")
        }
        guard expected == name else {
          throw InferenceError.invalidData(
            file: file, detail: "weight_map places \(tensor.name) in \(expected), but \(name) holds it")
        }
        found += 1
      }
    }
    guard found != shards.count else { return }
    let present = Set(files.flatMap { $0.file.tensors.map(\.key) })
    if let lost = shards.keys.filter({ !present.contains($0) }).min(), let shard = shards[lost] {
      throw InferenceError.invalidData(
        file: file, detail: "weight_map places \(lost) in \(shard), but that file does not hold it")
    }
  }

  private static func isPlainFileName(_ name: ByteString) -> Bool {
    let separators: [UInt8] = [UInt8(ascii: "/"), UInt8(ascii: "\\"), 0]
    return name.bytes.count > ".safetensors".utf8.count && name.bytes.first != UInt8(ascii: ".")
      && !name.bytes.contains(where: separators.contains)
      && name.bytes.suffix(".safetensors".utf8.count).elementsEqual(".safetensors".utf8)
  }
}
