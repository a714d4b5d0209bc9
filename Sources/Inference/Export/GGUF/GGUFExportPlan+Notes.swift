/// What a GGUF file does not say as the assignment does.
extension GGUFExportPlan {
  static func notes(
    _ tensors: [Tensor], containers: [String: Container], zeroed: Set<Subblock>, types: Types, isTied: Bool
  ) -> [String] {
    var notes: [String] = []
    // In the order of the file, so that the sentences are the same each time.
    let written = tensors.compactMap { tensor -> Container? in
      if case .layer(let name) = tensor.content { containers[name] } else { nil }
    }
    var grids: [GGUFType: Int] = [:]
    var pruned: [GGUFType: Int] = [:]
    var rounded: [(sentence: String, type: GGUFType, count: Int)] = []
    for container in written {
      switch container {
      case .blocks: break
      case .grid(let type): grids[type, default: 0] += 1
      case .dense(let type, nil): pruned[type, default: 0] += 1
      case .dense(let type, let obstacle?):
        if let place = rounded.firstIndex(where: { $0.sentence == obstacle.sentence && $0.type == type }) {
          rounded[place].count += 1
        } else {
          rounded.append((obstacle.sentence, type, 1))
        }
      }
    }
    func layers(_ count: Int) -> String { count == 1 ? "1 layer is" : "\(count) layers are" }
    func sorted(_ counts: [GGUFType: Int]) -> [(key: GGUFType, value: Int)] {
      counts.sorted { $0.key.number < $1.key.number }
    }
    for (type, count) in sorted(grids) {
      notes.append(
        "\(layers(count)) in \(type.name), which holds its grid without loss and takes \(type.bitsPerWeight) bits a weight"
      )
    }
    for (type, count) in sorted(pruned) {
      notes.append("\(layers(count)) pruned and written densely, as \(type.name): GGUF has no sparse types")
    }
    for (sentence, type, count) in rounded {
      let action = type == .float32 ? "without loss" : "rounded"
      notes.append(
        "\(layers(count)) written as \(type.name), \(action): no type of GGUF holds its grid, since \(sentence)")
    }
    for half in zeroed.sorted(by: { ($0.blockIndex, $0.half.rawValue) < ($1.blockIndex, $1.half.rawValue) }) {
      notes.append("\(half.blockIndex).\(half.half.rawValue) is dropped, and stays in the file as zeros")
    }
    if isTied, types.head != nil {
      notes.append("the output projection is the embedding: the type of the embedding counts")
    }
    for (wanted, stem) in [(types.embedding, "token_embd.weight"), (types.head, "output.weight")] {
      guard let wanted, let found = tensors.first(where: { $0.description.name == ByteString(stem) })?.description,
        found.type != wanted
      else { continue }
      notes.append(
        "\(stem) is \(found.type.name), not \(wanted.name): its rows are \(found.shape[1]) wide, no multiple of "
          + "\(wanted.blockLength)")
    }
    return notes
  }
}
