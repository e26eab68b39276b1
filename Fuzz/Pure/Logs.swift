import Capacity
import Entries
import Fixtures
import Fuzzing
import Identity
import Ledger
import Logs

// Chains, lines and books: what is decided is lawful, what is refused changes nothing.

let logs: [FuzzTarget] = [run, keyLog, forkProof, line, lineLog, books]

/// One log as its author wrote it, twice from its third entry on; beside it, what nobody wrote.
private struct Story: Sendable {
    var keys = KeyLogs()
    /// Offered in pieces.
    var runs: [[Entry]] = []
    /// All that its author ever signed.
    var honest: Set<EntryID> = []
    var log = LogID.publicLog(author: alice.did, alliance: .alliance)

    init() {
        for person in [alice, bob] {
            for entry in person.keyEntries {
                guard let valid = try? keys.decide(entry.entry, checker: SignatureChecker()) else {
                    continue
                }
                keys.apply(valid)
            }
        }
        var writer = alice.writer(log, topic: .alliance)
        func write(_ writer: inout LogWriter, _ count: Int) -> [Entry] {
            (0..<count).map { number in
                writer.append(Profile(name: "press \(number) \(writer.sequence)")).entry
            }
        }
        let trunk = write(&writer, 2)
        var fork = writer
        let main = trunk + write(&writer, 3)
        fork.now = fork.now.minutes(30)
        let other = trunk + write(&fork, 3)
        // On under the second key, after the trunk and after all of it.
        func continued(_ writer: LogWriter) -> [Entry] {
            var next = writer
            next.key = alice.keys[1]
            next.keyEntry = alice.rotation.id
            next.now = max(next.now, alice.rotation.header.time)
            let mark = next.append(Continue(from: alice.keyEntry.id)).entry
            return [mark] + write(&next, 2)
        }
        let late = main + continued(writer)
        var early = alice.writer(log, topic: .alliance)
        _ = write(&early, 2)
        let soon = trunk + continued(early)
        runs = [main, other, late, soon]
        honest = Set(runs.joined().map(\.id))
        // Garbage signatures, another author in the same log, another topic, a time that falls.
        var garbage = writer
        let noise = garbage.appendGarbage(Profile(name: "noise"))
        var after = garbage
        let vouching = write(&after, 1)
        honest.formUnion(vouching.map(\.id))
        // What a later valid entry reaches is its author's word.
        honest.insert(noise.id)
        runs.append(main + [noise])
        runs.append(main + [noise] + vouching)
        var foreign = bob.writer(log, topic: .alliance)
        let theirs = write(&foreign, 3)
        runs.append(theirs)
        var fallen = writer
        fallen.now = .morning
        let back = write(&fallen, 1)
        honest.formUnion(back.map(\.id))
        runs.append(main + back)
        let elsewhere = alice.writer(log, topic: .filled(9))
        var moved = elsewhere
        runs.append(write(&moved, 3))
    }
}

private let story = Story()

private let run = FuzzTarget(
    "run",
    law:
        "whatever is offered in whatever order, a log holds its author's entries alone, each named by the "
        + "next, times never fall; what was taken is known afterwards",
    bytesMax: 256,
    seeds: { [[0, 0, 5, 0], [1, 0, 5, 0, 2, 2, 8, 0], [0, 0, 2, 0, 3, 0, 9, 0, 5, 0, 9, 0]] }
) { input in
    var choices = Choices(input)
    var chains = Chains()
    var entries: [EntryID: Entry] = [:]
    let checker = SignatureChecker()
    while !choices.isAtEnd {
        let whole = story.runs[choices.below(story.runs.count)]
        let from = choices.below(whole.count)
        let count = 1 + choices.below(whole.count)
        var piece = Array(whole[from...].prefix(count))
        let trick = choices.byte()
        switch trick & 15 {
        case 1: piece.reverse()
        case 2: piece.append(piece[0])
        case 3: piece = piece.map(\.withoutBody)
        case 4:
            // A byte of a header or a signature changed.
            let place = Int(trick >> 4) % piece.count
            var wire = piece[place].wire
            wire[choices.below(wire.count)] ^= choices.byte() | 1
            guard let twisted = try? Entry(strict: wire) else { continue }
            piece[place] = twisted
        default: break
        }
        for entry in piece { entries[entry.id] = entry }
        let before = chains.chain(story.log)?.ids
        guard
            let admission = try? chains.decide(
                piece, keys: story.keys, checker: checker, anchored: Int64(trick >> 6),
                adopting: trick & 32 != 0)
        else {
            law(chains.chain(story.log)?.ids == before, "a refusal changed the log")
            continue
        }
        switch admission {
        case .extends(let valid):
            for one in valid { chains.apply(one) }
            let known = try? chains.decide(
                piece, keys: story.keys, checker: checker, adopting: true)
            if case .known = known {
            } else {
                // Where a rival was taken too, the piece may be told as its branch.
                law(chains.chain(story.log)?.rivals.isEmpty == false, "taken, and not known")
            }
        case .forks(let fork, let rival):
            law(fork.held != fork.rival, "a fork with itself")
            law(story.honest.contains(fork.rival), "a fork that nobody made")
            chains.apply(fork, in: story.log)
            for one in rival { chains.apply(rival: one) }
        case .branches(let rival):
            for one in rival { chains.apply(rival: one) }
        case .supersedes(let valid):
            law(valid.first?.entry.kind == .continue, "superseded by something else")
        case .known, .superseded, .waits: break
        }
        guard let chain = chains.chain(story.log) else { continue }
        law(chain.author == alice.did || chain.ids.isEmpty || chain.author == bob.did, "author")
        var last: Entry?
        for (index, id) in chain.ids.enumerated() {
            guard let entry = entries[id], let place = entry.header.log else {
                return law(false, "an entry that nobody offered")
            }
            law(place.sequence == Int64(index) + 1, "sequence \(place.sequence) at \(index)")
            law(place.previous == last?.id, "not named by the next")
            law((last?.header.time ?? .earliest) <= entry.header.time, "time fell")
            law(entry.header.author == chain.author, "another's entry")
            if chain.author == alice.did, entry.header.topic == .alliance {
                law(story.honest.contains(id), "forged: \(id.short)")
            }
            last = entry
        }
    }
}

private let keyLog = FuzzTarget(
    "key-log",
    law: "a key log takes the next key that was committed to, signed by itself, and nothing else",
    bytesMax: 256, seeds: { [[0, 0, 1, 0], [2, 0, 3, 0, 0, 1, 5, 0]] }
) { input in
    var choices = Choices(input)
    var keys = KeyLogs()
    let all = [alice, bob, carol].flatMap(\.keyEntries).map(\.entry)
    let checker = SignatureChecker()
    while !choices.isAtEnd {
        var entry = all[choices.below(all.count)]
        if choices.below(2) == 1 {
            var wire = entry.wire
            wire[choices.below(wire.count)] ^= choices.byte()
            guard let twisted = try? Entry(strict: wire) else { continue }
            entry = twisted
        }
        let author = entry.header.author
        let before = keys.entries(of: author)
        guard let valid = try? keys.decide(entry, checker: checker) else { continue }
        law(all.contains { $0.id == entry.id }, "a key entry that nobody signed")
        keys.apply(valid)
        let after = keys.entries(of: author)
        law(after.count == before.count + 1 && after.last?.id == entry.id, "not the next")
        if let last = before.last {
            law(Hash32.nextKey(after[after.count - 1].key) == last.nextKeyHash, "key")
        }
    }
}

private let forkProof = FuzzTarget(
    "fork-proof",
    law: "a proof that checks names two entries that their author signed at one place",
    bytesMax: 2048,
    seeds: {
        let (one, two) = (story.runs[0], story.runs[1])
        let key = story.keys.entries(of: alice.did)[0].key
        func vouched(_ run: [Entry]) -> Vouched? {
            let valid = run[2...].compactMap {
                try? ValidEntry($0, by: key, checker: SignatureChecker())
            }
            return Vouched(branch: Array(valid))
        }
        guard let left = vouched(one), let right = vouched(two) else { return [] }
        let chained = Vouched(entry: two[2], chain: Array(two[3...]))
        return [ForkProof(left, right).wire, ForkProof(left, chained).wire]
            + golden.filter { (try? ForkProof(strict: $0)) != nil }
    }
) { input in
    guard let proof = try? ForkProof(strict: input) else { return }
    law(proof.wire == input, "spelled otherwise")
    guard (try? proof.check(keys: story.keys, checker: SignatureChecker())) != nil else { return }
    let (one, two) = (proof.one.entry, proof.two.entry)
    law(one.id != two.id, "one entry twice")
    law(one.header.log?.log == two.header.log?.log, "two logs")
    if proof.log == story.log {
        law(story.honest.contains(one.id) && story.honest.contains(two.id), "forged")
    }
    var chains = Chains()
    chains.apply(proof)
    law(chains.logs.isEmpty, "a proof made a log")
}

// MARK: - Lines

private let line = FuzzTarget(
    "line",
    law:
        "0 ≤ remaining ≤ total, remaining and live grants are the total; a refusal changes nothing",
    bytesMax: 1024,
    seeds: { [[0, 1, 0, 2, 1, 9, 9, 3, 3, 1, 1, 1, 4, 4, 1, 5, 5], Array(0..<150)] }
) { input in
    var choices = Choices(input)
    var line = Line<Int>()
    var now = Instant.morning
    var next = 0
    func units() -> Int64 {
        switch choices.below(8) {
        case 0: return .max
        case 1: return .min
        case 2: return wholeNumberMax
        case 3: return -1
        default: return Int64(choices.byte())
        }
    }
    func until() -> Instant { now.hours(Int64(choices.below(100)) - 20) }
    while !choices.isAtEnd {
        let id = choices.below(6)
        let event: Line<Int>.Event
        switch choices.below(8) {
        case 0: event = .declare(total: units())
        case 1: event = .adjust(total: units())
        case 2: event = .grant(next, units: units(), until: until())
        case 3: event = .firm(id, units: units(), until: until())
        case 4: event = .split(id, units: units(), into: next)
        case 5: event = .release(id, units: units(), signed: false)
        case 6: event = .release(id, units: units(), signed: true)
        default:
            now = now.hours(Int64(choices.below(60)))
            continue
        }
        guard let remaining = try? line.decide(event, at: now) else { continue }
        line.apply(event)
        next += 1
        let total = line.total ?? -1
        law(line.remaining == remaining, "\(line.remaining), decided \(remaining)")
        law((0...total).contains(remaining), "\(remaining) of \(total)")
        law(remaining + line.grants.reduce(0) { $0 + $1.units } == total, "units lost")
        for grant in line.grants {
            law(grant.units >= 0 && grant.looseUnits >= 0, "\(grant.units) held")
            law(grant.firm.allSatisfy { $0.units > 0 && $0.until >= grant.until }, "firm")
        }
    }
}

private let lineLog = FuzzTarget(
    "line-log",
    law:
        "signed entries of any content: a line counts or is broken for good, and never beyond its total",
    bytesMax: 512,
    seeds: { [[0, 100, 100, 2, 10, 0, 90, 4, 10, 5, 0, 1, 80], Array(0..<90)] }
) { input in
    var choices = Choices(input)
    var writer = alice.lineWriter()
    var log = LineLog(issuer: alice.did, terms: .pressWeek)
    var grants: [EntryID] = []
    let holder = SigningKey.repeating(77)
    let checker = SignatureChecker()
    var steps = 0
    while !choices.isAtEnd, steps < 12 {
        steps += 1
        let (units, stated) = (Int64(choices.byte()), Int64(choices.byte()))
        let grant = grants.isEmpty ? EntryID.zero : grants[choices.below(grants.count)]
        let before = log
        let remaining =
            choices.below(3) == 0 ? stated : log.line.remaining + Int64(choices.below(2)) * units
        let until = Instant.morning.hours(Int64(choices.byte()))
        let valid: ValidEntry
        switch choices.below(7) {
        case 0: valid = writer.append(Declare(total: max(units, 1), remaining: max(units, 1)))
        case 1:
            valid = writer.append(
                Adjust(total: units, remaining: remaining, reason: "r"))
        case 2:
            valid = writer.append(
                Grant(
                    units: max(units, 1), until: until, releaseKey: holder.publicKey,
                    tag: .filled(UInt8(steps)), remaining: log.line.remaining - max(units, 1)))
        case 3:
            valid = writer.append(
                Firm(
                    grant: grant, units: max(units, 1), until: until, remaining: log.line.remaining)
            )
        case 4:
            let message = HolderMessage.split(
                line: log.log, grant: grant, units: max(units, 1), releaseKey: holder.publicKey,
                tag: .filled(UInt8(steps)))
            valid = writer.append(
                Split(
                    grant: grant, units: max(units, 1), releaseKey: holder.publicKey,
                    tag: .filled(UInt8(steps)), holderSignature: holder.sign(message),
                    remaining: log.line.remaining))
        case 5:
            let total = log.line.grant(grant)?.releasedBySignature ?? 0
            let message = HolderMessage.release(
                line: log.log, grant: grant, units: max(units, 1),
                runningTotal: total + max(units, 1))
            valid = writer.append(
                Release(
                    grant: grant, units: max(units, 1), holderSignature: holder.sign(message),
                    remaining: log.line.remaining + max(units, 1)))
        default:
            let kind = Int64(10 + choices.below(8))
            valid = writer.append(kind: kind, bytes: choices.bytes(40) + [1])
        }
        log.fold(valid.entry, checker: checker)
        if log.line.grants.count > before.line.grants.count { grants.append(valid.id) }
        let total = log.line.total ?? 0
        law((0...total).contains(log.line.remaining), "\(log.line.remaining) of \(total)")
        law(
            log.line.remaining + log.line.grants.reduce(0) { $0 + $1.units } == total,
            "units lost")
        if before.fault != nil {
            law(log.fault == before.fault && log.line.remaining == before.line.remaining, "mended")
        }
        law(log.folded == before.folded + 1, "folded \(log.folded)")
    }
}

// MARK: - Books

private let books = FuzzTarget(
    "books",
    law: "debits equal credits in each commodity, nets cancel out; a refused event changes nothing",
    bytesMax: 1024,
    seeds: { [[0, 1, 0, 1, 2, 0, 0, 50, 1, 0, 0, 0, 20, 3, 1], Array(0..<180)] }
) { input in
    var choices = Choices(input)
    var books = Books()
    let people = [alice.did, bob.did, carol.did]
    let contracts = [ContractID.filled(1), .filled(2)]
    func cause() -> Cause {
        Cause(
            contract: contracts[choices.below(2)], step: Int64(choices.below(5)),
            index: Int64(choices.below(3)))
    }
    func amount() -> Int64 {
        switch choices.below(8) {
        case 0: .max
        case 1: .min
        case 2: wholeNumberMax
        default: Int64(choices.byte())
        }
    }
    while !choices.isAtEnd {
        let event: TransferEvent
        switch choices.below(4) {
        case 0:
            let kind = TransferKind.allCases[choices.below(TransferKind.allCases.count)]
            let isCapacity = choices.below(16) == 0 ? kind != .capacity : kind == .capacity
            let unit = must { try UnitCode("C62") }
            event = .reserve(
                Transfer(
                    cause: cause(), kind: kind, from: people[choices.below(3)],
                    to: people[choices.below(3)],
                    commodity: isCapacity
                        ? .capacity(must { try Resource("print/a5") }, unit)
                        : .money(.cny), amount: amount()))
        case 1: event = .post(cause(), amount: amount(), signed: choices.below(2) == 0)
        case 2: event = .void(cause(), reason: "r")
        default: event = .discharge(cause(), amount: amount())
        }
        let before = choices.below(16) == 0 ? books.dump() : nil
        guard (try? books.decide(event)) != nil else {
            if let before { law(books.dump() == before, "a refusal changed the books") }
            continue
        }
        books.apply(event)
        law(books.imbalance().isEmpty, "\(books.imbalance())")
        let nets = people.reduce(Int128(0)) { sum, did in
            sum + books.netPaid(by: did).reduce(0) { $0 + $1.minor }
        }
        law(nets == 0, "nets come to \(nets)")
        for contract in contracts {
            for did in people { law(books.held(by: did, for: contract, .cny) >= 0, "held below 0") }
        }
    }
}
