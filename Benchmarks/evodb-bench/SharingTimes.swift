import Catalog
import Foundation
import Inference

/// Times of merging.
struct SharingTimes {
  private static let assignmentCount = 4000
  private static let sequenceCount = 250

  /// Section 9: a million evaluations from one file into another.
  static func section(_ example: ExampleCatalog) throws -> BenchSection {
    let digests = try example.offspring(assignmentCount).assignments.map(\.digest)
    let source = example.folder.appendingPathComponent("source.evodb").path
    let rowCount = try fill(source, from: example.path, Array(Set(digests)).sorted())
    let target = try CatalogStore(
      path: example.folder.appendingPathComponent("target.evodb").path, mode: .create, command: "bench")
    defer { target.close() }
    let merge = CatalogMerge(into: target)
    let (merging, report) = try Stopwatch.time { try merge.run([source]) }
    let again = try Stopwatch.time { _ = try merge.run([source]) }.seconds
    let (digesting, _) = try Stopwatch.time { try target.read { try $0.sharedDigest(includingProvenance: true) } }
    guard report.tables.contains(where: { $0.table == "observation" && $0.newCount >= rowCount }) else {
      throw InferenceError.impossible(detail: "the merge did not bring all rows")
    }
    return BenchSection(
      key: "merge", title: "9. Merging",
      words: """
        \(rowCount) evaluations of \(assignmentCount) assignments on \(sequenceCount) sequences: into an empty catalog with all \
        checks of an untrusted file, once more when all is there, and the digest of all shared rows.
        """,
      figures: [
        Figure("merge_seconds", "merging", merging, "s", digits: 1).aiming("< 20 s for 10^6"),
        Figure("again_seconds", "again", again, "s", digits: 1),
        Figure("digest_seconds", "digest", digesting, "s", digits: 1),
      ])
  }

  private static func fill(_ path: String, from example: String, _ digests: [Digest]) throws -> Int {
    let store = try CatalogStore(path: path, mode: .create, command: "bench")
    defer { store.close() }
    _ = try CatalogMerge(into: store).run([example])
    return try store.write { tx in
      let numerics = try tx.store(numerics: NumericsRecord(.float32))
      let job = try tx.beginJob(command: "bench", version: "bench", numericsID: numerics)
      let measure = try tx.store(measure: MeasureRecord(name: "kl", topK: nil, reference: "dense", revision: 99))
      let sequences = try (0..<sequenceCount).map { try tx.store(sequence: [Int32($0), 1, 2, 3]) }
      var count = 0
      for digest in digests {
        guard let assignment = try tx.assignment(digestPrefix: digest.hex) else { continue }
        for sequence in sequences {
          count += 1
          try tx.store(
            observation: Observation(sum: Double(count) * 1e-6, predictionCount: 3), assignmentID: assignment.id,
            measureID: measure.id, sequenceID: sequence.id, numericsID: numerics, jobID: job.id)
        }
      }
      return count
    }
  }
}
