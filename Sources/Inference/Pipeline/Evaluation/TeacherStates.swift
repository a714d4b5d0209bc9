import Catalog

/// The dense model's last hidden states in memory, the oldest given up first.
final class TeacherStates {
  private let model: ModelRecord
  private let hiddenSize: Int
  /// Bytes of states that are kept, and, beside them, of those that a batch works with.
  private let capacity: Int
  private let numericsID: Int64
  private var states: [Int64: TeacherState] = [:]
  private var order: [Int64] = []
  private var byteCount = 0

  init(model: ModelRecord, hiddenSize: Int, capacity: Int, numericsID: Int64) {
    self.model = model
    self.hiddenSize = hiddenSize
    self.capacity = capacity
    self.numericsID = numericsID
  }

  /// How many of these sequences' states, from the first on, fit into memory at once; at least one.
  func batchCount(_ sequences: some Sequence<SequenceRecord>) -> Int {
    var bytes = 0
    var count = 0
    for sequence in sequences {
      bytes += sequence.tokenIDs.count * hiddenSize * 4
      if bytes > capacity { break }
      count += 1
    }
    return max(count, 1)
  }

  func state(of sequence: SequenceRecord, _ tx: CatalogTransaction) throws -> TeacherState? {
    if let known = states[sequence.id] { return known }
    guard
      let (bytes, key) = try tx.keyedTeacherState(
        modelID: model.id, sequenceID: sequence.id, numericsID: numericsID)
    else { return nil }
    guard let matrix = Matrix(rows: sequence.tokenIDs.count, columns: hiddenSize, littleEndianBytes: bytes) else {
      throw CatalogError.damaged("the dense model's state on sequence \(sequence.digest.short) has the wrong size")
    }
    let state = TeacherState(matrix, key: key)
    keep(state, of: sequence)
    return state
  }

  func keep(_ state: TeacherState, of sequence: SequenceRecord) {
    let size = state.matrix.byteCount
    guard states[sequence.id] == nil, size <= capacity else { return }
    while byteCount + size > capacity, let oldest = order.first {
      order.removeFirst()
      byteCount -= states.removeValue(forKey: oldest)?.matrix.byteCount ?? 0
    }
    states[sequence.id] = state
    order.append(sequence.id)
    byteCount += size
  }
}
