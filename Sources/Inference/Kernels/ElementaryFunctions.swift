import CKernels

/// exp, log and others with the same bits on every machine, to less than 1 ulp (docs/arithmetic.md), for whatever reaches a
/// stored number. The system's differ between its versions and between processors.
package enum ElementaryFunctions {
  package static func exp(_ x: Double) -> Double { evodb_exp(x) }
  package static func log(_ x: Double) -> Double { evodb_log(x) }
  package static func pow(_ x: Double, _ y: Double) -> Double { evodb_pow(x, y) }
  package static func sin(_ x: Double) -> Double { evodb_sin(x) }
  package static func cos(_ x: Double) -> Double { evodb_cos(x) }
  package static func tanh(_ x: Double) -> Double { evodb_tanh(x) }
  package static func acos(_ x: Double) -> Double { evodb_acos(x) }
  /// 1 / √x
  package static func reciprocalSquareRoot(_ x: Double) -> Double { evodb_rsqrt(x) }

  package static func exp(_ x: Float) -> Float { evodb_expf(x) }
  package static func log(_ x: Float) -> Float { evodb_logf(x) }
  package static func pow(_ x: Float, _ y: Float) -> Float { evodb_powf(x, y) }
  package static func sin(_ x: Float) -> Float { evodb_sinf(x) }
  package static func cos(_ x: Float) -> Float { evodb_cosf(x) }
  package static func tanh(_ x: Float) -> Float { evodb_tanhf(x) }
  package static func acos(_ x: Float) -> Float { evodb_acosf(x) }
  /// 1 / √x
  package static func reciprocalSquareRoot(_ x: Float) -> Float { evodb_rsqrtf(x) }
}
