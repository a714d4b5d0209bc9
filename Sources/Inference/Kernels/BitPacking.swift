/// Dense packing of b-bit codes (b = 1…8), lowest code in the lowest bits, eight codes to b bytes.
///
/// Each run of codes starts on a byte boundary; unused high bits of its last byte are 0. Eight codes move at a time in one
/// 64-bit word: three halving steps spread fields of b bits to bytes or gather them again, with no table and no
/// instruction beyond plain 64-bit arithmetic.
enum BitPacking {
  /// Bytes of `count` packed codes.
  static func byteCount(count: Int, bits: Int) -> Int { (count * bits + 7) / 8 }

  /// The masks and shifts of the three steps for one code width.
  private struct Steps {
    let bits: UInt64
    /// The low 4b bits of the word, 2b bits of each 32-bit half, b bits of each 16-bit quarter.
    let low4: UInt64
    let low2: UInt64
    let low1: UInt64

    init(bits: Int) {
      self.bits = UInt64(bits)
      low4 = (1 << (4 * self.bits)) - 1
      low2 = ((1 << (2 * self.bits)) - 1) * 0x0000_0001_0000_0001
      low1 = ((1 << self.bits) - 1) * 0x0001_0001_0001_0001
    }

    /// Eight b-bit fields to eight bytes.
    @inline(__always)
    func spread(_ packed: UInt64) -> UInt64 {
      var word = (packed & low4) | (((packed &>> (4 &* bits)) & low4) &<< 32)
      word = (word & low2) | (((word &>> (2 &* bits)) & low2) &<< 16)
      return (word & low1) | (((word &>> bits) & low1) &<< 8)
    }

    /// Eight bytes, each below 2ᵇ, to eight b-bit fields.
    @inline(__always)
    func gather(_ codes: UInt64) -> UInt64 {
      var word = (codes & low1) | (((codes &>> 8) & low1) &<< bits)
      word = (word & low2) | (((word &>> 16) & low2) &<< (2 &* bits))
      return (word & low4) | (((word &>> 32) & low4) &<< (4 &* bits))
    }
  }

  /// Appends `codes` (each below 2ᵇ), packed, to `bytes`.
  static func append(_ codes: ArraySlice<UInt8>, bits: Int, to bytes: inout [UInt8]) {
    precondition((1...8).contains(bits))
    let steps = Steps(bits: bits)
    let first = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: byteCount(count: codes.count, bits: bits)))
    codes.withUnsafeBytes { codes in
      bytes.withUnsafeMutableBytes { target in
        for (index, start) in stride(from: 0, to: codes.count, by: 8).enumerated() {
          var word: UInt64 = 0
          if start + 8 <= codes.count {
            word = UInt64(littleEndian: codes.loadUnaligned(fromByteOffset: start, as: UInt64.self))
          } else {
            for offset in start..<codes.count { word |= UInt64(codes[offset]) &<< UInt64(8 &* (offset - start)) }
          }
          word = steps.gather(word)
          let place = first + index * bits
          if place + 8 <= target.count {
            // Eight bytes are stored, of which only the first `bits` count: the next word overwrites the others, which are zero.
            target.storeBytes(of: word.littleEndian, toByteOffset: place, as: UInt64.self)
          } else {
            for offset in place..<min(place + bits, target.count) {
              target[offset] = UInt8(truncatingIfNeeded: word)
              word &>>= 8
            }
          }
        }
      }
    }
  }

  /// Unpacks `count` codes that begin at byte `offset` of `bytes` to the start of `codes`.
  ///
  /// - Parameter codes: at least `count` rounded up to a multiple of 8 long; what follows the last code is overwritten.
  static func unpack(_ bytes: [UInt8], offset: Int, count: Int, bits: Int, into codes: inout [UInt8]) {
    let packedCount = byteCount(count: count, bits: bits)
    precondition((1...8).contains(bits) && offset >= 0 && offset + packedCount <= bytes.count)
    let wordCount = (count + 7) / 8
    precondition(wordCount * 8 <= codes.count)
    let steps = Steps(bits: bits)
    // Words are loaded whole only where eight bytes are left in the buffer.
    let slack = bytes.count - offset - 8
    let wholeWords = slack < 0 ? 0 : min(wordCount, slack / bits + 1)
    bytes.withUnsafeBytes { bytes in
      codes.withUnsafeMutableBytes { target in
        for index in 0..<wholeWords {
          let packed = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + index * bits, as: UInt64.self))
          target.storeBytes(of: steps.spread(packed).littleEndian, toByteOffset: index * 8, as: UInt64.self)
        }
        for index in wholeWords..<wordCount {
          var packed: UInt64 = 0
          let start = offset + index * bits
          for byte in 0..<min(bits, bytes.count - start) {
            packed |= UInt64(bytes[start + byte]) &<< UInt64(8 &* byte)
          }
          target.storeBytes(of: steps.spread(packed).littleEndian, toByteOffset: index * 8, as: UInt64.self)
        }
      }
    }
  }
}
