/// Decides whether the bytes that are read of a checkpoint's tensors are those its reader means.
///
/// A checkpoint asks it at every reading. It looks at the bytes themselves wherever it does not know the state their file is
/// in, and what does not fit is never handed out.
protocol TensorGuard: Sendable {
  /// Whether the tensor's bytes have been looked at, or all of its file's, while the file was in this state.
  func knows(_ tensor: TensorDescription, in state: FileState) -> Bool
  /// Begins to look at the bytes of a tensor.
  func beginCheck(of tensor: TensorDescription, file: String) -> any TensorCheck
  /// Notes that the tensor's bytes were the right ones while its file was in this state, which had settled.
  func remember(_ tensor: TensorDescription, of file: String, in state: FileState)
}

/// A look at the bytes of one tensor.
protocol TensorCheck: AnyObject {
  /// Takes the next bytes.
  func update(_ bytes: some Sequence<UInt8>)
  /// - Throws: `InferenceError.invalidData` if the bytes were others than they should be.
  func finish() throws
}
