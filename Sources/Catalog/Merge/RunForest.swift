/// The runs of a file as paths of generations, with those that a merge once split brought back to the run they come
/// from.
///
/// A *root* is a run that a person began. Where copies of it went on differently, the tails form a tree over the
/// digests of their generations, and the layout of runs over that tree depends on nothing else: at every fork the child
/// with the smallest digest goes on in the same run, every other child begins a branch, whose UUID is made from the
/// root's and the path to it.
struct RunForest {
  /// A run of a file.
  struct Run {
    var id: Int64
    var uuid: String
    var name: String
    var originID: Int64?
    var originGeneration: Int64?
    /// Its generations: index and content digest, in order.
    var generations: [(index: Int64, digest: Digest)] = []
    /// UUID of the root.
    var root = ""
    /// From the root's first generation to its own last one.
    var path: [Step] = []

    /// The step that its path ends with; the root's own for a run without generations.
    var end: Digest { path.last?.chain ?? RunForest.chain(ofRoot: root) }
  }

  /// A generation on a path. `chain` is the digest of the whole path up to it.
  struct Step: Equatable {
    var index: Int64
    var digest: Digest
    var chain: Digest
  }

  /// By local id.
  private(set) var runs: [Int64: Run] = [:]

  /// No runs.
  init() {}

  /// - Parameters:
  ///   - list: all runs of a file.
  ///   - onDefect: gets branches that lead to nothing or in a circle, and generations that do not follow the one before;
  ///     what it does not throw is left out of the paths.
  init(_ list: [Run], onDefect: (RowDefect) throws -> Void) throws {
    for run in list { runs[run.id] = run }
    for run in list { try resolve(run.id, onDefect) }
  }

  /// Appends the generations of a file to its runs.
  static func readGenerations(of runs: inout [Int64: Run], from connection: Connection) throws {
    try connection.forEachRow(
      "SELECT run_id, generation_index, content_digest FROM generation ORDER BY run_id, generation_index"
    ) {
      runs[$0.integer("run_id")]?.generations.append(($0.integer("generation_index"), try $0.value("content_digest")))
    }
  }

  /// Runs that are not where their UUID says: what a merge splits it splits in one way only.
  var misplaced: [Run] {
    let resolved = runs.values.filter { !$0.root.isEmpty }.sorted { $0.id < $1.id }
    var trees: [String: RunTree] = [:]
    for run in resolved { trees[run.root, default: RunTree(root: run.root)].add(run.path) }
    let places = trees.mapValues { Set($0.layouts().map(\.uuid)) }
    return resolved.filter { places[$0.root]?.contains($0.uuid) != true }
  }

  /// The UUID of a branch that a merge makes: version 8 of RFC 9562, made from the root's and the path to its first
  /// generation.
  static func branchUUID(root: String, first: Digest) -> String {
    var bytes = Array(SHA256.digest(of: "evodb/run-branch/1\n\(root)\n\(first.hex)\n".utf8).bytes.prefix(16))
    bytes[6] = bytes[6] & 0x0f | 0x80
    bytes[8] = bytes[8] & 0x3f | 0x80
    let hex = Hexadecimal.string(bytes)
    func part(_ range: Range<Int>) -> Substring { hex.dropFirst(range.lowerBound).prefix(range.count) }
    return [part(0..<8), part(8..<12), part(12..<16), part(16..<20), part(20..<32)].joined(separator: "-")
  }

  static func isMergeBranch(_ uuid: String) -> Bool {
    uuid.utf8.count == 36 && Array(uuid.utf8)[14] == UInt8(ascii: "8")
  }

  static func chain(ofRoot uuid: String) -> Digest { SHA256.digest(of: "evodb/run-path/1\n\(uuid)\n".utf8) }

  /// The chain of the generation `index` on the path of a run; nil: it has none such.
  func chain(ofRun id: Int64, generation index: Int64?) -> Digest? {
    guard let index else { return nil }
    return runs[id]?.path.last { $0.index == index }?.chain
  }

  private mutating func resolve(_ id: Int64, depth: Int = 0, _ onDefect: (RowDefect) throws -> Void) throws {
    guard var run = runs[id], run.root.isEmpty else { return }
    var prefix: [Step] = []
    if Self.isMergeBranch(run.uuid) {
      // A chain of branches is at most as long as there are runs; a circle is longer.
      if let originID = run.originID, depth <= runs.count { try resolve(originID, depth: depth + 1, onDefect) }
      guard let origin = run.originID.flatMap({ runs[$0] }), !origin.root.isEmpty else {
        // Each run speaks for itself.
        guard depth == 0 else { return }
        return try onDefect(
          RowDefect(table: "run", row: run.name, detail: "a branch without its origin", key: [.integer(id)]))
      }
      run.root = origin.root
      prefix = run.originGeneration.map { last in origin.path.filter { $0.index <= last } } ?? []
    } else {
      run.root = run.uuid
    }
    var chain = prefix.last?.chain ?? Self.chain(ofRoot: run.root)
    var path = prefix
    for generation in run.generations {
      let next = path.last.map { $0.index + 1 } ?? 0
      guard generation.index == next else {
        try onDefect(
          RowDefect(
            table: "generation", row: "\(generation.index) of run \(run.name)",
            detail: "generation \(next) is missing before it", key: [.integer(id), .integer(generation.index)]))
        continue
      }
      chain = SHA256.digest(of: chain.bytes + generation.digest.bytes + Array("\(generation.index)".utf8))
      path.append(Step(index: generation.index, digest: generation.digest, chain: chain))
    }
    run.path = path
    runs[id] = run
  }
}

/// The tree of all copies of a root, and how its generations are laid out in runs.
struct RunTree {
  /// A run as it is to be.
  struct Layout {
    var uuid: String
    /// The branched-off run's UUID; nil for the root.
    var origin: String?
    var originGeneration: Int64?
    /// Its own generations in order.
    var steps: [RunForest.Step] = []
    /// The chain of the last of them, or of the root.
    var end: Digest
  }

  private let root: String
  private var children: [Digest: [RunForest.Step]] = [:]

  init(root: String) { self.root = root }

  mutating func add(_ path: [RunForest.Step]) {
    var place = RunForest.chain(ofRoot: root)
    for step in path {
      if !children[place, default: []].contains(step) { children[place, default: []].append(step) }
      place = step.chain
    }
  }

  /// The root first, branches after what they branch from.
  func layouts() -> [Layout] {
    let start = RunForest.chain(ofRoot: root)
    var waiting = [
      (layout: Layout(uuid: root, origin: nil, originGeneration: nil, end: start), first: RunForest.Step?.none)
    ]
    var result: [Layout] = []
    while !waiting.isEmpty {
      var (layout, first) = waiting.removeFirst()
      if let first {
        layout.steps.append(first)
        layout.end = first.chain
      }
      while let all = children[layout.end], !all.isEmpty {
        let sorted = all.sorted { ($0.digest, $0.index) < ($1.digest, $1.index) }
        for other in sorted.dropFirst() {
          let uuid = RunForest.branchUUID(root: root, first: other.chain)
          waiting.append(
            (
              Layout(
                uuid: uuid, origin: layout.uuid, originGeneration: layout.steps.last?.index ?? layout.originGeneration,
                end: other.chain), other
            ))
        }
        layout.steps.append(sorted[0])
        layout.end = sorted[0].chain
      }
      result.append(layout)
    }
    return result
  }
}
