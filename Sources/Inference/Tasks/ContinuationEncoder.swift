/// Turns a context and what follows it into tokens, as lm-evaluation-harness does.
///
/// Source: lm-evaluation-harness, `TemplateLM._encode_pair` and `HFLM._loglikelihood_tokens`: white space at the end of the
/// context belongs to the continuation; context and continuation are encoded together and split where the context alone
/// would end; an empty context is the beginning-of-sequence token; what is too long loses tokens at the left, so that the
/// model is fed as many as it takes and predicts one more.
struct ContinuationEncoder {
  /// Text to ids, with the special tokens that the model's family wants around every text.
  var encode: (String) throws -> [Int32]
  /// Stands for an empty context; nil: the model has none.
  var beginningToken: Int32?
  /// Most tokens the model is fed.
  var maximumLength: Int

  /// A context that has been encoded.
  struct Context {
    fileprivate var text: String
    fileprivate var trailingSpace: String
    fileprivate var tokenIDs: [Int32]
  }

  /// Encodes a context once for all its continuations.
  func context(_ text: String) throws -> Context {
    let scalars = text.unicodeScalars
    let end = scalars.lastIndex { !Self.isSpace($0) }.map { scalars.index(after: $0) } ?? scalars.startIndex
    let bare = String(scalars[..<end])
    return Context(
      text: bare, trailingSpace: String(scalars[end...]), tokenIDs: bare.isEmpty ? [] : try encode(bare))
  }

  /// The ids of both, and the index of the first one of the continuation.
  ///
  /// - Throws: `InferenceError.impossible` if nothing of the continuation is left, it is longer than the model, or the
  ///   context is empty and there is no token for that.
  func encode(_ context: Context, _ continuation: String) throws -> (tokenIDs: [Int32], firstToken: Int) {
    let continuation = context.trailingSpace + continuation
    var head = context.tokenIDs
    let tail: [Int32]
    if context.text.isEmpty {
      guard let beginningToken else {
        throw InferenceError.impossible(
          detail: "the context is empty, and config.json names neither bos_token_id nor eos_token_id to begin with")
      }
      head = [beginningToken]
      let ids = try encode(continuation)
      tail = ids.first == beginningToken ? Array(ids.dropFirst()) : ids
    } else {
      tail = Array(try encode(context.text + continuation).dropFirst(head.count))
    }
    guard !tail.isEmpty else {
      throw InferenceError.impossible(
        detail: "the choice '\(continuation.prefix(40))' has no token behind the context's")
    }
    guard tail.count <= maximumLength else {
      throw InferenceError.impossible(
        detail: "the choice '\(continuation.prefix(40))' has \(tail.count) tokens; the model takes \(maximumLength)")
    }
    let ids = Array((head + tail).suffix(maximumLength + 1))
    return (ids, ids.count - tail.count)
  }

  /// Whether Python's `str.rstrip` removes the scalar.
  static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
  }
}
