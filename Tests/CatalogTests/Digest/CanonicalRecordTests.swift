import TestSupport
import Testing

@testable import Catalog

/// Keys of every kind that this module makes, against values computed once by an independent program from the rules in
/// `CanonicalRecord`. If one of these fails, every key of that kind in every file has changed.
@Suite(.usualTimeLimit) struct CanonicalRecordTests {
  private let a = SHA256.digest(of: "a".utf8)
  private let b = SHA256.digest(of: "b".utf8)
  private let model = SHA256.digest(of: "model".utf8)
  private let layer = LayerRecord(
    index: 0, name: "model.layers.0.self_attn.q_proj", blockIndex: 0, subblock: "attention", role: "q_proj",
    siteName: "model.layers.0.self_attn.in", weightDigest: SHA256.digest(of: "w".utf8), outputCount: 4, inputCount: 4,
    denseBits: 16)

  @Test func everyTypeOfValueHasItsSpelling() {
    var record = CanonicalRecord(kind: "every")
    record.set("integer", -7)
    record.set("real", -0.1)
    record.set("zero", -0.0)
    record.set("text", "50 % größer=a/b\n")
    record.set("digest", a)
    record.set("a=b\nc", "name")
    record.set("absent", nil as String?)
    #expect(
      String(decoding: record.bytes, as: UTF8.self)
        == """
        evodb/every/1
        a%3db%0ac=name
        digest=\(a.hex)
        integer=-7
        real=bfb999999999999a
        text=50%20%25%20gr%c3%b6%c3%9fer=a/b%0a
        zero=0000000000000000

        """)
    #expect(record.digest.hex == "ed41a1774c8aca56ad5cac49d999360e41c7f23ffaccc9eb256c84eafb4dbc97")
  }

  @Test func theOrderOfSettingDoesNotMatterAndNilTakesALineAway() {
    var one = CanonicalRecord(kind: "k")
    one.set("x", 1)
    one.set("b", 2)
    var other = CanonicalRecord(kind: "k")
    other.set("b", 3)
    other.set("gone", "text")
    other.set("x", 1)
    other.set("b", 2)
    other.set("gone", nil as Int?)
    #expect(one == other && one.digest == other.digest)
  }

  @Test func aSequenceHasItsKey() {
    #expect(
      SequenceRecord.digest(of: [1, 2, 300]).hex == "1308deb52a307702e96516b5ebf7edea7df8c967227a2536c4ae53d3a855c662")
  }

  @Test func aSequenceListHasItsKey() {
    #expect(
      SequenceListRecord.digest(of: [a, b]).hex == "a37eac308dca09bdf03192ca8cb4517dbeb58cd9de057fc8630be47bd200d22b")
    #expect(SequenceListRecord.digest(of: [b, a]) != SequenceListRecord.digest(of: [a, b]))
  }

  @Test func anAssignmentHasItsContentKeyAndItsSettingKey() {
    let variant = VariantRecord(
      recipeKey: b, contentKey: a, weightID: 1, methodID: 7, level: "bits=3", bits: 3, sparsity: nil,
      statisticRecipeKey: nil, statisticID: nil, nmse: nil, codeBits: 48, storedBits: 64, dampingUsed: nil,
      deadInputCount: 0, trouble: nil, numericsID: 1)
    var dropped = layer
    dropped.name = "model.layers.1.mlp.up_proj"
    dropped.blockIndex = 1
    dropped.subblock = "mlp"
    let key = AssignmentKey(model: model, layers: [layer, dropped], methods: [7: b])
    let keys = key.digests(variants: [variant, variant], dropped: ["1.mlp"])
    #expect(key.content(variants: [variant, variant], dropped: ["1.mlp"]) == keys.content)
    #expect(keys.content.hex == "1224d7501b58f7bb1212a3e907b1d69718080e4bf3ab649e89900c3fdd18cbf5")
    #expect(keys.setting.hex == "ff11b200cfaecef968e46869abf4632eeb6b5e8dab486d81682286688f11c510")
  }

  @Test func keysOfAssignmentsAreThoseOfTheirCanonicalRecords() {
    // Names that sort otherwise than their layers, that begin alike, and that have to be escaped.
    let names = ["b.10", "b.2", "b.2=x", "b.2.y", "a b", "ü", "b%"]
    let layers = names.enumerated().map { index, name in
      var layer = layer
      layer.name = name
      layer.index = index
      layer.blockIndex = index
      return layer
    }
    let methods = [Int64(7): b, 8: a]
    let variants = names.indices.map { index in
      index == 3
        ? nil
        : VariantRecord(
          recipeKey: b, contentKey: index % 2 == 0 ? a : b, weightID: 1, methodID: index % 3 == 0 ? 7 : 8,
          level: "bits=\(index), odd", bits: 3, sparsity: nil, statisticRecipeKey: nil, statisticID: nil, nmse: nil,
          codeBits: 48, storedBits: 64, dampingUsed: nil, deadInputCount: 0, trouble: nil, numericsID: 1)
    }
    let key = AssignmentKey(model: model, layers: layers, methods: methods)
    for dropped in [[], ["1.\(layer.subblock)"], ["10.mlp", "2.mlp", "5.\(layer.subblock)"]] as [Set<String>] {
      var content = CanonicalRecord(kind: "assignment")
      var setting = CanonicalRecord(kind: "setting")
      content.set("model", model)
      setting.set("model", model)
      for name in dropped {
        content.set("drop.\(name)", 1)
        setting.set("drop.\(name)", 1)
      }
      for (layer, variant) in zip(layers, variants) where !dropped.contains(layer.subblockName) {
        guard let variant else { continue }
        content.set("layer.\(layer.name)", variant.contentKey)
        setting.set("layer.\(layer.name)", "\(methods[variant.methodID]?.hex ?? "")/\(variant.level)")
      }
      let keys = key.digests(variants: variants, dropped: dropped)
      #expect(keys.content == content.digest, "without \(dropped)")
      #expect(keys.setting == setting.digest, "without \(dropped)")
    }
  }

  @Test func aMeasureHasItsKey() {
    let topK = MeasureRecord(name: "topk-kl", topK: 10, reference: "dense", revision: 2)
    #expect(topK.digest.hex == "6818a89a1c863dd3970eed6b4058cc64c074b4661fbf9fa76991403f50d1a53b")
    let full = MeasureRecord(name: "kl", topK: nil, reference: "dense", revision: 1)
    #expect(full.digest.hex == "c6fb5fefd9e72f1622e1fb99938d3c45317f359b93b36939a4a3ba7d3d9920e9")
  }

  @Test func numericsHaveTheirKey() {
    let numerics = NumericsRecord(blasVersion: "OpenBLAS 0.3.21", blasCore: "Haswell", kernels: "1/avx2")
    #expect(numerics.digest.hex == "a4263f155bce61c34f81965600a38d94d10d9c19e2f2dc89aeb48e2f65dbe153")
  }

  @Test func aSpaceHasItsKey() {
    func level(_ cost: Int64, _ label: String, _ key: Digest?, dropped: Bool = false) -> SpaceRecord.Level {
      let member = SpaceRecord.Member(
        layerID: 9, layerName: layer.name, layerIndex: 0, variantID: key == nil ? nil : 5, contentKey: key,
        isDropped: dropped)
      return SpaceRecord.Level(cost: cost, label: label, members: [member])
    }
    let unit = SpaceRecord.Unit(
      name: layer.name, sizeGroup: "16", nameGroup: "q_proj", weightCount: 16,
      levels: [level(64, "bits=4", a), level(0, "drop", nil, dropped: true), level(256, "dense", nil)])
    let space = SpaceRecord(modelID: 3, modelDigest: model, cost: "codes", units: [unit])
    #expect(space.digest.hex == "c1977689b0bda2a6a66759729ef02048daa488aaefa188186ad4a1c42583810f")
  }

  @Test func aGenerationHasItsKey() {
    func candidate(_ digest: Digest, _ role: CandidateRole, _ switches: Int) -> StoredGeneration.Candidate {
      let assignment = AssignmentRecord(
        id: 1, digest: digest, modelID: 1, variantIDs: [], droppedSubblocks: [], codeBits: 0, storedBits: 0)
      return StoredGeneration.Candidate(assignment: assignment, role: role, switchCount: switches)
    }
    let stage = StoredGeneration.Stage(
      index: 0, minibatch: SequenceListRecord(id: 4, digest: model, sequences: []),
      results: [
        StoredGeneration.Result(
          candidateIndex: 0, observation: Observation(sum: nil, predictionCount: 8), fitness: nil, survived: false),
        StoredGeneration.Result(
          candidateIndex: 1, observation: Observation(sum: 0.5, predictionCount: 8), fitness: 0.0625, survived: true),
      ])
    let generation = StoredGeneration(
      index: 3, candidates: [candidate(a, .parent, 0), candidate(b, .offspring, 2)], stages: [stage], winnerIndex: 1,
      missingCount: 2)
    #expect(generation.digest.hex == "eb5c874b708df0337f34ef7bfcd359e85b4f62cb4ab03b91c070e3b515530158")
  }
}
