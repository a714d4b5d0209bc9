extension CatalogTransaction {
  /// Stores a task, or finds it: the same choices are the same task under whatever name.
  public func store(task name: String, items: [[TaskChoice]]) throws -> TaskRecord {
    try CatalogName.require(name, of: "task")
    var questions: [TaskRecord.Question] = []
    var rowsOfItems: [[(choice: TaskChoice, sequence: SequenceRecord, measure: MeasureRecord)]] = []
    for choices in items {
      rowsOfItems.append(
        try choices.map { choice in
          let sequence = try store(sequence: choice.tokenIDs)
          let measure = try store(measure: choice.measure)
          questions.append(
            TaskRecord.Question(sequence: sequence, measureID: measure.id, firstToken: measure.firstToken ?? 1))
          return (choice, sequence, measure)
        })
    }
    let digest = TaskRecord.digest(
      of: rowsOfItems.map { rows in
        rows.map {
          TaskRecord.KeyedChoice(
            sequence: $0.sequence.digest, measure: $0.measure.digest, isAnswer: $0.choice.isAnswer,
            characterCount: $0.choice.characterCount, byteCount: $0.choice.byteCount)
        }
      })
    func record(_ id: Int64) -> TaskRecord {
      TaskRecord(id: id, digest: digest, name: name, itemCount: items.count, questions: questions)
    }
    if let id = try id(of: digest, in: .task) { return record(id) }
    let id = try intern(.task, digest, ["name": .text(name), "item_count": .integer(items.count)])
    for (item, choices) in rowsOfItems.enumerated() {
      for (index, row) in choices.enumerated() {
        try rows.insert(
          .taskChoice,
          [
            "task_id": .integer(id), "item_index": .integer(item), "choice_index": .integer(index),
            "sequence_id": .integer(row.sequence.id), "measure_id": .integer(row.measure.id),
            "is_answer": .integer(row.choice.isAnswer ? 1 : 0), "character_count": .integer(row.choice.characterCount),
            "byte_count": .integer(row.choice.byteCount),
          ])
      }
    }
    return record(id)
  }

  /// The result of an assignment on a task, equal to the view `task_result`, which SQLite (3.40) would compute for all
  /// assignments before it takes one; nil unless every question is answered.
  public func result(ofAssignment assignmentID: Int64, onTask taskID: Int64) throws -> TaskResult? {
    try connection.firstRow(
      """
      SELECT sum(w) AS answered, count(*) AS count, sum(w * w) AS squares,
        sum(w * is_correct) AS acc, sum(w * w * is_correct) AS acc_squares,
        sum(w * is_correct_norm) AS acc_norm, sum(w * w * is_correct_norm) AS acc_norm_squares,
        sum(w * is_correct_bytes) AS acc_bytes, sum(w * w * is_correct_bytes) AS acc_bytes_squares
      FROM task_item_result i
      JOIN (SELECT item_index, occurrence_count AS w FROM task_question WHERE task_id = ?) q
        ON q.item_index = i.item_index
      WHERE i.assignment_id = ? AND i.task_id = ? GROUP BY i.task_id
      HAVING sum(w) = (SELECT item_count FROM task WHERE id = ?)
      """, [.integer(taskID), .integer(assignmentID), .integer(taskID), .integer(taskID)]
    ) { row in
      func number(_ column: String) -> Double { Double(row.integer(column)) }
      let (answered, count, squares) = (number("answered"), number("count"), number("squares"))
      /// The share of right answers, and its standard error over different questions.
      func result(_ column: String) -> (share: Double, error: Double?) {
        let share = number(column) / answered
        let residuals = number(column + "_squares") * (1 - 2 * share) + squares * share * share
        return (share, count > 1 ? (max(0, residuals) * count / (count - 1)).squareRoot() / answered : nil)
      }
      let (plain, normalized, byte) = (result("acc"), result("acc_norm"), result("acc_bytes"))
      return TaskResult(
        accuracy: plain.share, accuracyStandardError: plain.error, normalizedAccuracy: normalized.share,
        normalizedAccuracyStandardError: normalized.error, byteAccuracy: byte.share,
        byteAccuracyStandardError: byte.error)
    }
  }
}
