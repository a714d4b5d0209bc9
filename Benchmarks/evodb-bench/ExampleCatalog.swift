import Catalog
import Foundation
import Inference
import Search

/// A catalog in a temporary folder with the example model and its calibration text.
final class ExampleCatalog {
  /// Tokens of a sequence.
  static let sequenceLength = 256
  static let bits = [2, 3, 4, 5, 6]

  /// Holds the catalog and other temporary files.
  let path: String
  let job: Job
  let model: OpenModel
  let calibration: DataSetRecord
  let sequences: [SequenceRecord]
  let modelFolder: URL
  let folder: URL

  init(example: String, threadCount: Int) throws {
    modelFolder = URL(fileURLWithPath: example)
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    path = folder.appendingPathComponent("bench.evodb").path
    do {
      let store = try CatalogStore(path: path, mode: .create, command: "bench")
      job = try Job(
        store: store, command: "bench", version: "bench", threadCount: threadCount, cancellation: Cancellation())
      let record = try ModelImport.run(folder: modelFolder, name: nil, job: job)
      calibration = try TextSequences(
        sequenceLength: Self.sequenceLength, tokenLimit: nil, beginning: .none, documents: .join
      ).store(
        [InputFile(modelFolder.appendingPathComponent("calibration.txt"))], as: "calibration", model: record, job: job
      )
      .dataSet
      model = try OpenModel(
        record, store: store, longestSequence: Self.sequenceLength, threadCount: threadCount, memoryLimit: nil)
      let listID = calibration.sequenceListID
      sequences = try store.read { try $0.sequences(ofList: listID) }
    } catch {
      try? FileManager.default.removeItem(at: folder)
      throw error
    }
  }

  /// The model opened for an arithmetic.
  func opened(_ arithmetic: Arithmetic, longestSequence: Int = sequenceLength) throws -> OpenModel {
    try OpenModel(
      model.record, store: job.store, longestSequence: longestSequence, threadCount: job.threadCount,
      memoryLimit: nil, arithmetic: arithmetic)
  }

  /// Width of the residual stream.
  var hiddenSize: Int { model.network.hiddenSize }

  /// Closes and deletes the catalog.
  func remove() {
    job.store.close()
    try? FileManager.default.removeItem(at: folder)
  }

  /// Calibration and all levels; what is there is not built again.
  @discardableResult
  func build() throws -> CompressionJob.Outcome {
    let plan = CompressionPlan(
      data: calibration, upstream: .standard, keeps: .all, calibrates: true, method: CompressionMethod(GPTQMethod.self),
      rules: Self.bits.map { .bits($0) })
    return try CompressionJob(plan, model: model, job: job).run()
  }

  /// The space of all built levels.
  func space() throws -> AssignmentSpace {
    try job.store.read { try AssignmentSpace(model: model.record, recipe: SearchRecipe(targetBits: 3), tx: $0) }
  }

  /// The candidates of a search's first stage: offspring of one parent, each 1 to 3 level switches away from it.
  ///
  /// The parent is an offspring of offspring of uniform 3 bits, as in the middle of a search.
  func offspring(_ count: Int) throws -> Offspring {
    let space = try space()
    let budget = try space.space.budget(targetBits: 3)
    let mutation = try LevelSwitchMutation(space: space.space, budget: budget, grouping: .size, maximumSwitches: 3)
    guard var parent = space.uniform(bits: 3) else {
      throw InferenceError.impossible(detail: "the benchmark's space has no uniform 3 bits")
    }
    for generation in 0..<20 {
      var random = RandomSource(seed: 0, generation: generation, stage: 0, purpose: .mutation)
      parent = mutation.offspring(of: parent, count: 1, using: &random).first?.assignment ?? parent
    }
    var random = RandomSource(seed: 0, generation: 20, stage: 0, purpose: .mutation)
    let vectors = mutation.offspring(of: parent, count: count, using: &random).map(\.assignment)
    let assignments = try job.store.write { tx in try vectors.map { try space.store($0, tx: tx) } }
    let bits = vectors.map { vector in
      zip(space.record.units, vector.levels).map { unit, level in
        Int(unit.levels[level].label.dropFirst("bits=".count)) ?? 0
      }
    }
    let choices = try job.store.read { tx in try assignments.map { try model.choices(of: $0, tx) } }
    return Offspring(
      assignments: assignments, bits: bits,
      changedLayers: vectors.map { vector in
        zip(vector.levels, parent.levels).count { $0 != $1 }
      }, choices: choices)
  }

  /// Candidates in the forms that evodb and the reference want.
  struct Offspring {
    var assignments: [AssignmentRecord]
    /// Bits of every layer, by candidate.
    var bits: [[Int]]
    /// Layers that differ from the parent, by candidate.
    var changedLayers: [Int]

    /// The same for an evaluator.
    var choices: [LayerChoices]
  }
}
