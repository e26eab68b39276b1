import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// First the attack, then the rule.
@Suite struct AttackTests {
    static func story(_ commands: Int) throws -> OptionStory {
        var story = try OptionStory()
        try story.play(..<commands)
        return story
    }

    // MARK: - The walkthrough's refusals

    @Test func `what was passed on cannot be passed on again`() throws {
        var story = try Self.story(OptionStory.transferred)
        let arguments: [String: Value] = [
            "n": Market.units(70), "newcomer": .identity(story.market.did("carol")),
            "asking": Market.money(24_000),
        ]
        let before = story.market.traces
        #expect {
            try story.market.act("alice", story.parent, "transfer", arguments)
        } throws: { error in
            guard case NodeRefusal.contract(.notMet(_, let rule, let values)) = error else {
                return false
            }
            return rule == "n <= held" && values.en.contains("held = 60")
        }
        #expect(story.market.traces == before)
    }

    @Test(arguments: [40, 70])
    func `a second transfer on the old record is refused as stale`(_ units: Int64) throws {
        var story = try Self.story(OptionStory.transferred)
        let fold = try #require(try story.market.held("alice", story.parent).fold)
        let old = try #require(fold.state.record(1)?.version) - 1
        let request = try story.market.request(
            by: "alice", "transfer",
            [
                "n": Market.units(units), "newcomer": .identity(story.market.did("carol")),
                "asking": Market.money(24_000),
            ], in: story.parent, version: old, child: .zero)
        let digest = try story.market.state("bob", story.parent).digest()
        story.market.network.inject(request, from: "alice", to: "bob")
        story.market.network.settle()
        let refused = try #require(try story.market.held("bob", story.parent).refused.last)
        #expect(refused.request == request.id)
        #expect(refused.code == .stale)
        // Her node hears it, signed.
        #expect(try story.market.held("alice", story.parent).refused.last?.code == .stale)
        #expect(try story.market.state("bob", story.parent).digest() == digest)
        for name in OptionStory.names { #expect(story.market.network[name].outbox.isEmpty) }
    }

    @Test func `a request that was admitted once changes nothing when it comes again`() throws {
        var story = try Self.story(OptionStory.transferred)
        let fold = try #require(try story.market.held("bob", story.parent).fold)
        let log = fold.log
        let requests = try (story.market.network.stores["bob"]?.entries(of: log) ?? []).compactMap {
            try fold.open($0).request
        }
        #expect(requests.count >= 2)
        let before = story.market.traces
        for request in requests {
            story.market.network.inject(request, from: "alice", to: "bob")
            story.market.network.settle()
        }
        #expect(story.market.traces == before)
        story.market.restart("bob")
        for request in requests {
            story.market.network.inject(request, from: "alice", to: "bob")
            story.market.network.settle()
        }
        #expect(story.market.traces == before)
    }

    @Test func `nobody exercises more than is held`() throws {
        var story = try Self.story(OptionStory.transferred + 1)
        let before = story.market.traces
        #expect(throws: NodeRefusal.self) {
            try story.market.act("carol", story.child, "exercise", ["n": Market.units(50)])
        }
        #expect(story.market.traces == before)
        let request = try story.market.request(
            by: "carol", "exercise", ["n": Market.units(50)], in: story.child)
        story.market.network.inject(request, from: "carol", to: "bob")
        story.market.network.settle()
        #expect(try story.market.held("bob", story.child).refused.last?.code == .notAdmissible)
        #expect(try story.market.held("carol", story.child).refused.last?.request == request.id)
        #expect(try story.market.held("carol", story.child).refused.last?.code == .notAdmissible)
        #expect(try story.market.digests(story.child, "alice", "bob", "carol", "judge").count == 1)
    }

    @Test func `whoever talks without end about a contract is heard so long and no longer`() throws
    {
        var story = try Self.story(OptionStory.transferred)
        let held = try story.market.held("carol", story.child)
        let version = try #require(held.fold?.state.record(1)?.version)
        func kept() -> Int { story.market.network.stores["bob"]?.snapshot.statements.count ?? 0 }
        let before = kept()
        // Consents to requests that nobody made, and words about steps that do not exist.
        for number in 0..<400 {
            let nothing = EntryID(SHA256.hash([UInt8(number % 251), UInt8(number / 251)]))
            let consent = try story.market.statement(
                by: "carol",
                Acceptance(salt: story.market.salt, statement: nothing, releaseKey: nil),
                about: held,
                basis: held.fold?.head.id, versions: [.init(record: 1, version: version)])
            let word = try story.market.statement(
                by: "carol",
                Acknowledgement(
                    salt: story.market.salt, entry: nothing, purpose: .delivered),
                about: held)
            for statement in [consent, word] {
                story.market.network.inject(statement, from: "carol", to: "bob")
            }
            story.market.network.settle()
        }
        let room = kept() - before
        #expect((200..<300).contains(room))
        // The same after a restart; and the contract goes on among the others.
        story.market.restart("bob")
        let more = try story.market.statement(
            by: "carol",
            Acceptance(salt: story.market.salt, statement: held.proposalEntry.id, releaseKey: nil),
            about: held)
        story.market.network.inject(more, from: "carol", to: "bob")
        story.market.network.settle()
        #expect(kept() - before == room)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        #expect(try story.market.digests(story.parent, "alice", "bob", "judge").count == 1)
    }

    @Test func `one's own node says when it has asked too often`() throws {
        var story = try Self.story(OptionStory.transferred)
        story.market.network.stop("bob")
        var asked = 0
        let refusal = #expect(throws: NodeRefusal.self) {
            while asked < 1_000 {
                try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
                asked += 1
            }
        }
        guard case .tooManyStatements(story.parent, let count) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(count > asked && asked > 200)
    }

    // MARK: - Lines

    static func draft(_ market: Market, _ line: LineTerms, units: Int64) throws
        -> Node.ProposalDraft
    {
        Node.ProposalDraft(
            template: try market.template("capacity-option").hash, currency: Market.cny,
            arguments: [
                "units": Market.units(units), "lot": Market.units(10),
                "premium": Market.money(50_000), "strike": Market.money(1_800),
                "remedy": Market.money(900), "expiry": .instant(market.at(days: 40)),
                "deliver_by": .instant(market.at(days: 60)),
            ],
            roles: [
                "issuer": [market.did("bob")], "holder": [market.did("carol")],
                "arbiter": [market.did("judge")],
            ], lines: [line], acceptBy: market.at(days: 1), grantBy: market.at(days: 1))
    }

    @Test func `what the line cannot grant is not even proposed`() throws {
        var story = try Self.story(2)
        let line = try #require(story.line)
        let draft = try Self.draft(story.market, line, units: 210)
        #expect {
            try story.market.network.command("carol") { try $0.propose(draft) }
        } throws: { error in
            guard
                case NodeRefusal.capacity(_, .lineExceeded(remaining: 200, requested: 210)) = error
            else { return false }
            return true
        }
        #expect(story.market.network["carol"].contracts.isEmpty)
    }

    @Test func `a signed grant to minus ten is kept as evidence and has no effect`() throws {
        var story = try Self.story(2)
        let line = try #require(story.line)
        let log = LogID.line(author: story.market.did("bob"), line)
        let own = try #require(story.market.network.own("bob"))
        let grant = try story.market.entry(
            by: "bob", kind: Kind.grant.rawValue,
            body: Grant(
                units: 210, until: story.market.at(days: 90), releaseKey: own.key.publicKey,
                tag: SHA256.hash([9]), remaining: -10
            ).wire, in: log, topic: story.market.network["bob"].alliance.topic)
        let digest = try story.market.state("alice", story.parent).digest()
        story.market.push(grant, from: "bob", to: "alice")
        story.market.network.settle()
        for name in ["alice", "carol", "judge"] {
            let held = try #require(story.market.network[name].lines[log])
            let all = story.market.network.stores[name]?.entries(of: log) ?? []
            #expect(all.last == grant, "\(name)")
            #expect(held.fault?.entry == grant.id)
            #expect(held.fault?.sequence == 3)
            #expect(
                held.fault?.reason
                    == .capacity(.lineExceeded(remaining: 200, requested: 210)))
            #expect(held.line.remaining == 200)
        }
        // Nobody trades on it any more, and its contract is not touched.
        let draft = try Self.draft(story.market, line, units: 10)
        #expect {
            try story.market.network.command("carol") { try $0.propose(draft) }
        } throws: { error in
            guard case NodeRefusal.lineForked(let forked) = error else { return false }
            return forked == log
        }
        #expect(try story.market.state("alice", story.parent).digest() == digest)
    }

    @Test func `nobody writes into another's log, not even behind a run of its own entries`()
        throws
    {
        var story = try Self.story(2)
        let log = LogID.line(author: story.market.did("bob"), try #require(story.line))
        let topic = story.market.network["bob"].alliance.topic
        let own = try #require(story.market.network.own("carol"))
        let held = try #require(story.market.network.stores["bob"]?.entries(of: log))
        let forged = try story.market.entry(
            by: "carol", kind: Kind.grant.rawValue,
            body: Grant(
                units: 200, until: story.market.at(days: 90), releaseKey: own.key.publicKey,
                tag: SHA256.hash([9]), remaining: 0
            ).wire, in: log, topic: topic, after: held)
        let before = story.market.trace("alice")
        // Alice asks for a range, and gets more than she asked for.
        let head = Message.Head(log: log, sequence: 4, id: forged.id)
        story.market.network.inject(Message.heads([head]).frame, from: "carol", to: "alice")
        let answer = Message.entries((held.suffix(1) + [forged]).map(\.wire), done: true)
        story.market.network.inject(answer.frame, from: "carol", to: "alice")
        story.market.network.settle()
        #expect(story.market.trace("alice") == before)
        #expect(story.market.network.closed.last?.by == "alice")
    }

    // MARK: - Forks

    /// A step that states no true digest: it takes its place in the log and nothing else.
    private static func step(
        _ words: String, _ market: Market, _ contract: ContractID, after kept: [Entry]
    ) throws -> Entry {
        try market.step(
            by: "bob",
            Step(
                act: SignedAct(transition: words, record: 1, arguments: []), request: nil,
                records: [], digest: .zero), in: contract, after: kept)
    }

    @Test(arguments: [1, 3])
    func `two second steps stop the contract where they part, and nothing else`(_ length: Int)
        throws
    {
        var story = try Self.story(2)
        let paper = try story.market.declare("carol", "paper", 100)
        let other = try story.market.agree(
            "alice", "capacity-option", Self.draft(story.market, paper, units: 10).arguments,
            roles: ["issuer": "carol", "holder": "alice", "arbiter": "judge"], lines: [paper])
        let log = try story.market.held("bob", story.parent).log
        let first = try #require(story.market.network.stores["bob"]?.entries(of: log))
        story.market.network.disconnect("alice", "judge")
        // One branch for alice, another and longer one for judge; then bob is gone.
        let short = try Self.step("deliver", story.market, story.parent, after: first)
        var long = first
        for _ in 0..<length {
            long.append(try Self.step("lapse", story.market, story.parent, after: long))
        }
        story.market.push(short, from: "bob", to: "alice")
        for entry in long.dropFirst() { story.market.push(entry, from: "bob", to: "judge") }
        story.market.network.stop("bob")
        story.market.network.settle()
        let heads = try ["alice", "judge"].map {
            try #require(try story.market.held($0, story.parent).fold?.head.sequence)
        }
        #expect(heads == [2, Int64(length) + 1])

        story.market.network.connect("alice", "judge")
        story.market.network.settle()
        for name in ["alice", "judge"] {
            let node = story.market.network[name]
            #expect(node.chains.chain(log)?.fork?.sequence == 2, "\(name)")
            #expect(node.contracts[story.parent]?.fold?.halt == .forked(sequence: 2), "\(name)")
            #expect(node.contracts[story.parent]?.fold?.head.sequence == 1, "\(name)")
            let store = try #require(story.market.network.stores[name])
            #expect(!store.rivals.isEmpty || !store.snapshot.proofs.isEmpty, "\(name)")
        }
        #expect(
            try story.market.state("alice", story.parent).digest()
                == story.market.state("judge", story.parent).digest())
        // Meeting again finds nothing new.
        let kept = ["alice", "judge"].map { story.market.network.stores[$0]?.rivals.count }
        story.market.network.connect("alice", "judge")
        #expect(story.market.network.settle() < 1_000)
        #expect(["alice", "judge"].map { story.market.network.stores[$0]?.rivals.count } == kept)
        // Another contract of the same two goes on.
        try story.market.pay("alice", "carol", other)
        #expect(try story.market.digests(other, "alice", "carol", "judge").count == 1)
        #expect(try story.market.state("judge", other).record(1)?.state == "open")
    }

    @Test func `a forked line grants nothing more and says where it parted`() throws {
        var story = try Self.story(2)
        let line = try #require(story.line)
        let log = LogID.line(author: story.market.did("bob"), line)
        let first = Array(
            try #require(story.market.network.stores["bob"]?.entries(of: log)).prefix(1))
        let rival = try story.market.entry(
            by: "bob", kind: Kind.adjust.rawValue,
            body: Adjust(total: 500, remaining: 500, reason: "more").wire, in: log,
            topic: story.market.network["bob"].alliance.topic, after: first)
        story.market.push(rival, from: "bob", to: "carol")
        story.market.network.settle()
        let node = story.market.network["carol"]
        #expect(node.chains.chain(log)?.fork?.sequence == 2)
        #expect(node.lines[log]?.line.remaining == 300)
        #expect(story.market.network.stores["carol"]?.rivals.map(\.id) == [rival.id])
        let draft = try Self.draft(story.market, line, units: 10)
        #expect(throws: NodeRefusal.self) {
            try story.market.network.command("carol") { try $0.propose(draft) }
        }
        // A third branch is no news: no second reload, no second proof.
        let third = try story.market.entry(
            by: "bob", kind: Kind.adjust.rawValue,
            body: Adjust(total: 600, remaining: 600, reason: "more").wire, in: log,
            topic: node.alliance.topic, after: first)
        story.market.push(third, from: "bob", to: "carol")
        #expect(story.market.network.settle() < 100)
        #expect(story.market.network["carol"].chains.chain(log)?.fork?.rival == rival.id)
    }

    @Test func `a fork that bob did not sign is none`() throws {
        var story = try Self.story(2)
        let held = try story.market.held("bob", story.parent)
        let mine = try #require(story.market.network.stores["bob"]?.entries(of: held.log).last)
        var header = mine.header
        header.time = header.time.advanced(by: 1)
        let mallory = try #require(story.market.network.own("carol"))
        let forged = try ValidEntry(signing: header, body: mine.body ?? [], by: mallory.key)
        let before = story.market.trace("alice")
        story.market.push(forged.entry, from: "carol", to: "alice")
        story.market.network.settle()
        #expect(story.market.trace("alice") == before)
        #expect(story.market.network.closed.last?.by == "alice")
        #expect(!story.market.network.isConnected("alice", "carol"))
    }

    // MARK: - Statements

    @Test func `a refusal of the proposal after step 1 stops nothing`() throws {
        var story = try Self.story(2)
        let held = try story.market.held("judge", story.parent)
        let refusal = try story.market.statement(
            by: "judge",
            Refusal(salt: story.market.salt, statement: held.proposalEntry.id, code: .declined),
            about: held)
        for name in ["alice", "bob"] {
            story.market.network.inject(refusal, from: "judge", to: name)
        }
        story.market.network.settle()
        try story.market.pay("alice", "bob", story.parent)
        #expect(try story.market.state("alice", story.parent).record(1)?.state == "open")
        story.market.restart("bob")
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(100)])
        #expect(try story.market.state("alice", story.parent).record(1)?.state == "used")
    }

    @Test func `who is not named cannot speak`() throws {
        var story = try Self.story(4)
        let held = try story.market.held("alice", story.parent)
        let exercise = SignedAct(
            transition: "exercise", record: 1,
            arguments: [Argument](["n": Market.units(10)]))
        let request = try story.market.statement(
            by: "carol", Request(salt: story.market.salt, act: exercise), about: held,
            basis: held.fold?.head.id, versions: [.init(record: 1, version: 3)])
        let refusal = try story.market.statement(
            by: "carol",
            Refusal(salt: story.market.salt, statement: held.proposalEntry.id, code: .declined),
            about: held)
        let before = story.market.traces
        for statement in [request, refusal] {
            story.market.network.inject(statement, from: "carol", to: "bob")
            story.market.network.settle()
        }
        #expect(story.market.traces == before)
    }

    /// A proposal by alice that her own node would not make.
    private static func proposed(
        _ market: inout Market, _ line: LineTerms, key wrong: [UInt8]? = nil,
        _ change: (inout Proposal) -> Void
    ) throws -> ContractID {
        let key = try #require(ContractKey(SHA256.hash([7]).bytes))
        let template = try market.template("capacity-option")
        var proposal = Proposal(
            salt: market.salt, contract: key.contract, template: template.hash,
            currency: Market.cny,
            arguments: [Argument](try draft(market, line, units: 10).arguments),
            roles: ["arbiter", "holder", "issuer"].map { role in
                .init(
                    role: role,
                    identities: [
                        market.did(
                            ["arbiter": "judge", "holder": "alice", "issuer": "bob"][role] ?? "")
                    ])
            }, sequencer: market.did("bob"), lines: [line], acceptBy: market.at(days: 1),
            grantBy: market.at(days: 1),
            releaseKey: market.network.own("alice")?.releaseKey(key.contract).publicKey)
        change(&proposal)
        let own = try #require(market.network.own("alice"))
        let body = proposal.wire
        let entry = try ValidEntry(
            signing: Header(
                kind: Kind.proposal.rawValue, author: own.did, key: own.keyEntry,
                topic: key.topic, time: market.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .statement(
                    .init(
                        expires: proposal.grantBy,
                        about: .contract(key.contract, author: proposal.sequencer)))),
            body: body, by: own.key)
        for name in ["bob", "judge", "carol"] {
            market.network.inject(entry.entry, key: wrong ?? key.bytes, from: "alice", to: name)
        }
        market.network.settle()
        return key.contract
    }

    /// What it is about, and how a node that gets it answers its owner's yes.
    struct Bad: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var arrives = true
        var key: [UInt8]?
        let change: @Sendable (inout Proposal) -> Void

        init(
            _ words: String, arrives: Bool = true, key: [UInt8]? = nil,
            _ change: @escaping @Sendable (inout Proposal) -> Void = { _ in }
        ) {
            testDescription = words
            self.arrives = arrives
            self.key = key
            self.change = change
        }
    }

    static let bad = [
        Bad("the key of another contract", arrives: false, key: SHA256.hash([8]).bytes),
        Bad("another contract's id", arrives: false) { $0.contract = ContractID(SHA256.hash([8])) },
        Bad("no template of ours") { $0.template = SHA256.hash([8]) },
        Bad("no arbiter") { $0.roles.removeFirst() },
        Bad("the arbiter is the issuer") { $0.roles[0].identities = $0.roles[2].identities },
        Bad("two holders") { $0.roles[1].identities += $0.roles[0].identities },
        Bad("a role that the template lacks") {
            $0.roles.append(.init(role: "zeal", identities: $0.roles[0].identities))
        },
        Bad("witnesses") {
            $0.witnesses = .init(identities: [$0.roles[0].identities[0]], threshold: 1)
        },
        Bad("accepting ends after granting") { $0.grantBy = $0.acceptBy.advanced(by: -1) },
        Bad("accepting ended long ago") { $0.acceptBy = $0.acceptBy.advanced(by: -2 * 86_400_000) },
        Bad("no line") { $0.lines = [] },
        Bad("a premium of nothing named") { $0.arguments.removeAll { $0.name == "premium" } },
    ]

    @Test(arguments: bad)
    func `a proposal that is not whole is never agreed`(_ bad: Bad) throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try Self.proposed(&market, line, key: bad.key, bad.change)
        #expect((market.network["bob"].contracts[id] != nil) == bad.arrives)
        for name in ["bob", "judge"] {
            #expect(throws: NodeRefusal.self) {
                try market.network.command(name) { try $0.accept(id) }
            }
        }
        market.network.tick()
        market.network.settle()
        #expect(market.network["bob"].contracts[id]?.isAgreed != true)
        #expect(market.network["bob"].lines.values.first?.line.remaining == 300)
    }

    @Test func `a proposal is agreed by all whom it names or by nobody`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try Self.proposed(&market, line) { _ in }
        // Carol is not named: it is not even kept there.
        #expect(market.network["carol"].contracts[id] == nil)
        try market.network.command("bob") { try $0.accept(id) }
        market.network.settle()
        // Judge says yes to something else.
        let held = try market.held("judge", id)
        let other = try market.statement(
            by: "judge",
            Acceptance(salt: market.salt, statement: EntryID(SHA256.hash([1])), releaseKey: nil),
            about: held)
        market.network.inject(other, from: "judge", to: "bob")
        // Judge's yes comes a day late, signed so.
        let late = try market.statement(
            by: "judge",
            Acceptance(
                salt: market.salt, statement: held.proposalEntry.id,
                releaseKey: market.network.own("judge")?.releaseKey(id).publicKey), about: held,
            time: held.proposal.acceptBy.advanced(by: 1))
        market.network.pass(milliseconds: 86_400_000 - 5)
        market.network.inject(late, from: "judge", to: "bob")
        market.network.settle()
        market.network.tick()
        market.network.settle()
        #expect(try market.held("bob", id).fold?.isSequenced == false)
        // The last moment is in time for nobody else either.
        market.network.pass(milliseconds: 10)
        #expect(throws: NodeRefusal.self) {
            try market.network.command("judge") { try $0.accept(id) }
        }
    }

    @Test func `the issuer takes part in a child by itself only if what may differ differs`()
        throws
    {
        for strike: Int64 in [1_800, 1] {
            var story = try Self.story(4)
            let parent = try story.market.held("alice", story.parent)
            let grant = try #require(parent.fold?.grants.first)
            let key = try #require(ContractKey(SHA256.hash([7]).bytes))
            var proposal = parent.proposal
            proposal.contract = key.contract
            proposal.salt = story.market.salt
            var arguments = proposal.arguments.byName
            arguments["strike"] = Market.money(strike)
            arguments["units"] = Market.units(40)
            arguments["price"] = Market.money(24_000)
            proposal.arguments = [Argument](arguments)
            proposal.roles = [
                ("arbiter", "judge"), ("holder", "carol"), ("issuer", "bob"), ("seller", "alice"),
            ].map { .init(role: $0.0, identities: [story.market.did($0.1)]) }
            proposal.parent = .init(contract: story.parent, grant: grant.grant, units: 40)
            proposal.releaseKey =
                story.market.network.own("alice")?.releaseKey(key.contract)
                .publicKey
            let own = try #require(story.market.network.own("alice"))
            let body = proposal.wire
            let entry = try ValidEntry(
                signing: Header(
                    kind: Kind.proposal.rawValue, author: own.did, key: own.keyEntry,
                    topic: key.topic, time: story.market.network.now,
                    bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
                    place: .statement(
                        .init(
                            expires: proposal.grantBy,
                            about: .contract(key.contract, author: proposal.sequencer)))),
                body: body, by: own.key)
            story.market.network.inject(entry.entry, key: key.bytes, from: "alice", to: "bob")
            story.market.network.settle()
            let held = try story.market.held("bob", key.contract)
            #expect(held.fold != nil)
            #expect(held.hasAccepted(story.market.did("bob")) == (strike == 1_800))
        }
    }
}
