import Foundation

/// Ready token ids: a safetensors file with `input_ids` [sequences, tokens] and, if it has padding, `attention_mask`.
struct TokenIDFile {
  /// The ids of every sequence, padding left out. Any integers: they are not yet held against a vocabulary.
  private(set) var sequences: [[Int64]] = []
  /// Tokens of a row of the file.
  let width: Int
  /// Positions left out as padding.
  private(set) var paddingCount = 0
  /// Tensors that say nothing about the ids and are not looked at.
  let ignored: [String]

  /// - Throws: `InferenceError.invalidData` for a wrong shape, a mask that is not one run of ones a row, labels or positions
  ///   other than the usual ones, and other tensors with an integer for every token.
  static func read(_ input: InputFile, cancellation: Cancellation? = nil) throws -> TokenIDFile {
    if try input.isRegularFile() { return try TokenIDFile(SafetensorsFile(AbsolutePath.url(input.argument))) }
    // A pipe has no places to read at: its content goes to a file that loses its name as soon as it is open.
    let bytes = try input.bytes(cancellation: cancellation)
    let copy = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-ids-\(UUID().uuidString)")
    do {
      defer { try? FileManager.default.removeItem(at: copy) }
      try Data(bytes).write(to: copy, options: .withoutOverwriting)
      return try TokenIDFile(SafetensorsFile(copy))
    } catch let error as InferenceError {
      throw error.naming(input.path)
    }
  }

  private init(_ file: SafetensorsFile) throws {
    func invalid(_ detail: String) -> InferenceError { .invalidData(file: file.path, detail: detail) }
    let (shape, ids) = try file.integers(named: "input_ids")
    guard shape.count == 2, shape[0] >= 1, shape[1] >= 2 else {
      throw invalid("input_ids must be [sequences, tokens] with at least 2 tokens, not \(shape)")
    }
    let (rows, width) = (shape[0], shape[1])
    self.width = width
    func perToken(_ name: String) throws -> [Int64] {
      let (found, values) = try file.integers(named: name)
      guard found == shape else { throw invalid("\(name) must be \(shape) like input_ids, is \(found)") }
      return values
    }

    var kept = Array(repeating: 0..<width, count: rows)
    if file.tensor(named: "attention_mask") != nil {
      let mask = try perToken("attention_mask")
      kept = try (0..<rows).map { row in
        let line = mask[row * width..<(row + 1) * width]
        if let bad = line.first(where: { $0 != 0 && $0 != 1 }) {
          throw invalid("attention_mask must hold 0 and 1, holds \(bad) in sequence \(row)")
        }
        guard let first = line.firstIndex(of: 1), let last = line.lastIndex(of: 1) else {
          throw invalid("attention_mask leaves nothing of sequence \(row); remove that row")
        }
        if let hole = line[first...last].firstIndex(of: 0) {
          throw invalid(
            "attention_mask has a hole in sequence \(row) at token \(hole - row * width): padding may stand at the ends only"
          )
        }
        guard last > first else {
          throw invalid("attention_mask leaves 1 token of sequence \(row); a sequence has at least 2")
        }
        return first - row * width..<last + 1 - row * width
      }
    }
    sequences = kept.enumerated().map { row, range in
      Array(ids[row * width + range.lowerBound..<row * width + range.upperBound])
    }
    paddingCount = rows * width - kept.reduce(0) { $0 + $1.count }

    // What says nothing new may stand there: collators write labels that repeat the ids, and positions that count.
    if file.tensor(named: "labels") != nil {
      let labels = try perToken("labels")
      for (row, range) in kept.enumerated() {
        for token in range where labels[row * width + token] != ids[row * width + token] {
          throw invalid(
            "labels differ from input_ids in sequence \(row) at token \(token); evodb predicts every token, so save the file "
              + "without labels")
        }
      }
    }
    if file.tensor(named: "position_ids") != nil {
      let positions = try perToken("position_ids")
      for (row, range) in kept.enumerated() {
        for token in range where positions[row * width + token] != Int64(token - range.lowerBound) {
          throw invalid(
            "position_ids do not count from 0 in sequence \(row); evodb takes every row as one text, so give each its own row"
          )
        }
      }
    }
    let known = ["input_ids", "attention_mask", "labels", "position_ids"]
    var ignored: [String] = []
    for tensor in file.tensors where !known.contains(tensor.name) {
      guard tensor.shape != shape || !tensor.elementType.isInteger else {
        throw invalid(
          "\(tensor.name) says something of every token, which evodb does not know; save the file without it, or with "
            + "attention_mask where it marks padding")
      }
      ignored.append(tensor.name)
    }
    self.ignored = ignored
  }
}
