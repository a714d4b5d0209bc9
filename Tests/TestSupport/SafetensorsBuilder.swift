/// Makes the bytes of safetensors files for tests, well-formed ones and ones that break a single rule.
public struct SafetensorsBuilder {
  private var entries: [String] = []
  private var data: [UInt8] = []

  /// A file without tensors.
  public init() {}

  /// Adds a tensor behind those before it; `offsets` overrides where the header says it lies.
  public mutating func add(
    _ name: String, dtype: String, shape: [Int], bytes: [UInt8], offsets: (begin: Int, end: Int)? = nil
  ) {
    let place = offsets ?? (data.count, data.count + bytes.count)
    let dimensions = shape.map { String($0) }.joined(separator: ",")
    entries.append(
      #""\#(name)":{"dtype":"\#(dtype)","shape":[\#(dimensions)],"data_offsets":[\#(place.begin),\#(place.end)]}"#)
    data += bytes
  }

  /// Adds a Float32 tensor.
  public mutating func add(_ name: String, shape: [Int], floats: [Float]) {
    add(name, dtype: "F32", shape: shape, bytes: floats.flatMap { Self.littleEndian($0.bitPattern) })
  }

  /// Adds a member to the header as it stands: `"__metadata__":{"format":"pt"}`, or anything malformed.
  public mutating func addHeaderText(_ text: String) { entries.append(text) }

  /// The complete file.
  public func bytes() -> [UInt8] {
    Self.file(header: "{" + entries.joined(separator: ",") + "}", data: data)
  }

  /// A file of any header text and data; `declaredLength` overrides the length in front of the header.
  public static func file(header: String, data: [UInt8] = [], declaredLength: UInt64? = nil) -> [UInt8] {
    littleEndian(declaredLength ?? UInt64(header.utf8.count)) + Array(header.utf8) + data
  }

  /// The bytes of an integer, lowest first.
  public static func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
