/// Quantization with error correction to the block types of GGUF.
///
/// Inputs are quantized in their own order, because blocks lie along rows: no activation order is possible inside of them.
/// A block's d and dmin are fixed when its first input is reached, the scales of each of its parts when the part's first
/// input is, both from the weights that carry all errors propagated so far and in the precision they are stored in; then the
/// part's codes are chosen input by input.
///
/// Source: GPTQ (arXiv 2210.17323), algorithm 1, with ggml's searches for scales. Different: an error in input j counts
/// 1/U[j, j]² in these searches, which is what it costs once the later inputs have made up for it; the searches use the whole
/// range of the stored scales; afterwards, codes are changed one by one where that lowers the error of the whole row; and
/// rows that come out no better than ggml's own quantization keep that.
enum BlockGPTQ {
  /// Quantizes a weight.
  ///
  /// - Parameters:
  ///   - weight: [out, in]; not changed.
  ///   - hessian: 2/N Σ xxᵀ, [in, in]; only its lower triangle is read.
  ///   - factor: of the Hessian, in natural order.
  ///   - type: one of `GGUFType.quantized`; `in` is a multiple of its block length.
  ///   - descentPasses: how often all codes are reconsidered after the propagation.
  /// - Returns: blocks whose layer error, row by row, is at most that of `BlockWeight` with the Hessian's diagonal as importance.
  /// - Throws: as `BlockWeight`.
  static func quantize(
    weight: Matrix, hessian: Matrix, factor: HessianFactor, type: GGUFType, descentPasses: Int
  ) throws -> BlockWeight {
    let diagonal = (0..<hessian.rows).map { hessian[$0, $0] }
    let plain = try BlockWeight(quantizing: weight, as: type, importance: diagonal)
    guard let grid = BlockGrid(type) else { return plain }
    precondition(factor.permutation == nil && factor.size == weight.columns)
    var sweep = BlockSweep(weight: weight, diagonal: diagonal, factor: factor, grid: grid)
    sweep.run()
    let objective = RowObjective(weight: weight, hessian: hessian, arithmetic: factor.arithmetic)
    if descentPasses > 0 {
      var descent = CodeDescent(objective, settled: sweep.settled, codes: sweep.codes)
      descent.run(passes: descentPasses, grid: grid, steps: sweep.steps, shifts: sweep.shifts)
      sweep.codes = descent.codes
    }
    let propagated = sweep.settled
    let plainErrors = objective.errors(of: plain.dequantized())
    let errors = objective.errors(of: QuantizationKernels.transposed(propagated))
    // Written so that an error that is not a number leaves the row as it was.
    let isBetter = zip(errors, plainErrors).map { $0 < $1 }
    return try sweep.blocks(rows: isBetter, others: plain)
  }
}

/// One pass over the inputs of a weight.
private struct BlockSweep {
  let grid: BlockGrid
  var propagation: ErrorPropagation
  /// Weights of the squared errors in the search for scales, by input. [in]
  let importance: [Float]
  /// d and dmin, [blocks, out].
  let units: (scale: Matrix, shift: Matrix)
  /// Of the parts, [parts, out].
  let steps: Matrix
  let shifts: Matrix
  /// As stored, [parts, out]; empty in blocks of 32.
  var scaleCodes: [UInt8]
  var shiftCodes: [UInt8]
  /// As stored, [in, out].
  var codes: [UInt8]

  var columns: Int { propagation.columns }
  var rows: Int { propagation.transposed.columns }
  /// The dequantized weights, [in, out], once the pass has run.
  var settled: Matrix { propagation.transposed }

  /// Dead inputs must not decide about scales, but they have to have some where there are no others.
  private static let deadShare: Float = 0x1p-20

  init(weight: Matrix, diagonal: [Float], factor: HessianFactor, grid: BlockGrid) {
    self.grid = grid
    propagation = ErrorPropagation(weight: weight, factor: factor)
    var importance = (0..<factor.size).map { 1 / (factor.upper[$0, $0] * factor.upper[$0, $0]) }
    // The factor has decoupled these inputs; the layer has not.
    for input in factor.zeroColumns { importance[input] = diagonal[input] + Float(factor.dampingUsed) }
    let dead = factor.deadInputs
    var liveSum = importance.reduce(0.0) { $0 + Double($1) }
    for input in dead { liveSum -= Double(importance[input]) }
    let liveMean = dead.count < importance.count ? Float(liveSum / Double(importance.count - dead.count)) : 1
    for input in dead { importance[input] = liveMean * Self.deadShare }
    self.importance = importance
    let (rows, columns) = (weight.rows, weight.columns)
    let blockCount = columns / grid.type.blockLength
    units = (Matrix(rows: blockCount, columns: rows), Matrix(rows: blockCount, columns: rows))
    let partCount = columns / grid.partLength
    steps = Matrix(uninitializedRows: partCount, columns: rows)
    shifts = Matrix(uninitializedRows: partCount, columns: rows)
    scaleCodes = [UInt8](repeating: 0, count: grid.hasScaleCodes ? partCount * rows : 0)
    shiftCodes = scaleCodes
    codes = [UInt8](repeating: 0, count: rows * columns)
  }

  mutating func run() {
    let length = grid.type.blockLength
    for start in stride(from: 0, to: columns, by: length) {
      propagation.applyErrors(before: start, toColumnsBelow: start + length)
      if grid.hasScaleCodes { fitUnits(block: start / length) }
      for part in start / grid.partLength..<(start + length) / grid.partLength {
        let inputs = part * grid.partLength..<(part + 1) * grid.partLength
        propagation.applyErrors(before: inputs.lowerBound, toColumnsBelow: start + length)
        fit(part: part, inputs: inputs)
        let (propagation, grid, steps, shifts) = (propagation, grid, steps, shifts)
        propagation.settle(block: inputs) { input, errorRow in
          BlockKernels.settle(
            input, of: propagation.transposed, grid: grid, steps: steps, shifts: shifts, part: part, codes: &codes,
            errors: (propagation.errors, errorRow, 1 / propagation.upper[input, input]))
        }
      }
    }
  }

  private func weights(of inputs: Range<Int>) -> [Lanes] { inputs.map { Lanes(repeating: importance[$0]) } }

  /// Fixes d and dmin of a block.
  private func fitUnits(block: Int) {
    let partCount = grid.partCount
    let parts = (block * partCount..<(block + 1) * partCount).map {
      $0 * grid.partLength..<($0 + 1) * grid.partLength
    }
    let weights = parts.map { self.weights(of: $0) }
    let weightSums = weights.map { $0.reduce(Lanes(), +) }
    var values = [Lanes](repeating: Lanes(), count: grid.partLength)
    var scratch = values
    var partScratch = weightSums
    var scales = [BlockGrid.Scales](repeating: (Lanes(), Lanes()), count: partCount)
    for place in BlockKernels.runs(rows) {
      for part in 0..<partCount {
        for (index, input) in parts[part].enumerated() {
          values[index] = BlockKernels.load(settled, row: input, at: place)
        }
        scales[part] = grid.search(values, weights: weights[part], scratch: &scratch)
      }
      let found = grid.superscales(scales, weights: weightSums, scratch: &partScratch)
      BlockKernels.store(found.scale, to: units.scale, row: block, at: place)
      BlockKernels.store(found.shift, to: units.shift, row: block, at: place)
    }
  }

  /// Fixes the scales of a part.
  private mutating func fit(part: Int, inputs: Range<Int>) {
    let weights = weights(of: inputs)
    var values = weights
    var scratch = weights
    let block = part / grid.partCount
    for place in BlockKernels.runs(rows) {
      for (index, input) in inputs.enumerated() {
        values[index] = BlockKernels.load(settled, row: input, at: place)
      }
      let found = grid.search(values, weights: weights, scratch: &scratch)
      let unit = (
        BlockKernels.load(units.scale, row: block, at: place), BlockKernels.load(units.shift, row: block, at: place)
      )
      let chosen = grid.choose(found, units: unit, values: values, weights: weights)
      BlockKernels.store(chosen.step, to: steps, row: part, at: place)
      BlockKernels.store(chosen.shift, to: shifts, row: part, at: place)
      guard grid.hasScaleCodes else { continue }
      let columns = rows
      scaleCodes.withUnsafeMutableBufferPointer {
        BlockKernels.store(chosen.scaleCodes, to: $0, columns: columns, row: part, at: place)
      }
      shiftCodes.withUnsafeMutableBufferPointer {
        BlockKernels.store(chosen.shiftCodes, to: $0, columns: columns, row: part, at: place)
      }
    }
  }

  /// The blocks of the rows that `isTaken` names, and those of `others` elsewhere.
  func blocks(rows isTaken: [Bool], others: BlockWeight) throws -> BlockWeight {
    let type = grid.type
    let blockCount = columns / type.blockLength
    let rowCodes = QuantizationKernels.transposed(codes, rows: columns, columns: rows)
    var bytes = others.bytes
    var fields = BlockFields(type)
    bytes.withUnsafeMutableBufferPointer { bytes in
      rowCodes.withUnsafeBufferPointer { rowCodes in
        for row in 0..<rows where isTaken[row] {
          for block in 0..<blockCount {
            let firstPart = block * grid.partCount
            if grid.hasScaleCodes {
              fields.scale = units.scale[block, row]
              fields.minimum = units.shift[block, row]
              for part in 0..<grid.partCount {
                fields.scaleCodes[part] = scaleCodes[(firstPart + part) * rows + row]
                fields.minimumCodes[part] = shiftCodes[(firstPart + part) * rows + row]
              }
            } else {
              fields.scale = steps[firstPart, row]
              fields.minimum = shifts[firstPart, row]
            }
            let start = row * columns + block * type.blockLength
            fields.write(
              codes: UnsafeBufferPointer(rebasing: rowCodes[start..<start + type.blockLength]), into: bytes,
              at: (row * blockCount + block) * type.blockByteCount)
          }
        }
      }
    }
    return try BlockWeight(type: type, rows: rows, columns: columns, bytes: bytes)
  }
}
