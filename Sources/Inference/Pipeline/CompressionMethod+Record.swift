import Catalog

extension CompressionMethod {
  /// The catalog's row: its key leaves out options at their defaults.
  var record: MethodRecord {
    var key = CanonicalRecord(kind: "method")
    key.set("name", name)
    key.set("revision", definition.revision)
    var members: [String] = []
    for option in definition.options {
      let value = values[option]
      let isGiven = value != option.standard
      let text: String
      switch value {
      case .flag(let flag):
        if isGiven { key.set(option.key, flag ? 1 : 0) }
        text = flag ? "1" : "0"
      case .integer(let integer):
        if isGiven { key.set(option.key, integer) }
        text = String(integer)
      case .real(let real):
        if isGiven { key.set(option.key, real) }
        text = "\(real)"
      case .word(let word):
        if isGiven { key.set(option.key, word) }
        text = "\"\(word)\""
      }
      members.append("\"\(option.key)\":\(text)")
    }
    return MethodRecord(
      name: name, revision: definition.revision, parameters: "{\(members.joined(separator: ","))}", key: key)
  }
}

extension VariantRecord {
  /// Its level.
  ///
  /// - Throws: `CatalogError.damaged` for a text that is no level.
  public var setting: Level {
    get throws {
      guard let level = Level(level) else { throw CatalogError.damaged("a variant has a level ‘\(level)’") }
      return level
    }
  }
}

extension UniformSetting {
  /// The setting as one rule, a sparsity in four digits; nil for a text that is no level.
  public var rule: LevelRule? {
    switch level.map({ Level($0) }) {
    case .bits(let bits)??: .bits(bits)
    case .pattern(let pattern)??: .pattern(pattern)
    case .type(let name)??: .type(name)
    case .zeros??, nil: sparsity.map { .sparsity(($0 * 10_000).rounded() / 10_000) }
    case .some(nil): nil
    }
  }
}
