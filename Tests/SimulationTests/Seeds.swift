import Foundation
import Identity
import Simulation

/// Worlds as the tests make them: the templates of `contracts/`, and few nodes for few hours.
enum Seeds {
    static let templates: [[UInt8]] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "contracts")
        let files = try! FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        return files.filter { $0.pathExtension == "yaml" }.sorted { $0.path < $1.path }
            .map { Array(try! Data(contentsOf: $0)) }
    }()

    static func run(
        _ seed: UInt64, nodes: Int = 4, hours: Int = 1, without: Set<FaultFamily> = []
    ) throws -> Fate {
        _ = Sodium.start()
        let setting = World.Setting(
            nodes: nodes, hours: hours, templates: templates, without: without)
        return try World(seed: seed, setting).run()
    }
}
