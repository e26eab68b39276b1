import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// What witnesses that lie, or whoever quotes them, can do to a step: judged by the fold of a party.
@Suite struct LyingWitnessTests {
    static let witnesses = ["wei", "xin", "yan"]

    /// Alice's paid option with three witnesses of whom two must say so, and a request of hers that nobody
    /// else has heard yet.
    static func play(_ transition: String, _ arguments: [String: Value] = [:], after days: Int64)
        throws -> (Market, ContractID, Entry)
    {
        var (market, id) = try WitnessTests.option(witnesses: witnesses, threshold: 2)
        try market.pay("alice", "bob", id)
        for name in market.names where name != "alice" { market.network.disconnect("alice", name) }
        WitnessTests.pass(&market, days: days)
        try market.act("alice", id, transition, arguments)
        return (market, id, try #require(market.held("alice", id).requests.values.first?.entry))
    }

    /// What `name` would say in its log about the contract, at any time it likes.
    static func word<Body: EntryBody>(
        _ market: Market, _ id: ContractID, by name: String, _ body: Body, at time: Instant
    ) throws -> Entry {
        let held = try market.held("alice", id)
        let log = LogID.witness(of: held.log, author: market.did(name))
        return try market.entry(
            by: name, kind: Body.kind.rawValue, body: body.wire, in: log, topic: held.key.topic,
            time: time)
    }

    static func refusal(
        _ market: Market, _ id: ContractID, _ request: Entry, _ receipts: [Entry],
        _ consents: [Entry] = [], hidden: DID? = nil
    ) throws -> FoldRefusal? {
        let node = market.network["alice"]
        let (keys, fold) = (node.keyLogs, try #require(market.held("alice", id).fold))
        do {
            _ = try fold.decide(
                .init(
                    time: market.network.now, act: nil, request: request, consents: consents,
                    receipts: receipts), keys: { $0 == hidden ? nil : keys.key($0, $1) },
                checker: node.checker)
            return nil
        } catch {
            return error
        }
    }

    @Test func `witnesses are distinct, none of them takes part, and M is more than half`() throws {
        let (market, id) = try WitnessTests.option(witnesses: Self.witnesses, threshold: 2)
        let held = try market.held("alice", id)
        let template = try market.template("capacity-option")
        func fold(_ change: (inout Proposal) -> Void) throws -> FoldRefusal? {
            var proposal = held.proposal
            change(&proposal)
            let entry = try market.statement(by: "alice", proposal, about: held)
            do {
                _ = try Fold(proposal: entry, key: held.key, template: template)
                return nil
            } catch {
                return error
            }
        }
        #expect(try fold { _ in } == nil)
        let (wei, xin) = (market.did("wei"), market.did("xin"))
        for identities in [
            [wei, wei, xin], [wei, xin, market.did("bob")], [wei, market.did("judge")],
        ] {
            let refusal = try fold { $0.witnesses = .init(identities: identities, threshold: 2) }
            #expect(refusal == .witnessesUnfit(count: identities.count, threshold: 2))
        }
        for threshold in [Int64(1), 4] {
            let refusal = try fold { $0.witnesses.threshold = threshold }
            #expect(refusal == .witnessesUnfit(count: 3, threshold: threshold))
        }
        let few = try fold { $0.witnesses = .init(identities: [], threshold: 1) }
        #expect(few == .witnessesUnfit(count: 0, threshold: 1))
        // Other witnesses than those whose terms were hashed.
        let others = try fold {
            $0.witnesses = .init(identities: [wei, xin], threshold: 2)
        }
        #expect(others == .witnessTermsWrong)
    }

    @Test func `one witness that lies about the time brings no request in, and keeps none out`()
        throws
    {
        // The option expires on the fortieth day.
        let (market, id, request) = try Self.play("exercise", ["n": Market.units(10)], after: 20)
        let (early, late) = (market.network.now, market.at(days: 25))
        func receipt(_ name: String, _ time: Instant) throws -> Entry {
            try Self.word(market, id, by: name, Receipt(subject: request.id), at: time)
        }
        let isLate = { (refusal: FoldRefusal?) -> Bool in
            if case .contract(.tooLate) = refusal { true } else { false }
        }
        let isShort = { (refusal: FoldRefusal?, found: Int) -> Bool in
            refusal == .receiptsMissing(of: request.id, found: found, needed: 2)
        }
        let (weiEarly, weiLate) = (try receipt("wei", early), try receipt("wei", late))
        let (xinEarly, xinLate) = (try receipt("xin", early), try receipt("xin", late))
        // In time, all that lacks is what bob's line has to say.
        let inTime = FoldRefusal.lineMissing(.firm)
        #expect(try Self.refusal(market, id, request, [weiEarly, xinEarly]) == inTime)
        // A lie of one, early or late, decides nothing against two.
        #expect(isLate(try Self.refusal(market, id, request, [weiEarly, xinLate])))
        #expect(
            try Self.refusal(market, id, request, [weiLate, xinEarly, receipt("yan", early)])
                == inTime)
        // Nor does one count twice, or whoever is no witness.
        #expect(isShort(try Self.refusal(market, id, request, [weiEarly, weiLate]), 1))
        #expect(
            isShort(try Self.refusal(market, id, request, [weiEarly, receipt("judge", early)]), 1))
        #expect(isShort(try Self.refusal(market, id, request, []), 0))
        // Nor a signature that wei never made.
        let spoiled = try ForkTests.spoiled(weiEarly)
        guard case .entry = try Self.refusal(market, id, request, [spoiled, xinEarly]) else {
            Issue.record("a signature that nobody made")
            return
        }
    }

    @Test func `a receipt that nobody signed keeps no request out, whatever vouches for it`() throws
    {
        var (market, id) = try WitnessTests.option(witnesses: Self.witnesses, threshold: 2)
        try market.pay("alice", "bob", id)
        // Bob, who sequences, hears of the request last; wei writes by hand.
        for name in market.names where name != "bob" { market.network.disconnect("bob", name) }
        for name in market.names where name != "wei" { market.network.disconnect("wei", name) }
        let held = try market.held("alice", id)
        let log = LogID.witness(of: held.log, author: market.did("wei"))
        let kept = try #require(market.network.stores["wei"]?.entries(of: log))
        try market.act("alice", id, "exercise", ["n": Market.units(10)])
        let request = try #require(market.held("alice", id).requests.values.first?.entry)
        func word(_ subject: EntryID, after kept: [Entry]) throws -> Entry {
            try market.entry(
                by: "wei", kind: Kind.receipt.rawValue, body: Receipt(subject: subject).wire,
                in: log, topic: held.key.topic, after: kept)
        }
        let spoilt = try ForkTests.spoiled(word(request.id, after: kept))
        let above = try word(held.proposalEntry.id, after: kept + [spoilt])
        market.network.connect("wei", "bob")
        market.network.settle()
        let head = Message.Head(log: log, sequence: UInt64(kept.count) + 2, id: above.id)
        market.network.inject(Message.heads([head]).frame, from: "wei", to: "bob")
        let run = [spoilt, above].map(\.wire)
        market.network.inject(Message.entries(run, done: true).frame, from: "wei", to: "bob")
        market.network.settle()
        #expect(market.network["bob"].chains.head(log) == Int64(kept.count) + 2)

        WitnessTests.pass(&market, days: 1)
        for name in ["alice", "xin", "yan"] { market.network.connect("bob", name) }
        market.network.settle()
        let step = try market.held("bob", id).fold?.steps.last
        #expect(step?.request == request.id && step?.void == nil)
        #expect(try market.held("bob", id).refused.isEmpty)
    }

    @Test func `a default needs M whole closings of just that deadline, made after it`() throws {
        let (market, id, request) = try Self.play("lapse", after: 60)
        let held = try market.held("alice", id)
        let record = try #require(held.fold?.state.record(1))
        let until = try #require(record.until)
        let shown = held.witnessLogs.values.flatMap(\.receipts.values)
        func closed(
            _ name: String, deadline: Instant? = nil, version: Int64? = nil, lists: [EntryID] = [],
            at time: Instant? = nil
        ) throws -> Entry {
            try Self.word(
                market, id, by: name,
                Closed(
                    record: 1, version: version ?? record.version, deadline: deadline ?? until,
                    requests: lists), at: time ?? market.network.now)
        }
        func judged(_ closings: [Entry], _ consents: [Entry] = []) throws -> FoldRefusal? {
            try Self.refusal(market, id, request, closings + shown, consents)
        }
        func isShort(_ refusal: FoldRefusal?, _ found: Int) -> Bool {
            refusal == .closingsMissing(record: 1, found: found, needed: 2)
        }
        let wei = try closed("wei")
        #expect(try judged([wei, closed("xin")]) == nil)
        #expect(isShort(try judged([wei]), 1))
        #expect(isShort(try judged([wei, wei]), 1))
        #expect(isShort(try judged([wei, closed("judge")]), 1))
        #expect(isShort(try judged([wei, closed("xin", deadline: until.advanced(by: -1))]), 1))
        #expect(isShort(try judged([wei, closed("xin", deadline: until.advanced(by: 1))]), 1))
        #expect(isShort(try judged([wei, closed("xin", version: record.version - 1)]), 1))
        #expect(isShort(try judged([wei, closed("xin", at: until)]), 1))
        // Without a word of who held the step that started the clock, and since when.
        let bare = try Self.refusal(market, id, request, [wei, closed("xin")])
        guard case .receiptsMissing(_, found: 0, needed: 2) = bare else {
            Issue.record("\(String(describing: bare))")
            return
        }
        // What one of them lists has to be shown, and comes first where it was allowed.
        let exercise = try sealed(market, held, "exercise", ["n": Market.units(10)])
        let listing = try closed("xin", lists: [exercise.id])
        #expect(try judged([wei, listing]) == .listedMissing(exercise.id))
        #expect(try judged([wei, listing], [exercise]) == .listedAdmissible(exercise.id))
        // Not where it never was.
        let tooMuch = try sealed(market, held, "exercise", ["n": Market.units(500)])
        #expect(try judged([wei, closed("xin", lists: [tooMuch.id])], [tooMuch]) == nil)
    }

    /// A request of alice's as witnesses get it, signed by hand.
    private func sealed(
        _ market: Market, _ held: HeldContract, _ transition: String, _ arguments: [String: Value]
    ) throws -> Entry {
        let own = try #require(market.network.own("alice"))
        let fold = try #require(held.fold)
        let act = SignedAct(
            transition: transition, record: 1, arguments: [Argument](arguments))
        let body = try held.key.seal(
            Request(salt: SHA256.hash([7]), act: act), author: own.did, log: held.log,
            nonce: [UInt8](repeating: 5, count: 24))
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
                        expires: market.at(days: 30), about: held.log, basis: fold.head.id,
                        versions: versions))), body: body, by: own.key
        ).entry
    }
}
