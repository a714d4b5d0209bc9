import Foundation

/// Sums of measures over the predictions of one sequence.
enum FitnessSums {
  /// Bytes of logits that are held at a time; the strip of rows follows from the vocabulary alone, so that no bit depends
  /// on a memory limit. 4 MiB stay in the second-level caches of two cores and keep the product at full speed.
  private static let stripByteCount = 4 << 20
  /// Rows of a strip at least: fewer would make products slow and would widen a large head too often.
  private static let leastStripRowCount = 128

  static func stripRowCount(vocabularySize: Int) -> Int {
    max(leastStripRowCount, min(256, stripByteCount / (4 * vocabularySize)))
  }

  private static func strips(of rows: Range<Int>, model: some LanguageModel) -> [Range<Int>] {
    let count = stripRowCount(vocabularySize: model.vocabularySize)
    return stride(from: rows.lowerBound, to: rows.upperBound, by: count).map { $0..<min($0 + count, rows.upperBound) }
  }

  /// The dense model's log-probabilities of a sequence.
  enum Teacher {
    /// All of them, [n − 1, vocabulary].
    case whole(Matrix)
    /// To be computed strip by strip from the last hidden state [n, hidden]; to the same bits.
    case hidden(Matrix)

    /// A matrix in which row `rows.lowerBound - first` has the log-probabilities of that position, and so on.
    func strip(_ rows: Range<Int>, model: some LanguageModel) -> (matrix: Matrix, first: Int) {
      switch self {
      case .whole(let matrix): return (matrix, 0)
      case .hidden(let hidden):
        let logits = model.logits(hidden, rows: rows)
        _ = VectorKernels.logSoftmax(logits)
        return (logits, rows.lowerBound)
      }
    }
  }

  /// Sums over all predictions in position order, in Double; nil where a sum is not finite.
  ///
  /// - Parameters:
  ///   - hidden: the candidate's last hidden state [n or n − 1, hidden]: the last token predicts nothing.
  ///   - teacher: the dense model's log-probabilities; nil if no measure needs them.
  static func sums(
    hidden: Matrix, tokenIDs: [Int32], teacher: Teacher?, measures: [Measure], model: some LanguageModel
  ) -> [Measure: Double?] {
    let predictions = tokenIDs.count - 1
    // Where a measure begins later, the rows before it need no logits.
    let start = measures.map { ($0.firstToken ?? 1) - 1 }.min() ?? 0
    let strips = strips(of: start..<predictions, model: model)
    let parts = ResultList<[[Double]]>(count: strips.count)
    Parallel.share(strips.count) { index in
      let rows = strips[index]
      let logits = model.logits(hidden, rows: rows)
      let teacher = teacher?.strip(rows, model: model)
      var terms = measures.map { _ in [Double](repeating: 0, count: rows.count) }
      for position in rows {
        let row = position - rows.lowerBound
        let logSumExp = VectorKernels.logSumExp(
          logits, row: row, next: teacher.map { ($0.matrix, position - $0.first) } ?? (logits, row + 1))
        for (index, measure) in measures.enumerated() {
          switch measure {
          case .continuation(let firstToken) where position + 1 < firstToken: break
          case .perplexity, .continuation:
            terms[index][row] = logSumExp - Double(logits[row, Int(tokenIDs[position + 1])])
          case .kl:
            guard let teacher else { preconditionFailure("KL needs the dense model") }
            terms[index][row] = VectorKernels.klDivergence(
              teacher: teacher.matrix, teacherRow: position - teacher.first, student: logits, row: row,
              studentLogSumExp: logSumExp)
          case .topKKL(let k):
            guard let teacher else { preconditionFailure("KL needs the dense model") }
            terms[index][row] = topKDivergence(
              teacher: teacher.matrix, teacherRow: position - teacher.first, student: logits, row: row, k: k)
          }
        }
      }
      parts.set(index, terms)
    }
    var sums = [Double](repeating: 0, count: measures.count)
    for terms in parts.values {
      for index in sums.indices { sums[index] = terms[index].reduce(sums[index], +) }
    }
    var result: [Measure: Double?] = [:]
    for (index, measure) in measures.enumerated() {
      result[measure] = .some(sums[index].isFinite ? sums[index] : nil)
    }
    return result
  }

  /// The dense model's log-probabilities [n − 1, vocabulary] from its last hidden state.
  static func logProbabilities(hidden: Matrix, model: some LanguageModel) -> Matrix {
    let predictions = hidden.rows - 1
    let result = Matrix(uninitializedRows: predictions, columns: model.vocabularySize)
    let strips = strips(of: 0..<predictions, model: model)
    Parallel.share(strips.count) { index in
      let rows = strips[index]
      let logits = model.logits(hidden, rows: rows)
      _ = VectorKernels.logSoftmax(logits)
      (result.base + rows.lowerBound * result.columns).update(from: logits.base, count: rows.count * result.columns)
    }
    return result
  }

  /// KL over the teacher's k most likely tokens (ties to the smaller id), both sides renormalised over them.
  private static func topKDivergence(teacher: Matrix, teacherRow: Int, student: Matrix, row: Int, k: Int) -> Double {
    let width = teacher.columns
    let k = min(k, width)
    // Insertion into a short sorted list: nearly every token fails the first comparison.
    var best: [(value: Float, index: Int)] = []
    best.reserveCapacity(k + 1)
    for index in 0..<width {
      let value = teacher[teacherRow, index]
      if best.count == k, let last = best.last, value <= last.value { continue }
      let place = best.firstIndex { $0.value < value } ?? best.count
      best.insert((value, index), at: place)
      if best.count > k { best.removeLast() }
    }
    let p = best.map { Double($0.value) }
    let q = best.map { Double(student[row, $0.index]) }
    let shiftP = logSumExp(p)
    let shiftQ = logSumExp(q)
    return zip(p, q).reduce(0) { sum, pair in
      let logP = pair.0 - shiftP
      return sum + ElementaryFunctions.exp(logP) * (logP - (pair.1 - shiftQ))
    }
  }

  private static func logSumExp(_ x: [Double]) -> Double {
    let largest = x.max() ?? 0
    return largest + ElementaryFunctions.log(x.reduce(0) { $0 + ElementaryFunctions.exp($1 - largest) })
  }
}
