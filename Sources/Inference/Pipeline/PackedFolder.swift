import Catalog
import Foundation

/// The packed layers of a folder: which layers keep their codes, in which tensors, and what the configuration says of them.
public struct PackedFolder {
  /// A form of model folder in which layers on plain grids keep their codes.
  public enum Form: Sendable {
    /// compressed-tensors, `pack-quantized`; `widensScales`: scales in float32, so that readers round nothing.
    case compressedTensors(widensScales: Bool)
    /// GPTQ; `version`: how zero points are stored, nil: as in `gptq` if that can hold the assignment.
    case gptq(version: GPTQFormat.Version?)
  }

  /// The format of their tensors.
  let format: any PackedFormat
  /// The compressible layers that are left.
  let layers: [PackedLayer]
  /// The value of `quantization_config`.
  let configuration: StrictJSON
  /// Files beside `config.json`.
  let files: [(name: String, bytes: [UInt8])]
  private let schemes: [Int: PackedScheme]

  /// Looks at every variant.
  ///
  /// - Parameters:
  ///   - runtime: whose rules must be kept; nil: those of any that reads the form.
  ///   - program: the name and version of evodb.
  /// - Throws: `InferenceError.unfit` for what the form or the runtime refuses; as `ExportSource.weight(ofLayer:)`.
  init(
    _ form: Form, for runtime: ServingRuntime?, _ source: ExportSource, _ plan: ExportPlan, program: String,
    job: Job
  ) throws {
    let survey = try Survey(source, plan, job: job)
    let format = try survey.format(form)
    self.format = format
    for (index, scheme) in survey.schemes.sorted(by: { $0.key < $1.key }) {
      let layer = source.layers[index]
      try Self.naming(layer.name) {
        try format.validate(scheme, rows: layer.outputCount, columns: layer.inputCount)
      }
    }
    schemes = survey.schemes
    let places = Dictionary(uniqueKeysWithValues: plan.keptBlocks.enumerated().map { ($0.element, $0.offset) })
    let layers = source.layers.compactMap { layer -> PackedLayer? in
      guard let block = places[layer.blockIndex], let name = survey.names[layer.name] else { return nil }
      return PackedLayer(name: name, block: block, role: layer.role, scheme: survey.schemes[layer.index])
    }
    self.layers = layers
    guard !schemes.isEmpty else {
      throw InferenceError.unfit(
        detail: "\(format.name) is for quantized layers, and the assignment has none",
        mend: .plainFolder(assignment: source.assignment.digest.short))
    }
    let names = layers.map(\.name)
    let others = ["lm_head"] + survey.linearNames.filter { !names.contains($0) && $0 != "lm_head" }
    switch form {
    case .compressedTensors:
      configuration = CompressedTensorsConfiguration.value(layers, others: others)
      files = []
    case .gptq:
      let version = (format as? GPTQFormat)?.version ?? .v2
      configuration = GPTQConfiguration.value(layers, others: others, version: version, program: program)
      files = [("quantize_config.json", configuration.text)]
    }
    if let runtime {
      try runtime.validate(layers, format: format.name)
    } else if runtimes.isEmpty {
      // The rules of the first that reads most say best what to change.
      try ServingRuntime.vllmGPU.validate(layers, format: format.name)
    }
  }

  /// The runtimes whose rules the folder keeps.
  var runtimes: [ServingRuntime] {
    ServingRuntime.allCases.filter { runtime in
      do {
        try runtime.validate(layers, format: format.name)
        return true
      } catch {
        return false
      }
    }
  }

  /// The tensors that stand for one of the plan; nil: it is stored as it is.
  func tensors(of tensor: ExportPlan.Tensor, in source: ExportSource) -> [(name: ByteString, tensor: PackedTensor)]? {
    guard case .variant(let index) = tensor.content, let scheme = schemes[index] else { return nil }
    let base = ByteString(Array(tensor.name.bytes.dropLast(".weight".utf8.count)))
    let layer = source.layers[index]
    return format.tensors(scheme, rows: layer.outputCount, columns: layer.inputCount).map {
      (ByteString(base.bytes + Array(".\($0.suffix)".utf8)), $0)
    }
  }

  /// The bytes of these tensors, one after another.
  ///
  /// - Throws: `InferenceError.invalidData` if they would not be read as the weights of the assignment, bit for bit; as
  ///   `ExportSource.weight(ofLayer:)`.
  func bytes(ofLayer index: Int, in source: ExportSource) throws -> [[UInt8]] {
    guard let scheme = schemes[index], case .quantized(let weight) = try source.weight(ofLayer: index) else {
      preconditionFailure("only quantized layers are packed")
    }
    let tensors = format.encode(weight, scheme)
    let read = format.decode(tensors, scheme, rows: weight.rows, columns: weight.columns)
    guard read.hasSameBits(as: weight.dequantized()) else {
      throw InferenceError.invalidData(
        file: source.layers[index].name, detail: "\(format.name) does not hold its weights bit for bit")
    }
    return tensors
  }

  /// Puts a layer's name before what a check says.
  private static func naming(_ layer: String, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch InferenceError.unfit(let detail, let mend) {
      throw InferenceError.unfit(detail: "\(layer): \(detail)", mend: mend)
    }
  }

  /// What has to be known of all layers before one is written.
  private struct Survey {
    /// By layer index.
    var schemes: [Int: PackedScheme] = [:]
    /// New names of layers.
    var names: [String: String] = [:]
    /// New names of all linear layers.
    var linearNames: [String] = []
    private var scalesAreHalves = true
    private var hasZeroPointZero = false

    init(_ source: ExportSource, _ plan: ExportPlan, job: Job) throws {
      for (place, tensor) in plan.tensors.enumerated() {
        try job.cancellation.check()
        job.progress("looking at layers", place, of: plan.tensors.count)
        let suffix = ".weight"
        guard tensor.source.shape.count == 2, tensor.source.name.hasSuffix(suffix) else { continue }
        let name = String(tensor.name.description.dropLast(suffix.count))
        let parts = name.split(separator: ".")
        guard parts.last?.hasPrefix("embed_") == false else { continue }
        names[String(tensor.source.name.dropLast(suffix.count))] = name
        linearNames.append(name)
        guard case .variant(let index) = tensor.content else { continue }
        try PackedFolder.naming(source.layers[index].name) { try look(at: try source.weight(ofLayer: index), index) }
      }
    }

    private mutating func look(at weight: ExportSource.Weight, _ index: Int) throws {
      switch weight {
      case .sparse: return
      case .blocks(let blocks):
        throw InferenceError.unfit(
          detail: "it is in \(blocks.type.name), which only GGUF has; export it as GGUF, or search levels in bits",
          mend: nil)
      case .quantized(let weight):
        let scheme = try PackedScheme(weight)
        schemes[index] = scheme
        if weight.format.scaleType == .float32, !PackedScales.areHalves(weight.scales) { scalesAreHalves = false }
        if !scheme.isSymmetric, weight.zeroPoints.contains(0) { hasZeroPointZero = true }
      }
    }

    /// The format with what it needs for these layers.
    func format(_ form: Form) throws -> any PackedFormat {
      switch form {
      case .compressedTensors(let widensScales):
        return CompressedTensorsFormat(scaleType: widensScales || !scalesAreHalves ? .float32 : .float16)
      case .gptq(let asked):
        guard scalesAreHalves else {
          throw InferenceError.unfit(
            detail: "gptq has scales in float16, and these are float32; build with scales in float16, or export to "
              + "compressed-tensors", mend: nil)
        }
        let hasThreeBits = schemes.values.contains { $0.bits == 3 }
        if asked == .v1, hasZeroPointZero {
          throw InferenceError.unfit(
            detail: "gptq stores zero points less 1, and some are 0, which gptq_v2 can store", mend: nil)
        }
        if asked == .v1, hasThreeBits {
          throw InferenceError.unfit(
            detail: "readers do not agree on zero points of 3 bits in gptq; gptq_v2 has them as they are", mend: nil)
        }
        return GPTQFormat(version: asked ?? (hasThreeBits || hasZeroPointZero ? .v2 : .v1))
      }
    }
  }
}

extension Matrix {
  /// Whether all numbers are the same, bit for bit.
  func hasSameBits(as other: Matrix) -> Bool {
    guard (rows, columns) == (other.rows, other.columns) else { return false }
    return zip(UnsafeBufferPointer(storage), UnsafeBufferPointer(other.storage)).allSatisfy {
      $0.bitPattern == $1.bitPattern
    }
  }
}
