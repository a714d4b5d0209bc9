import Foundation
import TestSupport
import Testing

@testable import Inference

/// One of our functions, with the system's.
enum ElementaryFunction: String, CaseIterable, Sendable {
  case exp, log, sin, cos, tanh, acos, reciprocalSquareRoot

  func callAsFunction(_ x: Double) -> Double {
    switch self {
    case .exp: return ElementaryFunctions.exp(x)
    case .log: return ElementaryFunctions.log(x)
    case .sin: return ElementaryFunctions.sin(x)
    case .cos: return ElementaryFunctions.cos(x)
    case .tanh: return ElementaryFunctions.tanh(x)
    case .acos: return ElementaryFunctions.acos(x)
    case .reciprocalSquareRoot: return ElementaryFunctions.reciprocalSquareRoot(x)
    }
  }

  func callAsFunction(_ x: Float) -> Float {
    switch self {
    case .exp: return ElementaryFunctions.exp(x)
    case .log: return ElementaryFunctions.log(x)
    case .sin: return ElementaryFunctions.sin(x)
    case .cos: return ElementaryFunctions.cos(x)
    case .tanh: return ElementaryFunctions.tanh(x)
    case .acos: return ElementaryFunctions.acos(x)
    case .reciprocalSquareRoot: return ElementaryFunctions.reciprocalSquareRoot(x)
    }
  }

  func system(_ x: Double) -> Double {
    switch self {
    case .exp: return Foundation.exp(x)
    case .log: return Foundation.log(x)
    case .sin: return Foundation.sin(x)
    case .cos: return Foundation.cos(x)
    case .tanh: return Foundation.tanh(x)
    case .acos: return Foundation.acos(x)
    case .reciprocalSquareRoot: return 1 / x.squareRoot()
    }
  }

  /// Where arguments are drawn from.
  var ranges: [ClosedRange<Double>] {
    switch self {
    case .exp: return [-746...710, -1...1, -1e-6...1e-6]
    case .log: return [0...1e-300, 0.4...2.5, 0.99999...1.00001, 0...1e300]
    case .sin, .cos: return [-4...4, 0...200_000, -1e9...1e9, 0...1e22, -1e-7...1e-7]
    case .tanh: return [-22...22, -0.6...0.6, -1e-6...1e-6]
    case .acos: return [-1...1, 0.999999...1, -1 ... -0.999999]
    case .reciprocalSquareRoot: return [0...1e-300, 0.1...10, 0...1e300]
    }
  }
}

@Suite(.usualTimeLimit) struct ElementaryFunctionTests {
  /// Units in the last place between two results; 0 for two NaN.
  private func distance(_ a: Double, _ b: Double) -> Double {
    if a.isNaN || b.isNaN { return a.isNaN && b.isNaN ? 0 : .infinity }
    if a == b { return a.sign == b.sign ? 0 : .infinity }
    guard a.isFinite, b.isFinite else { return .infinity }
    return abs(a - b) / max(a.ulp, b.ulp)
  }

  @Test(arguments: ElementaryFunction.allCases)
  func resultsAreWithinAUnitOfTheSystems(_ function: ElementaryFunction) {
    var generator = SplitMix64(state: 1)
    var furthest = 0.0
    for range in function.ranges {
      for _ in 0..<20_000 {
        let x = Double.random(in: range, using: &generator)
        furthest = max(furthest, distance(function(x), function.system(x)))
      }
    }
    // glibc's tanh is right to 2.2 units only.
    #expect(furthest <= (function == .tanh ? 2 : 1))
  }

  @Test(arguments: ElementaryFunction.allCases)
  func float32ResultsAreTheRoundedOnesOfDouble(_ function: ElementaryFunction) {
    var generator = SplitMix64(state: 2)
    for range in function.ranges {
      for _ in 0..<2_000 {
        let x = Float(Double.random(in: range, using: &generator))
        let (ours, system) = (function(x), Float(function.system(Double(x))))
        // Where the system's double lies almost in the middle of two floats, ours may round to the other.
        #expect(ours == system || abs(ours - system) <= system.ulp || (ours.isNaN && system.isNaN), "\(x)")
      }
    }
  }

  @Test func powersAreWithinAUnitOfTheSystems() {
    var generator = SplitMix64(state: 3)
    var furthest = 0.0
    for _ in 0..<60_000 {
      let draws = (0..<2).map { _ in Double.random(in: 0...1, using: &generator) }
      for (x, y) in [
        (draws[0] * 1e7, draws[1]), (draws[0] * 4, (draws[1] - 0.5) * 200),
        (1 + (draws[0] - 0.5) * 1e-3, (draws[1] - 0.5) * 1e6),
      ] {
        furthest = max(furthest, distance(ElementaryFunctions.pow(x, y), pow(x, y)))
      }
    }
    #expect(furthest <= 1)
  }

  @Test(arguments: ElementaryFunction.allCases)
  func specialArgumentsGiveWhatTheStandardSays(_ function: ElementaryFunction) {
    for x in [
      0, -0.0, 1, -1, 2, -2, Double.infinity, -.infinity, .nan, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
    ] {
      #expect(distance(function(x), function.system(x)) <= 1, "\(x)")
    }
  }

  @Test func specialPowersAreWhatTheStandardSays() {
    let numbers = [
      0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 1.5, Double.infinity, -.infinity, .nan, 0x1p53, -0x1p54, 1e300, 5e-324,
      -5e-324,
    ]
    for x in numbers {
      for y in numbers { #expect(distance(ElementaryFunctions.pow(x, y), pow(x, y)) <= 1, "\(x) ^ \(y)") }
    }
  }

  @Test func rotaryFrequenciesAndAnglesHaveTheBitsOfTheSystems() {
    for theta in [10_000, 100_000, 500_000, 1_000_000, 8_000_000.0] {
      for size in stride(from: 2, through: 256, by: 2) {
        for index in 0..<size / 2 {
          let exponent = Double(Float(2 * index) / Float(size))
          #expect(Float(ElementaryFunctions.pow(theta, exponent)) == Float(pow(theta, exponent)))
        }
      }
    }
    for frequency in RotaryTable.frequencies(headDimension: 128, theta: 10_000) {
      for position in stride(from: 0, to: 131_072, by: 1_009) {
        let angle = Double(Float(position) * frequency)
        #expect(Float(ElementaryFunctions.cos(angle)) == Float(cos(angle)))
        #expect(Float(ElementaryFunctions.sin(angle)) == Float(sin(angle)))
      }
    }
  }

  /// Bits that x86-64 with and without fused multiply-add and 64-bit Arm computed.
  @Test func resultsHaveTheBitsOfEveryMachine() {
    let expected: [(ElementaryFunction, Double, UInt64)] = [
      (.exp, -0x1.748p9, 0x0000_0000_0000_0001),
      (.exp, -0x1.5d33333333333p6, 0x3810_9874_C0B9_CACB),
      (.exp, -0x1p0, 0x3FD7_8B56_362C_EF38),
      (.exp, -0x1p-60, 0x3FF0_0000_0000_0000),
      (.exp, 0x1.999999999999ap-4, 0x3FF1_AEC7_B35A_00D4),
      (.exp, 0x1p0, 0x4005_BF0A_8B14_5769),
      (.exp, 0x1.5p3, 0x40E1_BB70_15E8_4D3B),
      (.exp, 0x1.62d999999999ap9, 0x7FED_75AE_7A50_EE14),
      (.log, 0x0.0000000000001p-1022, 0xC087_4385_446D_71C3),
      (.log, 0x1.0624dd2f1a9fcp-10, 0xC01B_A18A_998F_FFA0),
      (.log, 0x1.6a0902de00d1bp-1, 0xBFD6_2E6B_3842_A25E),
      (.log, 0x1.ffffde7210be9p-1, 0xBEB0_C6F8_2D74_D230),
      (.log, 0x1.000001ad7f29bp0, 0x3E7A_D7F2_847B_6492),
      (.log, 0x1p1, 0x3FE6_2E42_FEFA_39EF),
      (.log, 0x1.4p3, 0x4002_6BB1_BBB5_5516),
      (.log, 0x1.8p15, 0x4025_9AF7_EE70_9313),
      (.log, 0x1.e42d130773b76p1023, 0x4086_2DD0_8FDC_6F88),
      (.sin, 0x1.12e0be826d695p-30, 0x3E11_2E0B_E826_D695),
      (.sin, 0x1p-1, 0x3FDE_AEE8_744B_05F0),
      (.sin, 0x1.921fb54442d18p-1, 0x3FE6_A09E_667F_3BCC),
      (.sin, 0x1p0, 0x3FEA_ED54_8F09_0CEE),
      (.sin, 0x1.8p1, 0x3FC2_1038_6DB6_D55B),
      (.sin, 0x1.6p4, 0xBF82_20A2_9F6E_B9F4),
      (.sin, 0x1.ffcp10, 0xBFEE_FC78_C817_72E1),
      (.sin, 0x1.ffffp16, 0xBFE2_6861_3F60_BABC),
      (.sin, 0x1.0f0cf064dd592p73, 0xBFEB_453A_B76B_F397),
      (.sin, -0x1.4p2, 0x3FEE_AF81_F5E0_9933),
      (.cos, 0x1.12e0be826d695p-30, 0x3FF0_0000_0000_0000),
      (.cos, 0x1p-1, 0x3FEC_1528_065B_7D50),
      (.cos, 0x1.921fb54442d18p-1, 0x3FE6_A09E_667F_3BCD),
      (.cos, 0x1p0, 0x3FE1_4A28_0FB5_068C),
      (.cos, 0x1.8p1, 0xBFEF_AE04_BE85_E5D2),
      (.cos, 0x1.6p4, 0xBFEF_FFAD_D8D4_ACDA),
      (.cos, 0x1.ffcp10, 0x3FCF_F6AB_69AB_99F9),
      (.cos, 0x1.ffffp16, 0xBFEA_2CEB_BB51_3E7C),
      (.cos, 0x1.0f0cf064dd592p73, 0x3FE0_BE2C_EF01_C8F4),
      (.cos, -0x1.4p2, 0x3FD2_2785_706B_4AD9),
      (.tanh, 0x1.4f8b588e368f1p-17, 0x3EE4_F8B5_88E0_6854),
      (.tanh, 0x1.999999999999ap-4, 0x3FB9_83D7_795F_413A),
      (.tanh, 0x1p-2, 0x3FCF_597E_A69A_1C86),
      (.tanh, 0x1p-1, 0x3FDD_9353_D756_8AF3),
      (.tanh, -0x1p0, 0xBFE8_5EFA_B514_F394),
      (.tanh, 0x1.4p2, 0x3FEF_FF41_9668_DF11),
      (.tanh, 0x1.3p4, 0x3FEF_FFFF_FFFF_FFFF),
      (.acos, -0x1p0, 0x4009_21FB_5444_2D18),
      (.acos, -0x1.ccccccccccccdp-1, 0x4005_8647_6251_E745),
      (.acos, -0x1p-1, 0x4000_C152_382D_7366),
      (.acos, -0x1.999999999999ap-4, 0x3FFA_BC44_7BA4_64A1),
      (.acos, 0x0p0, 0x3FF9_21FB_5444_2D18),
      (.acos, 0x1.3333333333333p-2, 0x3FF4_41F5_ECBE_EF59),
      (.acos, 0x1.051eb851eb852p-1, 0x3FF0_91DD_670B_5EFC),
      (.acos, 0x1.ffffde7210be9p-1, 0x3F57_2BA4_6065_AF16),
      (.reciprocalSquareRoot, 0x1p1, 0x3FE6_A09E_667F_3BCC),
      (.reciprocalSquareRoot, 0x1.8p1, 0x3FE2_79A7_4590_331D),
      (.reciprocalSquareRoot, 0x1.4f8b588e368f1p-17, 0x4073_C3A4_EDFA_9758),
    ]
    for (function, x, bits) in expected { #expect(function(x).bitPattern == bits, "\(function.rawValue) \(x)") }
    let powers: [(Double, Double, UInt64)] = [
      (10000, 0.03125, 0x3FF5_561A_91BA_8144),
      (500000, 0.96875, 0x4114_4062_79B3_4D3D),
      (1e+06, 0.5, 0x408F_4000_0000_0000),
      (2, 0.1, 0x3FF1_25FB_EE25_0664),
      (0.3, -7.5, 0x40C0_4E14_0CF4_EA7E),
      (1.0001, 100000, 0x40D5_7FDD_2FE6_2A3D),
      (-3, 5, 0xC06E_6000_0000_0000),
    ]
    for (x, y, bits) in powers { #expect(ElementaryFunctions.pow(x, y).bitPattern == bits, "\(x) ^ \(y)") }
  }

  /// The system's functions round differently from library to library: no stored number may come through them.
  @Test func nothingButSamplingCallsTheSystemsFunctions() throws {
    var count = 0
    for folder in ["Sources/Inference", "Sources/Search", "Sources/CKernels"] {
      let files = try #require(
        FileManager.default.enumerator(at: Fixtures.repositoryFile(folder), includingPropertiesForKeys: nil))
      for case let file as URL in files where ["swift", "c", "h"].contains(file.pathExtension) {
        // Tokens that are sampled are printed, not stored; the other file declares ours.
        guard !["TokenSampler.swift", "ElementaryFunctions.swift"].contains(file.lastPathComponent) else { continue }
        count += 1
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
          let code = line.replacing(/(^|\s)\/\/.*|\/\*.*/, with: "")
          let calls = code.matches(of: /(^|[^A-Za-z0-9_.])(exp|exp2|log|log2|pow|sin|cos|tanh|erf)f?\(/)
          #expect(calls.isEmpty, "\(file.lastPathComponent): \(line)")
        }
      }
    }
    #expect(count > 150)
  }
}
