import Foundation

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
    let outcomes = try LargeStep.allCases.map { step in (step, try outcome(of: step, folder)) }
    let file = Double(model.weightByteCount)
    let allowed = (1.35 * file + 2e9) * 1e-9
    var figures = [Figure("weights_gigabytes", "weights' file", file * 1e-9, "GB", digits: 2)]
    for (step, outcome) in outcomes {
      figures.append(Figure("\(step.rawValue)_seconds", step.rawValue, outcome.seconds, "s"))
      figures.append(
        Figure(
          "\(step.rawValue)_peak_gigabytes", "\(step.rawValue): peak memory", Double(outcome.peakByteCount) * 1e-9,
          "GB",
          digits: 2
        ).aiming(String(format: "< %.2f GB", allowed)))
      if let rate = outcome.forwardRate {
        figures.append(
          Figure("forward_gflops", "dense forward pass, 1 thread", rate, "GFLOP/s")
            .against(rate: outcome.peakRate, aim: "0.85 x"))
      }
      if let rate = outcome.forwardProcessorRate {
        figures.append(
          Figure("forward_processor_gflops", "the same by processor time", rate, "GFLOP/s")
            .against(rate: outcome.peakRate, aim: "0.85 x"))
      }
    }
    return BenchSection(
      key: "large", title: "A model of 1.1 billion parameters",
      words: """
        Random bfloat16 weights: \(ModelShape.large.blockCount) blocks, \(ModelShape.large.hiddenSize) wide, MLP \
        \(ModelShape.large.intermediateSize), 32 heads and 4 key-value heads, vocabulary \(ModelShape.large.vocabularySize). One \
        sequence of \(ModelShape.large.sequenceLength) tokens: import; Hessians of all blocks (dense upstream); GPTQ of the \
        first block at 2 to 6 bits; the dense model and a candidate with that block at 3 bits. \(threadCount) threads, \
        memory limit \(options.memoryLimit.map { "\($0 >> 20) MiB" } ?? "by default"). Ratio: share of plain products.
        """,
      figures: figures)
  }

  /// Runs a step in a process of its own.
  private func outcome(of step: LargeStep, _ folder: URL) throws -> LargeStep.Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    process.arguments =
      ["--large-step", step.rawValue, "--large-folder", folder.path]
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
      model: model, folder: folder, threadCount: threadCount, memoryLimit: options.memoryLimit)
    FileHandle.standardOutput.write(try JSONEncoder().encode(outcome))
  }
}
