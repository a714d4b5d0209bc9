/// Reading of the layouts that `KQuantBlocks` describes, in ggml's order of operations.
extension KQuantBlocks {
  /// Reads one block into 256 elements.
  @inline(__always)
  func decode(_ block: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Float>) {
    switch type {
    case .q2K: Self.decodeQ2(block, into: target)
    case .q3K: Self.decodeQ3(block, into: target)
    case .q4K: Self.decodeQ4(block, into: target)
    case .q5K: Self.decodeQ5(block, into: target)
    default: Self.decodeQ6(block, into: target)
    }
  }

  private static func decodeQ2(_ block: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Float>) {
    let d = block.half(at: 80)
    let dmin = block.half(at: 82)
    for part in 0..<16 {
      let step = d * Float(block[part] & 15)
      let shift = dmin * Float(block[part] >> 4)
      let codes = block + 16 + 32 * (part / 8) + 16 * (part % 2)
      let bits = UInt8(2 * (part / 2 % 4))
      let place = target + 16 * part
      for index in 0..<16 { place[index] = step * Float((codes[index] &>> bits) & 3) - shift }
    }
  }

  private static func decodeQ3(_ block: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Float>) {
    let d = block.half(at: 108)
    for part in 0..<16 {
      let low = (block[96 + part % 8] &>> UInt8(4 * (part / 8))) & 15
      let high = (block[104 + part % 4] &>> UInt8(2 * (part / 4))) & 3
      let step = d * Float(Int(low | high << 4) - 32)
      let codes = block + 32 + 32 * (part / 8) + 16 * (part % 2)
      let bits = UInt8(2 * (part / 2 % 4))
      let highBits = block + 16 * (part % 2)
      let highBit = UInt8(part / 2)
      let place = target + 16 * part
      for index in 0..<16 {
        let code = (codes[index] &>> bits) & 3 | ((highBits[index] &>> highBit) & 1) << 2
        place[index] = step * Float(Int32(code) &- 4)
      }
    }
  }

  private static func decodeQ4(_ block: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Float>) {
    let d = block.half(at: 0)
    let dmin = block.half(at: 2)
    for part in 0..<8 {
      let (scale, minimum) = sixBitPair(part) { block[4 + $0] }
      let step = d * Float(scale)
      let shift = dmin * Float(minimum)
      let codes = block + 16 + 32 * (part / 2)
      let bits = UInt8(4 * (part % 2))
      let place = target + 32 * part
      for index in 0..<32 { place[index] = step * Float((codes[index] &>> bits) & 15) - shift }
    }
  }

  private static func decodeQ5(_ block: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Float>) {
    let d = block.half(at: 0)
    let dmin = block.half(at: 2)
    let highBits = block + 16
    for part in 0..<8 {
      let (scale, minimum) = sixBitPair(part) { block[4 + $0] }
      let step = d * Float(scale)
      let shift = dmin * Float(minimum)
      let codes = block + 48 + 32 * (part / 2)
      let bits = UInt8(4 * (part % 2))
      let place = target + 32 * part
      let highBit: UInt8 = 1 << UInt8(part)
      for index in 0..<32 {
        let code = (codes[index] &>> bits) & 15 | (highBits[index] & highBit == 0 ? 0 : 16)
        place[index] = step * Float(code) - shift
      }
    }
  }

  private static func decodeQ6(_ block: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Float>) {
    let d = block.half(at: 208)
    for part in 0..<16 {
      let step = d * Float(Int8(bitPattern: block[192 + part]))
      let quarter = part / 2 % 4
      let codes = block + 64 * (part / 8) + 32 * (quarter % 2) + 16 * (part % 2)
      let bits = UInt8(4 * (quarter / 2))
      let highBits = block + 128 + 32 * (part / 8) + 16 * (part % 2)
      let highBit = UInt8(2 * quarter)
      let place = target + 16 * part
      for index in 0..<16 {
        let code = (codes[index] &>> bits) & 15 | ((highBits[index] &>> highBit) & 3) << 4
        place[index] = step * Float(Int32(code) &- 32)
      }
    }
  }
}
