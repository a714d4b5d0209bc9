/// Layers with one input that runtimes compute as one, so that they can have but one scheme.
public struct FusedLayers: Equatable, Sendable {
  /// The name of the tie: `qkv`.
  public let tie: String
  /// The roles of the layers: `q_proj`, `k_proj`, `v_proj`.
  public let roles: [String]
  /// The role of what they become: `qkv_proj`.
  public let fusedRole: String

  /// Query, key and value.
  public static let qkv = FusedLayers(tie: "qkv", roles: ["q_proj", "k_proj", "v_proj"], fusedRole: "qkv_proj")
  /// Gate and up.
  public static let gateUp = FusedLayers(tie: "gate_up", roles: ["gate_proj", "up_proj"], fusedRole: "gate_up_proj")
  /// All that are fused in any family.
  public static let all = [qkv, gateUp]

  /// The group that a role belongs to; nil: it is computed by itself.
  public static func group(ofRole role: String) -> FusedLayers? { all.first { $0.roles.contains(role) } }
}
