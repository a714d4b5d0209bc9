import CKernels

/// The MLP of a Llama by one kernel, which never writes a matrix of its inner width to memory.
enum GatedMLP {
  /// Rows that the kernel takes at once: it reads all weights for each of them.
  static let rowCount = 256
  /// Beyond this sum of both widths the rows' activations leave the second cache, and the parts are faster.
  private static let widestSum = 3000

  /// Whether there is a kernel: for bfloat16 on tiles.
  static func isAvailable(gate: PackedWeights, kernels: KernelSet = .current) -> Bool {
    kernels == .amx && gate.arithmetic == .bfloat16 && gate.columns + gate.depth <= widestSum
  }

  /// `y ← y + down(silu(gate(x)) · up(x))` for `x` and `y` [n, width], to the bits of its parts.
  static func add(
    _ x: Matrix, gate: PackedWeights, up: PackedWeights, down: PackedWeights, to y: Matrix,
    kernels: KernelSet = .current
  ) {
    precondition(x.rows == y.rows && x.columns == gate.depth && gate.depth == up.depth && gate.columns == up.columns)
    precondition(down.depth == gate.columns && down.columns == y.columns && y.columns == x.columns)
    guard case .panels(let gatePanels) = gate.storage, case .panels(let upPanels) = up.storage,
      case .panels(let downPanels) = down.storage
    else { preconditionFailure("only a specified arithmetic has this kernel") }
    var mlp = evodb_gated_mlp(
      y: y.base, y_stride: Int64(y.columns), x: x.base, x_stride: Int64(x.columns), gate: gatePanels, up: upPanels,
      down: downPanels, rows: Int64(x.rows), width: Int64(x.columns), inner: Int64(gate.columns),
      activation: Int32(EVODB_SILU))
    let status = evodb_add_gated_mlp(kernels.code, gate.arithmetic.code, &mlp)
    precondition(status == Int32(EVODB_DONE), "no memory for an MLP, or no \(kernels.rawValue) kernels here")
  }
}
