import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct TokenSamplerTests {
  /// Logits of given probabilities.
  private static func logits(_ probabilities: [Double]) -> Matrix {
    Matrix(rows: 1, columns: probabilities.count, values: probabilities.map { Float(log($0)) })
  }

  @Test func tokensLieSideBySideInTheOrderOfTheirIDs() throws {
    let sampler = try TokenSampler()
    let logits = Self.logits([0.125, 0.5, 0.25, 0.125])
    let draws: [(Double, Int32)] = [(0, 0), (0.12, 0), (0.13, 1), (0.62, 1), (0.63, 2), (0.88, 3), (0.9999999, 3)]
    for (uniform, token) in draws { #expect(sampler.token(logits: logits, row: 0, uniform: uniform) == token) }
  }

  @Test func topPKeepsTheFewestLikelyTokens() throws {
    let logits = Self.logits([0.125, 0.5, 0.25, 0.125])
    func drawn(_ topP: Double) throws -> Set<Int32> {
      let sampler = try TokenSampler(topP: topP)
      return Set((0..<1000).compactMap { sampler.token(logits: logits, row: 0, uniform: Double($0) / 1000) })
    }
    #expect(try drawn(0.4) == [1])
    #expect(try drawn(0.6) == [1, 2])
    #expect(try drawn(0.8) == [1, 2, 0], "of equals the smaller id")
    #expect(try drawn(1) == [0, 1, 2, 3])
    // A nucleus of unlikely tokens only: thousands that are all equal.
    let flat = Matrix(rows: 1, columns: 5000)
    #expect(try TokenSampler(topP: 0.9).token(logits: flat, row: 0, uniform: 0.9999) == 4499)
  }

  @Test func temperatureFlattensAndSharpens() throws {
    let logits = Self.logits([0.2, 0.8])
    func share(_ temperature: Double) throws -> Double {
      let sampler = try TokenSampler(temperature: temperature)
      let count = (0..<10_000).count { sampler.token(logits: logits, row: 0, uniform: Double($0) / 10_000) == 0 }
      return Double(count) / 10_000
    }
    #expect(abs(try share(1) - 0.2) < 1e-3)
    // 0.2² : 0.8² and √0.2 : √0.8.
    #expect(abs(try share(0.5) - 0.04 / 0.68) < 1e-3)
    #expect(abs(try share(2) - 1.0 / 3) < 1e-3)
  }

  @Test func logitsThatAreNotFiniteDrawNothing() throws {
    let sampler = try TokenSampler()
    for bad in [Float.nan, .infinity] {
      #expect(sampler.token(logits: Matrix(rows: 1, columns: 2, values: [0, bad]), row: 0, uniform: 0.5) == nil)
    }
  }

  @Test func impossibleSettingsAreRefused() {
    for temperature in [0, -1, .infinity, Double.nan] {
      #expect(throws: InferenceError.impossible(detail: "the temperature must be above 0, not \(temperature)")) {
        try TokenSampler(temperature: temperature)
      }
    }
    for topP in [0, 1.5, Double.nan] {
      #expect(throws: InferenceError.impossible(detail: "top-p must be above 0 and at most 1, not \(topP)")) {
        try TokenSampler(topP: topP)
      }
    }
  }

  @Test func streamsOfSequencesAreApartAndEven() {
    var first = SamplingSource(seed: 7, sequence: 0)
    var again = SamplingSource(seed: 7, sequence: 0)
    var second = SamplingSource(seed: 7, sequence: 1)
    let numbers = (0..<1000).map { _ in first.uniform() }
    #expect(numbers == (0..<1000).map { _ in again.uniform() })
    #expect(numbers != (0..<1000).map { _ in second.uniform() })
    #expect(numbers.allSatisfy { (0..<1).contains($0) })
    #expect(abs(numbers.reduce(0, +) / 1000 - 0.5) < 0.03)
  }
}
