/// The inner loops of pruning. Scores are compared as integer keys: the bits of a non-negative float rise with its value,
/// NaN behind infinity, so every order is total and the same on all machines.
enum SparsityKernels {
  /// The key that goes before that of every score.
  static let firstKey: UInt32 = 0

  /// The key of a score that is not negative.
  @inline(__always)
  static func key(ofScore score: Float) -> UInt32 { (score.bitPattern & 0x7fff_ffff) &+ 1 }

  /// Keys of w²/d² for the rows `inputs` of `transposed` [in, out], with one `divisor` d an input; `firstKey` where
  /// `isFirst`. `[inputs, out]`.
  static func secondOrderKeys(
    of transposed: Matrix, inputs: Range<Int>, divisors: [Float], isFirst: [Bool]
  ) -> [UInt32] {
    precondition(inputs.upperBound <= transposed.rows && divisors.count == transposed.rows)
    precondition(isFirst.count == transposed.rows)
    let count = transposed.columns
    return [UInt32](unsafeUninitializedCapacity: inputs.count * count) { keys, filled in
      var target = 0
      for input in inputs {
        let weights = transposed.base + input * count
        let square = divisors[input] * divisors[input]
        if isFirst[input] {
          for index in 0..<count { keys[target + index] = firstKey }
        } else {
          for index in 0..<count { keys[target + index] = key(ofScore: weights[index] * weights[index] / square) }
        }
        target += count
      }
      filled = inputs.count * count
    }
  }

  /// Keys of |w|·f for all elements of `weight` [rows, columns], with one `factor` f, not negative, a column; row-major.
  static func magnitudeKeys(of weight: Matrix, factors: [Float]?) -> [UInt32] {
    let columns = weight.columns
    precondition(factors.map { $0.count == columns } ?? true)
    return [UInt32](unsafeUninitializedCapacity: weight.rows * columns) { keys, filled in
      for row in 0..<weight.rows {
        let values = weight.base + row * columns
        let start = row * columns
        if let factors {
          factors.withUnsafeBufferPointer { factors in
            for column in 0..<columns { keys[start + column] = key(ofScore: values[column] * factors[column]) }
          }
        } else {
          for column in 0..<columns { keys[start + column] = key(ofScore: values[column]) }
        }
      }
      filled = weight.rows * columns
    }
  }

  /// Sets to 1 the elements of `mask` from `maskStart` on whose keys are the `count` smallest in `range`; ties go to the
  /// smaller index. The other elements are left as they are.
  static func markSmallest(
    _ count: Int, of keys: [UInt32], in range: Range<Int>, mask: inout [UInt8], from maskStart: Int
  ) {
    precondition((0...range.count).contains(count) && range.upperBound <= keys.count)
    precondition(maskStart + range.count <= mask.count)
    guard count > 0 else { return }
    let length = range.count
    keys.withUnsafeBufferPointer { allKeys in
      mask.withUnsafeMutableBufferPointer { allMask in
        guard let keys = allKeys.baseAddress.map({ $0 + range.lowerBound }),
          let mask = allMask.baseAddress.map({ $0 + maskStart })
        else { return }
        let (threshold, below) = threshold(count, keys, length)
        var ties = count - below
        for index in 0..<length {
          if keys[index] < threshold {
            mask[index] = 1
          } else if keys[index] == threshold, ties > 0 {
            mask[index] = 1
            ties -= 1
          }
        }
      }
    }
  }

  /// The `count`-th smallest key (1-based) and how many are smaller: three passes over digits of 11, 11 and 10 bits.
  private static func threshold(
    _ count: Int, _ keys: UnsafePointer<UInt32>, _ length: Int
  ) -> (key: UInt32, below: Int) {
    var prefix: UInt32 = 0
    var prefixMask: UInt32 = 0
    var below = 0
    for (shift, bits) in [(UInt32(21), UInt32(11)), (10, 11), (0, 10)] {
      let digitMask = (UInt32(1) << bits) - 1
      let counts = withUnsafeTemporaryAllocation(of: Int.self, capacity: Int(digitMask) + 1) { histogram in
        histogram.initialize(repeating: 0)
        for index in 0..<length where keys[index] & prefixMask == prefix {
          histogram[Int((keys[index] &>> shift) & digitMask)] += 1
        }
        var digit = 0
        var passed = 0
        while below + passed + histogram[digit] < count {
          passed += histogram[digit]
          digit += 1
        }
        return (digit: UInt32(digit), passed: passed)
      }
      below += counts.passed
      prefix |= counts.digit << shift
      prefixMask |= digitMask << shift
    }
    return (prefix, below)
  }

  /// For every one of `count` neighbouring runs, marks the `pruned` smallest of `length` keys; ties go to the smaller place.
  /// Element e of run r stands at `start + r·runStride + e·stride`, in `keys` as in `mask`, from their own starts.
  static func markSmallestOfRuns(
    _ pruned: Int, length: Int, count: Int, runStride: Int, stride: Int, keys: [UInt32], keysStart: Int,
    mask: inout [UInt8], maskStart: Int
  ) {
    precondition((0...length).contains(pruned))
    guard pruned > 0, count > 0 else { return }
    let last = (count - 1) * runStride + (length - 1) * stride
    precondition(keysStart + last < keys.count && maskStart + last < mask.count)
    keys.withUnsafeBufferPointer { keys in
      mask.withUnsafeMutableBufferPointer { mask in
        for run in 0..<count {
          let keyStart = keysStart + run * runStride
          let runStart = maskStart + run * runStride
          for _ in 0..<pruned {
            var best = -1
            for element in 0..<length where mask[runStart + element * stride] == 0 {
              if best < 0 || keys[keyStart + element * stride] < keys[keyStart + best * stride] { best = element }
            }
            mask[runStart + best * stride] = 1
          }
        }
      }
    }
  }

  /// Settles row `column` of `transposed` [in, out], one input's weights: pruned ones become 0, the others are rounded to
  /// `valueType`. Writes (weight − settled) · `errorScale` to row `errorRow` of `errors`.
  ///
  /// - Parameter mask: [in, out], 1 where pruned.
  static func settleColumn(
    _ column: Int, of transposed: Matrix, mask: [UInt8], valueType: SparseValueType, errors: Matrix, errorRow: Int,
    errorScale: Float
  ) {
    let count = transposed.columns
    precondition(mask.count == transposed.rows * count && errorRow < errors.rows && errors.columns == count)
    let weights = transposed.base + column * count
    let target = errors.base + errorRow * count
    mask.withUnsafeBufferPointer { mask in
      guard let pruned = mask.baseAddress.map({ $0 + column * count }) else { return }
      func settle(_ round: (Float) -> Float) {
        for index in 0..<count {
          let weight = weights[index]
          let settled = pruned[index] != 0 ? 0 : round(weight)
          target[index] = (weight - settled) * errorScale
          weights[index] = settled
        }
      }
      switch valueType {
      case .bfloat16: settle(roundedToBFloat16)
      case .float16: settle(roundedToFloat16)
      case .float32: settle { $0 }
      }
    }
  }

  /// The nearest bfloat16, ties to even; beyond the range the largest one. NaN gives any number.
  @inline(__always)
  static func roundedToBFloat16(_ value: Float) -> Float {
    let magnitude = value.bitPattern & 0x7fff_ffff
    let rounded = (magnitude &+ 0x7fff &+ ((magnitude &>> 16) & 1)) & 0xffff_0000
    return Float(bitPattern: (value.bitPattern & 0x8000_0000) | min(rounded, 0x7f7f_0000))
  }

  /// The nearest binary16, ties to even; beyond the range the largest one. By bits and sums, because `Float16` converts
  /// through a library call per element where F16C may not be assumed. NaN gives any number.
  @inline(__always)
  static func roundedToFloat16(_ value: Float) -> Float {
    let sign = value.bitPattern & 0x8000_0000
    let magnitude = value.bitPattern & 0x7fff_ffff
    let normal = (magnitude &+ 0xfff &+ ((magnitude &>> 13) & 1)) & 0xffff_e000
    // Below 2⁻¹⁴ the quantum is 2⁻²⁴ throughout, which is that of floats from 0.5 to 1.
    let subnormal = ((Float(bitPattern: magnitude) + 0.5) - 0.5).bitPattern
    // 65504 is the largest.
    return Float(bitPattern: sign | (magnitude < 0x3880_0000 ? subnormal : min(normal, 0x477f_e000)))
  }
}
