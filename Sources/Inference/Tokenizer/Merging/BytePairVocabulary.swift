/// The tokens and merges of a BPE model.
struct BytePairVocabulary: Sendable {
  /// The merge of a pair of neighbouring tokens.
  struct Merge: Sendable {
    /// Position in the list of merges; the smallest is applied first.
    let rank: UInt32
    /// The token that replaces the pair.
    let id: Int32
  }

  /// Ids by the token's spelling in the file.
  let ids: [ByteString: Int32]
  /// The tokens that merging starts from.
  let symbols: SymbolTable
  /// Where words may be cut before merging, if they may.
  let seams: MergeSeams?
  /// Ids by the bytes that a token stands for; only where whole words go before merges (`ignore_merges`).
  private let wholeWords: [ByteString: Int32]?
  /// The most bytes that an entry of `wholeWords` has.
  private let wholeWordLimit: Int
  private let merges: [UInt64: Merge]

  /// Reads the `model` of a `tokenizer.json` except for the settings that `TokenizerFile` checks.
  ///
  /// - Throws: `InferenceError.invalidData` naming the entry and the rule.
  init(_ part: TokenizerPart, isByteLevel: Bool) throws {
    let model = part.object
    let file = part.file
    let byteFallback = try part.flag("byte_fallback")
    let ignoresMerges = try part.flag("ignore_merges")
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
    let unknown = try Self.unknownCharacters(part, ids: ids)
    let affixes = try Self.affixes(part)
    symbols = SymbolTable(
      ids, alphabet: isByteLevel ? .bytes : .scalars(byteFallback: byteFallback), unknown: unknown, affixes: affixes)
    let idsOfOtherText = symbols.idsOfOtherText
    var seams: MergeSeams.Builder? = isByteLevel || affixes != nil ? nil : MergeSeams.Builder()
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(list.count)
    var rank: UInt32 = 0
    for entry in list {
      guard let pair = try Self.pair(entry, file: file) else { continue }
      // The prefix of the right token, whatever it is, is left out.
      guard let left = ids[pair.left], let right = ids[pair.right],
        let id = ids[ByteString(pair.left.bytes + pair.right.bytes.dropFirst(affixes?.prefix.count ?? 0))]
      else {
        throw invalid("model.merges: \"\(pair.left)\" + \"\(pair.right)\": not all three tokens are in model.vocab")
      }
      merges[Self.key(left, right)] = Merge(rank: rank, id: id)
      rank += 1
      // Seams are found by what tokens spell.
      if idsOfOtherText.contains(left) || idsOfOtherText.contains(right) { seams = nil }
      seams?.add(left: pair.left, right: pair.right)
    }

    self.ids = ids
    self.merges = merges
    self.seams = seams?.seams(of: symbols)
    wholeWords = !ignoresMerges ? nil : isByteLevel ? Self.bytesSpelled(by: ids) : ids
    wholeWordLimit = wholeWords?.keys.lazy.map(\.bytes.count).max() ?? 0
  }

  /// The token that is a whole word, if such tokens go before merges.
  func wholeWord(_ word: ArraySlice<UInt8>) -> Int32? {
    guard let wholeWords, word.count <= wholeWordLimit else { return nil }
    return wholeWords[ByteString(Array(word))]
  }

  /// The merge of two neighbouring tokens, if there is one.
  func merge(_ left: Int32, _ right: Int32) -> Merge? { merges[Self.key(left, right)] }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// `unk_token` and `fuse_unk`.
  private static func unknownCharacters(
    _ model: TokenizerPart, ids: [ByteString: Int32]
  ) throws -> SymbolTable.UnknownCharacters {
    guard model.value("unk_token") != nil else { return .dropped }
    // A token outside the vocabulary cannot be used; Tokenizers says so at the first unknown character, as evodb does.
    guard let id = try ids[ByteString(model.text("unk_token"))] else { return .refused }
    return .token(id, fuses: try model.flag("fuse_unk"))
  }

  /// `continuing_subword_prefix` and `end_of_word_suffix`; nil if there is neither.
  static func affixes(_ model: TokenizerPart) throws -> SymbolTable.Affixes? {
    func affix(_ name: ByteString) throws -> [UInt8] { model.value(name) == nil ? [] : try model.text(name) }
    let affixes = SymbolTable.Affixes(
      prefix: try affix("continuing_subword_prefix"), suffix: try affix("end_of_word_suffix"))
    return affixes.prefix.isEmpty && affixes.suffix.isEmpty ? nil : affixes
  }

  private static func bytesSpelled(by ids: [ByteString: Int32]) -> [ByteString: Int32] {
    var words: [ByteString: Int32] = [:]
    words.reserveCapacity(ids.count)
    for (spelling, id) in ids {
      if let bytes = ByteAlphabet.bytes(spelledBy: spelling) { words[ByteString(bytes)] = id }
    }
    return words
  }

  /// A merge in either spelling, `"a b"` or `["a", "b"]`; nil for the version line of old files, which is skipped.
  static func pair(_ entry: StrictJSON, file: String) throws -> (left: ByteString, right: ByteString)? {
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
