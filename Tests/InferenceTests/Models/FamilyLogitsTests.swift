import Foundation
import TestSupport
import Testing

@testable import Inference

/// Logits of every family against those of transformers, to 2e-4: float32 products in two orders differ by some 1e-5 of logits
/// of size 1 to 10 after two blocks, and anything wrong in a formula by 1e-3 or more.
@Suite(.usualTimeLimit) struct FamilyLogitsTests {
  private func check(_ folder: String, _ expected: String) throws -> ReferenceCheck {
    let checkpoint = try Checkpoint(directory: Fixtures.url(folder))
    let check = try ReferenceCheck(checkpoint, expected: Fixtures.url(expected), tolerance: 2e-4)
    #expect(check.shapeProblem == nil)
    #expect(try #require(check.maximumDifference) < 2e-4, "\(folder), \(expected)")
    return check
  }

  /// The golden logits come from models cast to 16 bits as a whole. OPT has no rotary positions, and LongRoPE's long
  /// frequencies are derived after the cast.
  @Test(arguments: [
    ("gemma2", true), ("llama-gqa", true), ("llama-tied-f16", true), ("llama3-rope-scaled", true),
    ("mistral-sliding-window", true), ("opt", false), ("phi3", true), ("phi3-longrope", false), ("qwen2-bias", true),
    ("qwen3-qknorm", true),
  ])
  func goldenLogitsAreThoseOfTransformers(_ name: String, _ wasCast: Bool) throws {
    let check = try check("golden/models/\(name)", "golden/models/\(name)/expected.safetensors")
    #expect(check.rotaryFrequencies == (wasCast ? .castWithWeights : .float32))
    #expect(check.positionCount == 48)
  }

  @Test(arguments: [
    "gemma2", "llama-gqa", "llama-tied-f16", "llama3-rope-scaled", "mistral-sliding-window", "opt", "phi3",
    "phi3-longrope", "qwen2-bias", "qwen3-qknorm",
  ])
  func loadedModelsComputeWithFloat32Frequencies(_ name: String) throws {
    let check = try check("golden/models/\(name)", "families/golden-loaded/\(name).safetensors")
    #expect(check.rotaryFrequencies == .float32)
  }

  @Test(arguments: ["llama-linear-biases", "qwen3-windows", "phi3-short-window", "gemma2-biases"])
  func variantsAreThoseOfTransformers(_ name: String) throws {
    #expect(
      try check("families/\(name)", "families/\(name)/expected.safetensors").rotaryFrequencies == .float32)
    guard name != "llama-linear-biases" else { return }
    #expect(
      try check("families/\(name)", "families/\(name)/expected-cast.safetensors").rotaryFrequencies == .castWithWeights)
  }
}
