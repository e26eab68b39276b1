import Foundation
import Identity
import Simulation
import Testing

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

    /// Small worlds, unless `nodes` says else; one of `crowds` has room for three witnesses.
    static func run(
        _ seed: UInt64, minutes: Int = 20, crowds: UInt64 = 8, nodes: Int? = nil,
        hasGuild: Bool = false
    ) throws -> Fate {
        _ = Sodium.start()
        var setting = World.Setting(
            nodes: nodes ?? (seed % crowds == crowds - 1 ? 7 : 4), hours: 1, templates: templates)
        setting.minutes = minutes
        setting.hasGuild = hasGuild
        return try World(seed: seed, setting).run()
    }

    /// A world of five, enough for every role, where nothing goes wrong.
    static func trade(_ seed: UInt64) throws -> Tally {
        _ = Sodium.start()
        var setting = World.Setting(
            nodes: 5, hours: 1, templates: templates, without: Set(FaultFamily.allCases))
        setting.minutes = 40
        let fate = try World(seed: seed, setting).run()
        #expect(fate.violation == nil, "seed \(seed): \(String(describing: fate.violation))")
        return fate.tally
    }
}
