import Foundation
import Inference

/// `evodb check`.
struct CheckCommand: Command {
  static let name = "check"
  static let abstract = "Describe a model folder and compare its logits with expected ones."
  static let discussion = """
    Exit code 65 if the folder is not supported, or holds tensors that the model its config.json describes does not use; 1 if the logits differ by more than the tolerance, are not finite, or do \
    not have the right shape.
    """

  @Positional("MODEL_DIR", "A Hugging Face folder.") var folder: String
  @Option("--expected", "FILE", "A safetensors file with input_ids [n, t] and logits [n, t, vocabulary].") var expected:
    String?
  @Option("--tolerance", "X", "Largest absolute difference allowed.", rule: .atLeast(0)) var tolerance: Double = 2e-4
  let unused = UnusedTensorOptions()
  let output = OutputOptions()

  func run(in context: CommandContext) throws {
    let maximumDifference = try context.interruption.leavingAtOnce { try looked(in: context) }
    guard expected != nil else { return }
    guard let maximumDifference, maximumDifference <= tolerance else { throw ExitCode.failure }
  }

  /// Prints what the folder is, and how far its logits are from the expected ones; nil if there are none or they cannot be
  /// compared.
  private func looked(in context: CommandContext) throws -> Double? {
    let checkpoint = try Checkpoint(directory: AbsolutePath.url(folder))
    let configuration = checkpoint.configuration
    // Reads what stays in memory, so that missing tensors and wrong shapes are found, and what is not used.
    _ = try LanguageModelFactory.open(checkpoint, longestSequence: 2)
    if !unused.areAllowed { try checkpoint.requireAllUsed() }
    var result = ResultObject()
    result.add("architecture", .text(configuration.architecture.rawValue))
    result.add("supported", .text("yes"))
    result.add("block_count", .integer(configuration.blockCount), .integer)
    result.add("hidden_size", .integer(configuration.hiddenSize), .integer)
    result.add("vocabulary_size", .integer(configuration.vocabularySize), .integer)
    result.add("tokenizer", .text(try tokenizerState(checkpoint)))
    let unusedNames = checkpoint.unusedTensorNames
    result.add("unused_tensors", .text(unusedNames.isEmpty ? "none" : Checkpoint.list(unusedNames)))
    guard let expected else {
      try context.print(result, as: output.format)
      return nil
    }
    let check = try ReferenceCheck(
      checkpoint, expected: AbsolutePath.url(expected), tolerance: tolerance)
    result.add("max_abs_difference", .real(check.maximumDifference), .real(significantDigits: 3))
    result.add("rotary_frequencies", .text(check.rotaryFrequencies.rawValue))
    result.add("position_count", .integer(check.positionCount), .count)
    result.add("tolerance", .real(tolerance), .real(significantDigits: 3))
    result.add("problem", .text(check.shapeProblem))
    try context.print(result, as: output.format)
    return check.maximumDifference
  }

  private func tokenizerState(_ checkpoint: Checkpoint) throws -> String {
    guard let url = checkpoint.tokenizerURL else { return "none" }
    do {
      return "\(try Tokenizer(contentsOf: url).vocabularySize) tokens"
    } catch let error as InferenceError {
      return "unusable: \(ErrorText.line(error))"
    }
  }
}
