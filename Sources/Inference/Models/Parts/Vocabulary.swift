/// A model's embedding and head: the weights whose rows are tokens.
struct Vocabulary: Sendable {
  private let embedding: Matrix
  private let head: Matrix
  private let tied: Bool

  /// - Parameter embeddingName: the embedding's tensor; the head's is `lm_head.weight` in every family.
  init(_ checkpoint: Checkpoint, embeddingName: String = "model.embed_tokens.weight") throws {
    let c = checkpoint.configuration
    let embedding = try checkpoint.matrix(embeddingName, rows: c.vocabularySize, columns: c.hiddenSize)
    self.embedding = embedding
    tied = c.tiedEmbeddings
    head = tied ? embedding : try checkpoint.matrix("lm_head.weight", rows: c.vocabularySize, columns: c.hiddenSize)
  }

  /// Bytes of both.
  var byteCount: Int { embedding.byteCount + (tied ? 0 : head.byteCount) }

  /// The rows [n, hidden] of token ids below the vocabulary's size.
  func embed(_ tokenIDs: [Int32]) -> Matrix { Matrix.gatherRows(of: embedding, tokenIDs) }

  /// Logits [rows, vocabulary] of some rows of the last hidden state.
  func logits(_ hidden: Matrix, rows: Range<Int>) -> Matrix {
    let result = Matrix(uninitializedRows: rows.count, columns: head.rows)
    BLAS.multiply(
      hidden.panel(rows: rows, columns: 0..<hidden.columns), transposed: false, head.panel, transposed: true,
      into: result.panel)
    return result
  }
}
