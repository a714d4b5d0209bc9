import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

@Suite(.usualTimeLimit) struct CompressionJobTests {
  private static let sequenceCount = 5
  private static let tokenCount = 200

  /// A catalog with the tiny model and data for it.
  private func prepared(_ watch: @escaping (Job.Progress, Cancellation) -> Void = { _, _ in }, threadCount: Int = 2)
    throws -> TestCatalog
  {
    let catalog = try TestCatalog(threadCount: threadCount, watch: watch)
    try catalog.importModel()
    try catalog.storeTokens(sequenceCount: Self.sequenceCount)
    return catalog
  }

  private func plan(
    _ catalog: TestCatalog, upstream: Upstream = .standard, keeps: KeptStatistics = .none, calibrates: Bool = false,
    method: CompressionMethod? = CompressionMethod(GPTQMethod.self), bits: [Int] = [2, 3, 4]
  ) throws -> CompressionPlan {
    CompressionPlan(
      data: try catalog.store.read { try $0.dataSet(nil) }, upstream: upstream, keeps: keeps, calibrates: calibrates,
      method: method, rules: bits.map { .bits($0) })
  }

  private func run(_ plan: CompressionPlan, _ catalog: TestCatalog) throws -> CompressionJob.Outcome {
    try CompressionJob(plan, model: try catalog.open(), job: catalog.job).run()
  }

  @Test func whatIsBuiltIsFoundAgain() throws {
    let catalog = try prepared()
    let first = try run(try plan(catalog), catalog)
    #expect(first.builtVariantCount == 63 && first.foundVariantCount == 0)
    #expect(first.computedStatisticCount == 12 && first.foundStatisticCount == 0)
    #expect(first.builtByteCount > 0)
    // Every block once to calibrate it, all but the last once to move on.
    #expect(catalog.job.record.work.forwardBlockTokenCount == 5 * Self.tokenCount)
    let variants = try catalog.variants()
    #expect(variants.count == 63)

    let later = try TestCatalog(try catalog.copy())
    let second = try run(try plan(later), later)
    #expect(second.builtVariantCount == 0 && second.foundVariantCount == 63)
    #expect(second.computedStatisticCount == 0 && second.foundStatisticCount == 12)
    #expect(later.job.record.work.forwardBlockTokenCount == 0)
    #expect(try later.variants() == variants)
  }

  @Test func threadsChangeNoBit() throws {
    let one = try prepared(threadCount: 1)
    let three = try prepared(threadCount: 3)
    for catalog in [one, three] { _ = try run(try plan(catalog, keeps: .all), catalog) }
    #expect(try one.variants() == three.variants())
    #expect(try one.statistics() == three.statistics())
  }

  @Test func moreBitsMeanLessErrorAndRecordsAreComplete() throws {
    let catalog = try prepared()
    _ = try run(try plan(catalog), catalog)
    try catalog.store.read { tx in
      for layer in try tx.layers(ofModel: try tx.model(nil).id) {
        let variants = try tx.variants(ofWeight: layer.weightID).sorted { $0.level < $1.level }
        #expect(variants.map(\.level) == ["bits=2", "bits=3", "bits=4"])
        let errors = variants.compactMap(\.nmse)
        #expect(errors.count == 3 && errors[0] > errors[1] && errors[1] > errors[2] && errors[2] > 0)
        for variant in variants {
          let packed = try tx.blob(variant.blobID)
          #expect(variant.storedBits == Int64(packed.count) * 8)
          #expect(variant.codeBits == Int64(variant.bits ?? 0) * Int64(layer.weightCount))
          #expect(variant.contentKey == SHA256.digest(of: packed))
          let weight = try WeightPacking.unpack(packed)
          #expect(weight.rows == layer.outputCount && weight.columns == layer.inputCount)
        }
      }
    }
  }

  /// Stops when so many variants are done, in each of the three blocks, and goes on.
  @Test(arguments: [1, 20, 22, 40, 57]) func goingOnAfterAStopGivesTheSame(_ stop: Int) throws {
    let undisturbed = try prepared()
    _ = try run(try plan(undisturbed), undisturbed)
    let stopped = try prepared { progress, cancellation in
      if progress.phase == "calibrating and building", progress.done >= stop { cancellation.request() }
    }
    #expect(throws: InferenceError.interrupted) { _ = try run(try plan(stopped), stopped) }
    let before = try stopped.variants()
    #expect(before.count >= 3 && before.count < 63)
    let later = try TestCatalog(try stopped.copy())
    let outcome = try run(try plan(later), later)
    #expect(outcome.foundVariantCount == before.count)
    #expect(outcome.builtVariantCount == 63 - before.count)
    #expect(try later.variants() == undisturbed.variants())
    #expect(try later.statistics() == undisturbed.statistics())
  }

  @Test(arguments: [(KeptStatistics.none, 0, 0), (.diagonal, 12, 0), (.all, 12, 12)])
  func whatIsKeptOfStatistics(_ kept: KeptStatistics, _ diagonals: Int, _ matrices: Int) throws {
    let catalog = try prepared()
    _ = try run(try plan(catalog, keeps: kept), catalog)
    #expect(try catalog.statistics().count == 12)
    #expect(try catalog.texts("SELECT count(diagonal_blob_id) FROM statistic") == ["\(diagonals)"])
    #expect(try catalog.texts("SELECT count(matrix_blob_id) FROM statistic") == ["\(matrices)"])
  }

  @Test func keptMatricesServeOtherLevelsWithoutAForwardPass() throws {
    let calibrated = try prepared()
    let outcome = try run(try plan(calibrated, keeps: .all, calibrates: true, method: nil, bits: []), calibrated)
    #expect(outcome.computedStatisticCount == 12)
    #expect(outcome.builtVariantCount == 21, "later blocks are calibrated behind 3 bits")
    let later = try TestCatalog(try calibrated.copy())
    let built = try run(try plan(later, bits: [2, 4]), later)
    #expect(built.builtVariantCount == 42 && built.foundVariantCount == 21 && built.computedStatisticCount == 0)
    #expect(later.job.record.work.forwardBlockTokenCount == 0)
    let direct = try prepared()
    _ = try run(try plan(direct), direct)
    #expect(try later.variants() == direct.variants())
  }

  @Test func denseUpstreamDiffersFromTheSecondBlockOn() throws {
    let catalog = try prepared()
    _ = try run(try plan(catalog, keeps: .all), catalog)
    let quantized = try catalog.statistics()
    let outcome = try run(try plan(catalog, upstream: .dense, keeps: .all), catalog)
    #expect(outcome.foundStatisticCount == 4 && outcome.computedStatisticCount == 8)
    #expect(outcome.foundVariantCount == 21 && outcome.builtVariantCount == 42)
    let keys = Set(quantized.map { $0.suffix(64) })
    let fresh = try catalog.statistics().filter { !quantized.contains($0) }
    #expect(fresh.count == 8)
    #expect(fresh.allSatisfy { !keys.contains($0.suffix(64)) }, "other inputs, other Hessians")
    #expect(
      try catalog.texts(
        """
        SELECT count(*) FROM statistic t JOIN site s ON s.id = t.site_id
        WHERE (t.upstream_method_id IS NULL) <> (t.upstream_level IS NULL) OR s.block_index = 0 AND t.upstream_level <> ''
        """) == ["0"])
  }

  @Test func denseUpstreamTakesOnePass() throws {
    let catalog = try prepared()
    _ = try run(try plan(catalog, upstream: .dense), catalog)
    #expect(catalog.job.record.work.forwardBlockTokenCount == 3 * Self.tokenCount)
    #expect(catalog.job.record.work.forwardTokenCount == Self.tokenCount)
  }

  @Test func roundToNearestNeedsNoData() throws {
    let catalog = try TestCatalog()
    try catalog.importModel()
    let plan = CompressionPlan(
      data: nil, upstream: .standard, keeps: .none, calibrates: false,
      method: CompressionMethod(RoundToNearestMethod.self),
      rules: [.bits(2), .bits(8), .bits(2)])
    let outcome = try run(plan, catalog)
    #expect(outcome.builtVariantCount == 42 && outcome.computedStatisticCount == 0)
    #expect(catalog.job.record.work.forwardBlockTokenCount == 0)
    #expect(try catalog.texts("SELECT count(*) FROM variant WHERE nmse IS NULL AND statistic_id IS NULL") == ["42"])
    #expect(try run(plan, catalog).foundVariantCount == 42)
  }

  @Test func plansThatContradictThemselvesAreRefused() throws {
    let catalog = try TestCatalog()
    try catalog.importModel()
    func refusal(_ method: CompressionMethod, _ bits: [Int]) throws {
      let plan = CompressionPlan(
        data: nil, upstream: .dense, keeps: .none, calibrates: false, method: method,
        rules: bits.map { .bits($0) })
      _ = try CompressionJob(plan, model: try catalog.open(), job: catalog.job)
    }
    #expect(throws: InferenceError.impossible(detail: "GPTQ needs calibration data")) {
      try refusal(CompressionMethod(GPTQMethod.self), [3])
    }
    #expect(throws: InferenceError.impossible(detail: "bits must be from 1 to 8, not 9")) {
      try refusal(CompressionMethod(RoundToNearestMethod.self), [9])
    }
  }

  @Test func dataOfAnotherModelIsRefusedNotTrapped() throws {
    let catalog = try prepared()
    let own = try plan(catalog, calibrates: true)
    let foreign = try catalog.store.write {
      try $0.store(
        dataSet: "foreign", sequences: [[1, 2, 3000]], tokenizerDigest: nil, textDigest: nil, options: "{}",
        droppedTokenCount: 0)
    }.dataSet
    let plan = CompressionPlan(
      data: foreign, upstream: .dense, keeps: .none, calibrates: true, method: nil, rules: [])
    expectError(like: InferenceError.impossible(detail: "token id 3000 is outside the vocabulary of ")) {
      try run(plan, catalog)
    }
    let model = try catalog.open(longestSequence: 8)
    expectError(like: InferenceError.impossible(detail: "was opened for at most 8 tokens a sequence, not ")) {
      try CompressionJob(own, model: model, job: catalog.job)
    }
  }

  @Test func upstreamIsReadFromText() throws {
    #expect(try Upstream("dense") == .dense)
    #expect(try Upstream("gptq:3") == .standard)
    let detailed = try Upstream("rtn:4,quantization-group-size=64,symmetric=true,scale-type=float32")
    let parameters = QuantizationParameters(
      bits: 4, symmetric: true, quantizationGroupSize: 64, scaleType: .float32)
    #expect(
      detailed == .compressed(CompressionMethod(RoundToNearestMethod.self, parameters: parameters), .bits(4)))
    for text in ["", "gptq", "gptq:", "awq:3", "dense:3"] {
      expectError(like: InferenceError.impossible(detail: "upstream is dense or METHOD:LEVEL"), "\(text)") {
        try Upstream(text)
      }
    }
    for (text, rule) in [
      ("gptq:9", "bits must be from 1 to 8, not 9"), ("gptq:3,", "upstream option : gptq takes NAME=VALUE with "),
      ("gptq:3,symmetric", "upstream option symmetric: gptq takes NAME=VALUE with "),
      ("gptq:3,bits=4", "upstream option bits=4: gptq takes NAME=VALUE with "),
    ] {
      expectError(like: InferenceError.impossible(detail: rule), "\(text)") { try Upstream(text) }
    }
  }
}
