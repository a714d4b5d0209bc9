/// Bit masks of sparse weights, and the weights that stand at their set bits.
///
/// A mask has one bit an element, lowest bit first; each row begins on a byte boundary, and unused high bits are 0.
enum MaskPacking {
  /// Bytes of a row's mask.
  static func rowByteCount(columns: Int) -> Int { (columns + 7) / 8 }

  /// Set bits in `range` of `bytes`.
  static func setBitCount(of bytes: [UInt8], in range: Range<Int>) -> Int {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
    return bytes.withUnsafeBytes { bytes in
      var count = 0
      var offset = range.lowerBound
      while offset + 8 <= range.upperBound {
        count += bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self).nonzeroBitCount
        offset += 8
      }
      while offset < range.upperBound {
        count += bytes[offset].nonzeroBitCount
        offset += 1
      }
      return count
    }
  }

  /// Widens `count` stored values that begin at byte `offset` of `bytes` to the front of `target`.
  ///
  /// - Returns: whether all of them are finite.
  static func widen(
    _ bytes: [UInt8], offset: Int, count: Int, type: SparseValueType, into target: inout [Float]
  ) -> Bool {
    precondition(offset >= 0 && offset + count * type.byteCount <= bytes.count && count <= target.count)
    guard count > 0 else { return true }
    return bytes.withUnsafeBytes { bytes in
      target.withUnsafeMutableBufferPointer { target in
        let target = UnsafeMutableBufferPointer(rebasing: target[0..<count])
        let source = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count * type.byteCount])
        switch type {
        case .float32:
          for index in 0..<count {
            let pattern = source.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
            target[index] = Float(bitPattern: UInt32(littleEndian: pattern))
          }
        case .float16, .bfloat16:
          // The values need not be aligned in the bytes.
          withUnsafeTemporaryAllocation(of: UInt16.self, capacity: count) { aligned in
            UnsafeMutableRawBufferPointer(aligned).copyMemory(from: source)
            if type == .bfloat16 {
              FloatConversion.widenBFloat16(UnsafeBufferPointer(aligned), into: target)
            } else {
              FloatConversion.widenFloat16(UnsafeBufferPointer(aligned), into: target)
            }
          }
        }
        return FloatConversion.areFinite(UnsafeBufferPointer(target))
      }
    }
  }

  /// Writes row `row` of `result`: the next of `values` where the mask that begins at byte `maskOffset` has a set bit, 0
  /// elsewhere.
  ///
  /// - Parameter values: at least as many from `valuesStart` on as bits are set, and one more, which is read but not used.
  static func expandRow(
    mask: [UInt8], maskOffset: Int, values: [Float], valuesStart: Int, into result: Matrix, row: Int
  ) {
    let columns = result.columns
    let maskBytes = maskOffset..<maskOffset + rowByteCount(columns: columns)
    precondition(row < result.rows && valuesStart >= 0)
    precondition(valuesStart + setBitCount(of: mask, in: maskBytes) < values.count)
    mask.withUnsafeBufferPointer { mask in
      values.withUnsafeBufferPointer { values in
        guard let start = values.baseAddress else { return }
        var next = start + valuesStart
        let target = result.base + row * columns
        var column = 0
        for offset in maskBytes {
          let bits = mask[offset]
          let width = min(8, columns - column)
          if bits == 0 {
            for bit in 0..<width { target[column + bit] = 0 }
          } else {
            // No branch on a bit: which ones are set cannot be predicted.
            for bit in 0..<width {
              let isSet = Int(bits &>> UInt8(bit)) & 1
              target[column + bit] = isSet == 1 ? next.pointee : 0
              next += isSet
            }
          }
          column += width
        }
      }
    }
  }
}
