/// The tokens and merges of a byte-level BPE model.
struct BytePairVocabulary: Sendable {
  /// What happens to a pair of neighbouring tokens.
  struct Merge: Sendable {
    /// Position in the list of merges; the smallest is applied first.
    let rank: UInt32
    /// The token that replaces the pair.
    let id: Int32
  }

  /// Ids by the token's spelling in the file.
  let ids: [ByteString: Int32]
  /// The token of each single byte, or nil if the vocabulary lacks it.
  let byteIDs: [Int32?]
  /// Ids by the bytes that a token stands for; only where whole words go before merges (`ignore_merges`).
  let wholeWords: [ByteString: Int32]?
  private let merges: [UInt64: Merge]

  /// Reads `vocab` and `merges` of a `tokenizer.json`.
  ///
  /// - Throws: `InferenceError.invalidData` naming the entry and the rule.
  init(_ model: StrictJSON.Object, ignoresMerges: Bool, file: String) throws {
    func invalid(_ detail: String) -> InferenceError { .invalidData(file: file, detail: detail) }

    guard let vocabulary = model["vocab"]?.object else { throw invalid("model.vocab must be an object") }
    guard !vocabulary.members.isEmpty else { throw invalid("model.vocab is empty") }
    var ids: [ByteString: Int32] = [:]
    ids.reserveCapacity(vocabulary.members.count)
    var taken: Set<Int32> = []
    taken.reserveCapacity(vocabulary.members.count)
    for member in vocabulary.members {
      guard let id = member.value.integer.flatMap(Int32.init(exactly:)), id >= 0, id < Int32.max else {
        throw invalid("model.vocab: the id of \"\(member.key)\" must be an integer from 0 to \(Int32.max - 1)")
      }
      guard taken.insert(id).inserted else { throw invalid("model.vocab: two tokens have the id \(id)") }
      ids[member.key] = id
    }

    guard let list = model["merges"]?.array else { throw invalid("model.merges must be an array") }
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(list.count)
    var rank: UInt32 = 0
    for entry in list {
      guard let pair = try Self.pair(entry, file: file) else { continue }
      guard let left = ids[pair.left], let right = ids[pair.right],
        let id = ids[ByteString(pair.left.bytes + pair.right.bytes)]
      else {
        throw invalid("model.merges: \"\(pair.left)\" + \"\(pair.right)\": not all three tokens are in model.vocab")
      }
      merges[Self.key(left, right)] = Merge(rank: rank, id: id)
      rank += 1
    }

    self.ids = ids
    self.merges = merges
    byteIDs = (0...255 as ClosedRange<UInt8>).map { ids[ByteAlphabet.spelling(of: $0)] }
    guard ignoresMerges else {
      wholeWords = nil
      return
    }
    var words: [ByteString: Int32] = [:]
    words.reserveCapacity(vocabulary.members.count)
    for (spelling, id) in ids {
      if let bytes = ByteAlphabet.bytes(spelledBy: spelling) { words[ByteString(bytes)] = id }
    }
    wholeWords = words
  }

  /// The merge of two neighbouring tokens, if there is one.
  func merge(_ left: Int32, _ right: Int32) -> Merge? { merges[Self.key(left, right)] }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// A merge in either spelling, `"a b"` or `["a", "b"]`; nil for the version line of old files, which is skipped.
  private static func pair(_ entry: StrictJSON, file: String) throws -> (left: ByteString, right: ByteString)? {
    if let parts = entry.array, parts.count == 2, let left = parts[0].string, let right = parts[1].string {
      return (left, right)
    }
    if let line = entry.string {
      if line.bytes.starts(with: "#version".utf8) { return nil }
      let parts = line.bytes.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      if parts.count == 2 { return (ByteString(Array(parts[0])), ByteString(Array(parts[1]))) }
    }
    throw InferenceError.invalidData(
      file: file, detail: "model.merges: expected \"a b\" or [\"a\", \"b\"], found \(entry.summary)")
  }
}
