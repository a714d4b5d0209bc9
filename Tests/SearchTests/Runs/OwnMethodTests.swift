import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference
@testable import Search

/// A method of one's own: three values a weight, 1.6 bits of code, beside an eight-bit type.
private enum Ternary: MethodDefinition {
  static let name = "ternary"
  static let title = "ternary"
  static let abstract = "keeps sign or nothing"
  static let revision = 7
  static let need = StatisticNeed.diagonal
  static let levelKinds: Set<Level.Kind> = [.type]
  static let standardRules: [LevelRule] = [.type("T1_6"), .type("B8_0")]
  static let options = [threshold]
  static let threshold = MethodOption(
    key: "threshold", name: "threshold", help: "Share of the mean magnitude below which a weight is zero.",
    standard: .real(0.7))

  static func validate(_ rule: LevelRule, _ values: MethodValues) throws {
    guard standardRules.contains(rule) else {
      throw InferenceError.impossible(detail: "ternary has the types T1_6 and B8_0, not \(rule)")
    }
  }

  static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try WeightPacking.packedByteCount(rows: rows, columns: columns, parameters: parameters(level))
  }

  static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    #expect(layer.hessianDiagonal?.count == layer.weight.columns)
    let weight = Matrix(rows: layer.weight.rows, columns: layer.weight.columns, values: layer.weight.values)
    var bits = 8.0
    if level == .type("T1_6") {
      bits = 1.6
      let magnitude = weight.values.reduce(0) { $0 + abs($1) } / Float(weight.values.count)
      guard case .real(let share) = values[threshold] else { preconditionFailure("a threshold is a number") }
      for row in 0..<weight.rows {
        for column in 0..<weight.columns {
          let value = weight[row, column]
          weight[row, column] = abs(value) < Float(share) * magnitude ? 0 : value < 0 ? -magnitude : magnitude
        }
      }
    }
    let quantized = try RoundToNearest.quantize(weight: weight, parameters: parameters(level))
    return CompressedLayer(
      packed: WeightPacking.encode(quantized), weights: quantized.dequantized(), bits: bits,
      codeBits: Int64((bits * Double(weight.values.count)).rounded()))
  }

  private static func parameters(_ level: Level) -> QuantizationParameters {
    QuantizationParameters(bits: level == .type("T1_6") ? 2 : 8, quantizationGroupSize: 0)
  }
}

@Suite(.usualTimeLimit) struct OwnMethodTests {
  @Test func aMethodInOneFileIsBuiltSearchedQueriedAndExported() throws {
    try MethodRegistry.shared.register(Ternary.self)
    let catalog = try RunCatalog()
    let model = try catalog.model()
    var method = try CompressionMethod(named: "ternary")
    method.values[Ternary.threshold] = .real(0.5)
    let plan = CompressionPlan(
      data: try catalog.dataSet("calibration"), upstream: .standard(for: method), keeps: .diagonal, calibrates: false,
      method: method, rules: Ternary.standardRules)
    let open = try OpenModel(model, store: catalog.store, longestSequence: 32, threadCount: 2, memoryLimit: nil)
    let built = try CompressionJob(plan, model: open, job: catalog.job).run()
    let layers = try catalog.store.read { try $0.layers(ofModel: model.id) }
    #expect(built.builtVariantCount == 2 * layers.count)
    let estimate = try catalog.store.read { tx in
      try CompressionEstimate(plan, layers: layers, sites: tx.sites(ofModel: model.id))
    }
    #expect(estimate.variantByteCount == built.builtByteCount)
    #expect(Revisions.current(of: "method ternary") == 7)

    // Two thirds of the layers at 1.6 bits, one third at 8 is 3.73 bits: a budget that no other method has.
    let recipe = RunCatalog.recipe(4) {
      $0.methods = ["ternary"]
      $0.mutationGroup = ""
    }
    let run = try catalog.run(recipe)
    try run.run()
    #expect(run.record.isFinished)
    let found = try catalog.store.read { try $0.assignment(id: try #require(run.record.foundAssignmentID)) }
    let levels = try catalog.rows(
      "SELECT DISTINCT method, level, bits FROM assignment_layer WHERE assignment_id = \(found.id) ORDER BY bits")
    #expect(
      levels == [
        [.text("ternary"), .text("type=T1_6"), .real(1.6)], [.text("ternary"), .text("type=B8_0"), .real(8)],
      ])
    #expect(Double(found.codeBits) <= 4 * Double(model.compressibleWeightCount))
    let parameters = try catalog.rows("SELECT parameters, revision FROM method WHERE name = 'ternary'")
    #expect(parameters == [[.text("{\"threshold\":0.5}"), .integer(7)]])

    let uniform = try catalog.store.write { tx in
      try AssignmentReference.resolve("uniform:T1_6", model: model, method: "ternary", tx: tx)
    }
    #expect(try catalog.store.read { try $0.uniformSetting(ofAssignment: uniform.id) }?.rule == .type("T1_6"))

    let folder = URL(fileURLWithPath: catalog.folder.path + "-exported")
    _ = try ModelExport.run(
      found, of: model, to: folder, shardByteLimit: .max, version: "test", job: catalog.job)
    let exported = try Checkpoint(directory: folder)
    let layer = layers[0]
    let variant = try catalog.store.read { try $0.variant(id: try #require(found.variantIDs[0])) }
    let unpacked = try WeightPacking.unpack(try catalog.store.read { try $0.blob(variant.blobID) })
    let stored = try exported.matrix(layer.name + ".weight", rows: layer.outputCount, columns: layer.inputCount)
    // The checkpoint's type is bfloat16 or wider: 8 bits of mantissa.
    #expect(zip(stored.values, unpacked.values).allSatisfy { abs($0 - $1) <= abs($1) / 128 })
  }
}
