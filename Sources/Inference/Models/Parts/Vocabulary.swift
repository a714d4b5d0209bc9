/// A model's embedding and head: the weights whose rows are tokens. They stay in memory, large ones in the type of the file.
struct Vocabulary: Sendable {
  /// Rows of the head that are multiplied at a time where it is not packed as a whole: a strip takes little memory, and its
  /// product has full speed.
  private static let headStripRowCount = 4096

  /// The head in memory.
  private enum Head {
    /// Packed once.
    case packed(PackedWeights)
    /// As the file has it; packed strip by strip for each product.
    case stored(StoredMatrix)
  }

  private let embedding: StoredMatrix
  private let head: Head
  private let tied: Bool
  private let arithmetic: Arithmetic

  /// - Parameters:
  ///   - names: those of the family.
  ///   - arithmetic: of the logits.
  init(_ checkpoint: Checkpoint, _ names: TensorNames = .llama, arithmetic: Arithmetic) throws {
    let c = checkpoint.configuration
    let (embeddingName, headName) = (names.embedding.description, TensorNames.head.description)
    let embedding = try checkpoint.stored(embeddingName, rows: c.vocabularySize, columns: c.hiddenSize)
    self.embedding = embedding
    self.arithmetic = arithmetic
    tied = c.tiedEmbeddings
    if tied { try checkpoint.requireEqual(headName, embeddingName) }
    let head = tied ? embedding : try checkpoint.stored(headName, rows: c.vocabularySize, columns: c.hiddenSize)
    let packedByteCount = PackedWeights.byteCount(
      columns: c.vocabularySize, depth: c.hiddenSize, arithmetic: arithmetic)
    // A head of its own gives way to its packed form, a tied one stays beside it for the embedding.
    let affordable = max(StoredMatrix.largestWidenedByteCount, tied ? 0 : head.byteCount)
    self.head =
      arithmetic != .openblas && packedByteCount <= affordable
      ? .packed(head.packed(for: arithmetic)) : .stored(head)
  }

  /// Bytes of both.
  var byteCount: Int {
    switch head {
    case .packed(let packed): embedding.byteCount + packed.byteCount
    case .stored(let head): embedding.byteCount + (tied ? 0 : head.byteCount)
    }
  }

  /// Bytes that computing logits needs for a moment, beside the logits: a strip of the head, widened and packed.
  static func scratchByteCount(vocabularySize: Int, hiddenSize: Int) -> Int {
    2 * min(vocabularySize, headStripRowCount) * hiddenSize * MemoryLayout<Float>.stride
  }

  /// The rows [n, hidden] of token ids below the vocabulary's size.
  func embed(_ tokenIDs: [Int32]) -> Matrix { embedding.gatherRows(tokenIDs) }

  /// Logits [rows, vocabulary] of some rows of the last hidden state.
  func logits(_ hidden: Matrix, rows: Range<Int>) -> Matrix {
    let x = hidden.panel(rows: rows, columns: 0..<hidden.columns)
    switch head {
    case .packed(let packed):
      let result = Matrix(uninitializedRows: rows.count, columns: packed.columns)
      MatrixProduct.multiply(x, packed, into: result.panel)
      return result
    case .stored(let head):
      return head.multiply(x, arithmetic: arithmetic, stripRowCount: Self.headStripRowCount)
    }
  }
}
