import Foundation

/// A method with values for all its options: everything that makes its variants but the level.
public struct CompressionMethod: Hashable, Sendable {
  /// The type that implements it.
  public let definition: any MethodDefinition.Type
  /// Its options.
  public var values: MethodValues

  /// A method by its definition, with its options at their defaults unless `values` says otherwise.
  public init(_ definition: any MethodDefinition.Type, _ values: MethodValues = MethodValues()) {
    self.definition = definition
    self.values = values
  }

  /// A method by its name.
  ///
  /// - Throws: `InferenceError.impossible` if there is none of this name.
  public init(named name: String) throws {
    guard let definition = MethodRegistry.shared.definition(named: name) else {
      throw InferenceError.impossible(
        detail: "there is no method \(name); there are \(MethodRegistry.shared.names.joined(separator: ", "))")
    }
    self.init(definition)
  }

  /// Its name in catalogs.
  public var name: String { definition.name }
  /// The name as its authors write it.
  public var title: String { definition.title }
  /// The statistic of a layer's inputs that it needs.
  var need: StatisticNeed { definition.need(values) }
  /// Whether calibration data are needed.
  public var needsData: Bool { need > .nothing }

  /// - Throws: `InferenceError.impossible` if a parameter is out of range or the rule is not one for this method.
  func validate(_ rule: LevelRule) throws {
    guard definition.levelKinds.contains(rule.kind) else { throw noLevel(rule) }
    try definition.validate(rule, values)
  }

  func noLevel(_ level: some CustomStringConvertible) -> InferenceError {
    .impossible(detail: "\(title) has no level \(level)")
  }

  /// Equal names and options.
  public static func == (a: CompressionMethod, b: CompressionMethod) -> Bool {
    a.name == b.name && a.values == b.values
  }

  /// Hashes name and options.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(values)
  }
}

/// The methods that this process knows, in the order in which they are offered.
///
/// `@unchecked Sendable`: `lock` guards the list.
public final class MethodRegistry: @unchecked Sendable {
  /// The registry of this process.
  public static let shared = MethodRegistry()

  private let lock = NSLock()
  private var definitions: [any MethodDefinition.Type] = [
    GPTQMethod.self, RoundToNearestMethod.self, SparseGPTMethod.self, WandaMethod.self, MagnitudeMethod.self,
    KQuantMethod.self, KQuantGPTQMethod.self,
  ]

  /// Makes a method known.
  ///
  /// - Throws: `InferenceError.impossible` if another one has its name.
  public func register(_ definition: any MethodDefinition.Type) throws {
    try lock.withLock {
      guard let known = definitions.first(where: { $0.name == definition.name }) else {
        return definitions.append(definition)
      }
      guard known == definition else {
        throw InferenceError.impossible(detail: "there are two methods called \(definition.name)")
      }
    }
  }

  /// All of them.
  public var all: [any MethodDefinition.Type] { lock.withLock { definitions } }

  /// Their names.
  public var names: [String] { all.map { $0.name } }

  /// Those that offer levels of a kind.
  public func names(offering kind: Level.Kind) -> [String] {
    all.filter { $0.levelKinds.contains(kind) }.map { $0.name }
  }

  /// A method by its name.
  public func definition(named name: String) -> (any MethodDefinition.Type)? { all.first { $0.name == name } }
}
