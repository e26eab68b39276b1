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

    /// Small worlds, every eighth with room for three witnesses.
    static func run(_ seed: UInt64, minutes: Int = 20, hasGuild: Bool = false) throws -> Fate {
        _ = Sodium.start()
        var setting = World.Setting(
            nodes: seed % 8 == 7 ? 7 : 4, hours: 1, templates: templates)
        setting.minutes = minutes
        setting.hasGuild = hasGuild
        return try World(seed: seed, setting).run()
    }
}
