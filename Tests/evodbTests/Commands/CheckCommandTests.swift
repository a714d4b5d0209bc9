import Foundation
import TestSupport
import Testing

@testable import Inference

/// `evodb check --expected`: only logits that are all there, finite and near count as equal.
@Suite(.usualTimeLimit) struct CheckCommandTests {
  private let model = TinyCatalog.model
  private let golden = URL(fileURLWithPath: TinyCatalog.model).appendingPathComponent("expected.safetensors")

  private func check(_ expected: String, _ options: String...) throws -> CommandLineRunner.Result {
    try CommandLineRunner().run(["check", model, "--expected", expected, "--format", "json"] + options)
  }

  /// A file of logits: the golden ones after `change` of (ids' shape, ids, logits' shape, logits).
  private func changed(
    _ change: (inout [Int], inout [Int64], inout [Int], inout [Float]) -> Void
  ) throws -> (TemporaryFolder, String) {
    let file = try SafetensorsFile(golden)
    var (shape, ids) = try file.integers(named: "input_ids")
    let matrix = try file.matrix(named: "logits")
    var logitsShape = file.tensor(named: "logits")?.shape ?? []
    var logits = (0..<matrix.rows).flatMap { row in (0..<matrix.columns).map { matrix[row, $0] } }
    change(&shape, &ids, &logitsShape, &logits)
    var builder = SafetensorsBuilder()
    builder.add(
      "input_ids", dtype: "I64", shape: shape, bytes: ids.flatMap { SafetensorsBuilder.littleEndian($0) })
    builder.add("logits", shape: logitsShape, floats: logits)
    let folder = try TemporaryFolder()
    return (folder, try folder.write(builder.bytes(), to: "expected.safetensors").path)
  }

  @Test func equalLogitsAreFine() throws {
    let result = try check(golden.path)
    #expect(result.exitCode == 0)
    let fields = try JSONFields(result.output)
    #expect(try fields.number("max_abs_difference") < 2e-4)
    #expect(try fields.integer("position_count") > 0)
    #expect(fields.isNull("problem"))
    #expect(try check(golden.path, "--tolerance", "0").exitCode == 1)
    let table = try CommandLineRunner().run(["check", model, "--expected", golden.path])
    #expect(table.exitCode == 0 && table.output.contains("max_abs_difference"))
  }

  @Test func oneWrongValueAnywhereIsFound() throws {
    for place in [0, 1000, -1] {
      let (folder, path) = try changed { _, _, _, logits in logits[place < 0 ? logits.count - 1 : place] += 0.01 }
      let result = try check(path)
      #expect(result.exitCode == 1)
      let difference = try JSONFields(result.output).number("max_abs_difference")
      #expect(abs(difference - 0.01) < 1e-3)
      #expect(try check(path, "--tolerance", "0.02").exitCode == 0)
      withExtendedLifetime(folder) {}
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity]) func valuesThatAreNotFiniteAreFound(value: Float) throws {
    for place in [0, 1000, -1] {
      let (folder, path) = try changed { _, _, _, logits in logits[place < 0 ? logits.count - 1 : place] = value }
      let result = try check(path, "--tolerance", "1e300")
      #expect(result.exitCode == 1)
      #expect(try JSONFields(result.output).isNull("max_abs_difference"))
      withExtendedLifetime(folder) {}
    }
  }

  @Test func fewerPositionsThanIdsAreFound() throws {
    let (folder, path) = try changed { _, _, shape, logits in
      shape[shape.count - 2] -= 1
      logits = Array(logits.prefix(shape.reduce(1, *)))
    }
    let result = try check(path)
    #expect(result.exitCode == 1)
    #expect(try JSONFields(result.output).text("problem").contains("need logits"))
    withExtendedLifetime(folder) {}
  }

  @Test func anotherVocabularyIsFound() throws {
    let (folder, path) = try changed { _, _, shape, logits in
      shape[shape.count - 1] = 48
      logits = Array(logits.prefix(shape.reduce(1, *)))
    }
    #expect(try check(path).exitCode == 1)
    withExtendedLifetime(folder) {}
  }

  @Test func shapesThatMultiplyToNothingAreFoundAndNoTrap() throws {
    for shape in [[0, 8], [8, 0], [1 << 40, 1 << 40, 0], [2, 2, 2]] {
      let (folder, path) = try changed { idShape, ids, logitsShape, logits in
        idShape = shape
        ids = Array(ids.prefix(shape.contains(0) ? 0 : 8))
        logitsShape = [0, 96]
        logits = []
      }
      let result = try check(path)
      #expect(!result.wasKilled, "\(shape): \(result.diagnostics)")
      #expect(result.exitCode == 1 || result.exitCode == 65, "\(shape): \(result.exitCode) \(result.diagnostics)")
      withExtendedLifetime(folder) {}
    }
  }

  @Test func idsOutsideTheVocabularyAreBadData() throws {
    let (folder, path) = try changed { _, ids, _, _ in ids[3] = 96 }
    #expect(try check(path).exitCode == 65)
    withExtendedLifetime(folder) {}
  }
}
