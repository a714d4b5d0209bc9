import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference
@testable import Search

/// The names that users give to assignments.
@Suite struct AssignmentReferenceTests {
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
    #expect(throws: CatalogError.self) { try resolve("a run", in: catalog) }
    try run.run()
    #expect(try resolve("a run", in: catalog).id == run.record.foundAssignmentID)
  }

  @Test(arguments: ["uniform:", "uniform:x", "uniform:8", "abc", "ffffffff", "", "uniform:nan"])
  func whatNamesNothingIsAnError(text: String) throws {
    let catalog = try RunCatalog()
    #expect(throws: (any Error).self) { try resolve(text, in: catalog) }
  }

  @Test func levelsOfAnotherMethodAreNotTaken() throws {
    let catalog = try RunCatalog()
    let error = #expect(throws: SearchError.self) { try resolve("uniform:3", in: catalog, method: "rtn") }
    #expect(error == .notBuilt(detail: "no rtn variants are built", method: "rtn", rules: []))
  }
}
