import CKernels
import Foundation

/// The instructions that products are made of. All sets give the same bits; they differ in speed.
public enum KernelSet: String, CaseIterable, Sendable {
  /// Plain C, on every processor.
  case portable
  /// 128-bit vectors of 64-bit Arm.
  case neon
  /// 256-bit vectors and fused multiply-adds of x86-64.
  case avx2
  /// 512-bit vectors of x86-64.
  case avx512
  /// Tiles for bfloat16, beside 512-bit vectors for float32.
  case amx

  /// The environment variable that forces a set.
  public static let variable = "EVODB_KERNELS"

  /// Whether this processor and its operating system can run the set.
  public var isAvailable: Bool { evodb_kernel_set_is_available(code) == 1 }

  /// The sets that can run here, the slowest first.
  public static let available = allCases.filter(\.isAvailable)

  /// The fastest set that can run here.
  public static let fastest = available.last ?? .portable

  /// The set that this process uses: what `EVODB_KERNELS` asks for, or the fastest. A value that cannot be had counts as none
  /// here; commands refuse it at their start with `requested(by:)`.
  public static let current = (try? requested(by: ProcessInfo.processInfo.environment[variable])) ?? fastest

  /// The set that a value of `EVODB_KERNELS` asks for; without a value, the fastest.
  ///
  /// - Throws: `InferenceError.impossible` if there is no such set, or not on this machine.
  public static func requested(by value: String?) throws -> KernelSet {
    guard let value, !value.isEmpty else { return fastest }
    let names = available.map(\.rawValue).joined(separator: ", ")
    guard let set = KernelSet(rawValue: value) else {
      throw InferenceError.impossible(
        detail: """
          \(variable)=\(value): there is no such kernel set. This machine has \(names); set one of them, or leave the \
          variable out for the fastest
          """)
    }
    guard set.isAvailable else {
      throw InferenceError.impossible(
        detail: """
          \(variable)=\(value): \(set.lack). This machine has \(names); set one of them, or leave the variable out for the \
          fastest. Results are the same bits under each
          """)
    }
    return set
  }

  /// Why the set cannot run here.
  private var lack: String {
    let features = Processor.features
    if self == .amx, features.contains(.amx), !features.contains(.amxPermission) {
      return "the processor has AMX, but the operating system does not let this process use its tiles"
    }
    return "this processor, or its operating system, does not have \(rawValue)"
  }

  var code: Int32 {
    switch self {
    case .portable: return Int32(EVODB_PORTABLE)
    case .neon: return Int32(EVODB_NEON)
    case .avx2: return Int32(EVODB_AVX2)
    case .avx512: return Int32(EVODB_AVX512)
    case .amx: return Int32(EVODB_AMX)
    }
  }
}

/// The processor's features, for people and for the choice of kernels.
public enum Processor {
  /// Instruction sets that products can use.
  public struct Features: OptionSet, Sendable {
    /// The bits of `evodb_processor_features`.
    public let rawValue: Int32
    /// Features from their bits.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Fused multiply-add as an instruction. Without it, sums are emulated: the same bits at a small part of the speed.
    public static let fusedMultiplyAdd = Features(rawValue: Int32(EVODB_HAS_FMA))
    /// AVX2 with fused multiply-adds.
    public static let avx2 = Features(rawValue: Int32(EVODB_HAS_AVX2))
    /// AVX-512 F, BW, DQ and VL.
    public static let avx512 = Features(rawValue: Int32(EVODB_HAS_AVX512))
    /// AMX tiles with bfloat16 in the processor.
    public static let amx = Features(rawValue: Int32(EVODB_HAS_AMX))
    /// The operating system lets this process use the tiles.
    public static let amxPermission = Features(rawValue: Int32(EVODB_HAS_AMX_PERMISSION))
    /// 128-bit vectors of 64-bit Arm.
    public static let neon = Features(rawValue: Int32(EVODB_HAS_NEON))
    /// AVX without fused multiply-adds.
    public static let avx = Features(rawValue: Int32(EVODB_HAS_AVX))
    /// AVX-512 with bfloat16 products.
    public static let avx512BFloat16 = Features(rawValue: Int32(EVODB_HAS_AVX512_BF16))
    /// Made by AMD.
    public static let amd = Features(rawValue: Int32(EVODB_IS_AMD))

    /// The features by the names of their makers.
    public var names: String {
      let all: [(Features, String)] = [
        (.fusedMultiplyAdd, "FMA"), (.avx, "AVX"), (.avx2, "AVX2"), (.avx512, "AVX-512"),
        (.avx512BFloat16, "AVX512-BF16"), (.amx, "AMX"), (.neon, "NEON"),
      ]
      return all.filter { contains($0.0) }.map(\.1).joined(separator: " ")
    }
  }

  /// The features of this processor, detected once.
  public static let features = Features(rawValue: Int32(evodb_processor_features()))

  /// The name that the processor gives itself; empty if it gives none.
  public static let name: String = {
    var text = [CChar](repeating: 0, count: 64)
    evodb_processor_name(&text, Int32(text.count))
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()
}
