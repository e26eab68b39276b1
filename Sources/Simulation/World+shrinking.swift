extension World {
    /// A smaller world in which the same seed breaks the same invariant: without the fault families and
    /// the nodes that it does not need. What cannot be left out stays in.
    public static func shrink(_ outcome: Fate, _ setting: Setting) throws -> Setting {
        guard let violation = outcome.violation else { return setting }
        var smallest = setting
        func breaks(_ candidate: Setting) throws -> Bool {
            try World(seed: outcome.seed, candidate).run().violation?.check == violation.check
        }
        // Phase 1 no longer than until it broke.
        var candidate = smallest
        candidate.minutes = min(setting.minutes, 60 * (Int(violation.time / 3_600_000) + 1))
        if candidate.minutes < smallest.minutes, try breaks(candidate) { smallest = candidate }
        for family in outcome.families {
            candidate = smallest
            candidate.without.insert(family)
            if try breaks(candidate) { smallest = candidate }
        }
        for nodes in [3, 4, 5, 6, 8, 10] where nodes < smallest.nodes {
            candidate = smallest
            candidate.nodes = nodes
            guard try breaks(candidate) else { continue }
            smallest = candidate
            break
        }
        return smallest
    }
}
