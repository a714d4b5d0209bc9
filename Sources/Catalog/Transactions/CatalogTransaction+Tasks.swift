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

  /// The result of an assignment on a task, equal to the view `task_result`, which SQLite (3.40) would compute for all
  /// assignments before it takes one; nil unless every question is answered.
  public func result(ofAssignment assignmentID: Int64, onTask taskID: Int64) throws -> TaskResult? {
    try connection.firstRow(
      """
      SELECT avg(taken), avg(taken_norm), avg(taken_bytes), count(*) FROM task_item_result
      WHERE assignment_id = ? AND task_id = ? GROUP BY task_id
      HAVING count(*) = (SELECT item_count FROM task WHERE id = ?)
      """, [.integer(assignmentID), .integer(taskID), .integer(taskID)]
    ) { row in
      let count = Double(row.integer(3))
      func standardError(_ share: Double?) -> Double? {
        share.flatMap { count > 1 ? ($0 * (1 - $0) / (count - 1)).squareRoot() : nil }
      }
      let shares = (0..<3).map { row.optionalReal($0) }
      return TaskResult(
        accuracy: shares[0], accuracyStandardError: standardError(shares[0]), normalizedAccuracy: shares[1],
        normalizedAccuracyStandardError: standardError(shares[1]), byteAccuracy: shares[2],
        byteAccuracyStandardError: standardError(shares[2]))
    }
  }
}
