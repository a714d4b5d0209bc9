import Catalog
import Foundation
import Inference
import Search

/// The result of a search and its reference: the lines of the view `run_result`.
struct RunReport {
  let run: RunRecord
  let recipe: SearchRecipe
  let lines: [RunResult]
  /// The name of the reference: `uniform 3`, or what the run began with if the target is no level.
  let referenceName: String
  /// Starts and offspring that the recipe asks for and that do not exist.
  let missing: (starts: Int, offspring: Int)
  /// The computations of this process; nil when a stored run is only shown.
  let work: JobRecord.Work?
  /// Sentences of the strategy itself.
  let notes: [String]
  /// Bytes of the file of each assignment that the lines are about; empty: the budget counts layers.
  private let fileByteCounts: [Digest: Int64]

  /// The report of a run that this process finished.
  init(_ run: Run, job: Job) throws {
    try self.init(run.record, store: job.store, work: job.record.work, notes: try run.notes())
  }

  /// The report of a stored run.
  init(_ run: RunRecord, store: CatalogStore, work: JobRecord.Work? = nil, notes: [String] = []) throws {
    self.run = run
    self.work = work
    self.notes = notes
    let recipe = try SearchRecipe(json: run.recipe)
    self.recipe = recipe
    measure = try Measure(recipe.measure)
    measureName = recipe.measure
    let other = Self.name(ofReferenceOf: run, recipe)
    let file = recipe.file
    (lines, referenceName, missing, fileByteCounts) = try store.read { tx in
      let setting = try run.referenceAssignmentID.flatMap { try tx.uniformSetting(ofAssignment: $0) }?.rule
      return (
        try tx.results(ofRun: run.name),
        setting.map { "uniform \($0.shortText)" } ?? other,
        try tx.missingOffspring(ofRun: run.id), try file.map { try Self.sizes(ofRun: run, $0.size, tx) } ?? [:]
      )
    }
  }

  /// The files of a run's assignments.
  private static func sizes(ofRun run: RunRecord, _ size: GGUFFileSize, _ tx: CatalogTransaction) throws
    -> [Digest: Int64]
  {
    guard let model = try tx.models().first(where: { $0.id == run.modelID }) else { return [:] }
    let ids = [run.denseAssignmentID, run.startAssignmentID, run.referenceAssignmentID, run.foundAssignmentID]
    let assignments = try Set(ids.compactMap { $0 }).sorted().map { try tx.assignment(id: $0) }
    return Dictionary(
      try assignments.map { ($0.digest, try size.fileByteCount(of: $0, model: model, tx: tx)) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The name of a reference that is no uniform assignment.
  private static func name(ofReferenceOf run: RunRecord, _ recipe: SearchRecipe) -> String {
    if run.referenceAssignmentID == run.startAssignmentID { return "start" }
    if recipe.initial.hasPrefix("random") || recipe.cost == .subblocks { return "best random" }
    return recipe.initial.isEmpty ? "nearly uniform" : "given start"
  }

  private var strategyName: RunStrategyName? { RunStrategyName(rawValue: run.strategy) }

  /// The run's measure.
  private let measure: Measure
  /// Its label, which names the arithmetic too.
  private let measureName: String
  /// That of perplexity in the same arithmetic.
  private var perplexityName: String { Measure.perplexity.label(in: Arithmetic(measureLabel: measureName) ?? .float32) }

  private func line(_ point: RunPoint, _ role: DataSetRole, _ measure: String) -> RunResult? {
    lines.first { $0.point == point && $0.role == role && $0.measure == measure }
  }

  /// Where the result is judged: held-out data if there is any.
  private var judgedRole: DataSetRole { lines.contains { $0.role == .validation } ? .validation : .calibration }

  func print(as format: OutputFormat, in context: CommandContext) throws {
    guard format == .table else { return try context.print(result, as: format) }
    try context.print(table, as: .table)
    for sentence in sentences { try context.output.write(sentence + "\n") }
  }

  /// Named numbers: those of the found assignment without prefix, on held-out data if there is any.
  private var result: ResultObject {
    var result = ResultObject()
    result.add("run", .text(run.name))
    if let island = recipe.island {
      result.add("island", .integer(island.number), .count)
      result.add("islands", .integer(island.count), .count)
    }
    result.add("state", .text(run.isFinished ? "finished" : "open"))
    result.add("recommendation", .text(run.recommendation?.rawValue))
    let points: [(prefix: String, point: RunPoint)] = [
      ("", .found), ("reference_", .reference), ("start_", .start), ("dense_", .dense),
    ]
    for (prefix, point) in points {
      let any = lines.first { $0.point == point }
      result.add("\(prefix)assignment", .text(any?.assignment.hex))
      result.add("\(prefix)average_bits", .real(any?.averageBits), .bits)
      result.add("\(prefix)average_stored_bits", .real(any?.averageStoredBits), .bits)
      result.add("\(prefix)stored_bytes", any.map { .integer($0.storedByteCount) } ?? .null, .bytes)
      if recipe.file != nil {
        result.add(
          "\(prefix)file_bytes", any.flatMap { fileByteCounts[$0.assignment] }.map { .integer($0) } ?? .null, .bytes)
      }
      result.add("\(prefix)sparsity", .real(any?.sparsity), .real(significantDigits: 4))
      result.add("\(prefix)dropped_subblock_count", any.map { .integer($0.droppedSubblockCount) } ?? .null, .count)
      for (suffix, role) in [("", judgedRole), ("_calibration", DataSetRole.calibration)]
      where role != judgedRole || suffix.isEmpty {
        for measure in Set([measureName, perplexityName]).sorted() {
          let bare = measure == perplexityName ? Measure.perplexity : self.measure
          let name = prefix + bare.name.replacing("-", with: "_")
          let line = line(point, role, measure)
          result.add("\(name)\(suffix)", .real(line?.value), .real(significantDigits: 6))
          result.add("\(name)_standard_error\(suffix)", .real(line?.standardError), .real(significantDigits: 3))
          if point == .found || point == .start {
            result.add("\(name)_difference\(suffix)", .real(line?.difference), .real(significantDigits: 6))
            result.add(
              "\(name)_difference_standard_error\(suffix)", .real(line?.differenceStandardError),
              .real(significantDigits: 3))
          }
        }
      }
    }
    if let work {
      result.add("forward_tokens", .integer(work.forwardTokenCount), .count)
      result.add("forward_block_tokens", .integer(work.forwardBlockTokenCount), .count)
      result.add("evaluations", .integer(work.evaluationCount), .count)
      result.add("cache_hits", .integer(work.cacheHitCount), .count)
    }
    return result
  }

  private var table: ResultTable {
    let label = measureName
    let (showsBits, showsSparsity, showsDrops) = shownSizes
    var columns = [ResultColumn("data"), ResultColumn("assignment")]
    if showsBits { columns.append(ResultColumn("bits", .bits)) }
    if showsSparsity { columns.append(ResultColumn("sparsity", .real(significantDigits: 4))) }
    if showsDrops { columns.append(ResultColumn("dropped", .count)) }
    columns.append(ResultColumn("stored", .bytes))
    if recipe.file != nil { columns.append(ResultColumn("file", .bytes)) }
    if label != perplexityName {
      columns += [
        ResultColumn(label, .real(significantDigits: 4)), ResultColumn("±", .real(significantDigits: 2)),
        ResultColumn("− reference", .real(significantDigits: 3)), ResultColumn("± ", .real(significantDigits: 2)),
      ]
    }
    columns += [
      ResultColumn("perplexity", .real(significantDigits: 5)), ResultColumn(" ±", .real(significantDigits: 3)),
    ]
    var table = ResultTable(columns)
    let points = RunPoint.allCases.filter(isShown)
    for role in [DataSetRole.calibration, .validation] {
      for point in points {
        guard let perplexity = line(point, role, perplexityName) else { continue }
        var row: [ResultValue] = [
          .text(role.rawValue),
          .text(point == .reference ? referenceName : point == .found && recipe.isInverted ? "worst" : point.rawValue),
        ]
        if showsBits { row.append(.real(perplexity.averageBits)) }
        if showsSparsity { row.append(.real(perplexity.sparsity ?? 0)) }
        if showsDrops { row.append(.integer(perplexity.droppedSubblockCount)) }
        row.append(.integer(perplexity.storedByteCount))
        if recipe.file != nil { row.append(fileByteCounts[perplexity.assignment].map { .integer($0) } ?? .null) }
        if label != perplexityName {
          let line = line(point, role, label)
          let isCompared = point == .found || point == .start
          row += [
            .real(line?.value), .real(line?.standardError), .real(isCompared ? line?.difference : nil),
            .real(isCompared ? line?.differenceStandardError : nil),
          ]
        }
        table.append(row + [.real(perplexity.value), .real(perplexity.standardError)])
      }
    }
    return table
  }

  /// Whether a point is a line of its own: a baseline has no start, and often nothing to be compared with.
  private func isShown(_ point: RunPoint) -> Bool {
    let isBaseline = strategyName?.isSearch != true
    switch point {
    case .start: return !isBaseline && run.startAssignmentID != run.referenceAssignmentID
    case .reference: return !isBaseline || run.referenceAssignmentID != run.foundAssignmentID
    default: return true
    }
  }

  /// Which figures tell assignments of this run apart: bits, sparsity, removed subblocks.
  private var shownSizes: (bits: Bool, sparsity: Bool, drops: Bool) {
    let sparse = lines.contains { $0.sparsity != nil }
    let drops = recipe.cost == .subblocks || recipe.allowsDrop
    return (recipe.cost == .codes || recipe.cost == .stored, recipe.cost == .weights || sparse, drops)
  }

  /// Sentences about candidates that were asked for and do not exist.
  private var missingSentences: [String] {
    var sentences: [String] = []
    if missing.starts > 0 {
      sentences.append(
        "\(HumanFormat.count(Int64(missing.starts))) of the random starts asked for do not exist: all there are were tried."
      )
    }
    if missing.offspring > 0 {
      sentences.append(
        "\(HumanFormat.count(Int64(missing.offspring))) of the offspring asked for do not exist: their generations went on with all there are."
      )
    }
    return sentences
  }

  /// The run's place among searches that exchange parents.
  private var islandSentences: [String] {
    guard let island = recipe.island else { return [] }
    return [
      "\(run.name) is island \(island.number) of \(island.count): every \(island.exchangeInterval) generations it looks at the "
        + "parent of island \(island.neighbour)."
    ]
  }

  /// The result of a search for the worst, in words.
  private func worstSentence(_ found: RunResult, _ reference: RunResult, _ difference: Double, _ certainty: String)
    -> String
  {
    let share = HumanFormat.percent(abs(difference) / reference.value)
    return found.assignment == reference.assignment
      ? "Found nothing worse than \(referenceName)."
      : "Found the worst, \(found.assignment.short): \(judgedRole.rawValue) \(measureName) \(share) \(difference < 0 ? "below" : "above") "
        + "\(referenceName) (\(certainty)). It shows what to keep; it is not for use."
  }

  /// The result of a baseline, in words.
  private func baselineSentence(_ found: RunResult, _ reference: RunResult, _ difference: Double, _ certainty: String)
    -> String
  {
    let chosen = "\(run.strategy) chose \(found.assignment.short)"
    guard found.assignment != reference.assignment else {
      return
        "\(chosen): \(judgedRole.rawValue) \(measureName) \(HumanFormat.number(found.value, significantDigits: 4))."
    }
    return "\(chosen): \(judgedRole.rawValue) \(measureName) \(HumanFormat.percent(abs(difference) / reference.value)) "
      + "\(difference < 0 ? "below" : "above") \(referenceName) (\(certainty))."
  }

  /// How many standard errors a difference is away from 0; over one sequence there are none.
  private func certainty(_ difference: Double, _ error: Double?) -> String {
    guard let error else { return "no standard error over one sequence" }
    let count = difference == 0 ? "0.0" : error > 0 ? HumanFormat.number(abs(difference) / error, decimals: 1) : "many"
    return "\(count) standard errors of the paired difference"
  }

  /// Why there are no standard errors, where there are none.
  private var oneSequenceSentences: [String] {
    [DataSetRole.calibration, .validation].compactMap { role in
      guard let line = lines.first(where: { $0.role == role }), line.standardError == nil else { return nil }
      return
        "The \(role.rawValue) data \(line.dataSet) are one sequence, listed once or more: no standard error can be told from it, and "
        + "differences may be chance. Use data of at least two different sequences."
    }
  }

  /// The result in words.
  private var sentences: [String] {
    var sentences = islandSentences + missingSentences + notes
    if let found = line(.found, judgedRole, measureName), let reference = line(.reference, judgedRole, measureName),
      let difference = found.difference
    {
      let share = HumanFormat.percent(abs(difference) / reference.value)
      let certainty = certainty(difference, found.differenceStandardError)
      if strategyName?.isSearch != true {
        sentences.append(baselineSentence(found, reference, difference, certainty))
      } else if recipe.isInverted {
        sentences.append(worstSentence(found, reference, difference, certainty))
      } else if found.assignment == reference.assignment {
        sentences.append(
          "Found nothing better than \(referenceName). Recommended: \(referenceName) \(reference.assignment.short).")
      } else if run.recommendation == .found {
        sentences.append(
          "Found \(found.assignment.short): \(judgedRole.rawValue) \(measureName) \(share) below \(referenceName) "
            + "(\(certainty)). Recommended.")
      } else {
        sentences.append(
          "Found \(found.assignment.short): \(judgedRole.rawValue) \(measureName) not below \(referenceName) "
            + "(\(share) above, \(certainty)). Recommended: \(referenceName) \(reference.assignment.short)."
        )
      }
    }
    sentences += oneSequenceSentences
    if let work {
      sentences.append(
        work.forwardTokenCount == 0
          ? "No forward pass: everything was in the catalog (\(HumanFormat.count(Int64(work.cacheHitCount))) cache hits)."
          : "Computed \(HumanFormat.count(Int64(work.forwardTokenCount))) forward tokens, "
            + "\(HumanFormat.count(Int64(work.evaluationCount))) evaluations; "
            + "\(HumanFormat.count(Int64(work.cacheHitCount))) came from the catalog.")
    }
    return sentences
  }
}
