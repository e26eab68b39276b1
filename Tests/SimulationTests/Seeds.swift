import Fixtures
import Identity
import Simulation
import Testing

/// Worlds as the tests make them: the templates of `contracts/`, and few nodes for few hours.
enum Seeds {
    /// Small worlds, unless `nodes` says else; one of `crowds` has room for three witnesses.
    static func run(
        _ seed: UInt64, minutes: Int = 20, crowds: UInt64 = 8, nodes: Int? = nil,
        hasGuild: Bool = false
    ) throws -> Fate {
        _ = Sodium.start()
        var setting = World.Setting(
            nodes: nodes ?? (seed % crowds == crowds - 1 ? 7 : 4), hours: 1,
            templates: Shipped.ordered)
        setting.minutes = minutes
        setting.hasGuild = hasGuild
        return try World(seed: seed, setting).run()
    }

    /// A world of five, enough for every role, where nothing goes wrong.
    static func trade(_ seed: UInt64) throws -> Tally {
        _ = Sodium.start()
        var setting = World.Setting(
            nodes: 5, hours: 1, templates: Shipped.ordered, without: Set(FaultFamily.allCases))
        setting.minutes = 40
        let fate = try World(seed: seed, setting).run()
        #expect(fate.violation == nil, "seed \(seed): \(String(describing: fate.violation))")
        return fate.tally
    }
}
