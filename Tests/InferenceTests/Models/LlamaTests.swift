import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct LlamaTests {
  private func checkLogits(_ golden: GoldenModel) throws {
    var likelihood = 0.0
    var predictions = 0
    for (index, tokenIDs) in golden.sequences.enumerated() {
      let hidden = try golden.hidden(tokenIDs)
      let logits = golden.model.logits(hidden, rows: 0..<hidden.rows)
      let range = index * tokenIDs.count * logits.columns..<(index + 1) * tokenIDs.count * logits.columns
      #expect(largestDifference(logits.values, golden.logits.values[range].map { Double($0) }) < 2e-4)
      for position in 0..<tokenIDs.count - 1 {
        let row = (0..<logits.columns).map { logits[position, $0] }
        likelihood += PlainKernels.logSumExp(row) - Double(row[Int(tokenIDs[position + 1])])
        predictions += 1
      }
    }
    if let expected = golden.meanNegativeLogLikelihood {
      // A mean over many positions, whose rounding errors of logits (1e-5) cancel.
      #expect(abs(likelihood / Double(predictions) - expected) < 1e-5 * expected)
    }
  }

  @Test func groupedQueryLogitsAreThoseOfTransformers() throws {
    let golden = try GoldenModel("llama-gqa", constants: .bfloat16)
    #expect(golden.meanNegativeLogLikelihood != nil)
    try checkLogits(golden)
  }

  @Test func tiedFloat16LogitsAreThoseOfTransformers() throws {
    let golden = try GoldenModel("llama-tied-f16", constants: .float16)
    #expect(golden.meanNegativeLogLikelihood != nil)
    try checkLogits(golden)
  }

  @Test func theExampleComputesWhatTransformersComputes() throws {
    try checkLogits(try GoldenModel(folder: Fixtures.example("prose-10m")))
  }

  @Test func layersAndSitesCountThrough() throws {
    let llama = try GoldenModel().model
    #expect(llama.layers.map(\.index) == Array(0..<21))
    #expect(llama.sites.map(\.index) == Array(0..<12))
    for layer in llama.layers {
      let site = llama.sites[layer.siteIndex]
      #expect(site.width == layer.inputCount && site.blockIndex == layer.subblock.blockIndex)
    }
    #expect(llama.layers[8].tensorName == "model.layers.1.self_attn.k_proj.weight")
    #expect(llama.sites[7].name == "model.layers.1.mlp.down_in")
  }

  @Test func aBlockLeavesItsInputAndShowsWhatItsLayersSee() throws {
    let golden = try GoldenModel()
    let weights = golden.cache()
    let x = golden.model.embed(golden.sequences[0])
    let before = x.values
    var seen: [Int: [Float]] = [:]
    let output = try golden.model.block(
      1, x, weight: { try weights.weight($0, .dense) }, dropped: [], tap: { seen[$0] = $1.values })
    #expect(x.values == before)
    #expect(seen.keys.sorted() == [4, 5, 6, 7])
    // What the last layer saw, times its weight, is what the second half added.
    let attention = try golden.model.block(
      1, x, weight: { try weights.weight($0, .dense) }, dropped: [Subblock(blockIndex: 1, half: .mlp)], tap: nil)
    let down = try golden.dense(13)
    let input = try #require(seen[7])
    let added = PlainKernels.productWithTranspose(input, down.values, width: down.columns)
    let half = zip(added, doubles(attention)).map { $0 + $1 }
    // One product of some dozens of terms of size 1, with a rounding of 2⁻²⁴ each.
    #expect(largestDifference(output.values, half) < 1e-5)
  }

  private func doubles(_ matrix: Matrix) -> [Double] { matrix.values.map { Double($0) } }

  @Test func droppedSubblocksAddNothing() throws {
    let golden = try GoldenModel()
    let x = golden.model.embed(golden.sequences[0])
    var touched = 0
    let both: Set = [Subblock(blockIndex: 0, half: .attention), Subblock(blockIndex: 0, half: .mlp)]
    let output = try golden.model.block(
      0, x,
      weight: { index in
        touched += 1
        return try golden.packed(index)
      }, dropped: both, tap: nil)
    #expect(output.values == x.values)
    #expect(touched == 0)
  }

  @Test func subblockNamesHaveOneSpelling() {
    #expect(Subblock(name: "3.attention") == Subblock(blockIndex: 3, half: .attention))
    #expect(Subblock(blockIndex: 12, half: .mlp).name == "12.mlp")
    for name in ["", "3", "3.", "3.Attention", "-1.mlp", "+1.mlp", "01.mlp", "1.mlp.", "1..mlp", "x.mlp"] {
      #expect(Subblock(name: name) == nil, "\(name)")
    }
  }
}
