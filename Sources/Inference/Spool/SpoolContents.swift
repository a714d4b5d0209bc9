import Foundation

import struct Catalog.Digest

/// What pieces name by content, out of a spool for a worker, and checked whenever it is read. Variants and states, which serve
/// many pieces, are copied to a disk of the worker's own once; streams and statistics are read where they are.
///
/// `@unchecked Sendable`: `lock` guards the states in memory; the rest is never changed.
final class SpoolContents: EvaluationContents, CompressionContents, @unchecked Sendable {
  private let folder: SpoolFolder
  /// A folder of this machine; nil: every reading goes to the spool.
  let scratch: String?
  private let hiddenSize: Int
  private let lock = NSLock()
  private var states: RecentlyUsed<Digest, Matrix>

  init(_ folder: SpoolFolder, scratch: String?, hiddenSize: Int, stateCapacity: Int) {
    self.folder = folder
    self.scratch = scratch
    self.hiddenSize = hiddenSize
    states = RecentlyUsed(capacity: stateCapacity)
  }

  func weights(_ key: Digest, of layer: LayerDescription) throws -> any WeightSource {
    guard let bytes = try bytes(SpoolContent(.variants, key)) else {
      throw InferenceError.refusedRequest(.unknownVariant(key))
    }
    let (rows, columns) = try WeightPacking.dimensions(bytes)
    guard (rows, columns) == (layer.outputCount, layer.inputCount) else {
      throw InferenceError.refusedRequest(
        .malformed("variant \(key.short) is \(rows) × \(columns), and no weights of \(layer.name)"))
    }
    return Variant(bytes: bytes)
  }

  private struct Variant: WeightSource {
    let bytes: [UInt8]

    func matrix() throws -> Matrix { try WeightPacking.unpack(bytes) }
    func packed(for arithmetic: Arithmetic) throws -> PackedWeights {
      try WeightPacking.packed(bytes, for: arithmetic)
    }
  }

  func teacherState(_ key: Digest) throws -> Matrix {
    if let known = lock.withLock({ states.value(key) }) { return known }
    guard let bytes = try bytes(SpoolContent(.states, key)), bytes.count % (4 * hiddenSize) == 0,
      let matrix = Matrix(
        rows: bytes.count / 4 / hiddenSize, columns: hiddenSize, littleEndianBytes: bytes)
    else { throw InferenceError.refusedRequest(.unknownTeacherState(key)) }
    lock.withLock { states.insert(matrix, byteCount: matrix.byteCount, for: key) }
    return matrix
  }

  func streamBytes(_ key: Digest) throws -> [UInt8] {
    guard let bytes = try bytes(SpoolContent(.streams, key)) else {
      throw InferenceError.refusedRequest(.unknownStream(key))
    }
    return bytes
  }

  func statisticBytes(_ key: Digest) throws -> [UInt8] {
    guard let bytes = try bytes(SpoolContent(.statistics, key)) else {
      throw InferenceError.refusedRequest(.unknownStatistic(key))
    }
    return bytes
  }

  /// The bytes of a content; nil if the spool does not have it.
  private func bytes(_ content: SpoolContent) throws -> [UInt8]? {
    let (place, key, kind) = (content.place, content.key, content.file)
    let isKept = place == .variants || place == .states
    let copy = isKept ? scratch.map { "\($0)/\(place.rawValue)/\(key.hex)" } : nil
    if let copy, let file = try? SpoolFolder.read(copy, as: [kind], isOurs: { $0.st_uid == geteuid() }), file.key == key
    {
      return file.content
    }
    guard let file = try folder.read(place, key.hex, as: kind) else { return nil }
    guard file.key == key else {
      throw InferenceError.invalidData(
        file: folder.path(place, key.hex), detail: "holds \(file.key.short), not what its name says")
    }
    if let copy { Self.keep(kind.sealed(file.content, digest: key), at: copy) }
    return file.content
  }

  /// Keeps a copy, if there is room; without it the next reading goes to the spool again.
  static func keep(_ bytes: [UInt8], at path: String) {
    let temporary = "\(path).tmp-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    guard (try? Data(bytes).write(to: URL(fileURLWithPath: temporary), options: .withoutOverwriting)) != nil else {
      unlink(temporary)
      return
    }
    if rename(temporary, path) != 0 { unlink(temporary) }
  }

  /// Makes this user's folder for copies below `parent`.
  ///
  /// - Throws: `InferenceError.notPermitted` if somebody else has made it; `.inputOutput`.
  static func prepareScratch(below parent: String) throws -> String {
    let folder = "\(AbsolutePath.url(parent).path)/evodb-\(geteuid())"
    for path in [folder] + [SpoolFolder.Place.variants, .states].map({ "\(folder)/\($0.rawValue)" }) {
      if mkdir(path, 0o700) != 0, errno != EEXIST { throw SpoolFolder.failure(path, "cannot be made", errno) }
      var status = stat()
      guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
        status.st_mode & (S_IWGRP | S_IWOTH) == 0
      else {
        throw InferenceError.notPermitted(path: path, detail: "is not a folder that this user alone may write to")
      }
    }
    return folder
  }
}
