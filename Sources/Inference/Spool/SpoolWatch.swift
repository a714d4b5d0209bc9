import Foundation

/// What there is to see in a spool: for `status` and the like. It writes nothing.
public struct SpoolWatch: Sendable {
  /// A coordinator's session.
  public struct Session: Sendable {
    /// Lowercase UUID.
    public var id: String
    /// Who coordinates, and where.
    public var coordinator: WorkerIdentity
    /// open, paused or ended.
    public var state: String
    /// Goes up every few seconds while the coordinator lives: two looks tell.
    public var beat: Int
    /// Pieces that are to be had.
    public var offeredCount: Int
    /// Pieces that a worker has.
    public var claimedCount: Int
    /// Pieces answered so far.
    public var answeredCount: Int
    /// Pieces computed more than once.
    public var repeatedCount: Int
    /// Tokens × candidates of all answers.
    public var tokenCount: Int
  }

  /// A worker.
  public struct Worker: Sendable {
    /// Who and where.
    public var identity: WorkerIdentity
    /// waiting, working or leaving.
    public var state: String
    /// Goes up every few seconds while it lives.
    public var beat: Int
    /// Pieces in hand.
    public var pieceCount: Int
    /// Pieces answered.
    public var answeredCount: Int
    /// Tokens of forward passes.
    public var tokenCount: Int
    /// Seconds of all its threads in computing.
    public var busySeconds: Double
  }

  /// By id.
  public var sessions: [Session] = []
  /// By machine and process number.
  public var workers: [Worker] = []
  /// What is not what it should be: foreign and damaged pages.
  public var findings: [String] = []

  /// Looks at a spool.
  ///
  /// - Throws: `InferenceError.missingInput` if there is none, `.notPermitted` if it cannot be trusted.
  public init(path: String) throws {
    let folder = try SpoolFolder(path, creating: false)
    for name in folder.names(in: .coordinators).sorted() {
      do {
        guard let file = try folder.read(.coordinators, name, as: .coordinator) else { continue }
        let page = try CoordinatorPage(bytes: file.content)
        let claimed = page.offers.count { $0.isClaimed }
        sessions.append(
          Session(
            id: page.session, coordinator: page.coordinator, state: "\(page.state)", beat: page.beat,
            offeredCount: page.offers.count - claimed, claimedCount: claimed, answeredCount: page.answeredCount,
            repeatedCount: page.repeatedCount, tokenCount: page.tokenCount))
      } catch {
        findings.append("\(folder.path(.coordinators, name)): \(error)")
      }
    }
    for name in folder.names(in: .workers).sorted() {
      do {
        guard let file = try folder.read(.workers, name, as: .worker) else { continue }
        let page = try WorkerPage(bytes: file.content)
        workers.append(
          Worker(
            identity: page.identity, state: "\(page.state)", beat: page.beat, pieceCount: page.pieces.count,
            answeredCount: page.answeredCount, tokenCount: page.tokenCount,
            busySeconds: Double(page.busyMilliseconds) / 1000))
      } catch {
        findings.append("\(folder.path(.workers, name)): \(error)")
      }
    }
    workers.sort {
      ($0.identity.hostName, $0.identity.processIdentifier) < ($1.identity.hostName, $1.identity.processIdentifier)
    }
  }
}
