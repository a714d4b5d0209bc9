/// What a block says, field by field, and how it is written: for codes that were not chosen by a search over whole blocks.
struct BlockFields {
  let type: GGUFType
  /// d.
  var scale: Float = 0
  /// dmin, or the negative of m in types with blocks of 32; not negative.
  var minimum: Float = 0
  /// One for each part, as stored; none in types with blocks of 32.
  var scaleCodes: [UInt8]
  /// One for each part, in types that have them.
  var minimumCodes: [UInt8]

  init(_ type: GGUFType) {
    self.type = type
    let partCount = BlockGrid(type).map { $0.hasScaleCodes ? $0.partCount : 0 } ?? 0
    scaleCodes = [UInt8](repeating: 0, count: partCount)
    minimumCodes = scaleCodes
  }

  /// Writes the block.
  ///
  /// - Parameters:
  ///   - codes: of the block's elements, as stored; those of Q8_0 as the bytes of 8-bit integers.
  ///   - target: receives the block's bytes from `offset` on.
  func write(
    codes: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int
  ) {
    precondition(codes.count == type.blockLength && offset + type.blockByteCount <= target.count)
    switch type {
    case .iq4XS:
      target.storeHalf(scale, at: offset)
      NonlinearBlocks.packScales({ scaleCodes[$0] }, into: target, at: offset)
      for part in 0..<8 { Self.writeNibbles(codes, from: 32 * part, into: target, at: offset + 8 + 16 * part) }
    case .q2K, .q3K, .q4K, .q5K, .q6K:
      scaleCodes.withUnsafeBufferPointer { scaleCodes in
        minimumCodes.withUnsafeBufferPointer { minimumCodes in
          _ = KQuantBlocks.packScales(
            (scale, minimum), scaleCodes, minimumCodes, of: type, into: target, at: offset)
        }
      }
      KQuantBlocks.packCodes(codes, of: type, into: target, at: offset)
    default:
      target.storeHalf(scale, at: offset)
      var place = offset + 2
      if type == .q41 || type == .q51 {
        target.storeHalf(-minimum, at: place)
        place += 2
      }
      if type == .q50 || type == .q51 {
        for byte in 0..<4 {
          var high: UInt8 = 0
          for bit in 0..<8 { high |= (codes[8 * byte + bit] >> 4) << UInt8(bit) }
          target[place + byte] = high
        }
        place += 4
      }
      if type == .q80 {
        for index in 0..<32 { target[place + index] = codes[index] }
      } else {
        Self.writeNibbles(codes, from: 0, into: target, at: place)
      }
    }
  }

  /// The low four bits of 32 codes: byte l of 16 has elements l and 16 + l, the low half first.
  private static func writeNibbles(
    _ codes: UnsafeBufferPointer<UInt8>, from start: Int, into target: UnsafeMutableBufferPointer<UInt8>,
    at offset: Int
  ) {
    for index in 0..<16 { target[offset + index] = codes[start + index] & 15 | codes[start + 16 + index] << 4 }
  }
}
