/// Token ids that are fed to a model from an empty context.
public struct SequenceRecord: Hashable, Sendable {
  /// Local id.
  public var id: Int64
  /// Content key.
  public var digest: Digest
  /// The ids, at least 2.
  public var tokenIDs: [Int32]

  /// Token ids as the catalog stores them: int32, little-endian.
  static func tokenIDs(_ bytes: [UInt8]) -> [Int32] {
    bytes.withUnsafeBytes { buffer in
      (0..<buffer.count / 4).map { Int32(littleEndian: buffer.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self)) }
    }
  }

  /// Content key of token ids.
  public static func digest(of tokenIDs: [Int32]) -> Digest {
    var record = CanonicalRecord(kind: "sequence")
    record.set("tokens", tokenIDs.map { String($0) }.joined(separator: ","))
    return record.digest
  }

  /// Whether the token ids agree; local ids do not count.
  public static func == (a: SequenceRecord, b: SequenceRecord) -> Bool { a.digest == b.digest }
  /// Hashes the content key.
  public func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}

/// An ordered list of sequences: the content of a data set or a minibatch.
public struct SequenceListRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64
  /// Content key.
  public var digest: Digest
  /// In order; a sequence may occur more than once.
  public var sequences: [SequenceRecord]

  /// Content key of sequences in order.
  public static func digest(of sequences: [Digest]) -> Digest {
    var record = CanonicalRecord(kind: "sequence-list")
    record.set("sequences", sequences.map(\.hex).joined(separator: ","))
    return record.digest
  }
}

/// A named list of sequences and where it came from.
public struct DataSetRecord: Equatable, Sendable {
  /// Local id.
  public var id: Int64 = 0
  /// Its name, unique in a catalog.
  public var name: String
  /// Its content.
  public var sequenceListID: Int64
  /// Content key of its content.
  public var digest: Digest
  /// SHA-256 of the tokenizer.json; nil if ids were given.
  public var tokenizerDigest: Digest?
  /// SHA-256 of the texts; nil if ids were given.
  public var textDigest: Digest?
  /// How the text was cut, JSON.
  public var options: String
  /// Tokens of incomplete tails that were left out.
  public var droppedTokenCount: Int
  /// How many sequences.
  public var sequenceCount: Int
  /// How many different ones; standard errors count these.
  public var distinctSequenceCount: Int
  /// Input tokens of all sequences.
  public var tokenCount: Int
}
