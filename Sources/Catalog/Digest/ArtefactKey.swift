/// Keys of models, weights and computed artefacts: the formulas by which they are made, and by which `RowKeys` recomputes
/// them from what rows hold.
package enum ArtefactKey {
  /// A value of a model's configuration.
  package enum ConfigurationValue: Equatable {
    case integer(Int64)
    case real(Double)
    case text(String)
  }

  /// Key of a dense weight.
  ///
  /// - Parameter tensor: the weight as it is stored; its name does not count.
  package static func weight(_ tensor: TensorRecord) -> Digest {
    var key = CanonicalRecord(kind: "weight")
    key.set("dtype", tensor.dtype)
    key.set("shape", tensor.dimensions)
    key.set("bytes", tensor.digest)
    return key.digest
  }

  /// Key of a model.
  package static func model(
    configuration: [(name: String, value: ConfigurationValue)], tensors: [TensorRecord]
  ) -> Digest {
    var key = CanonicalRecord(kind: "model")
    for field in configuration {
      switch field.value {
      case .integer(let value): key.set("config.\(field.name)", value)
      case .real(let value): key.set("config.\(field.name)", value)
      case .text(let value): key.set("config.\(field.name)", value)
      }
    }
    for tensor in tensors {
      key.set("tensor.\(tensor.name)", "\(tensor.dtype)[\(tensor.dimensions)]\(tensor.digest.hex)")
    }
    return key.digest
  }

  /// Recipe key of a statistic.
  ///
  /// - Parameter upstream: how earlier blocks were compressed; nil: dense, or nothing before.
  package static func statistic(
    kind: String, revision: Int64, architectureRevision: Int64, model: Digest, site: String, data: Digest,
    upstream: (method: Digest, level: String)?
  ) -> Digest {
    var key = CanonicalRecord(kind: "statistic")
    key.set("kind", kind)
    key.set("revision", revision)
    key.set("architecture_revision", architectureRevision)
    key.set("model", model)
    key.set("site", site)
    key.set("data", data)
    key.set("upstream_method", upstream?.method)
    key.set("upstream_level", upstream?.level)
    return key.digest
  }

  /// Recipe key of a variant.
  ///
  /// - Parameter statistic: recipe key of the statistic it rests on; nil: none.
  package static func variant(weight: Digest, method: Digest, level: String, statistic: Digest?) -> Digest {
    var key = CanonicalRecord(kind: "variant")
    key.set("weight", weight)
    key.set("method", method)
    key.set("level", level)
    key.set("statistic", statistic)
    return key.digest
  }

  /// The fields of `model.configuration`: an object of numbers and plain texts. A number with a point or an exponent is
  /// real, as it was when the key was made.
  ///
  /// - Returns: nil for anything else.
  package static func configuration(json: String) -> [(name: String, value: ConfigurationValue)]? {
    var rest = Array(json.utf8)[...]
    func take(_ byte: Character) -> Bool {
      guard let ascii = byte.asciiValue, rest.first == ascii else { return false }
      rest.removeFirst()
      return true
    }
    func string() -> String? {
      guard take("\""), let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { return nil }
      let text = rest[rest.startIndex..<end]
      rest = rest[(end + 1)...]
      guard !text.contains(UInt8(ascii: "\\")) else { return nil }
      return String(decoding: text, as: UTF8.self)
    }
    guard take("{") else { return nil }
    var fields: [(name: String, value: ConfigurationValue)] = []
    if take("}") { return rest.isEmpty ? [] : nil }
    repeat {
      guard let name = string(), take(":") else { return nil }
      if rest.first == UInt8(ascii: "\"") {
        guard let text = string() else { return nil }
        fields.append((name, .text(text)))
      } else {
        let end = rest.firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "}") } ?? rest.endIndex
        let text = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
        rest = rest[end...]
        if let value = Int64(text) {
          fields.append((name, .integer(value)))
        } else if let value = Double(text) {
          fields.append((name, .real(value)))
        } else {
          return nil
        }
      }
    } while take(",")
    guard take("}"), rest.isEmpty else { return nil }
    return fields
  }
}
