extension CatalogTransaction {
  /// Stores a task, or finds it: the same choices are the same task under whatever name.
  public func store(task name: String, items: [[TaskChoice]]) throws -> TaskRecord {
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
    if let id = try id(of: digest, in: "task") { return record(id) }
    let id = try intern("task", digest, ["name": .text(name), "item_count": .integer(items.count)])
    for (item, choices) in rowsOfItems.enumerated() {
      for (index, row) in choices.enumerated() {
        try rows.insert(
          "task_choice",
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

  /// The result of an assignment on a task; nil if no question is answered.
  public func result(ofAssignment assignmentID: Int64, onTask taskID: Int64) throws -> TaskResult? {
    try connection.firstRow(
      """
      SELECT acc, acc_standard_error, acc_norm, acc_norm_standard_error, acc_bytes, acc_bytes_standard_error
      FROM task_result WHERE assignment_id = ? AND task_id = ?
      """, [.integer(assignmentID), .integer(taskID)]
    ) { row in
      TaskResult(
        accuracy: row.optionalReal(0), accuracyStandardError: row.optionalReal(1),
        normalizedAccuracy: row.optionalReal(2),
        normalizedAccuracyStandardError: row.optionalReal(3), byteAccuracy: row.optionalReal(4),
        byteAccuracyStandardError: row.optionalReal(5))
    }
  }
}
