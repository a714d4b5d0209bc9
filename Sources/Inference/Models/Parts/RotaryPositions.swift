/// The rotary tables of a model; which one a sequence uses may depend on its length.
struct RotaryPositions: Sendable {
  private let table: RotaryTable
  /// For sequences longer than `originalPositions`; nil: `table` serves all.
  private let longTable: RotaryTable?
  private let originalPositions: Int

  init(_ c: ModelConfiguration, _ settings: ForwardSettings) {
    let positions = min(settings.longestSequence, c.maximumPositions)
    let constants = settings.constants
    switch c.ropeScaling {
    case .none, .linear, .llama3:
      let plain = RotaryTable.frequencies(headDimension: c.headDimension, theta: c.ropeTheta)
      let frequencies = Self.scaled(plain, c.ropeScaling).map(constants.round)
      table = RotaryTable(positions: positions, frequencies: frequencies)
      longTable = nil
      originalPositions = positions
    case .longRope(let scaling):
      // transformers derives the long frequencies anew in the forward pass, so that a cast never reaches them.
      let amplitude = Float(scaling.attentionFactor)
      let plain = RotaryTable.positionsPerRadian(headDimension: c.headDimension, theta: c.ropeTheta)
      func table(_ positions: Int, _ factors: [Double], _ constants: ConstantPrecision) -> RotaryTable {
        let frequencies = zip(plain, factors).map { constants.round(1 / (Float($1) * $0)) }
        return RotaryTable(positions: positions, frequencies: frequencies, amplitude: amplitude)
      }
      originalPositions = scaling.originalPositions
      self.table = table(min(positions, originalPositions), scaling.shortFactors, constants)
      longTable = positions > originalPositions ? table(positions, scaling.longFactors, .float32) : nil
    }
  }

  /// The table for a sequence of `length` tokens.
  func table(length: Int) -> RotaryTable {
    guard let longTable, length > originalPositions else { return table }
    return longTable
  }

  /// Bytes of the tables.
  var byteCount: Int { table.byteCount + (longTable?.byteCount ?? 0) }

  static func scaled(_ frequencies: [Float], _ scaling: RopeScaling) -> [Float] {
    switch scaling {
    case .linear(let factor): return frequencies.map { $0 / Float(factor) }
    case .llama3(let scaling):
      let factor = Float(scaling.factor)
      let (low, high) = (Float(scaling.lowFrequencyFactor), Float(scaling.highFrequencyFactor))
      let original = Float(scaling.originalPositions)
      return frequencies.map { frequency in
        // `Float.pi` is rounded towards zero. PyTorch divides a number by a tensor as the product with its reciprocal.
        let wavelength = (1 / frequency) * Float(2 * Double.pi)
        if wavelength > original / low { return frequency / factor }
        if wavelength < original / high { return frequency }
        let blend = ((1 / wavelength) * original - low) / (high - low)
        return (1 - blend) * frequency / factor + blend * frequency
      }
    case .none, .longRope: return frequencies
    }
  }
}
