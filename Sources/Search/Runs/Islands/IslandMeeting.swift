import Catalog
import Foundation
import Inference

/// Has several searches advance in one process, one at a time, and their questions answered together.
///
/// Every search has a thread, of which only the one whose turn it is runs. It runs until it asks for observations, waits for
/// another search, or ends; then the next one has its turn. When none can go on without answers, all that was asked is
/// computed at once: so as many candidates and sequences as there are in the stages of all searches can be divided among
/// threads and workers, and what two of them ask is computed once. The order of turns, and so what is computed together, does
/// not depend on time.
///
/// `@unchecked Sendable`: `gate` guards `turn` and the thread count; all else belongs to whose turn it is.
final class IslandMeeting: @unchecked Sendable {
  private enum State {
    case ready
    case asking(ObservationQuestion, watch: (Int, Int) -> Void)
    case waiting(until: () throws -> Bool)
    case ended
  }

  private let gate = NSCondition()
  /// Whose turn it is; nil: nobody's, all have ended.
  private var turn: Int?
  private var runningCount = 0
  private var states: [State] = []
  private var answers: [Int: [[[Observation]]]] = [:]
  private var failure: (any Error)?
  private let evaluations: EvaluationLedger

  init(_ evaluations: EvaluationLedger) { self.evaluations = evaluations }

  /// Runs searches, given by what each does on its thread, to their ends.
  ///
  /// - Throws: the first error of one of them; the others stop at the next place where they ask or wait.
  func run(_ searches: [() throws -> Void]) throws {
    states = searches.map { _ in .ready }
    (turn, runningCount, failure) = (searches.isEmpty ? nil : 0, searches.count, nil)
    for (place, search) in searches.enumerated() {
      nonisolated(unsafe) let body = search
      let thread = Thread { self.live(place, body) }
      // As the main thread has: this is where a search would run by itself.
      thread.stackSize = 8 << 20
      thread.start()
    }
    gate.lock()
    while runningCount > 0 { gate.wait() }
    gate.unlock()
    if let failure { throw failure }
  }

  /// A search's seat.
  func seat(_ place: Int) -> Seat { Seat(meeting: self, place: place) }

  /// The place of a search in the meeting, through which it asks.
  final class Seat: ObservationSource {
    private unowned let meeting: IslandMeeting
    private let place: Int

    fileprivate init(meeting: IslandMeeting, place: Int) {
      self.meeting = meeting
      self.place = place
    }

    func observations(
      of assignments: [AssignmentRecord], on sequences: [SequenceRecord], measures: [Measure],
      watch: @escaping (Int, Int) -> Void
    ) throws -> [[[Observation]]] {
      let question = ObservationQuestion(of: assignments, on: sequences, measures: measures)
      try meeting.pause(place, .asking(question, watch: watch))
      guard let answer = meeting.answers.removeValue(forKey: place) else {
        throw CatalogError.damaged("a search has no answers")
      }
      return answer
    }

    /// Lets others go on until something holds.
    func wait(until condition: @escaping () throws -> Bool) throws {
      if try !condition() { try meeting.pause(place, .waiting(until: condition)) }
    }
  }

  // MARK: Turns

  private func live(_ place: Int, _ body: () throws -> Void) {
    awaitTurn(place)
    do {
      if failure == nil { try body() }
    } catch {
      failure = failure ?? error
    }
    states[place] = .ended
    passOn()
    gate.lock()
    runningCount -= 1
    gate.broadcast()
    gate.unlock()
  }

  private func awaitTurn(_ place: Int) {
    gate.lock()
    while turn != place { gate.wait() }
    gate.unlock()
  }

  /// Gives the turn away until this search can go on.
  ///
  /// - Throws: what stopped another one.
  private func pause(_ place: Int, _ state: State) throws {
    states[place] = state
    passOn()
    awaitTurn(place)
    states[place] = .ready
    if let failure { throw failure }
  }

  private func passOn() {
    var next = nextReady()
    if next == nil {
      answerAll()
      next = nextReady()
    }
    gate.lock()
    turn = next
    gate.broadcast()
    gate.unlock()
  }

  /// The first search that can go on, or after a failure has to end; nil: none without answers.
  private func nextReady() -> Int? {
    for (place, state) in states.enumerated() {
      switch state {
      case .ready: return place
      case .asking, .waiting: if failure != nil { return place }
      case .ended: break
      }
      guard case .waiting(let condition) = state else { continue }
      do {
        if try condition() { return place }
      } catch {
        failure = failure ?? error
        return place
      }
    }
    return nil
  }

  /// Answers all that is asked.
  private func answerAll() {
    var places: [Int] = []
    var questions: [ObservationQuestion] = []
    var watch: ((Int, Int) -> Void)?
    for (place, state) in states.enumerated() {
      guard case .asking(let question, let own) = state else { continue }
      places.append(place)
      questions.append(question)
      watch = watch ?? own
    }
    guard let watch else {
      // Searches wait for each other's earlier generations, and so never in a ring.
      if states.contains(where: { if case .ended = $0 { false } else { true } }) {
        failure = failure ?? CatalogError.damaged("searches that exchange parents wait for each other")
      }
      return
    }
    do {
      for (place, answer) in zip(places, try evaluations.observations(questions, watch: watch)) {
        answers[place] = answer
        states[place] = .ready
      }
    } catch {
      failure = failure ?? error
    }
  }
}
