// swift-tools-version: 6.0
import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6)]

let package = Package(
  name: "evodb",
  platforms: [.macOS(.v13)],
  products: [
    .executable(name: "evodb", targets: ["evodb"]),
    .executable(name: "evodb-bench", targets: ["evodb-bench"]),
  ],
  targets: [
    .systemLibrary(
      name: "CSQLite", pkgConfig: "sqlite3",
      providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev"]), .brew(["openblas"])]),
    .target(name: "CKernels"),
    .target(
      name: "Catalog", dependencies: ["CSQLite", "CKernels"],
      resources: [.embedInCode("../../schema.sql"), .embedInCode("Queries/queries.sql")], swiftSettings: strict),
    .target(
      name: "Inference", dependencies: ["Catalog", "COpenBLAS", "CKernels"], swiftSettings: strict),
    .target(name: "Search", dependencies: ["Inference", "Catalog"], swiftSettings: strict),
    .executableTarget(
      name: "evodb", dependencies: ["Search", "Inference", "Catalog"], swiftSettings: strict),
    .executableTarget(
      name: "evodb-bench", dependencies: ["Search", "Inference", "Catalog"], path: "Benchmarks/evodb-bench",
      swiftSettings: strict),
    .target(
      name: "TestSupport", dependencies: ["Catalog", "Inference", "Search"],
      path: "Tests/TestSupport", swiftSettings: strict),
    .target(
      name: "FuzzTargets", dependencies: ["Catalog", "Inference", "Search", "CSQLite", "TestSupport"],
      path: "Tests/Fuzz/Targets", swiftSettings: strict),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "CatalogTests", dependencies: ["Catalog", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "InferenceTests", dependencies: ["Inference", "Catalog", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "SearchTests", dependencies: ["Search", "Inference", "Catalog", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "evodbTests", dependencies: ["evodb", "Catalog", "TestSupport"],
      swiftSettings: strict),
  ]
)

// Only libFuzzer can link it: see Scripts/fuzz.sh.
if Context.environment["EVODB_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "evodb-fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Driver", swiftSettings: strict))
}
