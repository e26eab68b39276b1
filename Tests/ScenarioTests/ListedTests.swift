import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Simulation
import Testing

/// What closings list: a request that came in time comes first, whoever would rather not show it, and one
/// that never could have had effect keeps no default out.
@Suite struct ListedTests {
    static let witnesses = ["wei", "xin", "yan"]

    /// Alice's paid option; bob sequences, two of three witnesses must say so.
    static func option(style: String = "american", window: Int64 = 1) throws
        -> (Market, ContractID)
    {
        var market = try Market(
            names: ["alice", "bob", "judge"] + witnesses, only: "capacity-option")
        for name in witnesses { try market.network.command(name) { $0.set(.witness, true) } }
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try market.agree(
            "alice", "capacity-option",
            [
                "style": .text(style), "window": .integer(window * 86_400_000),
                "units": Market.units(100), "lot": Market.units(10),
                "premium": Market.money(50_000), "strike": Market.money(1_800),
                "remedy": Market.money(900), "expiry": .instant(market.at(days: 40)),
                "deliver_by": .instant(market.at(days: 60)),
            ], roles: ["issuer": "bob", "holder": "alice", "arbiter": "judge"], lines: [line],
            witnesses: witnesses, threshold: 2)
        try market.pay("alice", "bob", id)
        return (market, id)
    }

    /// A request as `name` would sign it by hand, of `transition` on `record`, or with any `body`.
    static func request(
        _ market: Market, by name: String, _ id: ContractID, _ transition: String,
        record: Int64 = 1, _ arguments: [String: Value] = [:], child: EntryID? = nil,
        body bytes: [UInt8]? = nil, number: UInt8 = 1, expires: Instant? = nil
    ) throws -> Entry {
        let held = try market.held(name, id)
        let own = try #require(market.network.own(name))
        let fold = try #require(held.fold)
        let act = SignedAct(
            transition: transition, record: record, arguments: [Argument](arguments), child: child)
        let words = Request(salt: SHA256.hash([number]), act: act)
        let body =
            try bytes
            ?? (child == nil
                ? held.key.seal(
                    words, author: own.did, log: held.log,
                    nonce: [UInt8](repeating: number, count: 24)) : words.wire)
        let versions = fold.state.touched(by: Act(act)).sorted().map {
            RecordVersion(record: $0, version: fold.state.record($0)?.version ?? 0)
        }
        return try ValidEntry(
            signing: Header(
                kind: Kind.request.rawValue, author: own.did, key: own.keyEntry,
                topic: held.key.topic, time: market.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .statement(
                    .init(
                        expires: expires ?? market.at(days: 300), about: held.log,
                        basis: fold.head.id,
                        versions: versions))), body: body, by: own.key
        ).entry
    }

    static func say(
        _ statement: Entry, _ market: inout Market, from sender: String, to names: [String]
    ) {
        for name in names { market.network.inject(statement, from: sender, to: name) }
        market.network.settle()
    }

    static func say(
        _ statements: [Entry], _ market: inout Market, from sender: String, to names: [String]
    ) {
        for statement in statements { say(statement, &market, from: sender, to: names) }
    }

    static func pass(_ market: inout Market, days: Int64) {
        WitnessTests.pass(&market, days: days)
        for _ in 0..<3 { WitnessTests.pass(&market, days: 0) }
    }

    /// Bob, who hears nothing of alice, asks for the lapse when it is time.
    static func lapse(_ market: inout Market, _ id: ContractID) throws {
        pass(&market, days: 45)
        try market.act("bob", id, "lapse")
        pass(&market, days: 0)
    }

    // MARK: - What came in time

    /// What the fold says of a default that bob asks for, with closings of `names` that list `request`, which
    /// these receipted at those times.
    static func judge(
        _ market: Market, _ id: ContractID, _ transition: String, by names: [String],
        over request: Entry, shown: [Entry]? = nil, receipted: [String: Instant],
        hidden: DID? = nil, showsTimes: Bool = true
    ) throws -> FoldRefusal? {
        let held = try market.held("alice", id)
        let record = try #require(held.fold?.state.record(1))
        let until = try #require(record.until)
        let closings = try names.map { name in
            let isListed = receipted[name].map { $0 <= until } ?? false
            return try LyingWitnessTests.word(
                market, id, by: name,
                Closed(
                    record: 1, version: record.version, deadline: until,
                    requests: isListed ? [request.id] : []), at: market.network.now)
        }
        let receipts = try receipted.sorted { $0.key < $1.key }.map { name, time in
            try LyingWitnessTests.word(
                market, id, by: name, Receipt(subject: request.id), at: time)
        }
        return try LyingWitnessTests.refusal(
            market, id, Self.request(market, by: "bob", id, transition),
            closings + (showsTimes ? receipts : [])
                + held.witnessLogs.values.flatMap(\.receipts.values), shown ?? [request],
            hidden: hidden)
    }

    @Test func `a listed request is shown with its body`() throws {
        var (market, id) = try Self.option()
        let exercise = try Self.request(
            market, by: "alice", id, "exercise", ["n": Market.units(10)])
        let then = market.network.now
        Self.pass(&market, days: 60)
        func judged(_ shown: Entry...) throws -> FoldRefusal? {
            try Self.judge(
                market, id, "lapse", by: ["wei", "xin"], over: exercise, shown: shown,
                receipted: ["wei": then, "xin": then])
        }
        #expect(try judged(exercise) == .listedAdmissible(exercise.id))
        #expect(try judged(exercise.withoutBody) == .listedMissing(exercise.id))
        // Nor does it help to put words of others beside it that they never said.
        let held = try market.held("alice", id)
        let forged = try ForkTests.spoiled(
            market.statement(
                by: "judge",
                Acceptance(salt: .zero, statement: exercise.id, releaseKey: nil), about: held))
        #expect(try judged(forged, exercise) == .listedAdmissible(exercise.id))
    }

    @Test func `an exercise that was over before the expiry comes before the lapse`() throws {
        var (market, id) = try Self.option()
        // What alice says is offered for thirty days; the option has forty.
        try market.network.command("alice") {
            _ = try $0.act(
                Act(transition: "exercise", record: 1, arguments: ["n": Market.units(100)]), in: id)
        }
        let exercise = try #require(market.held("alice", id).requests.values.first?.entry)
        let then = market.network.now
        let expires = try #require(exercise.header.statement?.expires)
        let until = try #require(market.state("alice", id).record(1)?.until)
        #expect(expires < until)
        market.network.pass(milliseconds: 60 * 86_400_000)
        let refusal = try Self.judge(
            market, id, "lapse", by: ["wei", "xin"], over: exercise,
            receipted: ["wei": then, "xin": then])
        #expect(refusal == .listedAdmissible(exercise.id))
    }

    /// Neither when the step came that it stands on, nor at the deadline, but in between.
    @Test func `an exercise in the midst of its time counts, though nobody shows when it came`()
        throws
    {
        var (market, id) = try Self.option(style: "european", window: 30)
        Self.pass(&market, days: 15)
        let exercise = try Self.request(
            market, by: "alice", id, "exercise", ["n": Market.units(100)],
            expires: market.at(days: 7))
        let then = market.network.now
        Self.pass(&market, days: 60)
        for showsTimes in [true, false] {
            let refusal = try Self.judge(
                market, id, "lapse", by: ["wei", "xin"], over: exercise,
                receipted: ["wei": then, "xin": then], showsTimes: showsTimes)
            #expect(refusal == .listedAdmissible(exercise.id), "\(showsTimes)")
        }
    }

    @Test func `a delivery in time counts, whenever the default is asked for`() throws {
        var market = try Market(
            names: ["alice", "bob", "judge"] + Self.witnesses, only: "capacity-swap")
        for name in Self.witnesses { try market.network.command(name) { $0.set(.witness, true) } }
        let lines = [
            try market.declare("bob", "print/notebook/a5", 300),
            try market.declare("alice", "bake/cake", 300),
        ]
        let id = try market.agree(
            "alice", "capacity-swap",
            [
                "left_units": Market.units(50), "left_price": Market.money(1_200),
                "right_units": Market.units(100), "right_price": Market.money(900),
                "deliver_by": .instant(market.at(days: 10)),
            ], roles: ["left": "bob", "right": "alice", "arbiter": "judge"], lines: lines,
            witnesses: Self.witnesses, threshold: 2)
        Self.pass(&market, days: 9)
        let delivery = try Self.request(
            market, by: "alice", id, "deliver_right",
            [
                "n": .quantity(try Quantity(units: 100, Market.piece)),
                "evidence": StoryTests.evidence,
            ])
        let then = market.network.now
        Self.pass(&market, days: 60)
        func judged(_ receipted: [String: Instant], by names: [String]) throws -> FoldRefusal? {
            try Self.judge(
                market, id, "balance_late", by: names, over: delivery, receipted: receipted)
        }
        let late = then.advanced(by: 2 * 86_400_000)
        #expect(
            try judged(["wei": then, "xin": then], by: ["wei", "xin"])
                == .listedAdmissible(delivery.id))
        // One of two says it came after the last day; the third may have had it before.
        #expect(
            try judged(["wei": then, "xin": late], by: ["wei", "xin"])
                == .listedAdmissible(delivery.id))
        #expect(
            try judged(["wei": then, "xin": late, "yan": late], by: Self.witnesses) == nil)
        #expect(try judged(["wei": late, "xin": late], by: ["wei", "xin"]) == nil)
        // Whoever lists it has to be shown to have had it.
        #expect(try judged([:], by: ["wei", "xin"]) == nil)
    }

    // MARK: - What never could have had effect

    @Test func `an exercise before its time keeps no lapse out`() throws {
        var (market, id) = try Self.option(style: "european")
        Self.pass(&market, days: 5)
        let early = try Self.request(
            market, by: "alice", id, "exercise", ["n": Market.units(100)])
        Self.say(early, &market, from: "alice", to: Self.witnesses + ["bob", "judge"])
        try Self.lapse(&market, id)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).outcome == .lapsed, "\(name)")
        }
    }

    @Test func `a transfer to a child that nobody accepted keeps no lapse out`() throws {
        var (market, id) = try Self.option()
        Self.pass(&market, days: 5)
        let transfer = try Self.request(
            market, by: "alice", id, "transfer",
            [
                "n": Market.units(100), "newcomer": .identity(market.did("wei")),
                "asking": Market.money(1),
            ], child: EntryID(SHA256.hash([9])))
        Self.say(transfer, &market, from: "alice", to: Self.witnesses + ["bob", "judge"])
        try Self.lapse(&market, id)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).outcome == .lapsed, "\(name)")
        }
    }

    /// One of the three has it in time, each another.
    @Test func `requests that too few had in time keep no lapse out`() throws {
        var (market, id) = try Self.option()
        Self.pass(&market, days: 5)
        for (number, name) in Self.witnesses.enumerated() {
            let request = try Self.request(
                market, by: "alice", id, "exercise", ["n": Market.units(100)],
                number: UInt8(number))
            Self.say(request, &market, from: "alice", to: [name])
        }
        try Self.lapse(&market, id)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).outcome == .lapsed, "\(name)")
        }
    }

    @Test func `a request too large for any step keeps no lapse out`() throws {
        var (market, id) = try Self.option()
        let large = try Self.request(
            market, by: "alice", id, "exercise", body: [UInt8](repeating: 7, count: 65_000))
        Self.say(large, &market, from: "alice", to: Self.witnesses + ["bob", "judge"])
        try Self.lapse(&market, id)
        #expect(try market.held("bob", id).outcome == .lapsed)
    }

    @Test func `requests too many for any step keep no lapse out`() throws {
        var (market, id) = try Self.option()
        for number in 0..<120 {
            let idle = try Self.request(
                market, by: "alice", id, "exercise", ["n": Market.units(500)],
                number: UInt8(number))
            Self.say(idle, &market, from: "alice", to: Self.witnesses + ["bob", "judge"])
        }
        try Self.lapse(&market, id)
        #expect(try market.held("bob", id).outcome == .lapsed)
    }

    @Test func `a request without its body keeps no lapse out`() throws {
        var (market, id) = try Self.option()
        let request = try Self.request(
            market, by: "alice", id, "exercise", ["n": Market.units(500)])
        Self.say(
            request.withoutBody, &market, from: "alice", to: Self.witnesses + ["bob", "judge"])
        try Self.lapse(&market, id)
        #expect(try market.held("bob", id).outcome == .lapsed)
    }

    // MARK: - What others say to a request

    /// Carol has no say in what alice and bob agree on, and says it three hundred times.
    @Test func `words that nobody asked for keep no request out`() throws {
        var market = try Market(
            names: ["alice", "bob", "carol", "judge"], only: "mutual-assistance")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try market.agree(
            "alice", "mutual-assistance",
            [
                "trigger": Market.units(20), "cap": Market.units(100),
                "cap_call": Market.units(32), "cap_month": Market.units(80),
                "price": Market.money(60_000), "fee": Market.money(20_000),
                "remedy": Market.money(50_000), "ends": .instant(market.at(days: 60)),
            ],
            roles: ["user": "alice", "partner": "carol", "supplier": "bob", "arbiter": "judge"],
            lines: [line])
        // Carol, who sequences, is away; judge knows of the request from bob.
        market.network.stop("carol")
        let asked = try market.act(
            "alice", id, "draw", ["sold": Market.units(50), "n": Market.units(10)])
        guard case .requested(let request) = asked else {
            Issue.record("\(asked)")
            return
        }
        let held = try market.held("judge", id)
        var words: [Entry] = []
        for number in 0..<200 {
            words.append(
                try market.statement(
                    by: "judge",
                    Acceptance(
                        salt: SHA256.hash([UInt8(number)]), statement: request, releaseKey: nil),
                    about: held))
        }
        for name in ["alice", "bob"] { market.network.disconnect(name, "judge") }
        market.network.start("carol")
        market.network.connect("judge", "carol")
        market.network.settle()
        Self.say(words, &market, from: "judge", to: ["carol"])
        for name in ["alice", "bob"] { market.network.connect(name, "carol") }
        market.network.settle()
        market.network.pass(milliseconds: 20_000)
        Self.pass(&market, days: 0)
        #expect(try market.held("carol", id).refused.isEmpty)
        #expect(try market.state("carol", id).records.contains { $0.family == "draw" })
    }
}
