import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Calibrations and builds that are divided: whoever computes, the rows are the same, and a wrong answer is found.
@Suite(.usualTimeLimit) struct SpoolCompressionTests {
  /// How long a test asks again until a worker has answered, which comes late on a busy machine.
  private static let patience = Duration.seconds(300)

  /// A build, and how earlier blocks are treated.
  enum Work: CaseIterable {
    case gptq, sparsegpt, wanda, roundToNearest, kquant, calibration

    func plan(_ catalog: TestCatalog) throws -> CompressionPlan {
      let data = try catalog.store.read { try $0.dataSet(nil) }
      func plan(_ method: any MethodDefinition.Type, _ upstream: Upstream, _ rules: [LevelRule]) -> CompressionPlan {
        CompressionPlan(
          data: data, upstream: upstream, keeps: .all, calibrates: false, method: CompressionMethod(method),
          rules: rules)
      }
      switch self {
      case .gptq: return plan(GPTQMethod.self, .standard, [.bits(2), .bits(3), .bits(4)])
      case .sparsegpt:
        return plan(
          SparseGPTMethod.self, .dense,
          [.sparsity(0.3), .sparsity(0.6), .pattern(try SparsityPattern(keeping: 2, of: 4))])
      case .wanda: return plan(WandaMethod.self, .dense, [.sparsity(0.5)])
      case .roundToNearest: return plan(RoundToNearestMethod.self, .dense, [.bits(2), .bits(3), .bits(8)])
      case .kquant: return plan(KQuantGPTQMethod.self, .standard, [.type("Q8_0"), .type("Q4_0")])
      case .calibration:
        return CompressionPlan(data: data, upstream: .dense, keeps: .all, calibrates: true, method: nil, rules: [])
      }
    }
  }

  private static func prepared() throws -> TestCatalog {
    let catalog = try TestCatalog(threadCount: 1)
    try catalog.importModel()
    try catalog.storeTokens(sequenceCount: 12)
    return catalog
  }

  /// What a catalog holds, and what it took.
  private struct Found: Equatable {
    var variants: [String]
    var figures: [String]
    var statistics: [String]
    var tokenCounts: [Int]

    init(_ catalog: TestCatalog) throws {
      variants = try catalog.variants()
      figures = try catalog.texts(
        """
        SELECT hex(content_key) || level || coalesce(bits, '') || coalesce(sparsity, '') || coalesce(nmse, '') || code_bits
          || coalesce(damping_used, '') || dead_input_count || coalesce(trouble, '') || hex(coalesce(statistic_recipe_key, ''))
        FROM variant ORDER BY 1
        """)
      statistics = try catalog.statistics()
      let work = catalog.job.record.work
      tokenCounts = [work.forwardTokenCount, work.forwardBlockTokenCount]
    }
  }

  private static func alone(_ work: Work) throws -> Found {
    let catalog = try prepared()
    _ = try CompressionJob(try work.plan(catalog), model: try catalog.open(), job: catalog.job).run()
    return try Found(catalog)
  }

  @discardableResult
  private func run(_ work: Work, _ catalog: TestCatalog, _ spool: CompressionSpool) throws -> CompressionJob.Outcome {
    try CompressionJob(
      try work.plan(catalog), model: spool.model, job: catalog.job, coordinator: spool.coordinator
    ).run()
  }

  @Test(arguments: Work.allCases, [0, 2]) func rowsAndTokensAreThoseOfThreadsAlone(_ work: Work, _ workerCount: Int)
    throws
  {
    let expected = try Self.alone(work)
    let start = ContinuousClock.now
    var remoteCount = 0
    repeat {
      let catalog = try Self.prepared()
      let spool = try CompressionSpool(catalog, workerCount: workerCount)
      try run(work, catalog, spool)
      #expect(try Found(catalog) == expected)
      #expect(spool.notes.isEmpty, "\(spool.notes)")
      remoteCount = spool.coordinator.summary.remoteCount
      if remoteCount > 0 {
        let rows = try catalog.texts("SELECT host_name FROM job WHERE command = 'worker'")
        #expect(!rows.isEmpty && rows.allSatisfy { $0 == SpoolFolder.hostName })
      }
      spool.coordinator.close(isDone: true)
      for place in ["requests", "streams", "statistics"] {
        let left = try FileManager.default.contentsOfDirectory(atPath: "\(spool.path)/\(place)")
        #expect(left.isEmpty, "\(place): \(left)")
      }
    } while workerCount > 0 && remoteCount == 0 && start.duration(to: .now) < Self.patience
    #expect((remoteCount > 0) == (workerCount > 0))
  }

  @Test(arguments: [true, false]) func aWorkerThatIsAlwaysWrongIsFoundBeforeAnyOfItsAnswersCounts(_ ofPasses: Bool)
    throws
  {
    // Of one kind, so that its first answer is a lie.
    let work = ofPasses ? Work.calibration : .roundToNearest
    let expected = try Self.alone(work)
    var lies = CompressionSpool.Lies()
    if ofPasses {
      lies.pass = { number, answer in
        guard number == 0 else { return answer }
        let lie = answer.inputs.first ?? answer.stream
        lie?[0, 0] = (lie?[0, 0] ?? 0).nextUp
        return answer
      }
    } else {
      lies.build = { number, answer in
        guard number == 0 else { return answer }
        var lie = answer
        lie.products[0].packed[lie.products[0].packed.count - 1] ^= 1
        return lie
      }
    }
    let start = ContinuousClock.now
    var notes: [String] = []
    while !notes.contains(where: { $0.contains("computed other bits") }), start.duration(to: .now) < Self.patience {
      let catalog = try Self.prepared()
      let spool = try CompressionSpool(catalog, workerCount: 2, lies: lies)
      try run(work, catalog, spool)
      #expect(try Found(catalog) == expected)
      notes += spool.notes
    }
    #expect(notes.contains { $0.contains("computed other bits") }, "\(notes)")
  }

  @Test(arguments: [true, false]) func whatRestsOnAWorkerThatBecomesWrongIsTakenBack(_ ofPasses: Bool) throws {
    let expected = try Self.alone(.gptq)
    var settings = SpoolBench.settings
    settings.auditInterval = 3
    let start = ContinuousClock.now
    var isFound = false
    while !isFound, start.duration(to: .now) < Self.patience {
      let count = SharedCounter()
      var lies = CompressionSpool.Lies()
      if ofPasses {
        lies.pass = { _, answer in
          if count.next() > 4 { (answer.inputs.first ?? answer.stream)?[0, 0] += 1 }
          return answer
        }
      } else {
        lies.build = { _, answer in
          var lie = answer
          if count.next() > 2 { lie.products[0].packed[lie.products[0].packed.count - 1] ^= 1 }
          return lie
        }
      }
      let catalog = try Self.prepared()
      do {
        let spool = try CompressionSpool(catalog, workerCount: 1, settings: settings, lies: lies)
        try run(.gptq, catalog, spool)
      } catch InferenceError.wrongWorker(let worker, let detail) {
        isFound = true
        #expect(worker.version == "test" && detail.contains("taken back"))
        // What is left is right, and the same again makes the rest.
        let left = try Found(catalog)
        #expect(Set(left.variants).isSubset(of: expected.variants) && left.variants.count < expected.variants.count)
        #expect(Set(left.statistics).isSubset(of: expected.statistics))
        _ = try CompressionJob(try Work.gptq.plan(catalog), model: try catalog.open(), job: catalog.job).run()
        let whole = try Found(catalog)
        #expect(whole.variants == expected.variants && whole.figures == expected.figures)
        #expect(whole.statistics == expected.statistics)
      }
    }
    #expect(isFound)
  }

  @Test func damagedContentIsNotComputedWithAndMadeAgain() throws {
    let expected = try Self.alone(.gptq)
    let start = ContinuousClock.now
    var isNamed = false
    while !isNamed, start.duration(to: .now) < Self.patience {
      let catalog = try Self.prepared()
      let sequences = try catalog.sequences(try catalog.store.read { try $0.dataSet(nil) })
      let spool = try CompressionSpool(catalog, workerCount: 2) { folder, model in
        // As long as they should be, and other bytes.
        for sequence in sequences {
          let bytes = model.network.embed(sequence.tokenIDs).littleEndianBytes
          var file = SpoolFile.stream.sealed(bytes)
          file[file.count / 2] ^= 0xff
          try folder.write(file, .streams, SHA256.digest(of: bytes).hex)
        }
      }
      try run(.gptq, catalog, spool)
      #expect(try Found(catalog) == expected)
      isNamed = spool.notes.contains { $0.contains("refuses a piece") && $0.contains("is damaged") }
    }
    #expect(isNamed)
  }

  // MARK: Answers that do not fit

  /// What an answer says that its request does not.
  enum PassLie: CaseIterable {
    case otherRequest, otherNumerics, noStream, shortStream, wideStream, missingInput, otherInput
  }

  private static func pass() throws -> (request: BlockPassRequest, answer: BlockPassAnswer, network: any LanguageModel)
  {
    let golden = try GoldenModel()
    let model = EvaluatedModel(
      digest: SHA256.digest(of: "tiny".utf8), architectureRevision: 1, numerics: NumericsRecord(.float32).digest)
    let request = BlockPassRequest(
      model: model, blockIndex: 1, choices: Array(repeating: .dense, count: 7), rowCount: 3,
      stream: SHA256.digest(of: "stream".utf8), wantsInputs: true, wantsStream: true)
    let sites = golden.model.sites.filter { $0.blockIndex == 1 }
    let answer = BlockPassAnswer(
      request: request.key, numerics: model.numerics, stream: Matrix(rows: 3, columns: golden.model.hiddenSize),
      inputs: sites.map { Matrix(rows: 3, columns: $0.width) })
    return (request, answer, golden.model)
  }

  @Test(arguments: PassLie.allCases) func aStreamThatDoesNotFitIsNotTaken(_ lie: PassLie) throws {
    let (request, honest, network) = try Self.pass()
    try honest.check(request, of: network)
    var answer = honest
    switch lie {
    case .otherRequest: answer.request = SHA256.digest(of: "another".utf8)
    case .otherNumerics: answer.numerics = SHA256.digest(of: "another".utf8)
    case .noStream: answer.stream = nil
    case .shortStream: answer.stream = Matrix(rows: 2, columns: network.hiddenSize)
    case .wideStream: answer.stream = Matrix(rows: 3, columns: network.hiddenSize + 1)
    case .missingInput: answer.inputs.removeLast()
    case .otherInput: answer.inputs[3] = Matrix(rows: 3, columns: 1)
    }
    expectError(like: InferenceError.wrongAnswer(detail: "")) { try answer.check(request, of: network) }
  }

  enum BuildLie: CaseIterable {
    case otherRequest, otherNumerics, missingVariant, tooShort, tooLong, notPacked, otherShape, swappedLevels
    case negativeError, errorWithoutHessian, tooManyDeadInputs, negativeSize, impossibleDamping
  }

  private static func build(_ hasMatrix: Bool = true) throws -> (
    request: LayerBuildRequest, answer: LayerBuildAnswer, layer: LayerDescription
  ) {
    let golden = try GoldenModel()
    let layer = golden.model.layers[6]
    let model = EvaluatedModel(
      digest: SHA256.digest(of: "tiny".utf8), architectureRevision: 1, numerics: NumericsRecord(.float32).digest)
    let random = RandomLayer(rows: layer.outputCount, columns: layer.inputCount)
    let variants = [3, 4].map {
      LayerBuildRequest.Variant(method: CompressionMethod(RoundToNearestMethod.self), level: .bits($0))
    }
    let request = LayerBuildRequest(
      model: model, layerIndex: 6,
      statistic: hasMatrix ? .matrix(SHA256.digest(of: LowerTriangle.bytes(of: random.hessian))) : .none,
      variants: variants)
    let compression = LayerCompression(
      weight: random.weight, name: layer.name, siteName: "site", modelName: "tiny",
      type: LayerType(valueType: .float32, denseBits: 32),
      statistic: hasMatrix ? LayerStatistic(hessian: random.hessian) : nil, factors: FactorCache(), arithmetic: .float32
    )
    let products = try variants.map { try compression.product($0.method, at: $0.level) }
    return (request, LayerBuildAnswer(request: request.key, numerics: model.numerics, products: products), layer)
  }

  @Test(arguments: BuildLie.allCases) func aVariantThatDoesNotFitIsNotTaken(_ lie: BuildLie) throws {
    let (request, honest, layer) = try Self.build(lie != .errorWithoutHessian)
    try honest.check(request, of: layer, denseBits: 32)
    var answer = honest
    switch lie {
    case .otherRequest: answer.request = SHA256.digest(of: "another".utf8)
    case .otherNumerics: answer.numerics = SHA256.digest(of: "another".utf8)
    case .missingVariant: answer.products.removeLast()
    case .tooShort: answer.products[1].packed.removeLast()
    case .tooLong: answer.products[1].packed.append(0)
    case .notPacked: answer.products[0].packed = Array(repeating: 7, count: answer.products[0].packed.count)
    case .otherShape:
      answer.products[0].packed[8] += 1
      answer.products[0].packed[12] -= 1
    case .swappedLevels: answer.products.reverse()
    case .negativeError: answer.products[0].nmse = -1
    case .errorWithoutHessian: answer.products[0].nmse = 0.5
    case .tooManyDeadInputs: answer.products[0].deadInputCount = layer.inputCount + 1
    case .negativeSize: answer.products[0].codeBits = -1
    case .impossibleDamping: answer.products[0].dampingUsed = .infinity
    }
    expectError(like: InferenceError.wrongAnswer(detail: "")) {
      try answer.check(request, of: layer, denseBits: 32)
    }
  }

  // MARK: Bytes

  @Test func requestsAndAnswersAreReadAsTheyWereWritten() throws {
    let pass = try Self.pass()
    #expect(try BlockPassRequest(bytes: pass.request.bytes) == pass.request)
    let mixed = BlockPassRequest(
      model: pass.request.model, blockIndex: 0, choices: [.dense, .variant(pass.request.key)], rowCount: 1,
      stream: pass.request.stream, wantsInputs: false, wantsStream: true)
    #expect(try BlockPassRequest(bytes: mixed.bytes) == mixed)
    let read = try BlockPassAnswer(bytes: pass.answer.bytes)
    #expect(read.bytes == pass.answer.bytes && read.inputs.count == 4)

    var gptq = CompressionMethod(GPTQMethod.self)
    gptq.values[.symmetric] = .flag(true)
    gptq.values[.quantizationGroupSize] = .integer(64)
    gptq.values[.dampingFraction] = .real(0.05)
    gptq.values[.scaleType] = .word("float32")
    let build = try Self.build()
    let several = LayerBuildRequest(
      model: build.request.model, layerIndex: 2, statistic: .diagonal(build.request.key),
      variants: build.request.variants + [.init(method: gptq, level: .bits(2))])
    for request in [build.request, several] { #expect(try LayerBuildRequest(bytes: request.bytes) == request) }
    let answer = try LayerBuildAnswer(bytes: build.answer.bytes)
    #expect(answer.products == build.answer.products && answer.request == build.answer.request)

    // No prefix of any is one.
    for count in 0..<several.bytes.count {
      expectError(like: InferenceError.invalidData(file: "", detail: "")) {
        try LayerBuildRequest(bytes: Array(several.bytes.prefix(count)))
      }
    }
    for count in 0..<mixed.bytes.count {
      expectError(like: InferenceError.invalidData(file: "", detail: "")) {
        try BlockPassRequest(bytes: Array(mixed.bytes.prefix(count)))
      }
    }
    var (stream, product) = (pass.answer.bytes, build.answer.bytes)
    stream[stream.count / 2] ^= 1
    product[product.count / 2] ^= 1
    let damaged = InferenceError.invalidData(file: "", detail: "its bytes are damaged")
    expectError(like: damaged) { try BlockPassAnswer(bytes: stream) }
    expectError(like: damaged) { try LayerBuildAnswer(bytes: product) }
  }
}
