import Catalog
import TestSupport
import Testing

/// The test vectors of FIPS 180-4 (csrc.nist.gov, "Examples with Intermediate Values" and the byte-oriented vectors).
@Suite(.usualTimeLimit) struct SHA256Tests {
  private func hex(_ text: String) -> String { SHA256.digest(of: text.utf8).hex }

  @Test func nothingHasItsPublishedDigest() {
    #expect(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(SHA256().finalize().hex == hex(""))
  }

  @Test func aShortMessageHasItsPublishedDigest() {
    #expect(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test func aMessageWhosePaddingNeedsASecondBlockHasItsPublishedDigest() {
    #expect(
      hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
  }

  @Test func aMessageOf896BitsHasItsPublishedDigest() {
    #expect(
      hex(
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrst"
          + "nopqrstu") == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1")
  }

  @Test func aMillionLettersHaveTheirPublishedDigest() {
    let letters = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    #expect(SHA256.digest(of: letters).hex == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func plainCAndTheProcessorsInstructionsAgree() {
    var bytes: [UInt8] = []
    for count in 0..<300 {
      bytes.append(UInt8(truncatingIfNeeded: count &* 89 &+ 3))
      var plain = SHA256(inPlainC: true)
      plain.update(bytes)
      #expect(plain.finalize() == SHA256.digest(of: bytes), "\(bytes.count) bytes")
    }
  }

  @Test(arguments: [1, 3, 55, 56, 63, 64, 65, 127, 1000])
  func piecesOfAnySizeGiveTheDigestOfTheWhole(size: Int) {
    let whole = (0..<4099).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) }
    var hash = SHA256()
    for start in stride(from: 0, to: whole.count, by: size) {
      hash.update(whole[start..<min(start + size, whole.count)])
      hash.update([])
    }
    #expect(hash.finalize() == SHA256.digest(of: whole))
  }

  @Test func aSequenceWithoutStorageOfItsOwnIsHashedToo() {
    let lazy = (0..<300).lazy.map { UInt8(truncatingIfNeeded: $0) }
    #expect(SHA256.digest(of: lazy) == SHA256.digest(of: Array(lazy)))
  }
}
