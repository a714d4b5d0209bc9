import Catalog
import Foundation
import Inference

/// Calibration and GPTQ at the sizes of a model of 135 million parameters, whose weights are random.
enum ShapeCompression {
  private static let sequenceCount = 8
  /// Blocks that PyTorch computes; its time is scaled up to all of them.
  private static let referenceBlockCount = 3

  static func section(_ options: BenchOptions) throws -> BenchSection {
    let shape = ModelShape.small
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let random = try RandomModel(shape, in: folder.appendingPathComponent("model"))
    let store = try CatalogStore(
      path: folder.appendingPathComponent("bench.evodb").path, mode: .create, command: "bench")
    defer { store.close() }
    let job = try Job(
      store: store, command: "bench", version: "bench", threadCount: options.threadCount, cancellation: Cancellation())
    let record = try ModelImport.run(folder: random.folder, name: "random", job: job)
    let length = ExampleCatalog.sequenceLength
    let sequences = (0..<sequenceCount).map { shape.tokenIDs(count: length, seed: UInt64($0 + 1)) }
    let data = try store.write { tx in
      try tx.store(
        dataSet: "tokens", sequences: sequences, tokenizerDigest: nil, textDigest: nil, options: "{}",
        droppedTokenCount: 0
      ).dataSet
    }
    let model = try OpenModel(
      record, store: store, longestSequence: length, threadCount: options.threadCount, memoryLimit: nil,
      purpose: .compression(calibrationTokenCount: data.tokenCount))
    let plan = CompressionPlan(
      data: data, upstream: .standard, keeps: .all, calibrates: true, method: CompressionMethod(GPTQMethod.self),
      rules: ExampleCatalog.bits.map { .bits($0) })
    let (seconds, outcome) = try Stopwatch.time { try CompressionJob(plan, model: model, job: job).run() }
    let reference =
      options.runsReference
      ? ReferenceCompression.measured(
        model: random.folder, layers: model.layers.map(\.name), sequences: sequences, bits: ExampleCatalog.bits,
        threadCount: options.threadCount, temporaryFolder: folder, blockCount: referenceBlockCount) : nil
    var figure = Figure("total_seconds", "calibration and all levels", seconds, "s", digits: 2)
    if let reference { figure = figure.against(time: reference.seconds, aim: "3 x") }
    return BenchSection(
      key: "shapecompression", title: "4b. The same at the sizes of a model of \(shape.parameters) parameters",
      words: """
        \(sequenceCount) sequences of \(length) random tokens, the same levels of \(model.layers.count) layers \
        (\(outcome.builtVariantCount) variants), \(options.threadCount) threads, one run.
        """,
      reference: reference?.description ?? "none", figures: [figure])
  }
}
