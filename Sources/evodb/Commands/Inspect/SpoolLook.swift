import Foundation
import Inference

/// The workers of a spool as lines of text, look after look.
struct SpoolLook {
  private let path: String
  private let clock: () -> Double
  /// When a process's page was last seen to change.
  private var signs: [String: (beat: Int, at: Double)] = [:]
  private var rate: RateEstimate

  /// Seconds without a change of its page after which a process is called silent; live ones change theirs every two.
  private static let silenceSeconds = 10.0

  init(path: String, clock: @escaping () -> Double) {
    self.path = path
    self.clock = clock
    rate = RateEstimate(start: clock())
  }

  /// Looks once: a sentence about all, a line for each coordinator and worker, and a line for whatever is damaged.
  ///
  /// - Throws: as `SpoolWatch`.
  mutating func lines() throws -> [String] {
    let watch = try SpoolWatch(path: path)
    let now = clock()
    rate.record(done: Int64(watch.sessions.reduce(0) { $0 + $1.tokenCount }), at: now)
    let working = watch.workers.filter { $0.state != "leaving" }
    var summary = [
      "\(Self.counted(working.count, "worker")) with "
        + Self.counted(working.reduce(0) { $0 + $1.identity.threadCount }, "thread"),
      "\(Self.counted(watch.workers.reduce(0) { $0 + $1.pieceCount }, "piece")) in hand",
    ]
    if let speed = rate.perSecond(at: now), speed > 0 {
      summary.append("\(HumanFormat.count(Int64(min(speed, 1e15).rounded()))) tokens/s of all")
    }
    var lines = ["spool \(path): " + summary.joined(separator: ", ")]
    for session in watch.sessions {
      let silence = silence(session.id, session.beat, now)
      lines.append(
        "coordinator \(session.coordinator.name): \(silence ?? session.state), "
          + "\(Self.counted(session.offeredCount, "piece")) to be had, "
          + "\(HumanFormat.count(Int64(session.claimedCount))) with workers, "
          + "\(HumanFormat.count(Int64(session.answeredCount))) answered, "
          + "\(HumanFormat.count(Int64(session.repeatedCount))) of them twice")
    }
    for worker in watch.workers {
      let silence = silence(worker.identity.id, worker.beat, now)
      lines.append(
        "worker \(worker.identity.name) of \(worker.identity.userName), "
          + "\(Self.counted(worker.identity.threadCount, "thread")): "
          + "\(silence ?? worker.state), \(Self.counted(worker.pieceCount, "piece")) in hand, "
          + "\(HumanFormat.count(Int64(worker.answeredCount))) answered, "
          + "\(HumanFormat.count(Int64(worker.tokenCount))) tokens, "
          + "busy \(HumanFormat.duration(seconds: worker.busySeconds))"
      )
    }
    return lines + watch.findings
  }

  private static func counted(_ count: Int, _ noun: String) -> String {
    "\(HumanFormat.count(Int64(count))) \(noun)\(count == 1 ? "" : "s")"
  }

  private mutating func silence(_ id: String, _ beat: Int, _ now: Double) -> String? {
    guard let known = signs[id], known.beat == beat else {
      signs[id] = (beat, now)
      return nil
    }
    let seconds = now - known.at
    return seconds > Self.silenceSeconds ? "silent for \(HumanFormat.duration(seconds: seconds))" : nil
  }
}
