import Catalog
import Inference

/// A budget that counts an exported GGUF file: all of its bytes, beside layers also metadata, tokenizer, embedding and head.
public struct FileBudget: Equatable, Sendable {
  /// Type of the embedding; nil: the checkpoint's.
  public var embeddingType: GGUFType?
  /// Type of the head; nil: the checkpoint's.
  public var headType: GGUFType?
  /// Whether the tokenizer is left out.
  public var leavesOutTokenizer = false
  /// Bytes of the file beside those that layers add; 0: not yet measured.
  public var frameByteCount: Int64 = 0

  /// A file with the checkpoint's types.
  public init() {}

  /// What an export has to be given so that its file has this size.
  public var exportOptions: GGUFExport.Options {
    var options = GGUFExport.Options()
    options.embeddingType = embeddingType
    options.headType = headType
    options.leavesOutTokenizer = leavesOutTokenizer
    return options
  }

  /// The sizes of files with this frame.
  public var size: GGUFFileSize { GGUFFileSize(frameByteCount: frameByteCount) }

  /// Bytes of the file whose layers cost so many bits.
  func fileByteCount(cost: Int64) -> Int64 { size.fileByteCount(layers: cost / 8) }

  /// The budget for a file of at most so many bytes, in bits of layers.
  ///
  /// - Parameter costs: what the space allows.
  /// - Throws: `SearchError.impossible` with the smallest and the largest file.
  func budget(fileByteCount wanted: Int64, costs: ClosedRange<Int64>) throws -> Int64 {
    let sizes = fileByteCount(cost: costs.lowerBound)...fileByteCount(cost: costs.upperBound)
    guard sizes.contains(wanted) else {
      throw SearchError.impossible(
        detail:
          "no file has \(wanted) bytes: of those that the levels allow the smallest has \(sizes.lowerBound) bytes "
          + "and the largest \(sizes.upperBound), \(frameByteCount) of them beside the layers")
    }
    return min(8 * size.layerByteCount(within: wanted), costs.upperBound)
  }
}

extension SearchRecipe {
  /// The recipe with the bytes of its file that do not depend on the assignment; as it is if its budget counts no file.
  ///
  /// - Parameter version: of the program that shall write the file.
  /// - Throws: as `GGUFFileSize`.
  public func measuringFile(of model: ModelRecord, version: String, tx: CatalogTransaction) throws -> SearchRecipe {
    guard let file else { return self }
    var recipe = self
    recipe.file?.frameByteCount =
      try GGUFFileSize(of: model, file.exportOptions, version: version, tx: tx).frameByteCount
    return recipe
  }

  /// Checks that a budget of a file goes together with the rest.
  ///
  /// - Throws: `SearchError.invalidParameter`.
  func validateFile() throws {
    guard let file else { return }
    func wrong(_ detail: String) -> SearchError { .invalidParameter(detail: "a budget of a file " + detail) }
    guard cost == .stored, case .bytes = target else {
      throw wrong("needs a target in bytes, those of the file")
    }
    guard runtime == .gguf else {
      throw wrong(
        "is that of a GGUF file, and needs the rules of the runtime gguf, not those of \(runtime?.rawValue ?? "any")")
    }
    guard !allowsDrop else {
      throw wrong("does not know what dropped subblocks save, since files keep halves of blocks as zeros")
    }
    guard file.frameByteCount > 0 else {
      throw wrong("must know the bytes beside the layers, and these were not measured")
    }
  }
}
