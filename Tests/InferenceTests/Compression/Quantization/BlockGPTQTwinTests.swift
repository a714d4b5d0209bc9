import TestSupport
import Testing

@testable import Inference

/// The algorithm of `BlockGPTQ` before it chooses between rows, in plain loops: the inverse Hessian in Double, from which one
/// input after the other is eliminated (GPTQ, equations 2 and 3), and grids written out from the tables of the block types.
/// Only the searches for scales, which ggml's own bytes hold, are the same.
private struct PlainBlockGPTQ {
  let type: GGUFType
  let grid: BlockGrid
  let layer: RandomLayer
  /// The dequantized weights, [out][in].
  var settled: [[Float]]
  /// Of the parts, [out][parts].
  var steps: [[Float]]
  var shifts: [[Float]]

  private static let list: [Float] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]

  /// Whole steps of codes, and of the scales of parts.
  private var ranges: (codes: ClosedRange<Float>, scales: ClosedRange<Float>) {
    switch type {
    case .q2K: (0...3, 0...15)
    case .q3K: (-4...3, -32...31)
    case .q4K: (0...15, 0...63)
    case .q5K: (0...31, 0...63)
    case .q6K: (-32...31, -128...127)
    case .iq4XS: (0...15, -32...31)
    case .q40: (-8...7, 0...0)
    case .q50: (-16...15, 0...0)
    case .q80: (-127...127, 0...0)
    case .q51: (0...31, 0...0)
    default: (0...15, 0...0)
    }
  }

  init(_ layer: RandomLayer, _ grid: BlockGrid, dampingFraction: Double) {
    self.layer = layer
    self.grid = grid
    type = grid.type
    let (rows, columns) = (layer.weight.rows, layer.weight.columns)
    settled = [[Float]](repeating: [Float](repeating: 0, count: columns), count: rows)
    steps = [[Float]](repeating: [Float](repeating: 0, count: columns / grid.partLength), count: rows)
    shifts = steps
    var hessian = (0..<columns).map { row in (0..<columns).map { Double(layer.hessian[row, $0]) } }
    let damping = dampingFraction * (0..<columns).reduce(0) { $0 + hessian[$1][$1] } / Double(columns)
    for input in 0..<columns { hessian[input][input] += damping }
    let full = PlainInverse.of(hessian)
    var inverse = full
    var importance: [Float] = []
    for input in 0..<columns {
      importance.append(Float(1 / inverse[input][input]))
      PlainInverse.eliminate(input, from: &inverse)
    }
    var weight = (0..<rows).map { row in (0..<columns).map { Double(layer.weight[row, $0]) } }
    var units = [BlockGrid.Scales](repeating: (Lanes(), Lanes()), count: rows)
    inverse = full
    for input in 0..<columns {
      for row in 0..<rows {
        let current = weight[row].map { Float($0) }
        if input % type.blockLength == 0, grid.hasScaleCodes {
          units[row] = self.units(of: current, from: input, importance)
        }
        if input % grid.partLength == 0 {
          let (step, shift) = scales(of: current, from: input, importance, units[row])
          steps[row][input / grid.partLength] = step
          shifts[row][input / grid.partLength] = shift
        }
        settled[row][input] = nearest(current[input], row, input)
        let error = (weight[row][input] - Double(settled[row][input])) / inverse[input][input]
        for later in input..<columns { weight[row][later] -= error * inverse[input][later] }
      }
      PlainInverse.eliminate(input, from: &inverse)
    }
  }

  private func nearest(_ value: Float, _ row: Int, _ input: Int) -> Float {
    let part = input / grid.partLength
    return nearest(value, step: steps[row][part], shift: shifts[row][part])
  }

  private func nearest(_ value: Float, step: Float, shift: Float) -> Float {
    guard step != 0 else { return -shift }
    if type == .iq4NL || type == .iq4XS {
      var best = Self.list[0]
      // Halfway the larger one is taken.
      for candidate in Self.list where abs(value / step - candidate) <= abs(value / step - best) { best = candidate }
      return step * best
    }
    let codes = ranges.codes
    let code = ((value + shift) / step).rounded(.toNearestOrEven)
    return step * min(max(code, codes.lowerBound), codes.upperBound) - shift
  }

  private func search(_ row: [Float], from start: Int, _ importance: [Float]) -> BlockGrid.Scales {
    let inputs = start..<start + grid.partLength
    var scratch = inputs.map { _ in Lanes() }
    return grid.search(
      inputs.map { Lanes(repeating: row[$0]) }, weights: inputs.map { Lanes(repeating: importance[$0]) },
      scratch: &scratch)
  }

  private func units(of row: [Float], from start: Int, _ importance: [Float]) -> BlockGrid.Scales {
    var scales: [BlockGrid.Scales] = []
    var weights: [Lanes] = []
    for part in 0..<grid.partCount {
      let first = start + part * grid.partLength
      scales.append(search(row, from: first, importance))
      weights.append(Lanes(repeating: importance[first..<first + grid.partLength].reduce(0, +)))
    }
    var scratch = weights
    return grid.superscales(scales, weights: weights, scratch: &scratch)
  }

  private func scales(
    of row: [Float], from start: Int, _ importance: [Float], _ units: BlockGrid.Scales
  ) -> (step: Float, shift: Float) {
    let found = search(row, from: start, importance)
    guard grid.hasScaleCodes else { return (Float(Float16(found.scale[0])), Float(Float16(found.shift[0]))) }
    func whole(_ number: Float, _ unit: Float, _ range: ClosedRange<Float>) -> Float {
      unit == 0 ? 0 : min(max(number / unit, range.lowerBound), range.upperBound).rounded(.toNearestOrEven)
    }
    let range = ranges.scales
    let nearby = whole(found.scale[0], units.scale[0], range)
    let nearbyShift = whole(found.shift[0], units.shift[0], 0...range.upperBound)
    var best: (error: Float, step: Float, shift: Float) = (.infinity, 0, 0)
    for code in [nearby, nearby - 1, nearby + 1] where range.contains(code) {
      for shiftCode in [nearbyShift, nearbyShift - 1, nearbyShift + 1]
      where (0...range.upperBound).contains(shiftCode) && (grid.hasMinimum || shiftCode == nearbyShift) {
        let (step, shift) = (units.scale[0] * code, units.shift[0] * shiftCode)
        var error: Float = 0
        for input in start..<start + grid.partLength {
          let difference = row[input] - nearest(row[input], step: step, shift: shift)
          error += importance[input] * difference * difference
        }
        if error < best.error { best = (error, step, shift) }
      }
    }
    return (best.step, best.shift)
  }

  /// One change after the other, with the gradient summed anew for each.
  mutating func descend(passes: Int) {
    let columns = layer.weight.columns
    for _ in 0..<passes {
      for row in settled.indices {
        for input in 0..<columns {
          var gradient = 0.0
          for other in 0..<columns {
            gradient +=
              Double(layer.weight[row, other] - settled[row][other]) * Double(layer.hessian[input, other])
          }
          let wanted = Double(settled[row][input]) + gradient / Double(layer.hessian[input, input])
          settled[row][input] = nearest(Float(wanted), row, input)
        }
      }
    }
  }
}

@Suite(.usualTimeLimit) struct BlockGPTQTwinTests {
  private static let wide = RandomLayer.correlated(rows: 9, columns: 256, seed: 11)
  private static let narrow = RandomLayer.correlated(rows: 9, columns: 96, seed: 12)

  /// A rounding in the last bit can turn a choice that is nearly undecided, and everything later in its row follows from it:
  /// the rows must be the same but for one or two of them.
  @Test(arguments: GGUFType.quantized, [0, 1]) func rowsAreThoseOfPlainLoops(_ type: GGUFType, passes: Int) throws {
    let layer = type.blockLength == 256 ? Self.wide : Self.narrow
    let grid = try #require(BlockGrid(type))
    var twin = PlainBlockGPTQ(layer, grid, dampingFraction: 0.01)
    twin.descend(passes: passes)
    let result = try BlockGPTQ.quantize(
      weight: layer.weight, hessian: layer.hessian, factor: try layer.factor(), type: type, descentPasses: passes
    ).dequantized()
    let columns = layer.weight.columns
    let plain = try BlockWeight(
      quantizing: layer.weight, as: type, importance: (0..<columns).map { layer.hessian[$0, $0] }
    ).dequantized()
    let objective = RowObjective(weight: layer.weight, hessian: layer.hessian)
    let wanted = Matrix(rows: 9, columns: columns, values: twin.settled.flatMap { $0 })
    let keepsPlain = zip(objective.errors(of: wanted), objective.errors(of: plain)).map { $0 >= $1 }
    let equal = (0..<9).count { row in
      let range = row * columns..<(row + 1) * columns
      return result.values[range] == (keepsPlain[row] ? plain : wanted).values[range]
    }
    #expect(equal >= 7)
    #expect(keepsPlain.count { $0 } <= 2)
  }
}
