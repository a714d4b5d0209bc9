import Foundation
import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct InterruptionTests {
  @Test func theFirstRequestAsksAndTheSecondLeaves() {
    let asked = SharedCounter()
    let left = SharedCounter()
    let interruption = Interruption(exitNow: { _ in left.next() })
    interruption.onRequest { asked.next() }
    #expect(!interruption.isRequested)
    interruption.request()
    #expect(interruption.isRequested)
    #expect((asked.value, left.value) == (1, 0))
    interruption.request()
    #expect((asked.value, left.value) == (1, 1))
  }

  @Test func whatSystemsSendMoreThanOnceNeverInsists() {
    for repeated in [SIGHUP, SIGXCPU] {
      let exits = SharedList<Int32>()
      let asked = SharedCounter()
      let interruption = Interruption(exitNow: { exits.append($0) })
      interruption.onRequest { asked.next() }
      for _ in 0..<3 { interruption.request(by: repeated) }
      #expect(interruption.isRequested && asked.value == 1 && exits.all == [])
      interruption.request(by: SIGTERM)
      #expect(exits.all == [128 + SIGTERM])
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGUSR1, SIGUSR2]) func aSecondSignalLeavesWithItsNumber(signal: Int32) {
    let exits = SharedList<Int32>()
    let interruption = Interruption(exitNow: { exits.append($0) })
    interruption.request(by: SIGHUP)
    interruption.request(by: signal)
    #expect(exits.all == [128 + signal])
  }

  @Test func aReaderLeavesAtOnceWithTheCodeOfASafeStop() throws {
    let exits = SharedList<Int32>()
    let interruption = Interruption(exitNow: { exits.append($0) })
    let result = try interruption.leavingAtOnce {
      interruption.request(by: SIGHUP)
      return 5
    }
    #expect(result == 5 && exits.all == [75])
    #expect(throws: CancellationError.self) { try interruption.leavingAtOnce {} }
  }

  @Test func signalsArriveWhateverThreadsAreBusy() async throws {
    let left = SharedCounter()
    let interruption = Interruption(exitNow: { _ in left.next() })
    // Not one of the signals that the test runner itself may get.
    interruption.watch([SIGUSR2])
    // Until Dispatch has its handler, on a thread of its own, the signal would end the tests.
    let patience = ContinuousClock.now + .seconds(60)
    while endsTheProcess(SIGUSR2), ContinuousClock.now < patience { try await Task.sleep(for: .milliseconds(5)) }
    try #require(!endsTheProcess(SIGUSR2))
    let work = SharedCounter()
    defer { work.next() }
    for _ in 0..<4 { Thread.detachNewThread { while work.value == 0 {} } }
    try await Task.sleep(for: .milliseconds(200))
    for expectedExits in [0, 1] {
      kill(getpid(), SIGUSR2)
      for _ in 0..<12_000 where !(interruption.isRequested && left.value == expectedExits) {
        try await Task.sleep(for: .milliseconds(5))
      }
      #expect(interruption.isRequested)
      #expect(left.value == expectedExits)
    }
  }

  private func endsTheProcess(_ signal: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(signal, nil, &action) == 0 else { return true }
    #if canImport(Darwin)
      let handler = action.__sigaction_u.__sa_handler
    #else
      let handler = action.__sigaction_handler.sa_handler
    #endif
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_DFL, to: Int.self)
  }

  @Test func aLateHandlerIsStillCalled() async throws {
    let interruption = Interruption(exitNow: { _ in })
    interruption.request()
    await withCheckedContinuation { continuation in interruption.onRequest { continuation.resume() } }
    #expect(interruption.isRequested)
  }
}
