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

/// Lines: what may stand beside what, and where granted units come from.
@Suite struct TitleTests {
    static let week: Int64 = 7

    static func terms(
        _ market: Market, _ resource: String, from: Int64 = 10, days: Int64 = week
    ) throws -> LineTerms {
        LineTerms(
            resource: try Resource(resource),
            window: try Window(
                start: market.at(days: from), end: market.at(days: from + days),
                offsetMinutes: 480), unit: Market.piece)
    }

    @Test func `equal and nested lines in one window are invalid from the later on`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let first = try market.declare("bob", "print/notebook", 300)
        let log = LogID.publicLog(
            author: market.did("bob"), alliance: market.network["bob"].alliance.topic)
        let refused: [LineTerms] = [
            try Self.terms(market, "print/notebook", from: 11),
            try Self.terms(market, "print/notebook/a5"),
            try Self.terms(market, "print"),
            try Self.terms(market, "print/notebook/a5", from: 16, days: 30),
        ]
        let lawful: [LineTerms] = [
            // The next week, a sister, and a name that only begins alike.
            try Self.terms(market, "print/notebook", from: 17),
            try Self.terms(market, "print/poster"),
            try Self.terms(market, "print/notebooks"),
        ]
        for terms in refused {
            #expect {
                try market.network.command("bob") { try $0.declare(terms, total: 300) }
            } throws: { error in
                guard case NodeRefusal.lineClash(let with) = error else { return false }
                return with == LogID.line(author: market.did("bob"), first)
            }
        }
        // The attack: a program of bob's that opens it all the same, and grants on it.
        for terms in refused {
            let opening = try market.entry(
                by: "bob", kind: Kind.lineOpening.rawValue, body: LineOpening(terms: terms).wire,
                in: log, topic: market.network["bob"].alliance.topic)
            market.push(opening, from: "alice", to: "bob")
            // His own node signs nothing more where it is not the only one; the others read on.
            market.push(opening, from: "bob", to: "alice")
            market.network.settle()
            let held = try #require(market.network["alice"].book[market.did("bob")]?.openings.last)
            #expect(held.terms == terms)
            #expect(held.clashesWith == .line(author: market.did("bob"), first))
            let line = LogID.line(author: market.did("bob"), terms)
            #expect(market.network["alice"].lines[line] == nil)
            let draft = try AttackTests.draft(market, terms, units: 10)
            #expect(throws: NodeRefusal.self) {
                try market.network.command("carol") { try $0.propose(draft) }
            }
            // The earlier one stays what it was.
            #expect(
                market.network["alice"].lines[.line(author: market.did("bob"), first)]?.isOpen
                    == true)
        }
        market = try Market(names: OptionStory.names, only: "capacity-option")
        _ = try market.declare("bob", "print/notebook", 300)
        for terms in lawful {
            try market.network.command("bob") { try $0.declare(terms, total: 300) }
        }
        // One that names the earlier as its source stands beside it.
        let carved = try Self.terms(market, "print/notebook/a5")
        let source = LogID.line(
            author: market.did("bob"), try Self.terms(market, "print/notebook"))
        try market.network.command("bob") {
            try $0.declare(carved, total: 50, source: source)
        }
        market.network.settle()
        #expect(market.network["alice"].book[market.did("bob")]?.openings.count == 5)
        #expect(
            market.network["alice"].book[market.did("bob")]?.openings.allSatisfy {
                $0.clashesWith == nil
            } == true)
        // Another's source, or none that is known, is no excuse.
        #expect(throws: NodeRefusal.self) {
            try market.network.command("bob") {
                try $0.declare(carved, total: 50, source: LogID(SHA256.hash([4])))
            }
        }
    }

    /// Alice holds 100 of bob's line out of an option and opens a line of her own on them.
    static func resale() throws -> (market: Market, step: EntryID, log: LogID, terms: LineTerms) {
        var story = try AttackTests.story(4)
        let source = LogID.line(
            author: story.market.did("bob"), try #require(story.line))
        let terms = try #require(story.line)
        try story.market.network.command("alice") {
            try $0.declare(terms, total: 100, source: source)
        }
        story.market.network.settle()
        let step = try #require(try story.market.held("alice", story.parent).fold?.steps.first?.id)
        return (
            story.market, step, .line(author: story.market.did("alice"), terms), terms
        )
    }

    static func sell(_ market: inout Market, _ terms: LineTerms, units: Int64) throws
        -> ContractID
    {
        try market.agree(
            "carol", "capacity-option",
            AttackTests.draft(market, terms, units: units).arguments,
            roles: ["issuer": "alice", "holder": "carol", "arbiter": "judge"], lines: [terms])
    }

    @Test func `what is passed on names the step that locked it, and no more than it locked`()
        throws
    {
        var (market, step, log, terms) = try Self.resale()
        let id = try Self.sell(&market, terms, units: 60)
        #expect(try market.held("carol", id).grade == .sequenced)
        for name in ["alice", "bob", "judge"] {
            let titles = market.network[name].titles(of: log)
            #expect(titles.count == 1)
            guard case .held(step, _) = titles.values.first else {
                Issue.record("\(name): \(titles)")
                continue
            }
        }
        // Carol sees that it is passed on, but not out of what.
        #expect(market.network["carol"].titles(of: log).values.first == .unseen(step))
        // Of the hundred, forty are left: fifty are not granted, whatever alice's line says.
        #expect(market.network["alice"].lines[log]?.line.remaining == 40)
        try market.network.command("alice") { try $0.adjust(log, total: 500, reason: "greed") }
        market.network.settle()
        let greedy = try AttackTests.draft(market, terms, units: 50)
        var draft = greedy
        draft.roles = [
            "issuer": [market.did("alice")], "holder": [market.did("carol")],
            "arbiter": [market.did("judge")],
        ]
        let proposed = try market.network.command("carol") { [draft] in try $0.propose(draft) }
        market.network.settle()
        #expect {
            try market.network.command("alice") { try $0.accept(proposed) }
        } throws: { error in
            guard case NodeRefusal.titleMissing(_, let free, let needed) = error else {
                return false
            }
            return free == 40 && needed == 50
        }
    }

    @Test func `a title that does not hold is seen by whoever knows the contract`() throws {
        var (market, step, log, _) = try Self.resale()
        let alice = try #require(market.network.own("alice"))
        let topic = market.network["alice"].alliance.topic
        func grant(_ units: Int64, _ title: EntryID?, leaves remaining: Int64, after: [Entry])
            throws -> Entry
        {
            try market.entry(
                by: "alice", kind: Kind.grant.rawValue,
                body: Grant(
                    units: units, until: market.at(days: 90), releaseKey: alice.key.publicKey,
                    tag: SHA256.hash([UInt8(after.count)]), remaining: remaining, title: title
                ).wire, in: log, topic: topic, after: after)
        }
        var written = try #require(market.network.stores["alice"]?.entries(of: log))
        // None where one is due; a step that locked nothing here; then more than the step locked.
        let later = try #require(
            market.network["alice"].contracts.values.first?.fold?.steps.last?.id)
        for (units, title, left) in [(10, nil, 90), (10, later, 80), (80, step, 0)]
            as [(Int64, EntryID?, Int64)]
        {
            written.append(try grant(units, title, leaves: left, after: written))
        }
        for entry in written.dropFirst() { market.push(entry, from: "alice", to: "bob") }
        market.network.settle()
        let titles = market.network["bob"].titles(of: log)
        #expect(titles[written[1].id] == .missing)
        guard case .wrong(later, _) = titles[written[2].id] else {
            Issue.record("\(titles)")
            return
        }
        guard case .held(step, _) = titles[written[3].id] else {
            Issue.record("\(titles)")
            return
        }
        let more = try market.entry(
            by: "alice", kind: Kind.adjust.rawValue,
            body: Adjust(total: 200, remaining: 100, reason: "greed").wire, in: log, topic: topic,
            after: written)
        written.append(more)
        written.append(try grant(40, step, leaves: 60, after: written))
        for entry in written.suffix(2) { market.push(entry, from: "alice", to: "bob") }
        market.network.settle()
        let all = market.network["bob"].titles(of: log)
        for entry in [written[3], written[5]] {
            #expect(all[entry.id] == .exceeded(step, locked: 100, granted: 120))
        }
        // It is shown and changes no state: the line's own law is kept.
        #expect(market.network["bob"].lines[log]?.isOpen == true)
        #expect(market.network["bob"].lines[log]?.line.remaining == 60)
        // Bob's own line is his own.
        let bobs = try #require(
            market.network["bob"].lines.values.first { $0.issuer == market.did("bob") })
        #expect(market.network["bob"].titles(of: bobs.log).values.allSatisfy { $0 == .own })
    }

    @Test func `a title over very many lines is added up without an overflow`() throws {
        var (market, step, _, _) = try TitleTests.resale()
        let all = wholeNumberMax
        for name in ["bob", "judge"] { market.network.disconnect("alice", name) }
        let topic = ForkTests.alliance(market)
        let pub = LogID.publicLog(author: market.did("carol"), alliance: topic)
        var kept = market.network.stores["carol"]?.entries(of: pub) ?? []
        var first: LogID?
        for number in 0..<1_030 {
            let terms = LineTerms(
                resource: try Resource("made/up/\(number)"),
                window: try Window(
                    start: market.at(days: 10), end: market.at(days: 17), offsetMinutes: 0),
                unit: Market.piece)
            let opening = try market.entry(
                by: "carol", kind: Kind.lineOpening.rawValue,
                body: LineOpening(terms: terms, source: nil).wire, in: pub, topic: topic,
                after: kept)
            kept.append(opening)
            let log = LogID.line(author: market.did("carol"), terms)
            first = first ?? log
            let declare = try market.entry(
                by: "carol", kind: Kind.declare.rawValue,
                body: Declare(total: all, remaining: all).wire, in: log, topic: topic, after: [])
            let grant = try market.entry(
                by: "carol", kind: Kind.grant.rawValue,
                body: Grant(
                    units: all, until: market.at(days: 90),
                    releaseKey: SigningKey(seed: SecretBytes(SHA256.hash([1]).bytes))!.publicKey,
                    tag: SHA256.hash([2]), remaining: 0, title: step
                ).wire, in: log,
                topic: topic, after: [declare])
            for entry in [opening, declare, grant] {
                market.push(entry, from: "carol", to: "alice")
            }
        }
        market.settle()
        let titles = market.network["alice"].titles(of: try #require(first))
        #expect(titles.count == 1)
    }
}
