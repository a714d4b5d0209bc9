/// How the constants of a model that are not in its checkpoint are held: rotary frequencies, the scale of embeddings.
///
/// docs/decisions/0003-rotary-frequencies.md: evodb computes with float32; a reference that was cast to 16 bits as a whole
/// has them rounded.
enum ConstantPrecision: Sendable {
  /// As a loaded checkpoint has them.
  case float32
  /// Rounded to bfloat16 and back.
  case bfloat16
  /// Rounded to float16 and back.
  case float16

  /// The treatment of a model cast to `type` as a whole; nil unless that is a 16-bit float.
  init?(castTo type: TensorElementType) {
    switch type {
    case .bfloat16: self = .bfloat16
    case .float16: self = .float16
    default: return nil
    }
  }

  /// The constant as it is held.
  func round(_ value: Float) -> Float {
    switch self {
    case .float32: return value
    case .bfloat16:
      // Half to even on the upper 16 bits.
      let bits = value.bitPattern
      return Float(bitPattern: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) & 0xffff_0000)
    case .float16: return Float(Float16(value))
    }
  }
}
