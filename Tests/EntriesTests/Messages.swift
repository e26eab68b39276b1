import Capacity
import Entries
import Fixtures
import Identity

/// One message of the wire: its name in docs/wire/talea.proto, bytes, and the way back.
struct Message: Sendable {
    let name: String
    let bytes: [UInt8]
    let reread: @Sendable ([UInt8]) throws -> [UInt8]

    init<M: WireMessage>(_ name: String, _ message: M) {
        self.name = name
        bytes = message.wire
        reread = { try M(strict: $0).wire }
    }
}

extension Seeded {
    /// Any message of the wire with any lawful content.
    mutating func message() -> Message { message(below(Self.messageKinds)) }

    static let messageKinds = 43

    mutating func message(_ kind: Int) -> Message {
        switch kind {
        case 0: Message("Header", header())
        case 1: Message("Entry", entry())
        case 2:
            Message(
                "Key", KeyBody(publicKey: id(), nextKeyHash: id(), reason: maybe(text()) ?? ""))
        case 3:
            Message(
                "Founding",
                Founding(
                    name: text(), stewards: list { $0.id() }, admission: name(),
                    limits: arguments(), nonce: id()))
        case 4:
            Message(
                "Profile",
                Profile(
                    name: text(), role: maybe(text()) ?? "", addresses: list { $0.text() },
                    terms: maybe(text()) ?? "", place: maybe(text()) ?? ""))
        case 5: Message("LineOpening", LineOpening(terms: terms(), source: maybe(id())))
        case 6:
            Message(
                "Offer",
                Offer(
                    template: id(), line: maybe(id()), arguments: arguments(), maxUnits: count(),
                    lot: count(), until: instant()))
        case 7: Message("Withdrawal", Withdrawal(offer: id()))
        case 8: Message("Declare", Declare(total: count(), remaining: maybe(count()) ?? 0))
        case 9:
            Message("Adjust", Adjust(total: count(), remaining: count(), reason: text()))
        case 10:
            Message(
                "Grant",
                Grant(
                    units: count(), until: instant(), releaseKey: id(), tag: id(),
                    remaining: signed(), title: maybe(id())))
        case 11:
            Message(
                "Firm", Firm(grant: id(), units: count(), until: instant(), remaining: signed()))
        case 12:
            Message(
                "Split",
                Split(
                    grant: id(), units: count(), releaseKey: id(), tag: id(),
                    holderSignature: signature(), remaining: signed()))
        case 13:
            Message(
                "Release",
                Release(
                    grant: id(), units: count(), holderSignature: maybe(signature()),
                    remaining: signed()))
        case 14: Message("Step", step())
        case 15: Message("Proposal", proposal())
        case 16:
            Message(
                "Acceptance",
                Acceptance(
                    salt: id(), statement: id(), releaseKey: maybe(id()),
                    witnessTermsHash: maybe(id())))
        case 17: Message("Request", Request(salt: id(), act: act()))
        case 18:
            Message(
                "Refusal",
                Refusal(
                    salt: id(), statement: id(), code: .init(number: count()),
                    text: maybe(text()) ?? ""))
        case 19:
            Message(
                "Acknowledgement",
                Acknowledgement(
                    salt: id(), entry: id(), purpose: below(2) == 0 ? .delivered : .branch))
        case 20:
            Message(
                "Sealed",
                Sealed(
                    statement: entry(), contractKey: maybe(bytes(32)),
                    witnessTerms: maybe(bytes(40))))
        case 21: Message("Value", value())
        case 22: Message("Continue", Continue(from: id(), reason: maybe(text()) ?? ""))
        case 23: Message("SignedAct", act())
        case 24: Message("Vouched", vouched(at: 7))
        case 25:
            Message(
                "Cut",
                Cut(
                    log: id(), sequence: 3, id: id(),
                    grants: (0..<UInt8(below(3))).map {
                        .init(
                            grant: .filled($0), units: count(), until: instant(),
                            releaseKey: id(), tag: id())
                    }, total: maybe(count()) ?? 0, remaining: signed()))
        case 26:
            Message(
                "Keepsake",
                Keepsake(
                    time: instant(), heads: list { .init(log: $0.id(), sequence: $0.count()) },
                    contracts: list { .init(key: $0.bytes(32), statements: [$0.entry()]) },
                    peers: list {
                        .init(host: $0.text(), port: $0.count(), did: $0.maybe($0.id()))
                    },
                    names: list { .init(did: $0.id(), name: $0.text()) },
                    alliances: list { Invitation(foundingBody: $0.bytes(9)) }))
        case 27:
            Message("Settlement", Settlement(request: entry(), consents: list { $0.entry() }))
        case 28:
            Message(
                "WitnessTerms",
                WitnessTerms(
                    contract: id(), sequencer: id(),
                    witnesses: .init(identities: list { $0.id() }, threshold: count()),
                    participants: list { $0.id() }, arbiter: id(), response: count()))
        case 29:
            Message("Receipt", Receipt(subject: id()))
        case 30:
            Message(
                "Receipt",
                Receipt(
                    subject: id(), log: id(), sequence: count(), highest: count(),
                    highestStep: id()))
        case 31:
            Message(
                "Closed",
                Closed(
                    record: count(), version: count(), deadline: instant(),
                    requests: list { $0.id() }))
        case 32:
            Message(
                "ClosingRequest",
                ClosingRequest(
                    salt: id(), record: count(), version: count(), deadline: instant()))
        case 33: Message("TakeoverClaim", TakeoverClaim(epoch: count(), request: id()))
        case 34:
            Message(
                "Ruling",
                Ruling(
                    epoch: count(), sequence: count(), step: id(), receipts: list { $0.entry() }))
        case 35: Message("ForkProof", ForkProof(vouched(at: 9), vouched(at: 9)))
        case 36: Message("Admit", Admit(member: id(), invitation: maybe(id())))
        case 37:
            Message(
                "Expel",
                Expel(
                    member: id(), log: id(), sequence: maybe(count()) ?? 0,
                    reason: maybe(text()) ?? ""))
        case 38:
            Message(
                "Joining",
                Joining(
                    salt: id(), keys: list { $0.entry() }, invitation: invitationTerms(),
                    proof: Signature(bytes(64))!))
        case 39:
            Message(
                "Proof",
                Proof(
                    contract: id(), entry: entry(),
                    opening: maybe(.init(nonce: bytes(24), bodyKey: id(), plain: bytes(60))),
                    sequencer: maybe(id()), requestKey: maybe(id()), keys: list { $0.entry() }))
        case 40:
            Message("ProofPlace", ProofPlace(hash: id(), bytes: count(), address: text()))
        case 41:
            Message(
                "Wish",
                Wish(
                    terms: terms(), units: count(),
                    most: maybe(must { try Money(minor: count(), .cny) }), until: instant()))
        default:
            Message(
                "Invitation",
                Invitation(
                    foundingBody: bytes(40),
                    ticket: maybe(.init(inviter: id(), terms: invitationTerms(), secret: id())),
                    address: maybe(text()) ?? ""))
        }
    }

    private mutating func invitationTerms() -> Invitation.Terms {
        .init(nonce: id(), expires: instant())
    }

    mutating func header() -> Header {
        var place: Header.Place
        var kind: Int64
        if below(2) == 0 {
            let sequence = maybe(count()) ?? 1
            kind = Int64(below(39) + 1)
            place = .log(
                .init(log: id(), sequence: sequence, previous: sequence == 1 ? nil : id()))
        } else {
            kind = Int64(below(100) + 40)
            let versions = (0..<below(4)).map {
                RecordVersion(record: Int64($0 * 3 + 1), version: count())
            }
            place = .statement(
                .init(
                    expires: instant(), about: maybe(id()), basis: maybe(id()),
                    versions: versions))
        }
        let isKey = kind == Kind.key.rawValue
        return Header(
            kind: kind, author: id(), key: isKey ? nil : id(), topic: isKey ? nil : maybe(id()),
            time: instant(), bodyHash: id(), bodySize: Int64(below(EntryLimit.bodyBytes) + 1),
            place: place)
    }

    mutating func entry() -> Entry {
        var header = header()
        let body = bytes(below(60) + 1)
        header.bodyHash = SHA256.hash(body)
        header.bodySize = Int64(body.count)
        let (bytes, signature) = (header.wire, signature())
        let shown = maybe(body)
        return must { try Entry(headerBytes: bytes, signature: signature, body: shown) }
    }

    /// For an entry of alice's public log; the chain above it is any.
    mutating func vouched(at sequence: Int64) -> Vouched {
        var first = header()
        first.kind = Int64(below(38) + 2)
        first.author = alice.did
        first.key = id()
        first.place = .log(.init(log: .filled(4), sequence: sequence, previous: id()))
        let (bytes, signature) = (first.wire, signature())
        let entry = must { try Entry(headerBytes: bytes, signature: signature, body: nil) }
        return Vouched(entry: entry, chain: list { $0.entry() })
    }

    mutating func step() -> Step {
        let own = below(2) == 0
        return Step(
            act: own ? act() : nil, request: own ? nil : entry(), consents: list { $0.entry() },
            lines: list { $0.entry() }, receipts: list { $0.entry() }, keys: list { $0.entry() },
            records: list {
                .init(record: $0.count(), state: $0.name(), fields: $0.arguments())
            }, digest: id(), epoch: maybe(count()) ?? 0, proposal: maybe(entry()))
    }

    mutating func proposal() -> Proposal {
        Proposal(
            salt: id(), contract: id(), template: id(), currency: .cny, arguments: arguments(),
            roles: roles(), sequencer: id(),
            witnesses: maybe(.init(identities: [id(), id()], threshold: 2)) ?? .none,
            lines: list { $0.terms() }, acceptBy: instant(), grantBy: instant(),
            releaseKey: maybe(id()), witnessTermsHash: maybe(id()),
            parent: maybe(.init(contract: id(), grant: id(), units: count())))
    }

    mutating func roles() -> [Proposal.RoleHolders] {
        var holders: [String: [DID]] = [:]
        for _ in 0..<below(4) { holders[name()] = [id(), id()] }
        return holders.sorted { $0.key < $1.key }.map {
            .init(role: $0.key, identities: $0.value)
        }
    }

    mutating func act() -> SignedAct {
        SignedAct(
            transition: name(), record: maybe(count()) ?? 0, arguments: arguments(),
            holderSignature: maybe(signature()), child: maybe(id()))
    }

    mutating func terms() -> LineTerms {
        let start = Instant.morning.minutes(Int64(below(100_000)))
        let (end, offset) = (start.minutes(count() % 9999 + 1), below(2161) - 1080)
        return must {
            LineTerms(
                resource: try Resource("print/letterpress/a5"),
                window: try Window(start: start, end: end, offsetMinutes: offset),
                unit: try UnitCode("C62"))
        }
    }

    mutating func arguments() -> [Argument] {
        var values: [String: Value] = [:]
        for _ in 0..<below(4) { values[name()] = value() }
        return [Argument](values)
    }

    mutating func value(_ depth: Int = 0) -> Value {
        let (minor, units) = (signed(), maybe(count()) ?? 0)
        switch below(depth < 3 ? 9 : 8) {
        case 0: return .integer(signed())
        case 1: return .money(must { try Money(minor: minor, .cny) })
        case 2: return .quantity(must { try Quantity(units: units, try UnitCode("HUR")) })
        case 3: return .instant(instant())
        case 4: return .hash(id())
        case 5: return .text(maybe(text()) ?? "")
        case 6: return .identity(id())
        case 7: return .integer(0)
        default: return .list((0..<below(4)).map { _ in value(depth + 1) })
        }
    }

    /// Any size of number, from one byte on the wire to eight.
    mutating func count() -> Int64 {
        let number = Int64(next() >> 11) >> Int64(below(52))
        return max(1, number)
    }

    mutating func signed() -> Int64 { below(4) == 0 ? 0 : below(2) == 0 ? count() : -count() }

    mutating func instant() -> Instant { Instant.earliest.advanced(by: count() - 1) }

    mutating func signature() -> Signature {
        Signature(bytes(64)) ?? alice.key.sign([])
    }

    mutating func text() -> String {
        let words = ["符契", "letterpress", "é", "e\u{301}", "🖨", "a b", "\u{feff}", "Ω"]
        return (0...below(3)).map { _ in words[below(words.count)] }.joined()
    }

    mutating func name() -> String { "n\(below(1000))_a.b-C" }

    /// Drawn and then perhaps thrown away.
    mutating func maybe<T>(_ value: T) -> T? { below(2) == 0 ? nil : value }

    mutating func list<T>(_ make: (inout Seeded) -> T) -> [T] {
        var items: [T] = []
        for _ in 0..<below(3) { items.append(make(&self)) }
        return items
    }
}
