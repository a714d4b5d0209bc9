import Foundation
import Inference

/// The whole benchmark.
struct Bench {
  let options: BenchOptions
  private var threadCount: Int { options.threadCount }

  init(_ options: BenchOptions) { self.options = options }

  /// Measures and prints all wanted sections.
  func run() throws {
    let large = LargeRun(options: options, threadCount: threadCount)
    if let step = options.largeStep { return try large.run(step) }
    var report = BenchReport(isJSON: options.isJSON)
    let blas = BLAS.identity
    report.note(
      """
      evodb-bench: \(threadCount) threads, \(Processor.name), \(KernelSet.current.rawValue) kernels, beside \(blas.version) with its \(blas.core) \
      kernels, \(options.example). Times are \
      those of this machine at this moment: whatever else runs on it makes them longer, so kernels are the best, \
      evaluations the best or the median of several runs.
      """)
    if options.isLarge {
      report.add(try large.section())
      return try report.finish()
    }
    let wanted = Set(options.sections)
    let needsPeaks = !wanted.isDisjoint(with: [.peak, .forward])
    let peaks = needsPeaks ? options.arithmetics.map { ProductPeak.measure($0, threadCount: threadCount) } : []
    if wanted.contains(.peak), !wanted.contains(.forward) { report.add(ProductPeak.section(peaks)) }
    let needsExample: Set<BenchOptions.Section> = [
      .compression, .forward, .fitness, .scaling, .rounding, .cache, .search, .catalog, .merge,
    ]
    if !wanted.isDisjoint(with: needsExample) {
      try measureExample(wanted, peaks: peaks, &report)
    }
    if wanted.contains(.shapecompression) { report.add(try ShapeCompression.section(options)) }
    if wanted.contains(.shapes) {
      report.add(try ShapeFitness.small.section(options))
    }
    if wanted.contains(.largeshapes) { report.add(try ShapeFitness.large.section(options)) }
    if wanted.contains(.proposals) { report.add(try ProposalTimes.section()) }
    if wanted.contains(.kernels) { report.add(try KernelTimes.section()) }
    if wanted.contains(.products) { report.add(ProductSpeed.section()) }
    if wanted.contains(.factors) { report.add(try CompressionSpeed.section()) }
    if wanted.contains(.tokenizers) { report.add(try TokenizerTimes.section(example: options.example)) }
    if wanted.contains(.million) { report.add(try MillionEvaluations.section()) }
    if wanted.contains(.blocks) { report.add(try BlockTimes.section(runsReference: options.runsReference)) }
    if wanted.contains(.cluster) { try measureCluster(&report) }
    try report.finish()
  }

  private func measureCluster(_ report: inout BenchReport) throws {
    let example = try ExampleCatalog(example: options.example, threadCount: 1)
    defer { example.remove() }
    try example.build()
    report.add(try ClusterTimes.passing(in: example.folder))
    report.add(try ClusterTimes.workers(example))
    let rate = try ClusterTimes.operationsPerSecond(example)
    for shape in ClusterSimulation.Shape.all {
      report.add(ClusterSimulation(shape, operationsPerSecond: rate).section())
    }
  }

  private func measureExample(
    _ wanted: Set<BenchOptions.Section>, peaks: [ProductPeak], _ report: inout BenchReport
  ) throws {
    let example = try ExampleCatalog(example: options.example, threadCount: threadCount)
    defer { example.remove() }
    // Everything that follows needs the levels; building them is a section itself, printed in its place.
    let compression =
      wanted.contains(.compression) ? try CompressionTimes.section(example, runsReference: options.runsReference) : nil
    if compression == nil { try example.build() }
    let offspring = try example.offspring(16)
    if wanted.contains(.forward) {
      let (peaks, section) = try CandidateEvaluation.forwardSection(
        try peaks.map { peak in
          (
            try CandidateEvaluation(
              example: example, offspring.assignments, peak.arithmetic,
              sequenceCount: peak.arithmetic == .bfloat16 ? 8 : 2), peak
          )
        })
      report.add(ProductPeak.section(peaks))
      report.add(section)
    }
    if wanted.contains(.fitness) {
      let evaluations = try options.arithmetics.map {
        ($0, try CandidateEvaluation(example: example, offspring.assignments, $0, sequenceCount: 8))
      }
      let section = try CandidateEvaluation.fitnessSection(
        key: "fitness", title: "3. Tokens per second of KL fitness", evaluations, threadCount: threadCount,
        changedLayers: offspring.changedLayers
      ) {
        let measured =
          options.runsReference
          ? ReferenceFitness.measured(
            model: example.modelFolder, layers: example.model.network.layers.map(\.name),
            sequences: evaluations[0].1.sequences, candidates: offspring.bits, temporaryFolder: example.folder) : nil
        return measured ?? .recorded
      }
      report.add(section)
    }
    if wanted.contains(.scaling) {
      let evaluation = try CandidateEvaluation(example: example, offspring.assignments, .float32, sequenceCount: 2)
      let layers = evaluation.model.layers
      let candidates = try example.offspring(128).bits.map { bits in
        (0..<evaluation.model.blockCount).map { block in
          layers.filter { $0.subblock.blockIndex == block }.map { bits[$0.index] }
        }
      }
      let simulation = try ScalingSimulation(evaluation)
      for length in [ExampleCatalog.sequenceLength, 2048] {
        let alone = try CandidateEvaluation(example: example, offspring.assignments[0], .float32, tokenCount: length)
        report.add(try simulation.section(candidates: candidates, alone: alone))
      }
    }
    if wanted.contains(.rounding) {
      report.add(try RoundingError.section(example, runsReference: options.runsReference))
    }
    if let compression { report.add(compression) }
    if wanted.contains(.cache) { report.add(try CatalogTimes.cacheSection(example, offspring)) }
    if wanted.contains(.search) { report.add(try CatalogTimes.searchSection(example)) }
    if wanted.contains(.merge) { report.add(try SharingTimes.section(example)) }
    // The last: what it stores is invented.
    if wanted.contains(.catalog) { report.add(try CatalogTimes.costlessSection(example)) }
  }
}
