extension CatalogStore {
  /// Runs a statement that a user wrote, on a catalog opened with `.read`.
  ///
  /// The statement can only read: an authorizer refuses everything else before it runs, whatever the file holds. What it
  /// sees is one consistent state of the file.
  ///
  /// - Parameters:
  ///   - sql: one statement; white space, comments and a semicolon may follow.
  ///   - parameters: values of `:name`, `@name` or `$name` by name, exactly those that the statement has.
  ///   - timeout: seconds of SQLite's own work; what `onRow` takes is not counted.
  ///   - maximumRows: after so many rows it stops.
  ///   - limits: how large values and SQLite's memory may become.
  ///   - shouldStop: asked again and again; true ends the query.
  ///   - onColumns: gets the names of the columns, once, before the first row.
  ///   - onRow: gets the values of a row; what it throws ends the query.
  /// - Returns: how many rows `onRow` got, and whether there were more.
  /// - Throws: `CatalogError.refusedQuery`, `.invalidQuery` with SQLite's message, `.queryTimedOut`, `.queryTooLarge`,
  ///   `.queryStopped`, `SQLiteError`.
  @discardableResult
  public func query(
    _ sql: String, parameters: [String: SQLValue] = [:], timeout: Double, maximumRows: Int,
    limits: QueryLimits = .standard, shouldStop: @escaping () -> Bool = { false }, onColumns: ([String]) throws -> Void,
    onRow: ([SQLValue]) throws -> Void
  ) throws -> (rowCount: Int, truncated: Bool) {
    precondition(mode == .read && timeout >= 0 && maximumRows >= 0)
    return try read { transaction in
      // A year is for ever, and within what a Duration holds.
      let guardian = QueryGuard(
        transaction.connection, timeout: .seconds(min(timeout, 31_536_000)), within: limits, shouldStop: shouldStop)
      defer { guardian.remove() }
      do {
        let statement = try Statement(only: sql, on: transaction.connection)
        guard statement.isReadOnly else { throw CatalogError.refusedQuery("the statement would write") }
        try statement.bind(parameters)
        try onColumns(statement.columnNames)
        var rowCount = 0
        while try guardian.timed({ try statement.step() }) {
          guard rowCount < maximumRows else { return (rowCount, true) }
          guard statement.rowByteCount <= QueryGuard.longestRow else {
            throw CatalogError.queryTooLarge("a row has more than \(QueryGuard.longestRow >> 20) MiB")
          }
          try onRow(Row(statement: statement).values)
          rowCount += 1
        }
        return (rowCount, false)
      } catch let error as SQLiteError {
        if guardian.isStopped { throw CatalogError.queryStopped }
        if error.isOutOfMemory {
          throw CatalogError.queryTooLarge("it needs more than \(limits.memoryByteCount >> 20) MiB of memory")
        }
        if guardian.isExpired { throw CatalogError.queryTimedOut(seconds: timeout) }
        if let wish = guardian.refusal {
          throw CatalogError.refusedQuery("a query only reads, it does not allow \(wish)")
        }
        if error.isBusy || error.isDamage || error.isStorageFailure || error.isPermission { throw error }
        throw CatalogError.invalidQuery(error.message)
      }
    }
  }
}

extension Statement {
  /// Binds values by name, without the sigil.
  ///
  /// - Throws: `CatalogError.refusedQuery` unless there is exactly one value for every name.
  fileprivate func bind(_ parameters: [String: SQLValue]) throws {
    var unused = Set(parameters.keys)
    for (index, name) in parameterNames.enumerated() {
      guard let name, !name.hasPrefix("?") else {
        throw CatalogError.refusedQuery("parameters must have names: write :name instead of ?")
      }
      let plain = String(name.dropFirst())
      guard let value = parameters[plain] else {
        throw CatalogError.refusedQuery("the parameter \(name) has no value")
      }
      try bind(value, at: index + 1)
      unused.remove(plain)
    }
    if let name = unused.min() { throw CatalogError.refusedQuery("the statement has no parameter :\(name)") }
  }
}
