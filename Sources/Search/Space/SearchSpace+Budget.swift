extension SearchSpace {
  /// The targets that can be met, in bits per weight; both ends are accepted by ``budget(targetBits:)``.
  public var feasibleBits: ClosedRange<Double> {
    var lower = Double(feasibleCosts.lowerBound) / Double(weightCount)
    // The quotient may have been rounded down below the true one; its floor would then be refused.
    while let floor = Self.floorOfProduct(lower, weightCount), floor < feasibleCosts.lowerBound {
      lower = lower.nextUp
    }
    return lower...max(lower, Double(feasibleCosts.upperBound) / Double(weightCount))
  }

  /// The budget for a target in bits per weight, floor(target · weights); it may lie between stored levels.
  ///
  /// The target counts as the decimal number that it prints as: 2.3 bits of 1000 weights are 2300, although the nearest
  /// `Double` lies below 2.3. So the budget is exact for integers and for what people type.
  ///
  /// - Throws: ``SearchError/invalidParameter(detail:)`` for a negative target or one that is not a number,
  ///   ``SearchError/impossible(detail:)`` outside of ``feasibleBits``.
  public func budget(targetBits: Double) throws -> Int64 {
    guard targetBits.isFinite, targetBits >= 0 else {
      throw SearchError.invalidParameter(
        detail: "the target must be a number of bits per weight from 0 up, got \(targetBits)")
    }
    // A product that leaves Int64 is above every feasible cost.
    let budget = Self.floorOfProduct(targetBits, weightCount) ?? Int64.max
    guard feasibleCosts.contains(budget) else {
      throw SearchError.impossible(
        detail: "a target of \(targetBits) bits per weight is outside of what the stored levels allow: "
          + "\(feasibleBits.lowerBound) to \(feasibleBits.upperBound) bits per weight")
    }
    return budget
  }

  /// Checks a budget that is given in cost units.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` outside of ``feasibleCosts``.
  public func validate(budget: Int64) throws {
    guard feasibleCosts.contains(budget) else {
      throw SearchError.impossible(
        detail: "a budget of \(budget) is outside of what the levels allow: \(feasibleCosts.lowerBound) to "
          + "\(feasibleCosts.upperBound), that is \(feasibleBits.lowerBound) to \(feasibleBits.upperBound) "
          + "bits per weight")
    }
  }

  /// Checks that an assignment belongs to this space and keeps the budget.
  ///
  /// - Throws: ``SearchError/invalidParameter(detail:)`` for another number of units or a level that does not exist,
  ///   ``SearchError/impossible(detail:)`` if it costs more than the budget.
  public func validate(_ vector: LevelVector, budget: Int64) throws {
    guard vector.count == units.count else {
      throw SearchError.invalidParameter(
        detail: "the assignment has \(vector.count) levels, but the space has \(units.count) units")
    }
    for (unit, level) in vector.levels.enumerated() where !(0..<levelCount(ofUnit: unit)).contains(level) {
      throw SearchError.invalidParameter(
        detail: "\(units[unit].name): level must lie in 0...\(levelCount(ofUnit: unit) - 1), got \(level)")
    }
    guard canonical(vector) == vector else {
      throw SearchError.invalidParameter(detail: "what a closed gate covers must stand at its last levels")
    }
    let cost = cost(of: vector)
    guard cost <= budget else {
      throw SearchError.impossible(
        detail: "the assignment costs \(cost), \(bitsPerWeight(of: vector)) bits per weight, but the budget is "
          + "\(budget), \(Double(budget) / Double(weightCount)) bits per weight")
    }
  }

  /// floor(decimal · factor) in exact integer arithmetic, the decimal being the shortest one that prints `value`
  /// (`value` ≥ 0, finite; `factor` ≥ 0); nil if the product leaves `Int64`.
  static func floorOfProduct(_ value: Double, _ factor: Int64) -> Int64? {
    var digits: UInt64 = 0
    var exponent = 0
    var isFraction = false
    let parts = value.description.utf8.split(separator: UInt8(ascii: "e"))
    for character in parts[0] {
      if character == UInt8(ascii: ".") {
        isFraction = true
      } else {
        // At most 17 significant digits, so this stays below 2^64.
        digits = digits &* 10 &+ UInt64(character &- UInt8(ascii: "0"))
        if isFraction { exponent -= 1 }
      }
    }
    if parts.count > 1 { exponent += Int(String(decoding: parts[1], as: UTF8.self)) ?? 0 }
    while digits > 0, digits % 10 == 0 {
      digits /= 10
      exponent += 1
    }
    guard digits > 0, factor > 0 else { return 0 }

    var divisor: UInt64 = 1
    for _ in 0..<max(0, exponent) {
      let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
      guard !overflow else { return nil }
      digits = product
    }
    for _ in 0..<max(0, -exponent) {
      // 10^19 is the largest power of ten in 64 bits; digits further right are cut, which is still a floor.
      if divisor < 10_000_000_000_000_000_000 { divisor *= 10 } else { digits /= 10 }
    }
    let product = digits.multipliedFullWidth(by: UInt64(factor))
    guard product.high < divisor else { return nil }
    return Int64(exactly: divisor.dividingFullWidth(product).quotient)
  }
}
