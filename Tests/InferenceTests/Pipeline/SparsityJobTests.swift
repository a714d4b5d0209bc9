import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

@Suite(.usualTimeLimit) struct SparsityJobTests {
  private static let sequenceCount = 5
  private static let tokenCount = 200

  private func prepared(
    _ watch: @escaping (Job.Progress, Cancellation) -> Void = { _, _ in }, threadCount: Int = 2
  ) throws -> TestCatalog {
    let catalog = try TestCatalog(threadCount: threadCount, watch: watch)
    try catalog.importModel()
    try catalog.storeTokens(sequenceCount: Self.sequenceCount)
    return catalog
  }

  private func plan(
    _ catalog: TestCatalog, _ method: any MethodDefinition.Type, upstream: Upstream = .dense,
    keeps: KeptStatistics = .all, rules: [LevelRule] = [.sparsity(0.25), .sparsity(0.5), .pattern(Self.twoOfFour)]
  ) throws -> CompressionPlan {
    CompressionPlan(
      data: try catalog.store.read { try $0.dataSet(nil) }, upstream: upstream, keeps: keeps, calibrates: false,
      method: CompressionMethod(method), rules: rules)
  }

  private static let twoOfFour = SparsityPattern("2:4") ?? { preconditionFailure("2:4 is a pattern") }()

  private func run(_ plan: CompressionPlan, _ catalog: TestCatalog) throws -> CompressionJob.Outcome {
    try CompressionJob(plan, model: try catalog.open(), job: catalog.job).run()
  }

  @Test(arguments: MethodRegistry.shared.names(offering: .zeros))
  func rowsSayWhatThePackedBytesHold(name: String) throws {
    let method = try CompressionMethod(named: name).definition
    let catalog = try prepared()
    let outcome = try run(try plan(catalog, method), catalog)
    #expect(outcome.builtVariantCount == 63)
    #expect(outcome.computedStatisticCount == (method.need == .nothing ? 0 : 12))
    #expect(
      catalog.job.record.work.forwardBlockTokenCount == (method.need == .nothing ? 0 : 3 * Self.tokenCount))
    try catalog.store.read { tx in
      for layer in try tx.layers(ofModel: try tx.model(nil).id) {
        let variants = try tx.variants(ofWeight: layer.weightID)
        let half = layer.weightCount / 2
        #expect(variants.map(\.level) == ["zeros=\(layer.weightCount / 4)", "zeros=\(half)", "pattern=2:4"])
        #expect(variants.map(\.sparsity) == [0.25, 0.5, 0.5])
        for variant in variants {
          let packed = try tx.blob(variant.blobID)
          let sparse = try SparseWeightPacking.decode(packed)
          #expect(sparse.valueType == .bfloat16, "as the checkpoint")
          #expect(Double(sparse.zeroCount) / Double(layer.weightCount) == variant.sparsity)
          #expect(variant.storedBits == Int64(packed.count) * 8)
          #expect(variant.codeBits == Int64(sparse.values.count) * 16)
          #expect(variant.contentKey == SHA256.digest(of: packed))
          #expect(variant.bits == nil && variant.trouble == nil)
          #expect((variant.nmse == nil) == (method.need == .nothing))
          #expect((variant.statisticRecipeKey == nil) == (method.need == .nothing))
          #expect((variant.dampingUsed == nil) == (method.need < .matrix))
        }
        if method.need > .nothing {
          let errors = variants.compactMap(\.nmse)
          #expect(errors[0] < errors[1] && errors[1] < errors[2] && errors[0] > 0)
        }
      }
    }
    let later = try TestCatalog(try catalog.copy())
    let second = try run(try plan(later, method), later)
    #expect(second.builtVariantCount == 0 && second.foundVariantCount == 63)
    #expect(later.job.record.work.forwardBlockTokenCount == 0)
  }

  @Test func aDenseCalibrationServesAllMethods() throws {
    let catalog = try prepared()
    let calibrated = try run(
      CompressionPlan(
        data: try catalog.store.read { try $0.dataSet(nil) }, upstream: .dense, keeps: .all, calibrates: true,
        method: nil, rules: []), catalog)
    #expect(calibrated.computedStatisticCount == 12 && calibrated.builtVariantCount == 0)
    let passes = catalog.job.record.work.forwardBlockTokenCount
    for method: any MethodDefinition.Type in [SparseGPTMethod.self, WandaMethod.self, MagnitudeMethod.self] {
      let outcome = try run(try plan(catalog, method), catalog)
      #expect(outcome.computedStatisticCount == 0 && outcome.builtVariantCount == 63)
    }
    #expect(catalog.job.record.work.forwardBlockTokenCount == passes)
  }

  @Test func wandaNeedsOnlyTheDiagonal() throws {
    let full = try prepared()
    _ = try run(try plan(full, WandaMethod.self), full)
    let catalog = try prepared()
    _ = try run(try plan(catalog, WandaMethod.self, keeps: .diagonal, rules: [.sparsity(0.1)]), catalog)
    let passes = catalog.job.record.work.forwardBlockTokenCount
    let outcome = try run(try plan(catalog, WandaMethod.self, keeps: .diagonal), catalog)
    #expect(outcome.computedStatisticCount == 0 && outcome.builtVariantCount == 63)
    #expect(catalog.job.record.work.forwardBlockTokenCount == passes)
    let fromDiagonals = Set(try catalog.variants())
    #expect(try full.variants().allSatisfy { fromDiagonals.contains($0) })
    // SparseGPT needs more and calibrates again.
    #expect(try run(try plan(catalog, SparseGPTMethod.self), catalog).computedStatisticCount == 12)
  }

  @Test func stepsAreTheSameNumberOfWeightsInEveryLayer() throws {
    let catalog = try prepared()
    let layers = try catalog.store.read { try $0.layers(ofModel: try $0.model(nil).id) }
    let steps = SparsitySteps(sparsity: 0.5, levelCount: 3, step: .weights(400))
    let rules = try steps.rules(weightCounts: layers.map(\.weightCount))
    #expect(rules.count == 7)
    let planned = try plan(catalog, SparseGPTMethod.self, rules: rules)
    let estimate = try catalog.store.read { tx in
      try CompressionEstimate(planned, layers: layers, sites: tx.sites(ofModel: try tx.model(nil).id))
    }
    let outcome = try run(planned, catalog)
    #expect(outcome.builtVariantCount == estimate.variantCount)
    #expect(outcome.builtByteCount == estimate.variantByteCount)
    for layer in layers {
      let levels = try catalog.store.read { try $0.variants(ofWeight: layer.weightID).map(\.level) }
      let expected = (-3...3).map { layer.weightCount / 2 + $0 * 400 }.filter { (0...layer.weightCount).contains($0) }
      #expect(levels == expected.map { "zeros=\($0)" })
    }
  }

  @Test func stepsOfSharesReachFarAndStayInside() throws {
    let counts = [2048, 8192]
    let rules = try SparsitySteps(sparsity: 0.6).rules(weightCounts: counts)
    #expect(rules.count == 17 && rules.first == .sparsity(0.28) && rules[9] == .sparsity(0.64))
    #expect(rules.last == .sparsity(0.92) && rules.last?.level(weightCount: 2048) == .zeros(1884))
    let wide = try SparsitySteps(sparsity: 0.6, levelCount: 8, step: .share(0.15)).rules(weightCounts: counts)
    #expect(wide == [0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9].map { .sparsity($0) })
  }

  @Test func stepsThatCannotBeSayWhatCan() throws {
    let counts = [2048, 8192]
    #expect(LevelRule.sparsity(0.5, shift: 128).level(weightCount: 2048) == .zeros(1152))
    #expect(LevelRule.sparsity(0.5, shift: 1152).level(weightCount: 2048) == nil)
    let shares = "sparsity must be from 0 to 1 and levels at least 1, not "
    let steps = "must be from 1 to 2048 weights, those of the smallest layer, not "
    for (bad, rule) in [
      (SparsitySteps(sparsity: 0), "at sparsity 0.0 there is no step by itself"),
      (SparsitySteps(sparsity: 1.5), shares + "1.5 and "),
      (SparsitySteps(sparsity: 0.5, levelCount: 0), shares + "0.5 and 0"),
      (SparsitySteps(sparsity: 0.5, step: .share(1)), "the step must be between 0 and 1, not 1.0"),
      (SparsitySteps(sparsity: 0.5, step: .share(.nan)), "the step must be between 0 and 1, not nan"),
      (SparsitySteps(sparsity: 0.5, step: .weights(2049)), steps + "2049"),
      (SparsitySteps(sparsity: 0.5, step: .weights(0)), steps + "0"),
    ] {
      expectError(like: InferenceError.impossible(detail: rule)) { try bad.rules(weightCounts: counts) }
    }
    let endless = SparsitySteps(sparsity: 0.5, levelCount: .max, step: .weights(2048))
    #expect(try endless.rules(weightCounts: counts).count < 20, "no more than some layer has")
  }

  @Test(arguments: [1, 22, 50]) func goingOnAfterAStopGivesTheSame(stop: Int) throws {
    let undisturbed = try prepared()
    _ = try run(try plan(undisturbed, SparseGPTMethod.self), undisturbed)
    let stopped = try prepared { progress, cancellation in
      if progress.phase == "calibrating and building", progress.done >= stop { cancellation.request() }
    }
    #expect(throws: InferenceError.interrupted) { _ = try run(try plan(stopped, SparseGPTMethod.self), stopped) }
    let later = try TestCatalog(try stopped.copy(), threadCount: 1)
    _ = try run(try plan(later, SparseGPTMethod.self), later)
    #expect(try later.variants() == undisturbed.variants())
  }

  @Test func laterBlocksCanBeCalibratedBehindPrunedOnes() throws {
    let catalog = try prepared()
    let outcome = try run(
      try plan(catalog, SparseGPTMethod.self, upstream: try Upstream("sparsegpt:0.5"), rules: [.sparsity(0.25)]),
      catalog)
    #expect(outcome.builtVariantCount == 42, "at 0.25, and at 0.5 for what follows")
    #expect(catalog.job.record.work.forwardBlockTokenCount == 5 * Self.tokenCount)
    let levels = try catalog.texts("SELECT DISTINCT coalesce(upstream_level, '') FROM statistic ORDER BY 1")
    #expect(levels == ["", "sparsity=0.5"])
    let dense = try run(try plan(catalog, SparseGPTMethod.self, rules: [.sparsity(0.25)]), catalog)
    #expect(dense.foundVariantCount == 7 && dense.builtVariantCount == 14, "the first block has nothing before it")
  }

  @Test func upstreamIsReadFromText() throws {
    #expect(
      try Upstream("sparsegpt:0.50,damping=0.1")
        == .compressed(Self.sparseGPT(.dampingFraction, .real(0.1)), .sparsity(0.5)))
    #expect(
      try Upstream("wanda:2:4") == .compressed(CompressionMethod(WandaMethod.self), .pattern(Self.twoOfFour)))
    for text in ["sparsegpt", "sparsegpt:", "sparsegpt:1.5", "sparsegpt:nan", "sparsegpt:4:2", "gptq:0.5"] {
      expectError(like: InferenceError.impossible(detail: "upstream is dense or METHOD:LEVEL"), "\(text)") {
        try Upstream(text)
      }
    }
    for (text, rule) in [
      ("sparsegpt:0.5,bits=3", "upstream option bits=3: sparsegpt takes NAME=VALUE with "),
      ("wanda:0.5,damping=0.1", "upstream option damping=0.1: wanda takes no options"),
      ("sparsegpt:0.5,damping=-1", "dampingFraction must be from 0 to "),
    ] {
      expectError(like: InferenceError.impossible(detail: rule), "\(text)") { try Upstream(text) }
    }
  }

  private static func sparseGPT(_ option: MethodOption, _ value: MethodOption.Value) -> CompressionMethod {
    var method = CompressionMethod(SparseGPTMethod.self)
    method.values[option] = value
    return method
  }

  @Test func methodKeysLeaveOutDefaults() {
    let standard = CompressionMethod(SparseGPTMethod.self).record
    #expect(standard.digest != Self.sparseGPT(.dampingFraction, .real(0.1)).record.digest)
    #expect(standard.digest != Self.sparseGPT(.columnBlockSize, .integer(64)).record.digest)
    #expect(standard.digest == Self.sparseGPT(.columnBlockSize, .integer(128)).record.digest)
    #expect(standard.parameters == "{\"columnBlockSize\":128,\"dampingFraction\":0.01}")
    var key = CanonicalRecord(kind: "method")
    key.set("name", "sparsegpt")
    key.set("revision", 1)
    #expect(standard.digest == key.digest)
  }

  @Test func methodsAndLevelsThatDoNotFitAreRefused() throws {
    let catalog = try prepared()
    let bits = try plan(catalog, SparseGPTMethod.self, rules: [.bits(3)])
    #expect(throws: InferenceError.impossible(detail: "SparseGPT has no level bits=3")) { try run(bits, catalog) }
    var noData = try plan(catalog, WandaMethod.self)
    noData.data = nil
    #expect(throws: InferenceError.impossible(detail: "Wanda needs calibration data")) { try run(noData, catalog) }
  }
}
