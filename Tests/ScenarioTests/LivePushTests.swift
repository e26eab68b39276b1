import Capacity
import Entries
import Identity
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// Entries of an alliance on their way along trees, between whole nodes.
@Suite struct LivePushTests {
    /// Nodes in a ring with chords: nobody is linked with more than four others.
    static func ring(_ count: Int) throws -> Market {
        let names = (0..<count).map { "n\($0 < 10 ? "0" : "")\($0)" }
        var market = try Market(names: names, only: "capacity-option")
        for (one, left) in names.enumerated() {
            for (other, right) in names.enumerated().dropFirst(one + 1) {
                let apart = min(other - one, count - other + one)
                if apart != 1 && apart != 5 { market.network.disconnect(left, right) }
            }
        }
        rest(&market)
        return market
    }

    /// Some seconds, in which everybody says what waited.
    static func rest(_ market: inout Market, seconds: Int = 8) {
        for _ in 0..<seconds {
            market.network.pass(milliseconds: 1_000)
            market.network.tick()
            market.network.settle()
        }
    }

    static func line(_ number: Int) throws -> LineTerms {
        LineTerms(
            resource: try Resource("paper/\(number)"),
            window: try Window(
                start: Market.start.advanced(by: 864_000_000),
                end: Market.start.advanced(by: 1_728_000_000), offsetMinutes: 480),
            unit: Market.piece)
    }

    /// One entry of `name`: how often it came whole to somebody, and who has it then.
    static func publish(_ market: inout Market, _ name: String, _ number: Int) throws -> (
        entry: Entry, payloads: Int, holders: [String]
    ) {
        let mark = market.network.recorded.count
        let terms = try line(number)
        try market.network.command(name) { try $0.declare(terms, total: 10) }
        let log = LogID.publicLog(
            author: market.did(name), alliance: market.network[name].alliance.topic)
        let entry = try #require(market.network.stores[name]?.entries(of: log).last)
        market.network.settle()
        rest(&market)
        let payloads = market.network.recorded.dropFirst(mark).count {
            switch try? Message($0.frame) {
            case .treePush(_, entry.wire), .push(entry.wire): true
            case .entries(let entries, _): entries.contains(entry.wire)
            default: false
            }
        }
        return (entry, payloads, holders(of: entry, market))
    }

    static func holders(of entry: Entry, _ market: Market) -> [String] {
        guard let place = entry.header.log else { return [] }
        return market.network.nodes.filter {
            $0.value.id(in: place.log, at: UInt64(place.sequence)) == entry.id
        }.keys.sorted()
    }

    @Test func `an entry reaches all, and each about once`() throws {
        var market = try Self.ring(16)
        for number in 0..<3 { _ = try Self.publish(&market, "n00", number) }
        let (_, payloads, holders) = try Self.publish(&market, "n00", 3)
        #expect(holders == market.names)
        #expect(payloads <= 18)
    }

    @Test func `an entry costs a third of what plain pushes cost`() throws {
        func bytes(plainly: Bool) throws -> Int {
            var market = try Market(
                names: (0..<8).map { "n\($0)" }, only: "capacity-option")
            if plainly { market.network.passing = { Self.older($0) } }
            for name in market.names { market.restart(name) }
            for number in 0..<3 { _ = try Self.publish(&market, "n0", number) }
            let mark = market.network.recorded.count
            _ = try Self.publish(&market, "n0", 3)
            let frames = market.network.recorded.dropFirst(mark).map(\.frame)
            return frames.filter { $0.type == 9 || (50...55).contains($0.type) }
                .reduce(0) { $0 + $1.bytes.count }
        }
        let (tree, plain) = (try bytes(plainly: false), try bytes(plainly: true))
        #expect(tree * 3 < plain)
    }

    /// What a program says that knows no trees.
    static func older(_ flight: Network.Flight) -> Frame {
        guard case .hello(var hello) = try? Message(flight.frame) else { return flight.frame }
        hello.versions = [ReplicationLimit.wireVersion]
        return Message.hello(hello).frame
    }

    @Test func `after a third stopped at once the next entry reaches all who are left`() throws {
        var market = try Self.ring(15)
        for number in 0..<3 { _ = try Self.publish(&market, "n00", number) }
        for index in stride(from: 2, to: 15, by: 3) {
            market.network.stop(market.names[index])
        }
        let (_, payloads, holders) = try Self.publish(&market, "n00", 3)
        #expect(holders.count == 10)
        #expect(payloads <= 20)
    }

    /// The first dialed all others, so that they must ask it to compare; the last was dialed.
    @Test(arguments: ["n00", "n07"])
    func `where every push is lost comparing brings it all the same`(_ name: String) throws {
        var market = try Self.ring(8)
        let mark = market.network.recorded.count
        market.network.passing = { flight in
            flight.to == name && (50...55).contains(flight.frame.type) ? nil : flight.frame
        }
        let (entry, _, holders) = try Self.publish(&market, "n03", 0)
        #expect(holders == market.names.filter { $0 != name })
        Self.rest(&market, seconds: 250)
        #expect(Self.holders(of: entry, market) == market.names)
        let told = market.network.recorded.dropFirst(mark).filter { $0.to == name }
        #expect(told.contains { $0.frame.type == 8 })
        #expect(!told.contains { (50...55).contains($0.frame.type) })
    }

    @Test func `who knows of no trees is pushed to as before, and passes on`() throws {
        var market = try Self.ring(8)
        market.network.disconnect("n04", "n05")
        market.network.disconnect("n03", "n04")
        // What an older program said, it says again over its next connection.
        market.network.passing = { flight in
            flight.from == "n04" || flight.to == "n04" ? Self.older(flight) : flight.frame
        }
        market.network.connect("n04", "n03")
        market.network.connect("n05", "n04")
        for other in ["n01", "n07"] { market.network.disconnect("n04", other) }
        market.network.settle()
        let mark = market.network.recorded.count
        for name in ["n00", "n04"] {
            #expect(try Self.publish(&market, name, 0).holders == market.names)
        }
        let ours = market.network.recorded.dropFirst(mark).filter {
            $0.from == "n04" || $0.to == "n04"
        }
        #expect(!ours.contains { (50...55).contains($0.frame.type) })
        #expect(ours.contains { $0.frame.type == 9 })
    }

    @Test func `whoever says that he knows no trees and pushes along them is cut off`() throws {
        var market = try Market("alice", "bob", only: "capacity-option")
        market.network.disconnect("alice", "bob")
        market.network.passing = { Self.older($0) }
        market.network.connect("alice", "bob")
        market.network.settle()
        market.network.inject(
            Message.gossip(.prune([ShortID(1)]), topic: nil).frame, from: "bob", to: "alice")
        #expect(!market.network.isConnected("alice", "bob"))
    }

    @Test func `what is pushed is judged as whatever else comes`() throws {
        var market = try Market("alice", "bob", "carol", only: "capacity-option")
        let own = try #require(market.network.own("bob"))
        func entry(_ log: LogID, topic: TopicID, _ sequence: Int64) throws -> Entry {
            let body = Array("\(sequence)".utf8)
            return try ValidEntry(
                signing: Header(
                    kind: Kind.lineOpening.rawValue, author: own.did, key: own.keyEntry,
                    topic: topic, time: market.network.now, bodyHash: SHA256.hash(body),
                    bodySize: Int64(body.count),
                    place: .log(
                        .init(
                            log: log, sequence: sequence,
                            previous: sequence > 1 ? EntryID(SHA256.hash(body)) : nil))),
                body: body,
                by: own.key
            ).entry
        }
        let alliance = market.network["bob"].alliance.topic
        let push = PushedEntry(
            id: ShortID(0), root: Root(1), seed: Root(2), distance: 0, isUrgent: true)
        let before = market.trace("alice")
        // An alliance that nobody knows, a log that nobody opened, and one that leaves a gap.
        for entry in [
            try entry(LogID(SHA256.hash([1])), topic: TopicID(SHA256.hash([2])), 1),
            try entry(LogID(SHA256.hash([1])), topic: alliance, 1),
            try entry(.publicLog(author: own.did, alliance: alliance), topic: alliance, 90),
        ] {
            let mark = market.network.recorded.count
            market.network.inject(
                Message.treePush(push, entry.wire).frame, from: "bob", to: "alice")
            market.network.settle()
            let said = market.network.recorded.dropFirst(mark).filter { $0.from == "alice" }
            #expect(!said.contains { (50...55).contains($0.frame.type) })
        }
        #expect(market.trace("alice") == before)
        #expect(market.network.isConnected("alice", "bob"))
        market.network.inject(
            Message.treePush(push, [1, 2, 3]).frame, from: "bob", to: "alice")
        #expect(!market.network.isConnected("alice", "bob"))
    }

    @Test func `the same again and again is answered shortly and goes no further`() throws {
        var market = try Market("alice", "bob", "carol", only: "capacity-option")
        let (entry, _, _) = try Self.publish(&market, "bob", 0)
        // By then nobody remembers that it came.
        market.network.pass(milliseconds: 2 * ReplicationLimit.seenMilliseconds)
        market.network.tick()
        _ = try Self.publish(&market, "bob", 1)
        let mark = market.network.recorded.count
        let push = PushedEntry(
            id: ShortID(0), root: Root(7), seed: nil, distance: 0, isUrgent: false)
        for _ in 0..<100 {
            market.network.inject(
                Message.treePush(push, entry.wire).frame, from: "bob", to: "alice")
        }
        market.network.settle()
        let said = market.network.recorded.dropFirst(mark).filter { $0.from == "alice" }
        #expect(said.count == 100)
        #expect(said.allSatisfy { $0.to == "bob" && $0.frame.type == 53 })
    }

    @Test func `of two alliances each hears its own`() throws {
        var market = try Market("alice", "bob", "carol", only: "capacity-option")
        try market.network.command("bob") { try $0.found("guild", admission: .anyone) }
        let guild = try #require(market.network["bob"].alliances.last)
        try market.network.command("alice") {
            try $0.join(Invitation(foundingBody: guild.foundingBody))
        }
        market.network.settle()
        Self.rest(&market)
        let mark = market.network.recorded.count
        try market.network.command("bob") {
            try $0.declare(try Self.line(0), total: 10, in: guild.topic)
        }
        market.network.settle()
        Self.rest(&market, seconds: 200)
        let log = LogID.publicLog(author: market.did("bob"), alliance: guild.topic)
        let entries = try #require(market.network.stores["bob"]?.entries(of: log))
        #expect(market.network.stores["alice"]?.entries(of: log) == entries)
        #expect(market.network.stores["carol"]?.entries(of: log) == [])
        let told = market.network.recorded.dropFirst(mark).filter { $0.to == "carol" }
        #expect(!told.contains { (50...55).contains($0.frame.type) })
    }
}
