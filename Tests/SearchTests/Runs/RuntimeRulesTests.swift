import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference
@testable import Search

/// Searches under the rules of a runtime.
@Suite(.usualTimeLimit) struct RuntimeRulesTests {
  private func space(_ catalog: RunCatalog, _ recipe: SearchRecipe) throws -> AssignmentSpace {
    try catalog.store.write { try AssignmentSpace(model: try $0.model(nil), recipe: recipe, tx: $0) }
  }

  /// Variants of every layer under another method's parameters: those of its built variants.
  private func addMethod(_ catalog: RunCatalog, parameters: String, bits: [Double]) throws {
    let model = try catalog.model()
    try catalog.store.write { tx in
      var key = CanonicalRecord(kind: "method")
      key.set("name", "gptq")
      key.set("parameters", parameters)
      let record = try tx.store(method: MethodRecord(name: "gptq", revision: 1, parameters: parameters, key: key))
      for layer in try tx.layers(ofModel: model.id) {
        let built = try tx.variants(ofWeight: layer.weightID)
        for value in bits {
          var variant = try #require(built.first { $0.bits == min(value, 5) })
          let packed = try tx.blob(variant.blobID)
          variant.methodID = record.id
          variant.level = Level.bits(Int(value)).description
          variant.bits = value
          variant.codeBits = Int64(value) * Int64(layer.weightCount)
          var recipe = CanonicalRecord(kind: "variant")
          recipe.set("of", "\(layer.name) \(parameters) \(value)")
          variant.recipeKey = recipe.digest
          _ = try tx.store(variant: variant, packed: packed)
        }
      }
    }
  }

  @Test func layersThatVLLMFusesTakeOneLevel() throws {
    let catalog = try RunCatalog()
    let free = try space(catalog, RunCatalog.recipe(3))
    #expect(free.space.units.count == 21)
    let recipe = RunCatalog.recipe(3) { $0.runtime = .vllmGPU }
    let tied = try space(catalog, recipe)
    // Of each of three blocks: qkv, o, gate and up, down.
    #expect(tied.space.units.count == 12)
    #expect(
      tied.space.units.prefix(4).map(\.name) == [
        "model.layers.0.self_attn.q_proj model.layers.0.self_attn.k_proj model.layers.0.self_attn.v_proj",
        "model.layers.0.self_attn.o_proj", "model.layers.0.mlp.gate_proj model.layers.0.mlp.up_proj",
        "model.layers.0.mlp.down_proj",
      ])
    // A coarser tie stays what it is.
    let blocks = try space(catalog, RunCatalog.recipe(3) { ($0.runtime, $0.ties) = (.vllmGPU, [.block]) })
    #expect(blocks.space.units.count == 3)
    let half = try space(catalog, RunCatalog.recipe(3) { ($0.runtime, $0.ties) = (.vllmGPU, [.qkv]) })
    #expect(half.space.units.count == 12)
    let run = try catalog.run(recipe)
    try run.run()
    let torn = try catalog.count(
      """
      SELECT count(*) FROM (SELECT c.assignment_id FROM candidate c JOIN assignment a ON a.id = c.assignment_id
        JOIN json_each(a.variant_ids) j JOIN variant v ON v.id = j.value JOIN layer y ON y.layer_index = j.key
        WHERE y.role IN ('q_proj', 'k_proj', 'v_proj') GROUP BY c.assignment_id, y.block_index
        HAVING count(DISTINCT v.level) > 1)
      """)
    #expect(torn == 0)
  }

  @Test func bitsThatARuntimeDoesNotRunAreLeftOutOrRefused() throws {
    let catalog = try RunCatalog()
    let all = try space(catalog, RunCatalog.recipe(4) { $0.runtime = .vllm })
    #expect(all.space.units.allSatisfy { $0.costs.count == 1 })
    #expect(
      throws: SearchError.impossible(
        detail: "vLLM runs 4 and 8 bits everywhere (2 to 8 on GPUs: vllm-gpu), not 3")
    ) { try space(catalog, RunCatalog.recipe(4) { ($0.runtime, $0.bits) = (.vllm, [3, 4]) }) }
    try addMethod(catalog, parameters: #"{"symmetric":1,"quantizationGroupSize":0}"#, bits: [3, 4, 8])
    let pair = try space(catalog, RunCatalog.recipe(5) { ($0.runtime, $0.bits) = (.vllmGPU, [4, 5]) })
    #expect(pair.space.units.allSatisfy { $0.costs.count == 2 })
  }

  @Test func transformersTakesSymmetricLevelsOnly() throws {
    let catalog = try RunCatalog()
    let recipe = RunCatalog.recipe(3.5) { $0.runtime = .transformers }
    #expect(
      throws: SearchError.notBuilt(
        detail: "the variants of gptq are asymmetric, and transformers mixes widths only if all are symmetric",
        method: "gptq", rules: [], isSymmetric: true)
    ) { try space(catalog, recipe) }
    try addMethod(catalog, parameters: #"{"symmetric":1,"quantizationGroupSize":0}"#, bits: [3, 4])
    let found = try space(catalog, recipe)
    #expect(found.space.units.count == 21 && found.space.units.allSatisfy { $0.costs.count == 2 })
    let groups = try RunCatalog()
    try addMethod(groups, parameters: #"{"symmetric":1,"quantizationGroupSize":48}"#, bits: [3, 4])
    #expect(
      throws: SearchError.notBuilt(
        detail: "the variants of gptq are asymmetric, and transformers mixes widths only if all are symmetric",
        method: "gptq", rules: [], isSymmetric: true)
    ) { try space(groups, recipe) }
    let rules = RuntimeRules(runtime: .transformers)
    let layers = try groups.store.read { try $0.layers(ofModel: try $0.model(nil).id) }
    let methods = try groups.store.read { try $0.methods() }
    let refusals = try methods.compactMap { try rules.refusal(of: $0, layers) }
    #expect(
      refusals.contains("have groups of 48, which do not divide the 64 inputs of model.layers.0.self_attn.q_proj"),
      "\(refusals)")
  }

  @Test func whatARuntimeHasNoUseForIsRefused() throws {
    let catalog = try RunCatalog()
    let model = try catalog.model()
    let cases: [(SearchRecipe, SearchError)] = [
      (
        RunCatalog.recipe(.sparsity(0.5), .weights) { $0.runtime = .vllm },
        .invalidParameter(
          detail:
            "the rules of vLLM are about quantized levels, and the target is a sparsity, which it stores as plain "
            + "weights")
      ),
      (
        RunCatalog.recipe(.dropCount(1), .subblocks) { $0.runtime = .gguf },
        .invalidParameter(
          detail: "the rules of llama.cpp are about quantized levels, and the target is a number of subblocks")
      ),
      (RunCatalog.recipe(3) { $0.runtime = .gguf }, .invalidParameter(detail: "not gptq")),
    ]
    for (recipe, error) in cases {
      expectError(like: error) { try RuntimeRules(runtime: try #require(recipe.runtime)).validate(recipe, model) }
    }
    var other = model
    other.architecture = "opt"
    let blocks = RunCatalog.recipe(4) { ($0.runtime, $0.methods) = (.gguf, ["kquant"]) }
    expectError(like: SearchError.impossible(detail: "llama.cpp has no family opt")) {
      try RuntimeRules(runtime: .gguf).validate(blocks, other)
    }
    try RuntimeRules(runtime: .gguf).validate(blocks, model)
  }

  @Test func aRecipeKeepsItsRuntime() throws {
    let recipe = RunCatalog.recipe(3) { $0.runtime = .vllmGPU }
    #expect(try recipe.json.contains(#""for":"vllm-gpu""#))
    #expect(try SearchRecipe(json: recipe.json) == recipe)
    #expect(try !RunCatalog.recipe(3).json.contains("for"))
    #expect(try RunCatalog.recipe(3).setting("for", to: "vllm").runtime == .vllm)
    #expect(
      throws: SearchError.invalidParameter(detail: "for must be a value that a search takes for it, not ‘ollama’")
    ) {
      try recipe.setting("for", to: "ollama")
    }
  }
}
