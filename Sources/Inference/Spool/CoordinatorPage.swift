import struct Catalog.Digest

/// A coordinator's page: what it computes with, and which pieces are to be had. Only the coordinator writes it, under the
/// same name again and again; whoever opens it has it whole.
struct CoordinatorPage: Equatable {
  /// How the work stands.
  enum State: UInt8 {
    /// Under way.
    case open
    /// Stopped; somebody may go on.
    case paused
    /// Done.
    case ended
  }

  /// What pieces ask for; workers plan their memory for it.
  enum Purpose: UInt8 {
    /// Evaluations of assignments.
    case evaluation
    /// Calibrations and builds.
    case compression
  }

  /// A piece that is to be had.
  struct Offer: Equatable {
    /// Its number in the session.
    var number: Int
    /// How many times it was offered before.
    var attempt: Int
    /// The request's key, which is the name of its file.
    var key: Digest
    /// Whether somebody has it already, as far as the coordinator knows.
    var isClaimed: Bool
    /// The worker whose answer is to be checked; it shall not take the piece. Empty: none.
    var excluded: String

    /// The name of its claim.
    func claimName(_ session: String) -> String { "\(session).\(number).\(attempt)" }
  }

  var session: String
  /// Goes up while the coordinator lives.
  var beat = 0
  var state = State.open
  var purpose = Purpose.evaluation
  var model: EvaluatedModel
  /// Name of the arithmetic.
  var arithmetic: String
  /// The model's folder, as the coordinator sees it.
  var folder: String
  /// In tokens.
  var longestSequence: Int
  /// Which catalog the results are for: two sessions of one never live at once.
  var catalog: Digest
  var coordinator: WorkerIdentity
  /// Pieces answered so far.
  var answeredCount = 0
  /// Pieces computed more than once.
  var repeatedCount = 0
  /// Tokens × candidates of all answers.
  var tokenCount = 0
  var offers: [Offer] = []

  var bytes: [UInt8] {
    var writer = ByteWriter(kind: "spool-coordinator")
    writer.append(text: session)
    writer.append(bits: UInt64(beat))
    writer.append([state.rawValue, purpose.rawValue])
    writer.append(model.digest)
    writer.append(model.architectureRevision)
    writer.append(model.numerics)
    writer.append(text: arithmetic)
    writer.append(text: folder)
    writer.append(longestSequence)
    writer.append(catalog)
    writer.append(coordinator)
    for count in [answeredCount, repeatedCount, tokenCount] { writer.append(bits: UInt64(count)) }
    writer.append(list: offers) { offer, writer in
      writer.append(offer.number)
      writer.append(offer.attempt)
      writer.append(offer.key)
      writer.append(flag: offer.isClaimed)
      writer.append(text: offer.excluded)
    }
    return writer.bytes
  }

  init(bytes: [UInt8]) throws {
    var reader = try ByteReader(bytes, kind: "spool-coordinator")
    session = try reader.identifier()
    beat = try reader.long()
    let code = try reader.byte()
    guard let state = State(rawValue: code) else { throw reader.invalid("there is no state \(code)") }
    self.state = state
    let use = try reader.byte()
    guard let purpose = Purpose(rawValue: use) else { throw reader.invalid("there is no purpose \(use)") }
    self.purpose = purpose
    model = EvaluatedModel(
      digest: try reader.digest(), architectureRevision: try reader.integer(), numerics: try reader.digest())
    arithmetic = try reader.text()
    folder = try reader.text()
    longestSequence = try reader.integer()
    catalog = try reader.digest()
    coordinator = try reader.identity()
    answeredCount = try reader.long()
    repeatedCount = try reader.long()
    tokenCount = try reader.long()
    offers = try reader.list(elementSize: 45) {
      Offer(
        number: try $0.integer(), attempt: try $0.integer(), key: try $0.digest(), isClaimed: try $0.flag(),
        excluded: try $0.text())
    }
    try reader.end()
  }

  init(
    session: String, purpose: Purpose = .evaluation, model: EvaluatedModel, arithmetic: String, folder: String,
    longestSequence: Int, catalog: Digest, coordinator: WorkerIdentity
  ) {
    self.session = session
    self.purpose = purpose
    self.model = model
    self.arithmetic = arithmetic
    self.folder = folder
    self.longestSequence = longestSequence
    self.catalog = catalog
    self.coordinator = coordinator
  }
}
