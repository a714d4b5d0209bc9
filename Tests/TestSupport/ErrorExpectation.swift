import Testing

/// Expects that `body` throws an error like `expected`: the same case with the same values, of which a text needs only
/// hold the expected one, for texts with temporary paths in them. A remedy is compared if one is expected.
///
/// - Returns: what was thrown, if it is of that type.
@discardableResult
public func expectError<E: Error, Result>(
  like expected: E, _ comment: @autoclosure () -> Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
  performing body: () throws -> Result
) -> E? {
  var thrown: (any Error)?
  do { _ = try body() } catch { thrown = error }
  if let error = thrown as? E, isLike(error, expected) { return error }
  let found = thrown.map { "threw \(caseAndText($0))" } ?? "threw nothing"
  let about = comment().map { "\($0): " } ?? ""
  Issue.record("\(about)\(found); expected \(caseAndText(expected))", sourceLocation: sourceLocation)
  return thrown as? E
}

private func isLike(_ found: Any, _ expected: Any) -> Bool {
  if let found = found as? String, let expected = expected as? String {
    return expected.isEmpty || found.contains(expected)
  }
  let (parts, expectedParts) = (Mirror(reflecting: found).children, Mirror(reflecting: expected).children)
  // Numbers, and cases without values.
  if parts.isEmpty && expectedParts.isEmpty { return String(describing: found) == String(describing: expected) }
  return parts.count == expectedParts.count
    && zip(parts, expectedParts).allSatisfy {
      $0.label == $1.label && ($1.label == "remedy" && isNil($1.value) || isLike($0.value, $1.value))
    }
}

private func isNil(_ value: Any) -> Bool {
  let mirror = Mirror(reflecting: value)
  return mirror.displayStyle == .optional && mirror.children.isEmpty
}

private func caseAndText(_ error: any Error) -> String {
  let name = Mirror(reflecting: error).children.first?.label ?? "\(type(of: error))"
  return "\(name) (\(error))"
}
