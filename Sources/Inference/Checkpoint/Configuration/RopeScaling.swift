/// How the frequencies of rotary positions differ from the plain geometric series (transformers'
/// `modeling_rope_utils.py`).
public enum RopeScaling: Equatable, Sendable {
  /// They do not.
  case none
  /// All divided by a factor above 0.
  case linear(factor: Double)
  /// Llama 3.1: long wavelengths are stretched, short ones are not, those between are blended.
  case llama3(Llama3)
  /// LongRoPE (Ding et al. 2024): every frequency has a divisor of its own, for short and for long sequences.
  case longRope(LongRope)

  /// The parameters of Llama 3.1's scaling.
  public struct Llama3: Equatable, Sendable {
    /// By how much long wavelengths are stretched; above 0.
    public var factor: Double
    /// Wavelengths above `originalPositions` / this are stretched whole; above 0.
    public var lowFrequencyFactor: Double
    /// Wavelengths below `originalPositions` / this stay as they are; above `lowFrequencyFactor`.
    public var highFrequencyFactor: Double
    /// Positions the model was first trained for.
    public var originalPositions: Int
  }

  /// The parameters of LongRoPE.
  public struct LongRope: Equatable, Sendable {
    /// Divisors for sequences of at most `originalPositions` tokens [headDimension / 2]; above 0.
    public var shortFactors: [Double]
    /// Divisors for longer ones [headDimension / 2]; above 0.
    public var longFactors: [Double]
    /// Positions the model was first trained for.
    public var originalPositions: Int
    /// The factor of cosines and sines; above 0.
    public var attentionFactor: Double
  }
}
