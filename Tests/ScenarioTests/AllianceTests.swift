import Capacity
import Contracts
import Entries
import Identity
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// Several alliances at once: who is let in, who is put out, and who hears of what. All nodes of these
/// plays share the open alliance in which `Market` begins; the other one is called guild.
@Suite struct AllianceTests {
    struct Guild {
        var market: Market
        let topic: TopicID
        var network: Network {
            get { market.network }
            set { market.network = newValue }
        }

        /// alice founds it and is its steward.
        init(
            _ names: [String], _ admission: AllianceRules.Admission, limits: [String: Int64] = [:],
            seed: UInt64 = 1
        ) throws {
            market = try ScenarioTests.Market(names: names, seed: seed, only: "capacity-option")
            topic = try market.network.command("alice") {
                try $0.found("guild", admission: admission, limits: limits)
            }
            market.settle()
        }

        @discardableResult
        mutating func code(from name: String) throws -> Invitation {
            let (topic, until) = (topic, market.at(days: 3))
            return try network.command(name) { try $0.invite(to: topic, until: until) }
        }

        /// `name` takes part with the bare founding body.
        mutating func join(_ name: String) throws {
            let body = try #require(market.network["alice"].alliances.last).foundingBody
            try network.command(name) { try $0.join(Invitation(foundingBody: body)) }
            market.settle()
        }

        mutating func admit(_ name: String, by steward: String = "alice") throws {
            let (did, topic) = (market.did(name), topic)
            try network.command(steward) { try $0.admit(did, to: topic) }
            market.settle()
        }

        mutating func expel(_ name: String, by steward: String = "alice") throws {
            let (did, topic) = (market.did(name), topic)
            try network.command(steward) { try $0.expel(did, from: topic) }
            market.settle()
        }

        @discardableResult
        mutating func declare(_ name: String, _ resource: String) throws -> LineTerms {
            let terms = try terms(resource)
            let topic = topic
            try network.command(name) { try $0.declare(terms, total: 100, in: topic) }
            market.settle()
            return terms
        }

        func terms(_ resource: String) throws -> LineTerms {
            LineTerms(
                resource: try Resource(resource),
                window: try Window(
                    start: market.at(days: 10), end: market.at(days: 17), offsetMinutes: 480),
                unit: ScenarioTests.Market.piece)
        }

        mutating func offer(_ name: String, _ terms: LineTerms) throws {
            let line = LogID.line(author: market.did(name), terms)
            let offer = Offer(
                template: try market.template("capacity-option").hash, line: line, arguments: [],
                maxUnits: 10, lot: 1, until: market.at(days: 5))
            try network.command(name) { try $0.publish(offer) }
            market.settle()
        }

        func standing(of name: String, at reader: String) -> Membership.Standing? {
            network[reader].membership(in: topic)?.standing(of: market.did(name))
        }

        /// Resources of `name`'s valid lines in the guild, as `reader` sees them.
        func lines(of name: String, at reader: String) -> [String] {
            (network[reader].book[market.did(name)]?.openings ?? [])
                .filter { $0.alliance == topic && $0.clashesWith == nil }
                .map(\.terms.resource.path)
        }

        func head(of name: String, at reader: String) -> Int64 {
            network[reader].chains.head(
                .publicLog(author: market.did(name), alliance: topic))
        }
    }

    @Test func `a newcomer's logs wait until a steward admits him, and are all there then`() throws
    {
        var guild = try Guild(["alice", "bob", "carol"], .steward)
        try guild.join("bob")
        try guild.join("carol")
        try guild.declare("bob", "print/offset")
        #expect(guild.standing(of: "bob", at: "bob") == .outsider)
        #expect(guild.lines(of: "bob", at: "alice").isEmpty)
        #expect(guild.head(of: "bob", at: "carol") == 0)
        try guild.admit("carol")
        #expect(guild.lines(of: "bob", at: "carol").isEmpty)
        try guild.admit("bob")
        for reader in ["alice", "bob", "carol"] {
            #expect(guild.standing(of: "bob", at: reader) == .member, "\(reader)")
            #expect(guild.lines(of: "bob", at: reader) == ["print/offset"], "\(reader)")
        }
        #expect(guild.network.closed.isEmpty)
        #expect(throws: NodeRefusal.self, "members admit nobody here") {
            try guild.admit("alice", by: "bob")
        }
    }

    @Test func `nobody relays the logs of those who are no members`() throws {
        var guild = try Guild(["alice", "bob", "carol"], .steward)
        try guild.join("bob")
        try guild.join("carol")
        try guild.admit("carol")
        guild.network.disconnect("bob", "carol")
        try guild.declare("bob", "print/offset")
        let log = LogID.publicLog(author: guild.market.did("bob"), alliance: guild.topic)
        #expect(guild.network["alice"].heads(in: guild.topic).allSatisfy { $0.log != log })
        #expect(guild.head(of: "bob", at: "carol") == 0)
        // What waited at the one goes on to the other.
        try guild.admit("bob")
        #expect(guild.lines(of: "bob", at: "carol") == ["print/offset"])
    }

    @Test(arguments: [true, false])
    func
        `a stranger who connects learns no topic and gets no entry, whoever has the invitation does`(
            isStranger: Bool
        ) throws
    {
        var guild = try Guild(["alice", "bob"], .invitation)
        let code = try guild.code(from: "alice")
        try guild.declare("alice", "print/offset")
        // mallory is of another market: not even the open alliance is common to both.
        var other = try Market("mallory", seed: 2, only: "capacity-option")
        if !isStranger {
            try other.network.command("mallory") {
                try $0.join(Invitation(foundingBody: code.foundingBody))
            }
        }
        var (alice, mallory) = (guild.network["alice"], other.network["mallory"])
        let ends = [guild.network.own("alice"), other.network.own("mallory")].compactMap(\.self)
        let peer = PeerID(99)
        for (index, end) in [(1, ends[0]), (0, ends[1])] {
            let isAlice = index == 0
            var node = isAlice ? alice : mallory
            node.begin(at: guild.network.now, seed: SHA256.hash([UInt8(index)]))
            node.connected(
                peer, did: end.did, keyEntry: end.keyEntry, key: end.key.publicKey,
                initiated: !isAlice)
            if isAlice { alice = node } else { mallory = node }
        }
        var said: [Frame] = []
        func hear() -> Bool {
            let (one, two) = (alice.takeDirectives(), mallory.takeDirectives())
            for case .send(_, let frame) in one {
                said.append(frame)
                mallory.received(frame, from: peer)
                // And back with it, unread.
                if frame.type != 1 { alice.received(frame, from: peer) }
            }
            for case .send(_, let frame) in two { alice.received(frame, from: peer) }
            if isStranger {
                for case .serve in one { Issue.record("alice serves") }
            }
            return !one.isEmpty
        }
        while said.count < 1_000, hear() {}
        let logs = guild.network["alice"].heads(in: guild.topic)
        #expect(logs.count > 1)
        let secrets =
            ([guild.topic] + alice.topics).map(\.bytes)
            + logs.flatMap {
                [$0.id.bytes] + ($0.log == .key(author: ends[0].did) ? [] : [$0.log.bytes])
            }
        let isTold = said.contains { frame in secrets.contains { frame.payload.contains($0) } }
        #expect(said.count > 1)
        #expect(isTold == !isStranger)
    }

    @Test func `however many outsiders push, a member's logs still come through`() throws {
        var guild = try Guild(["alice", "bob"], .steward)
        try guild.join("bob")
        let body = Profile(name: "nobody").wire
        for number in 0..<400 {
            var bytes = [UInt8](repeating: 77, count: 32)
            (bytes[0], bytes[1]) = (UInt8(number >> 8), UInt8(number & 255))
            let key = try #require(SigningKey(seed: SecretBytes(bytes)))
            let did = DID(key.publicKey)
            let entry = try ValidEntry(
                signing: Header(
                    kind: Kind.profile.rawValue, author: did, key: .zero, topic: guild.topic,
                    time: guild.network.now, bodyHash: SHA256.hash(body),
                    bodySize: Int64(body.count),
                    place: .log(
                        .init(
                            log: .publicLog(author: did, alliance: guild.topic), sequence: 1,
                            previous: nil))), body: body, by: key)
            guild.network.inject(Message.push(entry.entry.wire).frame, from: "bob", to: "alice")
        }
        try guild.admit("bob")
        try guild.declare("bob", "print/offset")
        #expect(guild.lines(of: "bob", at: "alice") == ["print/offset"])
        #expect(guild.network["alice"].book.authors.count == 2)
        #expect(guild.network.closed.isEmpty)
    }

    @Test(arguments: [["bob", "carol"], ["carol", "bob"]])
    func `a code that two newcomers show admits the first, and every node says so`(
        order: [String]
    ) throws {
        var guild = try Guild(["alice", "bob", "carol", "dave"], .invitation)
        let code = try guild.code(from: "alice")
        #expect(code.ticket != nil)
        try guild.join("dave")
        for name in order {
            try guild.network.command(name) { try $0.join(code) }
            guild.market.settle()
        }
        for reader in ["alice", "bob", "carol", "dave"] {
            #expect(guild.standing(of: order[0], at: reader) == .member, "\(reader)")
            #expect(guild.standing(of: order[1], at: reader) == .outsider, "\(reader)")
        }
        // What was asked and answered is not asked for ever.
        #expect(guild.network[order[0]].outbox.isEmpty)
        try guild.declare(order[0], "print/offset")
        #expect(guild.lines(of: order[0], at: "alice") == ["print/offset"])
        // A member invites on.
        let next = try guild.code(from: order[0])
        try guild.network.command(order[1]) { try $0.join(next) }
        guild.market.settle()
        #expect(guild.standing(of: order[1], at: "alice") == .member)
        #expect(guild.network.closed.isEmpty)
    }

    @Test func `a code waits for its inviter, and is over when it says`() throws {
        var guild = try Guild(["alice", "bob", "carol"], .steward)
        let code = try guild.code(from: "alice")
        guild.network.stop("alice")
        try guild.network.command("bob") { try $0.join(code) }
        guild.market.settle()
        guild.market.back("alice")
        #expect(guild.standing(of: "bob", at: "alice") == .member)
        let late = try guild.code(from: "alice")
        guild.network.pass(milliseconds: 4 * 86_400_000)
        #expect(throws: NodeRefusal.self) {
            try guild.network.command("carol") { try $0.join(late) }
        }
    }

    @Test func `a code that somebody else shows with a stolen proof admits nobody`() throws {
        var guild = try Guild(["alice", "bob", "mallory"], .invitation)
        let code = try guild.code(from: "alice")
        let ticket = try #require(code.ticket)
        let key = try #require(SigningKey(seed: SecretBytes(ticket.secret.bytes)))
        let own = try #require(guild.network.own("mallory"))
        let keys = guild.network["mallory"].keyLog(of: own.did).map(\.entry)
        // bob's proof in mallory's mouth.
        let body = Joining(
            salt: SHA256.hash([1]), keys: keys, invitation: ticket.terms,
            proof: key.sign(Invitation.message(guild.topic, newcomer: guild.market.did("bob")))
        ).wire
        let entry = try ValidEntry(
            signing: Header(
                kind: Kind.joining.rawValue, author: own.did, key: own.keyEntry,
                topic: guild.topic, time: guild.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .statement(.init(expires: ticket.terms.expires))), body: body, by: own.key)
        guild.network.inject(entry.entry, from: "mallory", to: "alice")
        guild.market.settle()
        #expect(guild.standing(of: "mallory", at: "alice") == .outsider)
    }

    @Test func `an expelled member's log ends at the cut, on nodes that took more as well`() throws
    {
        var guild = try Guild(["alice", "bob", "carol"], .steward)
        for name in ["bob", "carol"] {
            try guild.join(name)
            try guild.admit(name)
        }
        try guild.declare("bob", "print/offset")
        // carol hears of what alice does not, before alice expels.
        guild.network.disconnect("alice", "bob")
        guild.network.disconnect("alice", "carol")
        try guild.declare("bob", "print/letterpress")
        #expect(guild.lines(of: "bob", at: "carol").count == 2)
        try guild.expel("bob")
        for (one, other) in [("alice", "bob"), ("alice", "carol")] {
            guild.network.connect(one, other)
        }
        guild.market.settle()
        let cut = Membership.Standing.expelled(upTo: guild.head(of: "bob", at: "alice"))
        for reader in ["alice", "bob", "carol"] {
            #expect(guild.standing(of: "bob", at: reader) == cut, "\(reader)")
        }
        for reader in ["alice", "carol"] {
            #expect(guild.lines(of: "bob", at: reader) == ["print/offset"], "\(reader)")
        }
        #expect(throws: NodeRefusal.self, "he is told") {
            try guild.declare("bob", "print/third")
        }
        // He goes on all the same, by hand: nobody takes it.
        let entry = try guild.market.entry(
            by: "bob", kind: Kind.profile.rawValue, body: Profile(name: "bob the third").wire,
            in: .publicLog(author: guild.market.did("bob"), alliance: guild.topic),
            topic: guild.topic)
        let before = guild.head(of: "bob", at: "carol")
        guild.market.push(entry, from: "bob", to: "alice", "carol")
        guild.market.settle()
        #expect(guild.head(of: "bob", at: "carol") == before)
        #expect(guild.network["alice"].book[guild.market.did("bob")]?.profile?.name == "bob")
        for name in ["alice", "bob", "carol"] { guild.market.restart(name) }
        #expect(guild.lines(of: "bob", at: "carol") == ["print/offset"])
    }

    @Test func `a contract that runs goes on after its issuer was expelled`() throws {
        var guild = try Guild(["alice", "bob", "judge"], .steward)
        for name in ["bob", "judge"] {
            try guild.join(name)
            try guild.admit(name)
        }
        let terms = try guild.declare("bob", "print/offset")
        let id = try OptionTests.option(&guild.market, terms)
        try guild.expel("bob")
        try guild.market.pay("alice", "bob", id)
        let alice = try guild.market.held("alice", id)
        #expect(alice.fold?.halt == nil)
        #expect(
            alice.fold?.state.digest() == (try guild.market.held("bob", id)).fold?.state.digest())
        try guild.market.act("alice", id, "exercise", ["n": ScenarioTests.Market.units(20)])
        // The units are held longer, in the line of an expelled issuer.
        let line = try #require(
            guild.network["alice"].lines[.line(author: guild.market.did("bob"), terms)])
        #expect(line.folded >= 3)
    }

    @Test func `a peer of one alliance hears nothing of the other but its topic`() throws {
        var guild = try Guild(["alice", "bob", "carol", "eve"], .steward)
        for name in ["bob", "carol"] {
            try guild.join(name)
            try guild.admit(name)
        }
        let terms = try guild.declare("bob", "print/offset")
        try guild.offer("bob", terms)
        try guild.admit("eve")
        try guild.expel("eve")
        for name in ["alice", "bob", "carol", "eve"] { guild.market.restart(name) }
        let guildEntries = try #require(guild.network.stores["alice"]).snapshot.entries
            .filter { $0.header.topic == guild.topic }
        #expect(guildEntries.count > 5)
        var secrets = Set(guildEntries.compactMap { $0.header.log?.log.bytes })
        secrets.formUnion(guildEntries.map(\.id.bytes))
        secrets.insert(
            LogID.publicLog(author: guild.market.did("eve"), alliance: guild.topic).bytes)
        var toEve = 0
        for flight in guild.network.recorded where flight.to == "eve" {
            toEve += 1
            let payload = flight.frame.payload
            if Set(windows(payload)).isDisjoint(with: secrets) { continue }
            Issue.record("frame \(flight.frame.type) from \(flight.from)")
        }
        #expect(toEve > 20)
        // The same search finds them on the way to whoever shares it.
        #expect(
            guild.network.recorded.contains {
                $0.to == "carol" && !Set(windows($0.frame.payload)).isDisjoint(with: secrets)
            })
    }

    private func windows(_ bytes: [UInt8]) -> [[UInt8]] {
        bytes.count < 32 ? [] : (0...(bytes.count - 32)).map { Array(bytes[$0..<($0 + 32)]) }
    }

    @Test func `one line is not sold in two alliances`() throws {
        var guild = try Guild(["alice", "bob"], .anyone)
        try guild.join("bob")
        let terms = try guild.declare("bob", "print/offset")
        for resource in ["print/offset", "print", "print/offset/a5"] {
            let other = try guild.terms(resource)
            #expect(throws: NodeRefusal.self, "\(resource)") {
                try guild.network.command("bob") {
                    let open = $0.alliance.topic
                    try $0.declare(other, total: 5, in: open)
                }
            }
        }
        let line = LogID.line(author: guild.market.did("bob"), terms)
        let offer = Offer(
            template: try guild.market.template("capacity-option").hash, line: line, arguments: [],
            maxUnits: 10, lot: 1, until: guild.market.at(days: 5))
        #expect(throws: NodeRefusal.self, "whoever reads the offer must see the line") {
            try guild.network.command("bob") {
                let open = $0.alliance.topic
                try $0.publish(offer, in: open)
            }
        }
        try guild.offer("bob", terms)
        #expect(guild.network["alice"].book.standing(at: guild.network.now).count == 1)
    }

    @Test(arguments: [true, false])
    func `of a line sold in two alliances by hand the earlier opening counts`(
        isEarlierFirst: Bool
    ) throws {
        var guild = try Guild(["alice", "bob", "carol"], .anyone)
        for name in ["bob", "carol"] { try guild.join(name) }
        let open = guild.network["bob"].alliance.topic
        let terms = try guild.terms("print/offset")
        let wide = try guild.terms("print")
        // carol sees both openings, in the one order or the other; the earlier stands in the open one.
        guild.network.pass(milliseconds: 5_000)
        func opening(_ terms: LineTerms, in topic: TopicID, at seconds: Int64) throws -> Entry {
            try guild.market.entry(
                by: "bob", kind: Kind.lineOpening.rawValue, body: LineOpening(terms: terms).wire,
                in: .publicLog(author: guild.market.did("bob"), alliance: topic), topic: topic,
                time: guild.network.now.advanced(by: (seconds - 5) * 1_000))
        }
        let earlier = try opening(wide, in: open, at: 1)
        let later = try opening(terms, in: guild.topic, at: 2)
        let total = try guild.market.entry(
            by: "bob", kind: Kind.declare.rawValue, body: Declare(total: 9, remaining: 9).wire,
            in: .line(author: guild.market.did("bob"), terms), topic: guild.topic)
        for entry in isEarlierFirst ? [earlier, later, total] : [later, total, earlier] {
            guild.market.push(entry, from: "bob", to: "carol")
            guild.market.settle()
        }
        for _ in 0..<2 {
            let carol = guild.network["carol"]
            let bob = guild.market.did("bob")
            let verdicts = carol.book[bob]?.openings.map { $0.clashesWith == nil }
            #expect(verdicts == [true, false])
            #expect(carol.lines[.line(author: bob, terms)] == nil)
            #expect(carol.lines[.line(author: bob, wide)] != nil)
            guild.market.restart("carol")
        }
        #expect(guild.network.closed.isEmpty)
    }

    @Test func `what is above the alliance's limit waits a day and is not lost`() throws {
        var guild = try Guild(
            ["alice", "bob"], .anyone, limits: [AllianceRules.entriesPerDayName: 3])
        try guild.join("bob")
        for resource in ["a", "b"] { try guild.declare("bob", resource) }
        #expect(throws: NodeRefusal.self) { try guild.declare("bob", "c") }
        // A program that does not count signs it all the same.
        let entry = try guild.market.entry(
            by: "bob", kind: Kind.profile.rawValue, body: Profile(name: "robert").wire,
            in: .publicLog(author: guild.market.did("bob"), alliance: guild.topic),
            topic: guild.topic)
        guild.market.push(entry, from: "bob", to: "alice")
        guild.market.settle()
        #expect(guild.head(of: "bob", at: "alice") == 3)
        #expect(guild.network.closed.isEmpty)
        guild.network.pass(milliseconds: 86_400_001)
        guild.market.push(entry, from: "bob", to: "alice")
        guild.market.settle()
        #expect(guild.head(of: "bob", at: "alice") == 4)
        try guild.declare("alice", "d")
    }

    @Test func `offers above the limit are refused before they are signed`() throws {
        var guild = try Guild(["alice", "bob"], .anyone, limits: [AllianceRules.openOffersName: 1])
        try guild.join("bob")
        let terms = try guild.declare("bob", "print/offset")
        try guild.offer("bob", terms)
        #expect(throws: NodeRefusal.self) { try guild.offer("bob", terms) }
        let standing = guild.network["bob"].book.standing(at: guild.network.now).map(\.id)
        try guild.network.command("bob") { try $0.withdraw(standing[0]) }
        try guild.offer("bob", terms)
        #expect(guild.network["alice"].book.standing(at: guild.network.now).count == 1)
    }

    @Test func `a key that changes goes on in every alliance`() throws {
        var guild = try Guild(["alice", "bob", "carol"], .steward)
        for name in ["bob", "carol"] {
            try guild.join(name)
            try guild.admit(name)
        }
        let code = try #require(guild.network.recoveryCode("bob"))
        try guild.network.command("bob") { try $0.rotate(with: code) }
        guild.market.settle()
        try guild.declare("bob", "print/offset")
        #expect(guild.lines(of: "bob", at: "carol") == ["print/offset"])
        #expect(guild.network.closed.isEmpty)
    }

    @Test func `an alliance is left and joined again, and what was said in it stands`() throws {
        var guild = try Guild(["alice", "bob"], .anyone)
        try guild.join("bob")
        try guild.declare("bob", "a")
        let topic = guild.topic
        try guild.network.command("bob") { try $0.leave(topic) }
        guild.market.settle()
        try guild.declare("alice", "b")
        #expect(guild.lines(of: "alice", at: "bob").isEmpty)
        guild.market.restart("bob")
        #expect(throws: NodeRefusal.self) { try guild.declare("bob", "c") }
        #expect(throws: NodeRefusal.self, "one alliance is left") {
            try guild.network.command("bob") { try $0.leave($0.alliance.topic) }
        }
        try guild.join("bob")
        #expect(guild.lines(of: "alice", at: "bob") == ["b"])
        try guild.declare("bob", "c")
        #expect(guild.lines(of: "bob", at: "alice") == ["a", "c"])
    }

    @Test func `an old copy learns in every alliance what it had said there`() throws {
        var guild = try Guild(["alice", "bob", "carol"], .steward)
        for name in ["bob", "carol"] {
            try guild.join(name)
            try guild.admit(name)
        }
        let terms = try guild.declare("bob", "print/offset")
        let old = try #require(guild.network.stores["bob"])
        try guild.offer("bob", terms)
        guild.network.stop("bob")
        guild.network.restore("bob", old)
        guild.market.back("bob")
        // The old copy learns in the guild what it had said there, and signs nothing else in its place.
        #expect(guild.head(of: "bob", at: "bob") == guild.head(of: "bob", at: "alice"))
        guild.network.pass(milliseconds: 2 * 86_400_000)
        guild.network.tick()
        guild.market.settle()
        try guild.offer("bob", terms)
        #expect(guild.network["carol"].book.standing(at: guild.network.now).count == 2)
        #expect(guild.network["alice"].forks.isEmpty)
    }

    @Test func `a file brings all members, though some are admitted further down in it`() throws {
        let members = ["bob", "carol", "eve", "finn"]
        var guild = try Guild(["alice", "dora"] + members, .invitation)
        try guild.join("dora")
        guild.network.stop("dora")
        for (name, inviter) in zip(members, ["alice"] + members) {
            try guild.join(name)
            try guild.admit(name, by: inviter)
            try guild.declare(name, "print/\(name)")
        }
        let store = try #require(guild.network.stores["alice"])
        var frames: [Frame] = []
        for cargo in guild.network["alice"].cargo(for: []) {
            guard case .log(let log) = cargo.content else { continue }
            let run = store.snapshot.entries.filter { $0.header.log?.log == log }
            frames.append(Message.entries(run.map(\.entry.wire), done: true).frame)
        }
        guild.network.start("dora")
        var passes = 0
        var waits = true
        while waits, passes < 9 {
            waits = false
            passes += 1
            for frame in frames {
                let isWaiting = try guild.network.command("dora") { try $0.take(carried: frame) }
                waits = isWaiting || waits
            }
        }
        #expect((2...5).contains(passes))
        for name in members {
            #expect(guild.lines(of: name, at: "dora") == ["print/\(name)"], "\(name)")
        }
    }
}
