import struct Catalog.Digest
import struct Catalog.SHA256

/// The files of a spool. Each has a first line `evodb/spool-KIND/1`, the length of its content (8 bytes, little-endian), the
/// content, and the content's SHA-256.
package enum SpoolFile: String, CaseIterable, Sendable {
  /// A coordinator's page.
  case coordinator
  /// A worker's page.
  case worker
  /// Who claims a piece.
  case claim
  /// An `EvaluationRequest`.
  case evaluation
  /// A `TeacherStateRequest`.
  case teacher = "teacher-request"
  /// A `BlockPassRequest`.
  case pass = "pass-request"
  /// A `LayerBuildRequest`.
  case build = "build-request"
  /// An `EvaluationAnswer`.
  case sums = "evaluation-answer"
  /// A `TeacherStateAnswer`.
  case stateAnswer = "teacher-answer"
  /// A `BlockPassAnswer`.
  case passAnswer = "pass-answer"
  /// A `LayerBuildAnswer`.
  case buildAnswer = "build-answer"
  /// Why a worker does not answer a request.
  case refusal
  /// Packed weights of a variant.
  case variant
  /// A last hidden state of the dense model.
  case state
  /// The residual stream of a sequence before a block.
  case stream
  /// What is known of the inputs of layers: a Hessian or its diagonal.
  case statistic
  /// What is known of a model's folder on one machine.
  case folderState = "folder-state"

  /// Those that ask for a piece.
  static let requests: [SpoolFile] = [.evaluation, .teacher, .pass, .build]
  /// Those that answer one.
  static let answers: [SpoolFile] = [.sums, .stateAnswer, .passAnswer, .buildAnswer]

  /// Bytes around the content.
  var overheadByteCount: Int { head.count + 8 + 32 }

  /// The largest content that is read; a hostile file may claim any size.
  var largestByteCount: Int {
    switch self {
    case .coordinator: 64 << 20
    case .worker, .claim, .refusal, .folderState: 1 << 20
    case .evaluation, .teacher, .pass, .build, .sums: 256 << 20
    case .stateAnswer, .passAnswer, .buildAnswer, .variant, .state, .stream, .statistic: 16 << 30
    }
  }

  private var head: [UInt8] { Array("evodb/spool-\(rawValue)/1\n".utf8) }

  /// The file's bytes.
  package func sealed(_ content: [UInt8], digest: Digest? = nil) -> [UInt8] {
    var bytes = head
    bytes.reserveCapacity(bytes.count + content.count + 40)
    bytes.append(littleEndian: UInt64(content.count))
    bytes += content
    bytes += (digest ?? SHA256.digest(of: content)).bytes
    return bytes
  }

  /// The content of a file of one of these kinds.
  ///
  /// - Throws: `InferenceError.invalidData` for anything else; it does not name the file.
  static func open(_ bytes: [UInt8], as kinds: [SpoolFile]) throws -> (kind: SpoolFile, content: [UInt8], key: Digest) {
    guard let kind = kinds.first(where: { bytes.starts(with: $0.head) }) else {
      let names = kinds.map { "evodb/spool-\($0.rawValue)/1" }.joined(separator: " or ")
      throw InferenceError.invalidData(file: "spool", detail: "does not begin with \(names)")
    }
    let start = kind.head.count + 8
    guard bytes.count >= kind.overheadByteCount else {
      throw InferenceError.invalidData(file: "spool", detail: "ends after \(bytes.count) bytes")
    }
    let length = bytes[kind.head.count..<start].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length == UInt64(bytes.count - kind.overheadByteCount) else {
      throw InferenceError.invalidData(
        file: "spool",
        detail: "says that it has \(length) bytes of content, and has \(bytes.count - kind.overheadByteCount)")
    }
    let content = Array(bytes[start..<bytes.count - 32])
    let key = SHA256.digest(of: content)
    guard key.bytes == Array(bytes.suffix(32)) else {
      throw InferenceError.invalidData(file: "spool", detail: "is damaged: the SHA-256 of its content is another")
    }
    return (kind, content, key)
  }
}
