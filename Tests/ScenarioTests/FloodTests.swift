import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// What a peer can make a node keep waiting for.
@Suite struct FloodTests {
    @Test func `answers about contracts that never come are let go when they expire`() throws {
        var market = try Market("alice", "bob", only: "capacity-option")
        let own = try #require(market.network.own("alice"))
        for number in 0..<40 {
            let hash = SHA256.hash(Array("answer \(number)".utf8))
            let body = Acceptance(salt: hash, statement: EntryID(hash), releaseKey: nil).wire
            let answer = try ValidEntry(
                signing: Header(
                    kind: Kind.acceptance.rawValue, author: own.did, key: own.keyEntry,
                    topic: TopicID(hash), time: market.network.now, bodyHash: SHA256.hash(body),
                    bodySize: Int64(body.count),
                    place: .statement(
                        .init(
                            expires: market.network.now.advanced(by: 3_600_000), about: LogID(hash))
                    )), body: body, by: own.key
            ).entry
            market.network.inject(answer, from: "alice", to: "bob")
        }
        func waiting() -> Int {
            market.network["bob"].footprint.first { $0.name == "waiting statements" }?.count ?? 0
        }
        market.network.tick()
        #expect(waiting() == 40)
        market.network.pass(milliseconds: 3_600_001)
        market.network.tick()
        #expect(waiting() == 0)
    }

    @Test func `of one author 256 proposals wait here, the next come when there is room`() throws {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/letterpress", 1000)
        let draft = Node.ProposalDraft(
            template: try market.template("capacity-option").hash, currency: Market.cny,
            arguments: [
                "units": Market.units(1), "premium": Market.money(100),
                "strike": Market.money(100), "remedy": Market.money(10),
                "expiry": .instant(market.at(days: 30)),
                "deliver_by": .instant(market.at(days: 60)),
            ],
            roles: [
                "issuer": [market.did("bob")], "holder": [market.did("alice")],
                "arbiter": [market.did("judge")],
            ], lines: [line], acceptBy: market.at(days: 1), grantBy: market.at(days: 1))
        for _ in 0..<258 {
            try market.network.command("alice") { _ = try $0.propose(draft) }
        }
        market.settle()
        let there = market.network["bob"].contracts.keys.sorted()
        #expect(there.count == 256)
        for id in there.prefix(2) {
            try market.network.command("bob") { try $0.decline(id) }
        }
        market.settle()
        market.network.pass(milliseconds: 10_000)
        market.network.tick()
        market.settle()
        #expect(market.network["bob"].contracts.count == 258)
    }

    /// Proposed one after another, each at an end before the next.
    private static func short(_ market: inout Market, _ draft: Node.ProposalDraft) throws {
        for _ in 0..<300 {
            var draft = draft
            draft.acceptBy = market.network.now.advanced(by: 100)
            draft.grantBy = draft.acceptBy
            try market.network.command("alice") { _ = try $0.propose(draft) }
            market.settle()
            market.network.pass(milliseconds: 200)
        }
    }

    @Test func `proposals that run out at once make no room for further ones`() throws {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/letterpress", 1000)
        try Self.short(&market, HubTests.draft(market, line))
        #expect(market.network["bob"].contracts.count == 256)
    }

    @Test func `nobody fills the places of a witness with what never begins`() throws {
        var market = try Market("alice", "bob", "judge", "wei", only: "capacity-option")
        try market.network.command("wei") { $0.set(.witness, true) }
        let line = try market.declare("bob", "print/letterpress", 1000)
        var draft = try HubTests.draft(market, line)
        draft.witnesses = .init(identities: [market.did("wei")], threshold: 1)
        try Self.short(&market, draft)
        #expect(market.network["wei"].witnessing.count == 256)
        // Whoever else asks is served.
        let terms = try market.declare("alice", "paper", 100)
        let id = try market.agree(
            "bob", "capacity-option", AttackTests.draft(market, terms, units: 10).arguments,
            roles: ["issuer": "alice", "holder": "bob", "arbiter": "judge"], lines: [terms],
            witnesses: ["wei"], threshold: 1)
        #expect(try market.held("bob", id).grade == .witnessed)
    }

    @Test func `of logs and forks that nobody holds a peer makes us remember so many and no more`()
        throws
    {
        var market = try Market("alice", "bob", only: "capacity-option")
        let heads = (0..<20_000).map { number in
            let hash = SHA256.hash(Array("log \(number)".utf8))
            return Message.Head(log: LogID(hash), sequence: 7, id: EntryID(hash))
        }
        for start in stride(from: 0, to: heads.count, by: ReplicationLimit.headsPerFrame) {
            let some = Array(heads[start..<start + ReplicationLimit.headsPerFrame])
            market.network.inject(Message.heads(some).frame, from: "alice", to: "bob")
            let forks = some.map { Message.Head(log: heads[0].log, sequence: 0, id: $0.id) }
            market.network.inject(Message.heads(forks).frame, from: "alice", to: "bob")
        }
        let behind = market.network["bob"].lag().reduce(0) { $0 + $1.logs }
        #expect(behind == ReplicationLimit.strangeLogs)
        // An honest log finds its way all the same.
        let line = try market.declare("alice", "print/offset", 10)
        let log = LogID.line(author: market.did("alice"), line)
        #expect(market.network["bob"].lines[log]?.line.total == 10)
    }

    @Test func `what came before waits once, however often it comes`() throws {
        var market = try Market("alice", "bob", only: "capacity-option")
        let own = try #require(market.network.own("alice"))
        let hash = SHA256.hash([1])
        let body = Acceptance(salt: hash, statement: EntryID(hash), releaseKey: nil).wire
        let answer = try ValidEntry(
            signing: Header(
                kind: Kind.acceptance.rawValue, author: own.did, key: own.keyEntry,
                topic: TopicID(hash), time: market.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .statement(.init(expires: market.at(days: 1), about: LogID(hash)))),
            body: body, by: own.key
        ).entry
        for _ in 0..<3 { market.network.inject(answer, from: "alice", to: "bob") }
        #expect(
            market.network["bob"].footprint.first { $0.name == "waiting statements" }?.count == 1)
    }

    /// Each of the two names lines that were never opened; of those of the first there are too many.
    @Test func `of logs that wait the one who named most makes room for others`() throws {
        var market = try Market("alice", "bob", "carol", only: "capacity-option")
        func stray(_ name: String, _ number: Int) throws -> Entry {
            let own = try #require(market.network.own(name))
            let body = Array("\(name) \(number)".utf8)
            return try ValidEntry(
                signing: Header(
                    kind: Kind.lineOpening.rawValue, author: own.did, key: own.keyEntry,
                    topic: market.network[name].alliance.topic, time: market.network.now,
                    bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
                    place: .log(.init(log: LogID(SHA256.hash(body)), sequence: 1, previous: nil))),
                body: body, by: own.key
            ).entry
        }
        for number in 0..<1_030 {
            let entry = try stray("alice", number)
            market.network.inject(Message.push(entry.wire).frame, from: "alice", to: "bob")
        }
        let late = try stray("carol", 0)
        market.network.inject(Message.push(late.wire).frame, from: "carol", to: "bob")
        let limit = market.network["bob"].footprint.first { $0.name == "waiting logs" }
        #expect(limit?.count == limit?.limit)
        // Whatever comes into the alliance lets all that waits be asked for again.
        let mark = market.network.recorded.count
        _ = try market.declare("alice", "print/offset", 10)
        market.network.settle()
        let asked = market.network.recorded.dropFirst(mark).contains { flight in
            guard flight.from == "bob", flight.to == "carol",
                case .range(let range) = try? Message(flight.frame)
            else { return false }
            return range.log == late.header.log?.log
        }
        #expect(asked)
    }

    @Test func `a witness closes what it holds, and of one asker so much and no more`() throws {
        var (market, id) = try WitnessTests.option(witnesses: ["wei"], threshold: 1)
        let held = try market.held("alice", id)
        market.network.pass(milliseconds: 86_400_000)
        market.network.tick()
        market.network.settle()
        func closings() throws -> Int {
            try #require(market.network["wei"].witnessing[held.log]).said.closings.count
        }
        func ask(version: Int64, _ number: Int64) throws {
            let ask = ClosingRequest(
                salt: SHA256.hash(Array("\(version) \(number)".utf8)), record: 1, version: version,
                deadline: Market.start.advanced(by: number))
            market.network.inject(
                try market.statement(by: "alice", ask, about: held), from: "alice", to: "wei")
        }
        // Of a step that wei does not hold nothing can be said.
        try ask(version: 2, 0)
        #expect(try closings() == 0)
        let most = 256 + 8
        for number in 0..<Int64(most + 40) { try ask(version: 1, number) }
        market.network.tick()
        market.settle()
        #expect(try closings() == most)
        // Others are closed for all the same, and requests go on.
        let other = ClosingRequest(
            salt: .zero, record: 1, version: 1, deadline: Market.start.advanced(by: 9_999))
        market.network.inject(
            try market.statement(by: "bob", other, about: held), from: "bob", to: "wei")
        market.settle()
        #expect(try closings() == most + 1)
        try market.pay("alice", "bob", id)
        #expect(try market.state("bob", id).record(1)?.state == "open")
    }

    /// Proofs of forks of logs that nobody opened.
    private static func strayProof(_ market: Market, _ name: String, _ number: Int) throws
        -> ForkProof
    {
        let own = try #require(market.network.own(name))
        let body = Array("\(name) \(number)".utf8)
        let pair = try [Int64(0), 1].map { time in
            let entry = try ValidEntry(
                signing: Header(
                    kind: Kind.lineOpening.rawValue, author: own.did, key: own.keyEntry,
                    topic: market.network[name].alliance.topic,
                    time: market.network.now.advanced(by: time), bodyHash: SHA256.hash(body),
                    bodySize: Int64(body.count),
                    place: .log(.init(log: LogID(SHA256.hash(body)), sequence: 1, previous: nil))),
                body: body, by: own.key
            ).entry
            return Vouched(entry: entry, chain: [])
        }
        return ForkProof(pair[0], pair[1])
    }

    @Test func `proofs that wait take no room from others', and go with whoever brought them`()
        throws
    {
        var market = try Market("alice", "bob", "carol", only: "capacity-option")
        func waiting() -> Int {
            market.network["bob"].footprint.first { $0.name == "waiting proofs" }?.count ?? 0
        }
        for number in 0..<1_030 {
            let proof = try Self.strayProof(market, "alice", number)
            market.network.inject(Message.proof(proof.wire).frame, from: "alice", to: "bob")
        }
        #expect(waiting() == 1_024)
        let late = try Self.strayProof(market, "carol", 0)
        market.network.inject(Message.proof(late.wire).frame, from: "carol", to: "bob")
        #expect(waiting() == 1_024)
        market.network.disconnect("alice", "bob")
        #expect(waiting() == 1, "carol's is still there")
    }
}
