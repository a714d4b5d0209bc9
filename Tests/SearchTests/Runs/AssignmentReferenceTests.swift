import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference
@testable import Search

/// The names that users give to assignments.
@Suite(.usualTimeLimit) struct AssignmentReferenceTests {
  private func resolve(_ text: String, in catalog: RunCatalog, method: String = "gptq") throws -> AssignmentRecord {
    let model = try catalog.model()
    return try catalog.store.write { try AssignmentReference.resolve(text, model: model, method: method, tx: $0) }
  }

  @Test func denseUniformDigestsAndRunsAreFound() throws {
    let catalog = try RunCatalog()
    let dense = try resolve("dense", in: catalog)
    #expect(dense.variantIDs.allSatisfy { $0 == nil })
    let uniform = try resolve("uniform:3", in: catalog)
    #expect(uniform.codeBits == 3 * 101_376)
    #expect(try resolve("uniform:3.0", in: catalog).id == uniform.id)
    #expect(try resolve(String(uniform.digest.hex.prefix(9)), in: catalog).id == uniform.id)
    #expect(try resolve(uniform.digest.hex.uppercased(), in: catalog).id == uniform.id)
    let run = try catalog.run(RunCatalog.recipe(), name: "a run")
    expectError(like: CatalogError.notFound("run a run has no result yet")) { try resolve("a run", in: catalog) }
    try run.run()
    #expect(try resolve("a run", in: catalog).id == run.record.foundAssignmentID)
  }

  @Test(arguments: ["abc", "ffffffff", ""])
  func whatNamesNothingIsNotFound(text: String) throws {
    let catalog = try RunCatalog()
    expectError(like: CatalogError.notFound("no assignment \(text): ")) { try resolve(text, in: catalog) }
  }

  @Test(arguments: ["x", "8", "nan"])
  func aUniformLevelThatIsNotBuiltIsImpossible(level: String) throws {
    let catalog = try RunCatalog()
    let detail = "uniform:\(level): that level is not built for every layer"
    expectError(like: SearchError.impossible(detail: detail)) { try resolve("uniform:\(level)", in: catalog) }
  }

  @Test func uniformWithoutALevelIsRefused() throws {
    let catalog = try RunCatalog()
    expectError(like: SearchError.invalidParameter(detail: "uniform: is followed by")) {
      try resolve("uniform:", in: catalog)
    }
  }

  @Test func levelsOfAnotherMethodAreNotTaken() throws {
    let catalog = try RunCatalog()
    #expect(throws: SearchError.notBuilt(detail: "no rtn variants are built", method: "rtn", rules: [])) {
      try resolve("uniform:3", in: catalog, method: "rtn")
    }
  }
}
