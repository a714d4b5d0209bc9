import Foundation
import Inference

/// The whole work on the large model, step by step in processes of its own.
struct LargeRun {
  let options: BenchOptions
  let threadCount: Int

  /// The section with the peak memory of all steps and the share of the peak of products.
  func section() throws -> BenchSection {
    let isTemporary = options.largeFolder == nil
    let folder =
      options.largeFolder.map { URL(fileURLWithPath: $0) }
      ?? FileManager.default.temporaryDirectory.appendingPathComponent("evodb-bench-\(UUID().uuidString)")
    defer { if isTemporary { try? FileManager.default.removeItem(at: folder) } }
    let model = try RandomModel(.large, in: folder.appendingPathComponent("model"))
    try? FileManager.default.removeItem(at: folder.appendingPathComponent("large.evodb"))
    // What is measured in one arithmetic is compared with others; imports and builds are the same in all.
    let steps: [(step: LargeStep, arithmetic: Arithmetic)] = LargeStep.allCases.flatMap { step in
      step == .evaluate ? options.arithmetics.map { (step, $0) } : [(step, .float32)]
    }
    let file = Double(model.weightByteCount)
    let allowed = (1.35 * file + 2e9) * 1e-9
    var figures = [Figure("weights_gigabytes", "weights' file", file * 1e-9, "GB", digits: 2)]
    for (step, arithmetic) in steps {
      let outcome = try outcome(of: step, arithmetic, folder)
      let isEvaluation = step == .evaluate
      let key = isEvaluation ? "\(step.rawValue)_\(arithmetic.rawValue)" : step.rawValue
      let label = isEvaluation ? "\(step.rawValue), \(arithmetic.rawValue)" : step.rawValue
      figures.append(Figure("\(key)_seconds", label, outcome.seconds, "s"))
      figures.append(
        Figure("\(key)_peak_gigabytes", "\(label): peak memory", Double(outcome.peakByteCount) * 1e-9, "GB", digits: 2)
          .aiming(String(format: "< %.2f GB", allowed)))
      guard let rates = outcome.rates else { continue }
      figures += [
        Figure("\(key)_forward_tokens", "dense forward pass, 1 thread", rates.tokens, "tokens/s"),
        Figure("\(key)_forward_gflops", "the same", rates.forward, "GFLOP/s").against(rate: rates.peak, aim: "0.85 x"),
        Figure("\(key)_forward_processor_gflops", "by processor time", rates.forwardByProcessorTime, "GFLOP/s")
          .against(rate: rates.peak, aim: "0.85 x"),
      ]
    }
    return BenchSection(
      key: "large", title: "A model of 1.1 billion parameters",
      words: """
        Random bfloat16 weights: \(ModelShape.large.blockCount) blocks, \(ModelShape.large.hiddenSize) wide, MLP \
        \(ModelShape.large.intermediateSize), 32 heads and 4 key-value heads, vocabulary \(ModelShape.large.vocabularySize). One \
        sequence of \(ModelShape.large.sequenceLength) tokens: import; Hessians of all blocks (dense upstream); GPTQ of the \
        first block at 2 to 6 bits; the dense model and a candidate with that block at one of them. \(threadCount) threads, \
        memory limit \(options.memoryLimit.map { "\($0 >> 20) MiB" } ?? "by default"). Ratio: share of plain products.
        """,
      figures: figures)
  }

  /// Runs a step in a process of its own.
  private func outcome(of step: LargeStep, _ arithmetic: Arithmetic, _ folder: URL) throws -> LargeStep.Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    process.arguments =
      ["--large-step", step.rawValue, "--arithmetic", arithmetic.rawValue, "--large-folder", folder.path]
      + (options.memoryLimit.map { ["--memory", String($0)] } ?? [])
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw UsageProblem(text: "step \(step.rawValue) of the large model failed")
    }
    return try JSONDecoder().decode(LargeStep.Outcome.self, from: data)
  }

  /// Does the step in the process that `outcome` starts.
  func run(_ step: LargeStep) throws {
    let folder = URL(fileURLWithPath: options.largeFolder ?? ".")
    let model = try RandomModel(.large, in: folder.appendingPathComponent("model"))
    let outcome = try step.run(
      model: model, folder: folder, arithmetic: options.arithmetics[0], threadCount: threadCount,
      memoryLimit: options.memoryLimit)
    FileHandle.standardOutput.write(try JSONEncoder().encode(outcome))
  }
}
