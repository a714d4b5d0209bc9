/// A model's embedding and head: the weights whose rows are tokens. They stay in memory, large ones in the type of the file.
struct Vocabulary: Sendable {
  /// Rows of the head that are multiplied at a time: a strip that had to be widened takes little memory, and its product
  /// has full speed.
  private static let headStripRowCount = 4096

  private let embedding: StoredMatrix
  private let head: StoredMatrix
  private let tied: Bool

  /// - Parameter names: those of the family.
  init(_ checkpoint: Checkpoint, _ names: TensorNames = .llama) throws {
    let c = checkpoint.configuration
    let (embeddingName, headName) = (names.embedding.description, TensorNames.head.description)
    let embedding = try checkpoint.stored(embeddingName, rows: c.vocabularySize, columns: c.hiddenSize)
    self.embedding = embedding
    tied = c.tiedEmbeddings
    if tied { try checkpoint.requireEqual(headName, embeddingName) }
    head = tied ? embedding : try checkpoint.stored(headName, rows: c.vocabularySize, columns: c.hiddenSize)
  }

  /// Bytes of both.
  var byteCount: Int { embedding.byteCount + (tied ? 0 : head.byteCount) }

  /// Bytes that computing logits needs for a moment, beside the logits.
  static func scratchByteCount(vocabularySize: Int, hiddenSize: Int) -> Int {
    min(vocabularySize, headStripRowCount) * hiddenSize * MemoryLayout<Float>.stride
  }

  /// The rows [n, hidden] of token ids below the vocabulary's size.
  func embed(_ tokenIDs: [Int32]) -> Matrix { embedding.gatherRows(tokenIDs) }

  /// Logits [rows, vocabulary] of some rows of the last hidden state.
  func logits(_ hidden: Matrix, rows: Range<Int>) -> Matrix {
    head.multiply(hidden.panel(rows: rows, columns: 0..<hidden.columns), stripRowCount: Self.headStripRowCount)
  }
}
