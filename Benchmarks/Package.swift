// swift-tools-version: 6.2
// A package of its own, so that no build of a node knows of it. `scripts/bench` builds and runs it.
import PackageDescription

let package = Package(
    name: "talea-benchmarks",
    dependencies: [.package(name: "talea", path: "..")],
    targets: [
        .executableTarget(
            name: "talea-bench",
            dependencies: [.product(name: "Rooms", package: "talea"), "CSQLite"],
            exclude: ["README.md"],
            swiftSettings: [.treatAllWarnings(as: .error)]),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    ],
    swiftLanguageModes: [.v6]
)
