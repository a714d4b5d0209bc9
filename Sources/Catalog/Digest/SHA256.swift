import CKernels

/// SHA-256 (FIPS 180-4), streaming. Foundation on Linux has none; the blocks are compressed in C, by the processor's
/// instructions for it where it has them.
public struct SHA256 {
  private var state: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19
  )
  private var pending: [UInt8] = []
  private var byteCount: UInt64 = 0

  private let isPlain: Bool

  /// The digest of nothing so far.
  public init() { self.init(inPlainC: false) }

  /// The digest in plain C, without the processor's SHA instructions; equal to that with them.
  package init(inPlainC: Bool) {
    isPlain = inPlainC
    pending.reserveCapacity(64)
  }

  /// The digest of `bytes`.
  public static func digest(of bytes: some Sequence<UInt8>) -> Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
  }

  /// Appends bytes.
  public mutating func update(_ bytes: some Sequence<UInt8>) {
    if bytes.withContiguousStorageIfAvailable({ update(buffer: UnsafeRawBufferPointer($0)) }) == nil {
      Array(bytes).withUnsafeBytes { update(buffer: $0) }
    }
  }

  /// The digest of everything appended.
  public consuming func finalize() -> Digest {
    let bitCount = byteCount &* 8
    var tail = [UInt8](repeating: 0, count: (pending.count < 56 ? 64 : 128) - pending.count)
    tail[0] = 0x80
    for place in 0..<8 { tail[tail.count - 1 - place] = UInt8(truncatingIfNeeded: bitCount &>> UInt64(8 * place)) }
    update(tail)
    func word(_ high: UInt32, _ low: UInt32) -> UInt64 { UInt64(high) << 32 | UInt64(low) }
    return Digest(
      words: (word(state.0, state.1), word(state.2, state.3), word(state.4, state.5), word(state.6, state.7)))
  }

  private mutating func update(buffer: UnsafeRawBufferPointer) {
    byteCount &+= UInt64(buffer.count)
    var position = 0
    if !pending.isEmpty {
      position = min(64 - pending.count, buffer.count)
      pending.append(contentsOf: buffer[0..<position])
      guard pending.count == 64 else { return }
      let full = pending
      full.withUnsafeBytes { compress($0, blocks: 1) }
      pending.removeAll(keepingCapacity: true)
    }
    let blocks = (buffer.count - position) / 64
    if blocks > 0 {
      compress(UnsafeRawBufferPointer(rebasing: buffer[position..<(position + blocks * 64)]), blocks: blocks)
      position += blocks * 64
    }
    pending.append(contentsOf: buffer[position...])
  }

  private mutating func compress(_ bytes: UnsafeRawBufferPointer, blocks: Int) {
    guard let start = bytes.baseAddress else { return }
    let compress = isPlain ? evodb_sha256_blocks_plain : evodb_sha256_blocks
    withUnsafeMutableBytes(of: &state) { words in
      guard let words = words.baseAddress else { return }
      compress(words.assumingMemoryBound(to: UInt32.self), start.assumingMemoryBound(to: UInt8.self), Int64(blocks))
    }
  }
}
