// swift-tools-version: 6.2
// Rooms are flat under Sources and listed by layer, highest first. The arrows between them are the
// picture in docs/ARCHITECTURE.md; TidyTests holds the imports to it.
import Foundation
import PackageDescription

/// `TALEA_PURE=1` leaves the edges out: the pure rooms and their tests build in about a minute.
let pureOnly = ProcessInfo.processInfo.environment["TALEA_PURE"] == "1"

/// `TALEA_PLANTED=1` builds bugs in, to be chosen at run time (docs/RELIABILITY.md). Never ship it.
let isPlanted = ProcessInfo.processInfo.environment["TALEA_PLANTED"] == "1"

/// `TALEA_FUZZ=1` adds the fuzzers (Fuzz/README.md) and lets them watch the branches of every room.
let isFuzzed = ProcessInfo.processInfo.environment["TALEA_FUZZ"] == "1"

/// `TALEA_FUZZ=kept` adds the same targets to any other build, without libFuzzer: what is kept, once each.
let isKept = ProcessInfo.processInfo.environment["TALEA_FUZZ"] == "kept"

/// With the edges in a debug build: to optimise all that they rest on takes too long.
let optimised = pureOnly ? [] : ["-O", "-assert-config", "Debug"]

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .treatAllWarnings(as: .error),
    ] + (isPlanted ? [.define("PLANTED")] : [])
    + (isFuzzed
        ? [.unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library"] + optimised)] : [])

func room(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, exclude: ["README.md"] + exclude,
        swiftSettings: settings)
}

/// Dictionaries of which a copy costs nothing until it changes.
let trees: Target.Dependency = .product(name: "HashTreeCollections", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let pureRooms: [Target] = [
    .executableTarget(
        name: "talea-negentropy-harness", dependencies: ["Replication", "Identity"],
        exclude: ["README.md"], swiftSettings: settings),
    room(
        "Simulation",
        [
            "NodeCore", "Contracts", "Market", "Logs", "Replication", "Ledger", "Entries",
            "Capacity", "Identity",
        ]),
    room(
        "NodeCore",
        [
            "Contracts", "Market", "Logs", "Replication", "Ledger", "Entries", "Capacity",
            "Identity", trees,
        ]),
    room(
        "Contracts",
        ["Entries", "Ledger", "Capacity", "Identity", .product(name: "Yams", package: "Yams")]),
    room("Market", ["Entries", "Capacity", "Identity", trees]),
    room("Logs", ["Entries", "Capacity", "Identity", trees]),
    room("Entries", ["Identity", "Capacity"]),
    room("Ledger", ["Identity", "Capacity", trees]),
    room("Replication", ["Identity", trees]),
    room("Identity", ["CSodium"]),
    room("Capacity", [trees]),
    .systemLibrary(
        name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
]

let pureTests: [Target] = [
    .target(
        name: "Fixtures",
        dependencies: ["Identity", "Capacity", "Entries"],
        path: "Tests/Fixtures", swiftSettings: settings),
    tests("CapacityTests", ["Capacity"]),
    tests("IdentityTests", ["Identity", "Fixtures"]),
    tests("EntriesTests", ["Entries", "Identity", "Capacity", "Fixtures"]),
    tests("LogsTests", ["Logs", "Entries", "Identity", "Capacity", "Fixtures"]),
    tests("LedgerTests", ["Ledger", "Identity", "Capacity", "Fixtures"]),
    tests(
        "ContractsTests",
        ["Contracts", "Ledger", "Entries", "Identity", "Capacity", "Fixtures"]),
    tests("ReplicationTests", ["Replication", "Identity", "Fixtures"]),
    tests("MarketTests", ["Market", "Entries", "Identity", "Capacity", "Fixtures"]),
    tests("TidyTests", []),
    tests("SimulationTests", ["Simulation", "Identity", "Capacity", "Fixtures"]),
    tests(
        "ScenarioTests",
        [
            "Simulation", "NodeCore", "Contracts", "Market", "Logs", "Replication", "Ledger",
            "Entries", "Capacity",
            "Identity", "Fixtures",
        ]),
]

let edges: [Target] = [
    .systemLibrary(
        name: "CQrencode", pkgConfig: "libqrencode", providers: [.apt(["libqrencode-dev"])]),
    .executableTarget(
        name: "talea",
        dependencies: [
            "NodeDaemon", "Hardware", "Simulation", "Dashboard", "Contracts", "Entries",
            "Identity", "Capacity",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ], exclude: ["README.md"], swiftSettings: settings),
    room(
        "NodeDaemon",
        [
            "Transport", "Storage", "Dashboard", "NodeCore",
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "CoreMetrics", package: "swift-metrics"),
        ]),
    // Under SQLite in simulated worlds and tests: a disk that fails and loses as ordered.
    .target(
        name: "CFaultDisk", exclude: ["README.md"], linkerSettings: [.linkedLibrary("sqlite3")]),
    room(
        "Hardware",
        [
            "Simulation", "Storage", "CFaultDisk", "NodeCore", "Replication", "Ledger", "Entries",
            "Identity",
        ]),
    room(
        "Transport",
        [
            "Replication", "Identity", heap,
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOTLS", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "X509", package: "swift-certificates"),
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "SwiftASN1", package: "swift-asn1"),
            .product(name: "Logging", package: "swift-log"),
        ]),
    room(
        "Storage",
        [
            "NodeCore", "Replication", "Contracts", "Market", "Logs", "Ledger", "Entries",
            "Capacity", "Identity", .product(name: "GRDB", package: "GRDB.swift"),
        ]),
    room(
        "Dashboard",
        [
            "NodeCore", "Replication", "Contracts", "Market", "Logs", "Ledger", "Entries",
            "Capacity", "Identity", "CQrencode",
            .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "HummingbirdCore", package: "hummingbird"),
            .product(name: "HummingbirdTLS", package: "hummingbird"),
            .product(name: "Mustache", package: "swift-mustache"),
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "CoreMetrics", package: "swift-metrics"),
        ], exclude: ["Page"]),
]

let edgeTests: [Target] = [
    tests(
        "HardwareTests",
        ["Hardware", "Simulation", "NodeCore", "Entries", "Identity", "Capacity", "Fixtures"]),
    tests(
        "StorageTests",
        [
            "Storage", "NodeCore", "Replication", "Logs", "Ledger", "Entries", "Identity",
            "Capacity", "Fixtures",
            "CFaultDisk",
            .product(name: "GRDB", package: "GRDB.swift"),
        ]),
    tests(
        "TransportTests",
        [
            "Transport", "Replication", "Identity",
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
            .product(name: "X509", package: "swift-certificates"),
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "SwiftASN1", package: "swift-asn1"),
            .product(name: "Logging", package: "swift-log"),
        ]),
    tests(
        "DashboardTests",
        [
            "talea", "NodeDaemon", "Dashboard", "NodeCore", "Contracts", "Market", "Logs",
            "Ledger", "Entries", "Capacity", "Identity", "Fixtures", "Transport", "Storage",
            "Replication",
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
            .product(name: "CoreMetrics", package: "swift-metrics"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "Mustache", package: "swift-mustache"),
        ]),
    tests(
        "ProcessTests", ["talea", "talea-negentropy-harness", "Entries", "Identity", "Capacity"]),
]

func fuzzer(_ name: String, _ path: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies + ["Fuzzing"], path: path, swiftSettings: settings,
        linkerSettings: isKept
            ? [] : [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])])
}

let fuzzers: [Target] =
    [
        .target(
            name: "Fuzzing", path: "Fuzz/Fuzzing",
            swiftSettings: settings + (isKept ? [.define("KEPT")] : [])),
        fuzzer(
            "talea-fuzz", "Fuzz/Pure",
            [
                "Simulation", "NodeCore", "Contracts", "Market", "Logs", "Replication", "Ledger",
                "Entries", "Capacity", "Identity", "Fixtures",
            ]),
    ]
    + (pureOnly
        ? []
        : [
            fuzzer(
                "talea-fuzz-edges", "Fuzz/Edges",
                [
                    "NodeDaemon", "Transport", "Storage", "Dashboard", "NodeCore", "Simulation",
                    "Contracts", "Replication", "Logs", "Ledger", "Entries", "Capacity",
                    "Identity", "Fixtures",
                    .product(name: "Hummingbird", package: "hummingbird"),
                    .product(name: "NIOCore", package: "swift-nio"),
                    .product(name: "NIOEmbedded", package: "swift-nio"),
                    .product(name: "X509", package: "swift-certificates"),
                    .product(name: "Crypto", package: "swift-crypto"),
                    .product(name: "SwiftASN1", package: "swift-asn1"),
                    .product(name: "Logging", package: "swift-log"),
                ])
        ])

/// What a node does most often, for counting instructions. Some files are shared with talea-bench.
let kernels = Target.executableTarget(
    name: "talea-kernels",
    dependencies: [
        "Simulation", "NodeCore", "Contracts", "Market", "Logs", "Replication", "Ledger", "Entries",
        "Capacity", "Identity",
    ], path: "Benchmarks/Sources",
    exclude: ["CSQLite", "talea-bench/README.md"]
        + ["Bare", "Calm", "Commits", "Ingest", "Main", "Moves", "Offers", "Sync"].map {
            "talea-bench/\($0).swift"
        },
    sources: ["talea-kernels"]
        + ["Authors", "Measures", "Steps", "Trade"].map { "talea-bench/\($0).swift" },
    swiftSettings: settings)

/// What Benchmarks, a package of its own, measures.
let measured: [String] =
    pureRooms.filter { $0.type == .regular }.map(\.name) + (pureOnly ? [] : ["Storage"])

let package = Package(
    name: "talea",
    products: [.library(name: "Rooms", targets: measured)]
        + (pureOnly ? [] : [.executable(name: "talea", targets: ["talea"])]),
    dependencies: [
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    ]
        + (pureOnly
            ? []
            : [
                .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
                .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
                .package(url: "https://github.com/apple/swift-certificates", exact: "1.21.1"),
                .package(url: "https://github.com/apple/swift-asn1", exact: "1.7.4"),
                .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
                .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
                .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
                .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
                .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
                .package(
                    url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
                .package(
                    url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
                .package(
                    url: "https://github.com/swift-server/swift-service-lifecycle",
                    exact: "2.13.0"),
            ]),
    targets: pureRooms + pureTests + (pureOnly ? [] : edges + edgeTests)
        + (isFuzzed || isKept ? fuzzers : []) + (isKept ? [kernels] : []),
    swiftLanguageModes: [.v6]
)
