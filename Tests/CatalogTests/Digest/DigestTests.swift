import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct DigestTests {
  private let one = SHA256.digest(of: "one".utf8)
  private let two = SHA256.digest(of: "two".utf8)

  @Test func bytesAndHexadecimalDigitsComeBack() {
    #expect(Digest(bytes: one.bytes) == one)
    #expect(Digest(hex: one.hex) == one)
    #expect(Digest(hex: one.hex.uppercased()) == one)
    #expect(one.hex.count == 64 && one.bytes.count == 32)
    #expect(one.description == one.hex)
    #expect(one.hex.hasPrefix(one.short) && one.short.count == 12)
  }

  @Test func otherLengthsAndOtherDigitsAreNoDigest() {
    #expect(Digest(bytes: Array(one.bytes.dropLast())) == nil)
    #expect(Digest(bytes: one.bytes + [0]) == nil)
    #expect(Digest(hex: String(one.hex.dropLast())) == nil)
    #expect(Digest(hex: String(one.hex.dropLast(2))) == nil)
    #expect(Digest(hex: "g" + one.hex.dropFirst()) == nil)
    #expect(Digest(hex: "") == nil)
  }

  @Test func theOrderIsThatOfTheBytesAndOfTheDigits() {
    let digests = (0..<200).map { SHA256.digest(of: "\($0)".utf8) }.sorted()
    for (low, high) in zip(digests, digests.dropFirst()) {
      #expect(low.hex < high.hex)
      #expect(low.bytes.lexicographicallyPrecedes(high.bytes))
      #expect(!(high < low))
    }
    #expect(Set(digests + digests).count == 200)
    #expect(one != two)
  }

  @Test func everyByteCounts() throws {
    for index in 0..<32 {
      var bytes = one.bytes
      bytes[index] ^= 1
      let other = try #require(Digest(bytes: bytes))
      #expect(other != one && (other < one) != (one < other))
    }
  }

  @Test func thePrefixIsTheFirstEightBytes() throws {
    let digest = try #require(Digest(hex: "0102030405060708" + String(repeating: "00", count: 24)))
    #expect(digest.prefix == 0x0102_0304_0506_0708)
    let negative = try #require(Digest(hex: String(repeating: "f", count: 16) + String(repeating: "00", count: 24)))
    #expect(negative.prefix == -1)
  }

  @Test func hexadecimalTextIsReadStrictly() {
    #expect(Hexadecimal.bytes("") == [])
    #expect(Hexadecimal.bytes("00fF") == [0, 255])
    #expect(Hexadecimal.bytes("0") == nil)
    #expect(Hexadecimal.bytes("0x") == nil)
    #expect(Hexadecimal.bytes("é0") == nil)
    #expect(Hexadecimal.string([0, 10, 255]) == "000aff")
  }
}
