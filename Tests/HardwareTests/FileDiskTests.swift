import Capacity
import Entries
import Hardware
import Identity
import NodeCore
import Simulation
import Testing

/// One home on a disk that fails, without a world around it.
@Suite struct FileDiskTests {
    /// Commits the first entries of strangers, one stranger to a commit.
    private struct Play {
        let disk: FileDisk
        let alliance: Alliance
        private var chance = Chance(seed: 7)

        init(_ seed: UInt64) throws {
            _ = Sodium.start()
            var chance = Chance(seed: seed)
            let genesis = try Self.genesis(&chance, joining: nil)
            alliance = genesis.alliance
            disk = try FileDisk(own: genesis.own, plan: .none, chance: chance)
            try disk.create(genesis, templates: [])
            self.chance = chance
        }

        private static func genesis(
            _ chance: inout Chance, joining alliance: Alliance?
        ) throws -> Genesis {
            let key = try #require(SigningKey(seed: SecretBytes(chance.bytes(32))))
            let code = try #require(RecoveryCode(entropy: chance.bytes(20)))
            return try Genesis(
                key: key, nextKey: code.nextKey(index: 2).publicKey, nodeSecret: code.nodeSecret,
                profile: Profile(name: "somebody"), joining: alliance, founding: "play",
                at: Instant.earliest.advanced(by: 1_795_000_000_000), seed: chance.hash())
        }

        mutating func commit(under fault: DiskFault? = nil) throws -> (CommitOutcome, [EntryID]) {
            let stranger = try Self.genesis(&chance, joining: alliance)
            let changes = stranger.entries.map { Change.entry($0, own: false) }
            return (disk.commit(changes, own: nil, under: fault), stranger.entries.map(\.id))
        }

        func start() throws -> Loaded.Contents {
            guard case .whole(let contents) = disk.load(isFull: false) else { throw NotWhole() }
            return contents
        }
        struct NotWhole: Error {}
    }

    @Test func `however a process ends, what its commits kept is there`() throws {
        var play = try Play(1)
        var kept: [EntryID] = []
        for _ in 0..<24 {
            let contents = try play.start()
            #expect(contents.lost == nil && contents.snapshot.readOnly == nil)
            #expect(Set(contents.snapshot.entries.map(\.id)).isSuperset(of: kept))
            for _ in 0..<3 {
                let (outcome, ids) = try play.commit()
                #expect(outcome == .kept)
                kept += ids
            }
            play.disk.crash()
        }
        #expect(play.disk.befell.keys.count { $0.hasPrefix("power cut") } > 2)
    }

    @Test(arguments: [DiskFault.stops, .fails(keeping: false), .full])
    func `of a commit that does not return all is there or nothing`(_ fault: DiskFault) throws {
        var play = try Play(2)
        var outcomes: Set<CommitOutcome> = []
        for _ in 0..<24 {
            _ = try play.start()
            _ = try play.commit()
            let (outcome, ids) = try play.commit(under: fault)
            outcomes.insert(outcome)
            // Whoever asks the disk is told the same before the next start and after it.
            #expect(ids.allSatisfy { play.disk.holds($0) == (outcome != .lost) })
            play.disk.crash()
            let there = Set(try play.start().snapshot.entries.map(\.id))
            #expect(ids.allSatisfy { there.contains($0) == (outcome != .lost) })
            play.disk.crash()
        }
        #expect(outcomes.contains(.lost))
        // Where a sync failed it is gone; where the process ended after it, it is there.
        if fault == .stops { #expect(outcomes.contains(.untold)) }
    }

    @Test func `a full disk starts no process and loses nothing`() throws {
        var play = try Play(3)
        _ = try play.start()
        let (_, ids) = try play.commit()
        play.disk.crash()
        guard case .failing = play.disk.load(isFull: true) else {
            Issue.record("it started")
            return
        }
        #expect(Set(try play.start().snapshot.entries.map(\.id)).isSuperset(of: ids))
    }

    @Test func `a bit that turned over is noticed, or changes nothing that has an id`() throws {
        var outcomes: [String: Int] = [:]
        for seed: UInt64 in 1...40 {
            var play = try Play(seed)
            _ = try play.start()
            for _ in 0..<3 { _ = try play.commit() }
            let before = try #require(play.disk.snapshot).entries.map(\.id)
            play.disk.damage(before[0])
            play.disk.crash()
            switch play.disk.load(isFull: false) {
            case .whole(let contents):
                let after = contents.snapshot.entries.map(\.id)
                #expect(contents.isWorn || after == before)
            case .damaged(let unprovoked): #expect(unprovoked == nil)
            case .failing: Issue.record("nothing was to fail")
            }
            outcomes.merge(play.disk.befell, uniquingKeysWith: +)
        }
        let noticed = ["bit refused", "bit mended", "bit read-only", "bit cut"]
        #expect(noticed.contains { outcomes[$0, default: 0] > 0 }, "\(outcomes)")
    }
}
