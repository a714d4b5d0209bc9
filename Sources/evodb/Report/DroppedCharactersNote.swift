import Inference

extension CommandContext {
  /// Says what a tokenizer left out, if anything.
  func note(_ dropped: DroppedCharacters, in place: String?) {
    guard let first = dropped.firstName else { return }
    let (noun, pronoun) = dropped.count == 1 ? ("character", "it") : ("characters", "them")
    note(
      "evodb: the tokenizer has no token for \(dropped.count) \(noun) and left \(pronoun) out, as Hugging Face tokenizers "
        + "does; the first is \(first)" + (place.map { " in \($0)" } ?? ""))
  }
}
