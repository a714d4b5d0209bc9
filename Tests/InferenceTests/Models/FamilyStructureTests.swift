import Foundation
import TestSupport
import Testing

@testable import Inference

/// Rules for the blocks, layers and sites of every family.
@Suite(.usualTimeLimit) struct FamilyStructureTests {
  static let goldenNames = [
    "gemma2", "llama-gqa", "llama-tied-f16", "llama3-rope-scaled", "mistral-sliding-window", "opt", "phi3",
    "phi3-longrope", "qwen2-bias", "qwen3-qknorm",
  ]

  @Test(arguments: goldenNames) func layersAndSitesFitEachOther(_ name: String) throws {
    let golden = try GoldenModel(name)
    let model = golden.model
    #expect(model.layers.map(\.index) == Array(model.layers.indices))
    #expect(model.sites.map(\.index) == Array(model.sites.indices))
    for layer in model.layers {
      let site = model.sites[layer.siteIndex]
      #expect(site.width == layer.inputCount && site.blockIndex == layer.subblock.blockIndex)
      let dense = try golden.dense(layer.index)
      #expect(dense.rows == layer.outputCount && dense.columns == layer.inputCount)
    }
    // All linear weights inside the blocks, and nothing else, are compressible.
    let names = golden.checkpoint.tensors.filter { $0.shape.count == 2 && $0.name.contains(".layers.") }.map(\.name)
    #expect(Set(names) == Set(model.layers.map(\.tensorName)))
    #expect(Set(model.layers.map(\.siteIndex)).count == model.sites.count, "every site has a layer")
  }

  @Test func fusedLayersAreUnitsAsTheyAreStored() throws {
    let phi3 = try GoldenModel("phi3").model
    #expect(phi3.layers.prefix(4).map(\.role) == ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"])
    #expect(phi3.layers[4].name == "model.layers.1.self_attn.qkv_proj")
    #expect(phi3.layers[4].outputCount == 4 * 16 + 2 * 2 * 16 && phi3.layers[6].outputCount == 2 * 112)
    let opt = try GoldenModel("opt").model
    #expect(opt.layers.prefix(6).map(\.role) == ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"])
    #expect(opt.layers[11].name == "model.decoder.layers.1.fc2")
  }

  @Test(arguments: goldenNames) func aBlockLeavesItsInputAndShowsWhatItsLayersSee(_ name: String) throws {
    let golden = try GoldenModel(name)
    let model = golden.model
    let x = model.embed(golden.sequences[0])
    let before = x.values
    var widths: [Int: Int] = [:]
    var weights: [Int] = []
    let output = try model.block(
      1, x,
      weight: { index in
        weights.append(index)
        return try golden.packed(index)
      }, dropped: [], tap: { widths[$0] = $1.columns })
    #expect(x.values == before)
    #expect(output.values != before)
    let own = model.layers.filter { $0.subblock.blockIndex == 1 }
    #expect(weights == own.map(\.index), "each weight once, in order")
    #expect(widths == Dictionary(own.map { ($0.siteIndex, $0.inputCount) }, uniquingKeysWith: { first, _ in first }))
  }

  @Test(arguments: goldenNames) func inputsOfSitesAreTheSameWithoutTheLastProduct(_ name: String) throws {
    let golden = try GoldenModel(name)
    let x = golden.model.embed(golden.sequences[0])
    var whole: [Int: [Float]] = [:]
    _ = try golden.model.block(1, x, weight: { try golden.packed($0) }, dropped: [], tap: { whole[$0] = $1.values })
    var seen: [Int: [Float]] = [:]
    try golden.model.siteInputs(ofBlock: 1, x, weight: { try golden.packed($0) }, tap: { seen[$0] = $1.values })
    #expect(seen == whole, "bit for bit")
    #expect(seen.keys.sorted() == golden.model.sites.filter { $0.blockIndex == 1 }.map(\.index))
  }

  @Test(arguments: goldenNames) func anErrorOfATapEndsTheBlock(_ name: String) throws {
    struct Stop: Error, Equatable { var site: Int }
    let golden = try GoldenModel(name)
    let x = golden.model.embed(golden.sequences[0])
    for site in golden.model.sites where site.blockIndex == 1 {
      var seen: [Int] = []
      #expect(throws: Stop(site: site.index)) {
        try golden.model.block(
          1, x, weight: { try golden.packed($0) }, dropped: [],
          tap: { index, _ in
            seen.append(index)
            if index == site.index { throw Stop(site: index) }
          })
      }
      #expect(seen.last == site.index)
    }
  }

  @Test(arguments: goldenNames) func droppedSubblocksAddNothing(_ name: String) throws {
    let golden = try GoldenModel(name)
    let x = golden.model.embed(golden.sequences[0])
    let halves = [Subblock.Half.attention, .mlp].map { Subblock(blockIndex: 1, half: $0) }
    var touched: [Int] = []
    func run(_ dropped: Set<Subblock>) throws -> Matrix {
      touched = []
      return try golden.model.block(
        1, x,
        weight: { index in
          touched.append(index)
          return try golden.packed(index)
        }, dropped: dropped, tap: nil)
    }
    #expect(try run(Set(halves)).values == x.values)
    #expect(touched.isEmpty)
    for half in halves {
      _ = try run([half])
      #expect(touched.allSatisfy { golden.model.layers[$0].subblock != half } && !touched.isEmpty)
    }
  }

  @Test(arguments: goldenNames) func laterTokensChangeNothingBefore(_ name: String) throws {
    // LongRoPE is the exception: a longer sequence has other frequencies.
    let golden = try GoldenModel(name)
    let tokens = golden.sequences[0]
    let length = name == "phi3-longrope" ? 17 : 9
    let whole = try golden.hidden(tokens)
    let part = try golden.hidden(Array(tokens.prefix(length)))
    let expected = whole.values.prefix(length * whole.columns).map { Double($0) }
    // Products over another number of rows may take their terms in another order; a wrong position differs by 1e-3 or more.
    #expect(largestDifference(part.values, expected) < 1e-4)
    guard name == "phi3-longrope" else { return }
    let short = try golden.hidden(Array(tokens.prefix(16)))
    #expect(largestDifference(short.values, Array(expected.prefix(16 * whole.columns))) > 1e-3)
  }

  @Test(arguments: goldenNames) func brokenFoldersAreNamed(_ name: String) throws {
    let golden = try GoldenModel(name)
    // Every tensor is needed, with its shape; the first two blocks stand for all.
    for victim in golden.checkpoint.tensors where !victim.name.contains(".layers.2.") {
      for isMissing in [true, false] {
        let folder = try TemporaryFolder()
        try folder.write(
          [UInt8](try Data(contentsOf: Fixtures.url("golden/models/\(name)/config.json"))), to: "config.json")
        var builder = SafetensorsBuilder()
        for tensor in golden.checkpoint.tensors {
          guard tensor.name == victim.name else {
            var bytes: [UInt8] = []
            try golden.checkpoint.forEachChunk(ofTensor: tensor.name) { bytes += $0 }
            builder.add(tensor.name, dtype: tensor.elementType.rawValue, shape: tensor.shape, bytes: bytes)
            continue
          }
          if !isMissing { builder.add(tensor.name, shape: [3], floats: [1, 2, 3]) }
        }
        try folder.write(builder.bytes(), to: "model.safetensors")
        #expect {
          try LanguageModelFactory.open(try Checkpoint(directory: folder.url), longestSequence: 2)
        } throws: { error in
          guard case InferenceError.invalidData(_, let detail) = error else { return false }
          return detail.contains(victim.name)
        }
      }
    }
  }
}
