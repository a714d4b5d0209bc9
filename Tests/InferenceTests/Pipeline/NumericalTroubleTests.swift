import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Numbers that no method can use are refused with the layer, the site and the model, and nothing of them is stored.
@Suite(.usualTimeLimit) struct NumericalTroubleTests {
  /// A catalog with data and the tiny model, of which one tensor is full of `value`.
  private func catalog(with value: Float, in name: String) throws -> TestCatalog {
    let catalog = try TestCatalog()
    let folder = catalog.folder.url.appendingPathComponent("model")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    let source = Fixtures.url("golden/models/llama-gqa")
    try FileManager.default.copyItem(
      at: source.appendingPathComponent("config.json"), to: folder.appendingPathComponent("config.json"))
    let file = try SafetensorsFile(source.appendingPathComponent("model.safetensors"))
    var builder = SafetensorsBuilder()
    for tensor in file.tensors {
      if tensor.name == name {
        let count = tensor.shape.reduce(1, *)
        builder.add(name, shape: tensor.shape, floats: [Float](repeating: value, count: count))
      } else {
        var bytes: [UInt8] = []
        try file.forEachChunk(ofTensor: tensor.name) { bytes += $0 }
        builder.add(tensor.name, dtype: tensor.elementType.rawValue, shape: tensor.shape, bytes: bytes)
      }
    }
    try Data(builder.bytes()).write(to: folder.appendingPathComponent("model.safetensors"))
    try catalog.importModel(folder, name: "spoilt")
    try catalog.storeTokens(sequenceCount: 3)
    return catalog
  }

  private func compress(_ catalog: TestCatalog, _ method: CompressionMethod, _ rule: LevelRule) throws {
    let data = try catalog.store.read { try $0.dataSet(nil) }
    let plan = CompressionPlan(
      data: data, upstream: .dense, keeps: .all, calibrates: false, method: method, rules: [rule])
    _ = try CompressionJob(plan, model: try catalog.open(), job: catalog.job).run()
  }

  static let methods: [(CompressionMethod, LevelRule)] = [
    (CompressionMethod(GPTQMethod.self), .bits(3)),
    (CompressionMethod(SparseGPTMethod.self), .sparsity(0.5)),
    (CompressionMethod(WandaMethod.self), .sparsity(0.5)),
  ]

  @Test(arguments: methods.indices) func aHessianThatOverflowsNamesSiteLayersAndModel(index: Int) throws {
    // Finite inputs whose squares are not.
    let catalog = try catalog(with: 1e25, in: "model.layers.1.input_layernorm.weight")
    let error = expectError(
      like: InferenceError.invalidData(file: "model.layers.1.self_attn.in of spoilt", detail: "is inf)")
    ) { try compress(catalog, Self.methods[index].0, Self.methods[index].1) }
    #expect(error?.description.contains("model.layers.1.self_attn.q_proj") == true)
    #expect(error?.description.contains("select the layers without these") == true)
    // What came before it is there, and nothing of it.
    #expect(try catalog.texts("SELECT DISTINCT block_index FROM statistic JOIN site ON site.id = site_id") == ["0"])
  }

  @Test func infiniteInputsNameTheirSiteToo() throws {
    let catalog = try catalog(with: 3e38, in: "model.layers.0.post_attention_layernorm.weight")
    let error = expectError(
      like: InferenceError.invalidData(file: " of spoilt", detail: "it belongs to model.layers.0.mlp.")
    ) { try compress(catalog, Self.methods[0].0, Self.methods[0].1) }
    #expect(error?.description.hasPrefix("model.layers.0.mlp.") == true)
  }

  @Test(arguments: methods.indices) func aMethodThatFailsNamesLayerSiteAndModel(index: Int) throws {
    let catalog = try TestCatalog()
    let model = try catalog.importModel()
    let layer = try #require(try catalog.store.read { try $0.layers(ofModel: model.id) }.first)
    let (method, rule) = Self.methods[index]
    let hessian = Matrix(rows: layer.inputCount, columns: layer.inputCount)
    for input in 0..<layer.inputCount { hessian[input, input] = 1 }
    hessian[2, 2] = .infinity
    let compression = LayerCompression(
      weight: RandomLayer(rows: layer.outputCount, columns: layer.inputCount).weight, name: layer.name,
      siteName: layer.siteName, modelName: model.name, type: LayerType(valueType: .float32, denseBits: layer.denseBits),
      statistic: LayerStatistic(hessian: hessian), factors: FactorCache(), arithmetic: .float32)
    let level = try #require(rule.level(weightCount: layer.weightCount))
    expectError(
      like: InferenceError.invalidData(
        file: "\(layer.name) of \(model.name)", detail: "failed: Hessian of \(layer.siteName): ")
    ) { try compression.product(method, at: level) }
  }

  @Test func weightsThatAreNoNumbersNameTheirTensor() throws {
    let name = "model.layers.2.mlp.down_proj.weight"
    let detail = "tensor \(name): element 0 is nan"
    expectError(like: InferenceError.invalidData(file: "model.safetensors", detail: detail)) {
      try compress(try catalog(with: .nan, in: name), Self.methods[0].0, Self.methods[0].1)
    }
  }
}
