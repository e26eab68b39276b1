import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// Trade of people who are never on at the same time, through a hub that reads nothing.
@Suite struct HubTests {
    static let people = ["alice", "bob", "judge"]

    /// Everyone knows everyone and uses the hub; then all are off but the hub and eve, a bystander.
    static func market() throws -> (Market, LineTerms) {
        var market = try Market(names: people + ["eve", "relay"], only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        try market.network.command("relay") { $0.set(.hub, true) }
        let relay = market.did("relay")
        for name in people { try market.network.command(name) { try $0.use(hub: relay) } }
        for name in people { market.network.stop(name) }
        return (market, line)
    }

    static func draft(_ market: Market, _ line: LineTerms) throws -> Node.ProposalDraft {
        var draft = try AttackTests.draft(market, line, units: 100)
        draft.roles["holder"] = [market.did("alice")]
        return draft
    }

    /// One person comes on, meets the hub alone, does something and goes.
    static func visit(
        _ market: inout Market, _ name: String, _ body: (inout Market) throws -> Void = { _ in }
    ) throws {
        market.network.start(name)
        market.network.connect(name, "relay")
        market.network.settle()
        market.network.pass(milliseconds: 10_000)
        market.network.tick()
        market.network.settle()
        try body(&market)
        market.network.settle()
        market.network.stop(name)
    }

    static func round(_ market: inout Market) throws {
        for name in people { try visit(&market, name) }
    }

    /// An option proposed, accepted, paid and exercised, each step in a visit of its own.
    static func trade(_ market: inout Market, _ line: LineTerms) throws -> ContractID {
        try round(&market)
        var id: ContractID?
        try visit(&market, "alice") { market in
            let draft = try draft(market, line)
            id = try market.network.command("alice") { try $0.propose(draft) }
        }
        let contract = try #require(id)
        for name in people {
            try visit(&market, name) { market in
                guard try !market.held(name, contract).hasAccepted(market.did(name)) else { return }
                try market.network.command(name) { try $0.accept(contract) }
            }
        }
        for _ in 0..<2 { try round(&market) }
        try visit(&market, "alice") { market in
            try market.act(
                "alice", contract, "pay_state",
                ["channel": .text("bank"), "reference": .text("r1")])
        }
        try round(&market)
        try visit(&market, "bob") { try $0.act("bob", contract, "pay_receive") }
        for _ in 0..<2 { try round(&market) }
        return contract
    }

    @Test func `people who are never on together trade through a hub`() throws {
        var (market, line) = try Self.market()
        let contract = try Self.trade(&market, line)
        for name in Self.people { market.network.start(name) }
        for name in Self.people {
            #expect(try market.held(name, contract).grade == .sequenced, "\(name)")
            // A step may be acknowledged until the next one stands; all else has arrived.
            let waiting = market.network[name].outbox.values.filter {
                $0.statement.kind != .acknowledgement
            }
            #expect(waiting.isEmpty, "\(name)")
        }
        #expect(try market.digests(contract, "alice", "bob", "judge").count == 1)
        #expect(
            market.network["bob"].ledger.netPaid(by: market.did("bob")).first?.minor == -50_000)
    }

    @Test func `without a hub the same visits come to nothing`() throws {
        var (market, line) = try Self.market()
        try market.network.command("relay") { $0.set(.hub, false) }
        market.network.stop("relay")
        market.network.start("relay")
        var id: ContractID?
        try Self.visit(&market, "alice") { market in
            let draft = try Self.draft(market, line)
            id = try market.network.command("alice") { try $0.propose(draft) }
        }
        try Self.round(&market)
        market.network.start("bob")
        #expect(market.network["bob"].contracts[try #require(id)] == nil)
    }

    @Test func `neither the hub nor a bystander ever sees a term or the contract's id`() throws {
        var (market, line) = try Self.market()
        let contract = try Self.trade(&market, line)
        market.network.start("alice")
        let held = try market.held("alice", contract)
        let key = held.key.bytes
        let secrets: [(String, [UInt8])] =
            [("contract id", contract.bytes), ("contract key", key)]
            + held.proposal.arguments.map { ("argument \($0.name)", $0.wire) }
            + [("proposal", held.proposalEntry.body ?? [])]
        let seen = market.network.recorded.filter {
            ["relay", "eve"].contains($0.to) || ["relay", "eve"].contains($0.from)
        }.map(\.frame.payload)
        var disk: [[UInt8]] = []
        for name in ["relay", "eve"] {
            let store = try #require(market.network.stores[name])
            disk += store.snapshot.entries.map(\.entry.wire)
            disk += store.snapshot.statements.map(\.0.entry.wire)
            disk += store.letters.values
            disk += store.keepsakes.values
        }
        #expect(seen.count > 20)
        for (what, secret) in secrets {
            #expect(!seen.contains { $0.contains(secret) }, "\(what) on a wire")
            #expect(!disk.contains { $0.contains(secret) }, "\(what) on a disk")
        }
        // The bystander shares the alliance alone: it holds no entry of the contract's topic.
        let eve = try #require(market.network.stores["eve"])
        #expect(!eve.snapshot.entries.contains { $0.header.topic == held.key.topic })
        let relay = try #require(market.network.stores["relay"])
        #expect(relay.snapshot.entries.contains { $0.header.topic == held.key.topic })
    }

    @Test func `a hub reads no deadline from the end of a letter`() throws {
        var (market, line) = try Self.market()
        for name in ["bob", "judge"] { try Self.visit(&market, name) }
        try Self.visit(&market, "alice") { market in
            let draft = try Self.draft(market, line)
            _ = try market.network.command("alice") { try $0.propose(draft) }
        }
        let ends = market.network["relay"].mailboxes.values.joined().map(\.expires)
        #expect(ends.count == 2)
        let day: Int64 = 86_400_000
        #expect(ends.allSatisfy { $0.milliseconds % day == 0 && $0 >= market.at(days: 1) })
    }

    @Test func `what waits at a hub outlives its process, and goes when it was collected`() throws {
        var (market, line) = try Self.market()
        try Self.visit(&market, "bob")
        try Self.visit(&market, "judge")
        try Self.visit(&market, "alice") { market in
            let draft = try Self.draft(market, line)
            _ = try market.network.command("alice") { try $0.propose(draft) }
            market.network.settle()
            let node = market.network["alice"]
            #expect(node.outbox.keys.allSatisfy { node.hubs(holding: $0) == [market.did("relay")] })
        }
        market.network.stop("relay")
        market.network.start("relay")
        let boxes = market.network["relay"].mailboxes
        #expect(boxes[market.did("bob")]?.count == 1)
        try Self.visit(&market, "bob")
        #expect(market.network["relay"].mailboxes[market.did("bob")]?.isEmpty == true)
        #expect(market.network["relay"].mailboxes[market.did("judge")]?.count == 1)
        #expect(market.network.stores["relay"]?.letters.count == 2, "judge's, and bob's receipt")
    }

    @Test func `what a hub turned away is left there once its recipient came to it`() throws {
        var (market, line) = try Self.market()
        let relay = market.did("relay")
        // Bob was never seen by the hub: it keeps no mailbox for him yet.
        try Self.visit(&market, "judge")
        market.network.start("alice")
        market.network.connect("alice", "relay")
        market.network.settle()
        let draft = try Self.draft(market, line)
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.network.settle()
        #expect(Self.outcomes(market, to: "alice").contains(.unknown))
        try Self.visit(&market, "bob")
        market.network.pass(milliseconds: 5_000)
        market.network.tick()
        market.network.settle()
        // Alice is connected all along, and has not been told of bob's visit.
        let waiting = market.network["alice"].outbox.keys
        #expect(waiting.allSatisfy { market.network["alice"].hubs(holding: $0) == [relay] })
        market.network.stop("alice")
        try Self.visit(&market, "bob")
        market.network.start("bob")
        #expect(market.network["bob"].contracts[id] != nil)
    }

    @Test func `a hub that keeps turning a letter away is asked less and less`() throws {
        var (market, line) = try Self.market()
        market.network.start("alice")
        market.network.connect("alice", "relay")
        market.network.settle()
        let draft = try Self.draft(market, line)
        _ = try market.network.command("alice") { try $0.propose(draft) }
        for _ in 0..<600 {
            market.network.pass(milliseconds: 1_000)
            market.network.tick()
            market.network.settle()
        }
        // Two letters; after pauses of 2, 4, 8 … 256 seconds and the first try.
        #expect(Self.outcomes(market, to: "alice").count { $0 == .unknown } == 2 * 9)
    }

    @Test func `letters nobody collects go when they are over`() throws {
        var (market, line) = try Self.market()
        try Self.visit(&market, "bob")
        try Self.visit(&market, "judge")
        try Self.visit(&market, "alice") { market in
            let draft = try Self.draft(market, line)
            _ = try market.network.command("alice") { try $0.propose(draft) }
        }
        #expect(market.network.stores["relay"]?.letters.isEmpty == false)
        market.network.pass(milliseconds: 31 * 86_400_000)
        // Whoever is here says that the clock is right.
        for _ in 0..<2 {
            market.network.tick()
            market.network.settle()
        }
        #expect(market.network.stores["relay"]?.letters.isEmpty == true)
    }

    // MARK: - Hostile guests

    /// What the hub answered to deposits of `name`.
    static func outcomes(_ market: Market, to name: String) -> [Mail.Outcome] {
        market.network.recorded.compactMap { flight in
            guard flight.from == "relay", flight.to == name,
                case .mail(.deposited(_, let outcome)) = try? Message(flight.frame)
            else { return nil }
            return outcome
        }
    }

    static func deposit(
        _ market: inout Market, from name: String, to recipient: DID, number: Int, bytes: Int = 100,
        expires: Instant? = nil
    ) {
        let until = expires ?? market.at(days: 1)
        market.network.inject(
            Message.mail(
                .deposit(
                    recipient: recipient,
                    tag: SHA256.hash([UInt8(number % 251), UInt8(number / 251)]),
                    expires: UInt64(until.milliseconds),
                    sealed: [UInt8](repeating: 7, count: bytes))
            ).frame, from: name, to: "relay")
        market.network.settle()
    }

    /// Alice on, and bob's mailbox opened.
    private static func guests() throws -> Market {
        var (market, _) = try Self.market()
        try visit(&market, "bob")
        market.network.start("alice")
        market.network.connect("alice", "relay")
        market.network.settle()
        return market
    }

    @Test func `one sender fills a quarter of a mailbox and no more`() throws {
        var market = try Self.guests()
        for number in 0..<300 {
            Self.deposit(&market, from: "alice", to: market.did("bob"), number: number)
        }
        let outcomes = Self.outcomes(market, to: "alice")
        #expect(outcomes.count { $0 == .kept } == 256)
        #expect(outcomes.count { $0 == .full } == 44)
        // The same letter again takes no second place.
        Self.deposit(&market, from: "alice", to: market.did("bob"), number: 0)
        #expect(Self.outcomes(market, to: "alice").last == .kept)
        #expect(market.network["relay"].mailboxes[market.did("bob")]?.count == 256)
    }

    @Test func `large letters fill it sooner`() throws {
        var market = try Self.guests()
        for number in 0..<8 {
            Self.deposit(
                &market, from: "alice", to: market.did("bob"), number: number, bytes: 200 * 1024)
        }
        #expect(Self.outcomes(market, to: "alice").count { $0 == .kept } == 5)
    }

    @Test func `large letters come a few at a time, and all of them come`() throws {
        var market = try Self.guests()
        let relay = market.did("relay")
        try market.network.command("eve") { try $0.use(hub: relay) }
        market.network.start("judge")
        market.network.connect("judge", "relay")
        market.network.disconnect("eve", "relay")
        market.network.connect("eve", "relay")
        market.network.settle()
        for name in ["alice", "judge", "eve"] {
            for number in 0..<5 {
                Self.deposit(
                    &market, from: name, to: market.did("bob"), number: number, bytes: 200 * 1024)
            }
        }
        #expect(market.network["relay"].mailboxes[market.did("bob")]?.count == 15)
        let mark = market.network.recorded.count
        try Self.visit(&market, "bob")
        #expect(market.network["relay"].mailboxes[market.did("bob")]?.isEmpty == true)
        var (now, most) = (0, 0)
        for flight in market.network.recorded.dropFirst(mark) {
            if flight.to == "bob", flight.frame.type == 36 { now += 1 }
            if flight.from == "bob", flight.frame.type == 37 { now -= 1 }
            most = max(most, now)
        }
        // A connection on which more than 2 MiB wait is let go.
        #expect(most * 200 * 1024 <= 1024 * 1024)
    }

    @Test func `mail for strangers, from strangers and out of time is turned away`() throws {
        var market = try Self.guests()
        Self.deposit(&market, from: "alice", to: market.did("eve"), number: 1)
        Self.deposit(
            &market, from: "alice", to: market.did("bob"), number: 2,
            expires: market.network.now.advanced(by: -1))
        Self.deposit(
            &market, from: "alice", to: market.did("bob"), number: 3, expires: market.at(days: 40))
        #expect(Self.outcomes(market, to: "alice") == [.unknown, .untimely, .untimely])
        // Eve never asked for a mailbox of her own, so she leaves nothing either.
        Self.deposit(&market, from: "eve", to: market.did("bob"), number: 4)
        #expect(Self.outcomes(market, to: "eve") == [.unknown])
    }

    @Test func `junk in a mailbox is thrown away and costs nobody the hub`() throws {
        var market = try Self.guests()
        Self.deposit(&market, from: "alice", to: market.did("bob"), number: 1)
        let closed = market.network.closed.count
        try Self.visit(&market, "bob")
        #expect(market.network["relay"].mailboxes[market.did("bob")]?.isEmpty == true)
        #expect(market.network.closed.count == closed)
    }

    @Test func `nobody collects from another's mailbox`() throws {
        var market = try Self.guests()
        Self.deposit(&market, from: "alice", to: market.did("bob"), number: 1)
        for number: UInt64 in 0..<5 {
            market.network.inject(
                Message.mail(.collected(number: number, isKept: true)).frame, from: "alice",
                to: "relay")
        }
        #expect(market.network["relay"].mailboxes[market.did("bob")]?.count == 1)
    }

    @Test func `a peer that calls itself a hub is shown no topic and gets no mail`() throws {
        var (market, line) = try Self.market()
        market.network.start("alice")
        market.network.connect("alice", "eve")
        market.network.inject(Message.mail(.serving).frame, from: "eve", to: "alice")
        let draft = try Self.draft(market, line)
        _ = try market.network.command("alice") { try $0.propose(draft) }
        market.network.settle()
        market.network.tick()
        market.network.settle()
        #expect(
            !market.network.recorded.contains {
                $0.to == "eve" && (33...34).contains($0.frame.type)
            })
    }

    @Test func `guests with more topics than a frame holds cut nobody off from the hub`() throws {
        var (market, _) = try Self.market()
        for name in Self.people {
            market.network.start(name)
            market.network.connect(name, "relay")
            market.network.settle()
        }
        for (number, name) in Self.people.enumerated() {
            let topics = (0..<ReplicationLimit.topicsEntrusted).map {
                TopicID(SHA256.hash([UInt8(number), UInt8($0 >> 8), UInt8($0 & 255)]))
            }
            market.network.inject(Message.mail(.entrust(topics)).frame, from: name, to: "relay")
            market.network.settle()
        }
        market.restart("eve")
        #expect(market.network["relay"].topics.count == 1 + 3 * 4_096)
        #expect(market.network.closed.isEmpty)
    }

    @Test func `who was expelled from the alliance is a guest no more`() throws {
        var market = try Market("alice", "bob", "relay", only: "capacity-option")
        let (bob, relay) = (market.did("bob"), market.did("relay"))
        try market.network.command("relay") { $0.set(.hub, true) }
        for name in ["alice", "bob"] {
            try market.network.command(name) { try $0.use(hub: relay) }
            market.network.disconnect(name, "relay")
            market.network.connect(name, "relay")
        }
        market.settle()
        Self.deposit(&market, from: "bob", to: market.did("alice"), number: 1)
        try market.network.command("alice") { try $0.expel(bob, from: $0.alliance.topic) }
        market.settle()
        Self.deposit(&market, from: "bob", to: market.did("alice"), number: 2)
        #expect(Self.outcomes(market, to: "bob") == [.kept, .unknown])
    }

    @Test func `an alliance that a guest named before the hub joined it is the hub's own`() throws {
        var guild = try AllianceTests.Guild(["alice", "bob", "relay"], .anyone)
        try guild.network.command("relay") { $0.set(.hub, true) }
        let topic = guild.topic
        guild.network.inject(Message.mail(.entrust([topic])).frame, from: "bob", to: "relay")
        guild.market.settle()
        try guild.join("relay")
        for number in 0..<66 { try guild.declare("alice", "print/\(number)") }
        #expect(
            Set(guild.network["relay"].heads(in: topic))
                == Set(guild.network["alice"].heads(in: topic)))
    }

    /// An acceptance of something that nobody here knows.
    private static func answer(_ market: Market, by name: String, _ number: Int) throws -> Entry {
        let own = try #require(market.network.own(name))
        let hash = SHA256.hash(Array("answer \(number)".utf8))
        let body = Acceptance(salt: hash, statement: EntryID(hash), releaseKey: nil).wire
        return try ValidEntry(
            signing: Header(
                kind: Kind.acceptance.rawValue, author: own.did, key: own.keyEntry,
                topic: TopicID(hash), time: market.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .statement(.init(expires: market.at(days: 1), about: LogID(hash)))),
            body: body, by: own.key
        ).entry
    }

    @Test func `a letter that finds no room to wait in stays with the hub`() throws {
        var market = try Self.guests()
        let letter = try Self.answer(market, by: "alice", 9_999)
        let key = try #require(market.network.own("bob")).key.publicKey
        let sealed = try #require(
            SealedBox.seal(Sealed(statement: letter, contractKey: nil).wire, to: key))
        market.network.inject(
            Message.mail(
                .deposit(
                    recipient: market.did("bob"), tag: SHA256.hash([1]),
                    expires: UInt64(market.at(days: 1).milliseconds), sealed: sealed)
            ).frame, from: "alice", to: "relay")
        market.network.start("bob")
        market.network.connect("eve", "bob")
        market.network.settle()
        func waiting() -> Int {
            market.network["bob"].footprint.first { $0.name == "waiting statements" }?.count ?? 0
        }
        for number in 0..<1_030 {
            let junk = try Self.answer(market, by: "eve", number)
            market.network.inject(junk, from: "eve", to: "bob")
        }
        #expect(waiting() == 1_024)
        market.network.connect("bob", "relay")
        market.network.settle()
        #expect(waiting() == 1_024)
        #expect(market.network["relay"].mailboxes[market.did("bob")]?.count == 1)
    }

    @Test func `what a guest no longer names still counts towards its share`() throws {
        var market = try Self.guests()
        let own = try #require(market.network.own("alice"))
        func entrust(_ topics: [TopicID]) {
            market.network.inject(
                Message.mail(.entrust(topics)).frame, from: "alice", to: "relay")
            market.network.settle()
        }
        let (full, next) = (TopicID(SHA256.hash([1])), TopicID(SHA256.hash([2])))
        entrust([full])
        let body = Array("something sealed".utf8)
        let entry = try ValidEntry(
            signing: Header(
                kind: Kind.lineOpening.rawValue, author: own.did, key: own.keyEntry, topic: full,
                time: market.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .log(.init(log: LogID(SHA256.hash(body)), sequence: 1, previous: nil))),
            body: body, by: own.key
        ).entry
        market.network.inject(Message.push(entry.wire).frame, from: "alice", to: "relay")
        entrust([next])
        let kept = market.network["relay"].entrusted[market.did("alice")]
        #expect(kept == [full, next].sorted())
        entrust([])
        #expect(market.network["relay"].entrusted[market.did("alice")] == [full])
    }

    // MARK: - Places

    /// A hub all of whose places are taken: by alice and thousands like her, for whom it keeps something, and
    /// by bob, who is away. In the guild bob and carol have no name, dave was let in by his.
    private static func full() throws -> AllianceTests.Guild {
        var guild = try AllianceTests.Guild(["alice", "bob", "carol", "dave", "relay"], .steward)
        for name in ["dave", "relay"] {
            try guild.join(name)
            try guild.admit(name)
        }
        try guild.network.command("relay") { $0.set(.hub, true) }
        let topic = TopicID(SHA256.hash([1]))
        entrust(&guild, "alice", [topic])
        let own = try #require(guild.network.own("alice"))
        let body = Array("something sealed".utf8)
        let entry = try ValidEntry(
            signing: Header(
                kind: Kind.lineOpening.rawValue, author: own.did, key: own.keyEntry, topic: topic,
                time: guild.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .log(.init(log: LogID(SHA256.hash(body)), sequence: 1, previous: nil))),
            body: body, by: own.key
        ).entry
        guild.market.push(entry, from: "alice", to: "relay")
        entrust(&guild, "bob", [])
        guild.network.stop("relay")
        var store = try #require(guild.network.stores["relay"])
        store.commit(
            (0..<9_998).map {
                .entrusted(by: DID(SHA256.hash(Array("guest \($0)".utf8))), [topic])
            })
        guild.network.restore("relay", store)
        guild.network.start("relay")
        guild.network.tick()
        return guild
    }

    private static func entrust(
        _ guild: inout AllianceTests.Guild, _ name: String, _ topics: [TopicID] = []
    ) {
        if !guild.network.isConnected(name, "relay") { guild.network.connect(name, "relay") }
        guild.market.settle()
        guild.network.inject(Message.mail(.entrust(topics)).frame, from: name, to: "relay")
        guild.market.settle()
    }

    /// Those of these who have a place, now and after a restart.
    private static func guests(_ guild: AllianceTests.Guild, _ names: String...) -> [String] {
        let kept = guild.network.stores["relay"]?.snapshot.entrusted.map(\.member) ?? []
        #expect(Set(kept) == Set(guild.network["relay"].entrusted.keys))
        return names.filter { kept.contains(guild.market.did($0)) }
    }

    private static let week: Int64 = 7 * 86_400_000

    @Test func `who was away for a week leaves his place at a full hub to who comes`() throws {
        var guild = try Self.full()
        #expect(guild.network["relay"].entrusted.count == 10_000)
        guild.network.pass(milliseconds: Self.week - 1)
        Self.entrust(&guild, "carol")
        #expect(Self.guests(guild, "alice", "bob", "carol") == ["alice", "bob"])
        guild.network.pass(milliseconds: 1)
        Self.entrust(&guild, "carol")
        #expect(Self.guests(guild, "alice", "bob", "carol") == ["alice", "carol"])
        // It is full again, and she is here.
        Self.entrust(&guild, "bob")
        #expect(Self.guests(guild, "bob", "carol") == ["carol"])
        guild.network.disconnect("carol", "relay")
        guild.network.pass(milliseconds: Self.week)
        Self.entrust(&guild, "bob")
        #expect(Self.guests(guild, "bob", "carol") == ["bob"])
        #expect(guild.network["relay"].entrusted.count == 10_000)
    }

    @Test func `a letter keeps the place of whom it waits for`() throws {
        var guild = try Self.full()
        Self.entrust(&guild, "alice", [TopicID(SHA256.hash([1]))])
        guild.network.pass(milliseconds: Self.week - 1)
        Self.deposit(
            &guild.market, from: "alice", to: guild.market.did("bob"), number: 1,
            expires: guild.market.at(days: 20))
        guild.network.pass(milliseconds: Self.week)
        Self.entrust(&guild, "carol")
        #expect(Self.guests(guild, "bob", "carol") == ["bob"])
        guild.network.pass(milliseconds: 2 * Self.week)
        for _ in 0..<2 {
            guild.network.tick()
            guild.network.settle()
        }
        Self.entrust(&guild, "carol")
        #expect(Self.guests(guild, "bob", "carol") == ["carol"])
    }

    @Test func `who was let in by name gets the place of who was not, and keeps his`() throws {
        var guild = try Self.full()
        Self.entrust(&guild, "dave")
        #expect(Self.guests(guild, "bob", "dave") == ["dave"])
        guild.network.disconnect("dave", "relay")
        guild.network.pass(milliseconds: 2 * Self.week)
        Self.entrust(&guild, "carol")
        #expect(Self.guests(guild, "carol", "dave") == ["dave"])
    }
}
