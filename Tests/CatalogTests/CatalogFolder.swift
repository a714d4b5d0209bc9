import Foundation
import TestSupport

@testable import Catalog

/// A folder with one catalog in it.
struct CatalogFolder {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The catalog's path.
  var path: String { folder.url.appendingPathComponent("c.evodb").path }
  /// The names of all files of the folder.
  var files: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() } }
  /// The bytes of the catalog's file.
  var bytes: Data { get throws { try Data(contentsOf: URL(fileURLWithPath: path)) } }

  /// A new catalog, open for writing.
  func create() throws -> CatalogStore { try CatalogStore(path: path, mode: .create, command: "init") }
  /// The catalog, open for writing.
  func write(command: String = "test") throws -> CatalogStore {
    try CatalogStore(path: path, mode: .write, command: command)
  }
  /// The catalog, open for reading.
  func read() throws -> CatalogStore { try CatalogStore(path: path, mode: .read) }

  /// Changes the file as no `CatalogStore` would.
  func tamper(_ script: String) throws {
    let connection = try Connection(path: path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    try connection.execute(script)
  }

  /// Makes anew what follows from rows that `tamper` changed, as `evodb gc` does.
  func renewFitness() throws {
    let store = try write()
    defer { store.close() }
    try store.write { try $0.drop([.fitness], isOld: { _, _ in false }) }
  }

  /// A catalog with everything of `ExampleContents`, closed.
  static func filled(reversed: Bool = false) throws -> (folder: CatalogFolder, contents: ExampleContents) {
    let folder = try CatalogFolder()
    let store = try folder.create()
    defer { store.close() }
    return (folder, try store.write { try ExampleContents(in: $0, reversed: reversed) })
  }
}
