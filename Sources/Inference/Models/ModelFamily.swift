/// A model family: how its `config.json` is read and what computes it.
///
/// A family is one file in this folder and one line in `ModelFamilies.all`; CONTRIBUTING.md has the recipe.
protocol ModelFamily {
  /// The `model_type` of its configurations.
  static var modelType: ByteString { get }
  /// Raised by hand when its results change beyond rounding; part of every key that rests on a forward pass.
  static var revision: Int { get }
  /// How its checkpoints name their tensors; Llama's names unless it says otherwise.
  static var tensorNames: TensorNames { get }
  /// Reads a `config.json`.
  ///
  /// - Throws: `InferenceError.invalidData` for values out of range, `.unsupported` for every setting that would change
  ///   results and is not implemented.
  static func configuration(_ fields: ConfigurationFields) throws -> ModelConfiguration
  /// The model of a checkpoint whose configuration this family has read; reads everything but the compressible layers.
  ///
  /// - Throws: `InferenceError` for missing tensors, wrong shapes and values that are not finite.
  static func open(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws -> any LanguageModel
}

extension ModelFamily {
  /// The family's name in a configuration.
  static var architecture: ModelConfiguration.Architecture {
    ModelConfiguration.Architecture(rawValue: modelType.description)
  }

  static var tensorNames: TensorNames { .llama }
}

/// All families that are implemented.
enum ModelFamilies {
  static var all: [any ModelFamily.Type] {
    [
      Llama.self, Mistral.self, Phi3.self, Qwen2.self, Qwen3.self, Gemma2.self, OPT.self,
    ]
  }

  /// Their `model_type`s, for messages.
  static var names: String { all.map { $0.modelType.description }.joined(separator: ", ") }

  static func family(modelType: ByteString) -> (any ModelFamily.Type)? { all.first { $0.modelType == modelType } }

  /// The family that read a configuration; every configuration comes from one.
  static func family(of configuration: ModelConfiguration) throws -> any ModelFamily.Type {
    let name = configuration.architecture.rawValue
    guard let family = family(modelType: ByteString(name)) else {
      throw InferenceError.unsupported(file: "config.json", detail: "model_type = \"\(name)\"; evodb runs \(names)")
    }
    return family
  }
}

/// Makes models of checkpoints, whatever their family.
public enum LanguageModelFactory {
  /// The model of a checkpoint: reads everything but the compressible layers.
  ///
  /// - Parameters:
  ///   - longestSequence: positions to prepare for; more than the configuration allows count as that many.
  ///   - arithmetic: of all products.
  /// - Throws: `InferenceError` for missing tensors, wrong shapes and values that are not finite.
  public static func open(_ checkpoint: Checkpoint, longestSequence: Int, arithmetic: Arithmetic = .float32) throws
    -> any LanguageModel
  {
    try open(checkpoint, ForwardSettings(longestSequence: longestSequence, arithmetic: arithmetic))
  }

  static func open(_ checkpoint: Checkpoint, _ settings: ForwardSettings) throws -> any LanguageModel {
    let model = try ModelFamilies.family(of: checkpoint.configuration).open(checkpoint, settings)
    // The layers are read when they are needed; a folder that does not fit is better found now.
    for layer in model.layers {
      try checkpoint.requireTensor(layer.tensorName, shape: [layer.outputCount, layer.inputCount])
    }
    return model
  }

  /// The revision of a configuration's family.
  public static func revision(of configuration: ModelConfiguration) throws -> Int {
    try ModelFamilies.family(of: configuration).revision
  }
}
