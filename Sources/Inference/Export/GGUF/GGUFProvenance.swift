/// The metadata of a GGUF file that name its origin. They depend on the assignment alone, not on the time or the writer.
struct GGUFProvenance {
  /// The metadata of one compressible layer.
  struct Layer: Equatable {
    /// Its name in the checkpoint.
    var name: String
    /// `type=Q4_K`, `dense`, `dropped`.
    var level: String
    /// The method of its variant; empty: it has none.
    var method = ""
    /// The variant's content key; empty: it has none.
    var variant = ""
    /// The type of GGUF that holds the variant; empty: it has none.
    var type = ""

    /// Bytes of all of it that an assignment decides.
    var byteCount: Int { [level, method, variant, type].reduce(0) { $0 + $1.utf8.count } }
  }

  /// Of the program.
  var version: String
  /// In the catalog.
  var modelName: String
  /// Hexadecimal.
  var modelDigest: String
  /// Hexadecimal.
  var assignmentDigest: String
  /// Of the codes.
  var averageBits: Double
  /// In the model's order.
  var layers: [Layer]
  /// Names of subblocks.
  var droppedSubblocks: [String] = []

  /// The keys `evodb.*` of a file.
  func fields(keptBlocks: [Int], notes: [String]) -> [GGUFField] {
    func text(_ key: ByteString, _ value: String) -> GGUFField { GGUFField(key, .string(ByteString(value))) }
    func texts(_ key: ByteString, _ values: [String]) -> GGUFField {
      GGUFField(key, .array(GGUFArray(strings: values.map { ByteString($0) })))
    }
    var fields = [
      text("evodb.version", version), text("evodb.model.name", modelName), text("evodb.model.digest", modelDigest),
      text("evodb.assignment.digest", assignmentDigest),
      GGUFField("evodb.assignment.average_bits", .float64(averageBits)),
      GGUFField("evodb.original_blocks", .array(GGUFArray(uint32: keptBlocks.map { UInt32($0) }))),
      texts("evodb.layer.names", layers.map(\.name)), texts("evodb.layer.levels", layers.map(\.level)),
      texts("evodb.layer.methods", layers.map(\.method)), texts("evodb.layer.variants", layers.map(\.variant)),
      texts("evodb.layer.types", layers.map(\.type)),
    ]
    if !droppedSubblocks.isEmpty { fields.append(texts("evodb.dropped_subblocks", droppedSubblocks)) }
    if !notes.isEmpty { fields.append(texts("evodb.notes", notes)) }
    return fields
  }
}
