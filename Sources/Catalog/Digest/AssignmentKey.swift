/// Keys of assignments of one model, from contents alone: they need no database.
///
/// A key is the digest of a canonical record (``CanonicalRecord``) with a line for each layer. A search makes many that differ
/// in a few layers: what a line has before the variant, and the order of the lines, is prepared once.
public struct AssignmentKey: Sendable {
  /// A variant with its parts of the keys and of the assignment's row, prepared once: an object, because assignments pass
  /// hundreds of them around.
  public final class Choice: Sendable {
    let id: Int64
    let codeBits: Int64
    let storedBits: Int64
    fileprivate let content: [UInt8]
    fileprivate let setting: [UInt8]

    fileprivate init(_ variant: VariantRecord, method: [UInt8]) {
      id = variant.id
      codeBits = variant.codeBits
      storedBits = variant.storedBits
      content = Array(variant.contentKey.hex.utf8)
      setting = method + "/\(CanonicalRecord.escaped(variant.level))".utf8
    }
  }

  /// A line of a record up to its value.
  private struct Line: Sendable {
    let layer: Int
    let subblock: String
    let start: [UInt8]
  }

  /// In the order of the records.
  private let lines: [Line]
  private let layerCount: Int
  private let modelLine: [UInt8]
  /// Digests of methods as text, by local id.
  private let methods: [Int64: [UInt8]]

  /// - Parameters:
  ///   - model: content key.
  ///   - layers: all layers of the model.
  ///   - methods: by local id.
  public init(model: Digest, layers: [LayerRecord], methods: [Int64: Digest]) {
    lines = layers.enumerated().map { index, layer in
      Line(
        layer: index, subblock: layer.subblockName,
        start: Array("layer.\(CanonicalRecord.escaped(name: layer.name))=".utf8))
    }.sorted { $0.start.dropLast().lexicographicallyPrecedes($1.start.dropLast()) }
    layerCount = layers.count
    modelLine = Array("model=\(model.hex)\n".utf8)
    self.methods = methods.mapValues { Array($0.hex.utf8) }
  }

  /// A variant prepared for keys.
  public func choice(of variant: VariantRecord) -> Choice {
    Choice(variant, method: methods[variant.methodID] ?? [])
  }

  /// Content key and setting key of an assignment.
  ///
  /// - Parameters:
  ///   - variants: by layer index; nil: dense.
  ///   - dropped: names of removed subblocks; their layers are left out.
  public func digests(variants: [VariantRecord?], dropped: Set<String>) -> (content: Digest, setting: Digest) {
    digests(choices: variants.map { $0.map(choice) }, dropped: dropped)
  }

  /// Content key and setting key of an assignment, given by variants that ``choice(of:)`` prepared.
  public func digests(choices: [Choice?], dropped: Set<String>) -> (content: Digest, setting: Digest) {
    (content(choices: choices, dropped: dropped), digest("setting", choices, dropped) { $0.setting })
  }

  /// The content key alone.
  public func content(variants: [VariantRecord?], dropped: Set<String>) -> Digest {
    content(choices: variants.map { $0.map(choice) }, dropped: dropped)
  }

  /// The content key alone, of variants that ``choice(of:)`` prepared.
  public func content(choices: [Choice?], dropped: Set<String>) -> Digest {
    digest("assignment", choices, dropped) { $0.content }
  }

  private func digest(
    _ kind: String, _ choices: [Choice?], _ dropped: Set<String>, value: (Choice) -> [UInt8]
  ) -> Digest {
    precondition(choices.count == layerCount)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(lines.reduce(128) { $0 + $1.start.count + 96 })
    bytes += "evodb/\(kind)/1\n".utf8
    // Names beginning with drop, layer and model follow each other in this order.
    bytes += dropped.map { "drop.\(CanonicalRecord.escaped(name: $0))" }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.flatMap { "\($0)=1\n".utf8 }
    for line in lines {
      guard let choice = choices[line.layer], dropped.isEmpty || !dropped.contains(line.subblock) else { continue }
      bytes += line.start
      bytes += value(choice)
      bytes.append(UInt8(ascii: "\n"))
    }
    bytes += modelLine
    return SHA256.digest(of: bytes)
  }
}
