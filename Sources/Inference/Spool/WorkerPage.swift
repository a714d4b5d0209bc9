import struct Catalog.Digest

/// A worker's page: that it lives, what it has in hand, and what it has answered. Only the worker writes it.
struct WorkerPage: Equatable {
  enum State: UInt8 {
    case waiting, working, leaving
  }

  /// A claimed piece.
  struct Piece: Hashable {
    var session: String
    var number: Int
    var attempt: Int
  }

  var identity: WorkerIdentity
  var beat = 0
  var state = State.waiting
  /// Claimed and not answered yet.
  var pieces: [Piece] = []
  /// Requests answered last, the newest last: listings may be old, and this page is not.
  var answered: [Digest] = []
  var answeredCount = 0
  var tokenCount = 0
  /// Milliseconds of all threads in computing.
  var busyMilliseconds = 0

  /// How many answers a page names.
  static let announcedCount = 64

  init(_ identity: WorkerIdentity) { self.identity = identity }

  var bytes: [UInt8] {
    var writer = ByteWriter(kind: "spool-worker")
    writer.append(identity)
    writer.append(bits: UInt64(beat))
    writer.append([state.rawValue])
    writer.append(list: pieces) { piece, writer in
      writer.append(text: piece.session)
      writer.append(piece.number)
      writer.append(piece.attempt)
    }
    writer.append(list: answered) { $1.append($0) }
    for count in [answeredCount, tokenCount, busyMilliseconds] { writer.append(bits: UInt64(count)) }
    return writer.bytes
  }

  init(bytes: [UInt8]) throws {
    var reader = try ByteReader(bytes, kind: "spool-worker")
    identity = try reader.identity()
    beat = try reader.long()
    let code = try reader.byte()
    guard let state = State(rawValue: code) else { throw reader.invalid("there is no state \(code)") }
    self.state = state
    pieces = try reader.list(elementSize: 12) {
      Piece(session: try $0.identifier(), number: try $0.integer(), attempt: try $0.integer())
    }
    answered = try reader.list(elementSize: 32) { try $0.digest() }
    answeredCount = try reader.long()
    tokenCount = try reader.long()
    busyMilliseconds = try reader.long()
    try reader.end()
  }
}
