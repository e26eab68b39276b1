import Capacity
import Entries
import Fixtures
import Identity
import Logs
import Testing

/// bob's line of a press week, alice holds the release key of what he grants.
@Suite struct LineLogTests {
    private let checker = SignatureChecker()
    private let release = SigningKey.repeating(0x51)
    private let other = SigningKey.repeating(0x52)
    private let until = Instant.morning.days(20)

    @Test func `grants, firm holds and releases leave what the issuer says they leave`() {
        var play = Play()
        play.add(Declare(total: 300, remaining: 300))
        let grant = play.add(self.grant(100, leaves: 200))
        play.add(Firm(grant: grant, units: 60, until: until.days(5), remaining: 200))
        play.add(Adjust(total: 310, remaining: 210, reason: "a second shift"))
        play.add(signedRelease(grant, 10, total: 10, leaves: 220))
        #expect(play.log.fault == nil)
        #expect(play.log.line.remaining == 220)
        #expect(play.log.line.total == 310)
        #expect(play.log.folded == 5)
        #expect(play.log.grant(tag: .filled(7)) == grant)
        #expect(play.log.grant(tag: .filled(8)) == nil)
    }

    @Test func `an oversale signed by its issuer is kept, does nothing and breaks the line`() {
        var play = Play()
        play.add(Declare(total: 300, remaining: 300))
        play.add(grant(300, leaves: 0))
        let before = play.log.line
        let oversale = play.add(grant(10, leaves: -10))
        #expect(play.log.fault?.sequence == 3)
        #expect(play.log.fault?.entry == oversale)
        #expect(
            play.log.fault?.reason == .capacity(.lineExceeded(remaining: 0, requested: 10)))
        #expect(play.log.line.remaining == before.remaining)
        #expect(Array(play.log.line.grants) == Array(before.grants))
        #expect(play.log.holder(of: oversale) == nil)
        // The entry itself is a valid, signed, readable piece of evidence.
        #expect(play.last?.ownSignatureChecked == true)
        #expect((try? play.last?.entry.read(Grant.self).remaining) == -10)
        // Broken is broken: what would be lawful does nothing either.
        play.add(Adjust(total: 900, remaining: 600, reason: "too late"))
        #expect(play.log.line.total == 300)
        #expect(play.log.folded == 4)
        #expect(play.log.fault?.sequence == 3)
    }

    @Test(arguments: [199, 201, 0, -1] as [Int64])
    func `a remaining that is not the true one breaks the line`(stated: Int64) {
        var play = Play()
        play.add(Declare(total: 300, remaining: 300))
        play.add(grant(100, leaves: stated))
        #expect(
            play.log.fault?.reason
                == .capacity(.remainingMisstated(stated: stated, computed: 200)))
        #expect(play.log.line.remaining == 300)
    }

    @Test func `to declare more a second time is a fault`() {
        var play = Play()
        play.add(Declare(total: 300, remaining: 300))
        play.add(Declare(total: 900, remaining: 900))
        #expect(play.log.fault?.reason == .capacity(.lineAlreadyDeclared(total: 300)))
    }

    @Test func `the holder's signature frees exactly what it says`() {
        let rows: [(String, Int64, Int64, SigningKey, LineLog.Reason?)] = [
            ("as signed", 10, 10, release, nil),
            ("another running total", 10, 20, release, .holderSignature),
            ("another key", 10, 10, other, .holderSignature),
            ("the issuer's own key", 10, 10, bob.key, .holderSignature),
        ]
        for (name, units, total, key, reason) in rows {
            var play = Play()
            play.add(Declare(total: 300, remaining: 300))
            let grant = play.add(self.grant(100, leaves: 200))
            play.add(signedRelease(grant, units, total: total, leaves: 200 + units, by: key))
            #expect(play.log.fault?.reason == reason, "\(name)")
        }
    }

    @Test func `a release signature is used once: the running total moves on`() {
        var play = Play()
        play.add(Declare(total: 300, remaining: 300))
        let grant = play.add(self.grant(100, leaves: 200))
        play.add(signedRelease(grant, 10, total: 10, leaves: 210))
        play.add(signedRelease(grant, 10, total: 20, leaves: 220))
        #expect(play.log.fault == nil)
        play.add(signedRelease(grant, 10, total: 20, leaves: 230))
        #expect(play.log.fault?.reason == .holderSignature)
        #expect(play.log.line.remaining == 220)
    }

    @Test func `a release signed for another line or grant does nothing here`() {
        var play = Play()
        play.add(Declare(total: 300, remaining: 300))
        let grant = play.add(self.grant(100, leaves: 200))
        let message = HolderMessage.release(
            line: .line(author: bob.did, .kitchenWeek), grant: grant, units: 10, runningTotal: 10)
        play.add(
            Release(
                grant: grant, units: 10, holderSignature: release.sign(message), remaining: 210))
        #expect(play.log.fault?.reason == .holderSignature)
    }

    @Test func `without the holder's signature only time frees units`() {
        var early = Play()
        early.add(Declare(total: 300, remaining: 300))
        let one = early.add(grant(100, leaves: 200))
        early.add(Release(grant: one, units: 100, holderSignature: nil, remaining: 300))
        guard case .capacity(.releaseTooEarly) = early.log.fault?.reason else {
            Issue.record("too early, was \(String(describing: early.log.fault))")
            return
        }
        var late = Play()
        late.add(Declare(total: 300, remaining: 300))
        let two = late.add(grant(100, leaves: 200))
        late.add(Firm(grant: two, units: 40, until: until.days(5), remaining: 200))
        late.writer.now = until.minutes(1)
        late.add(Release(grant: two, units: 60, holderSignature: nil, remaining: 260))
        #expect(late.log.fault == nil)
        late.add(Release(grant: two, units: 1, holderSignature: nil, remaining: 261))
        #expect(late.log.fault != nil)
    }

    @Test func `a split hands units to a new key, by the old holder's signature alone`() {
        var play = Play()
        play.add(Declare(total: 300, remaining: 300))
        let grant = play.add(self.grant(100, leaves: 200))
        let child = play.add(split(grant, 40, by: release))
        #expect(play.log.fault == nil)
        #expect(play.log.line.grant(grant)?.units == 60)
        #expect(play.log.line.grant(child)?.units == 40)
        #expect(play.log.holder(of: child)?.releaseKey == other.publicKey)
        // The new holder frees its part; the old one cannot.
        var theft = play
        theft.add(signedRelease(child, 40, total: 40, leaves: 240, by: release))
        #expect(theft.log.fault?.reason == .holderSignature)
        play.add(signedRelease(child, 40, total: 40, leaves: 240, by: other))
        #expect(play.log.fault == nil)

        for key in [other, bob.key, eve.key] {
            var forged = Play()
            forged.add(Declare(total: 300, remaining: 300))
            let grant = forged.add(self.grant(100, leaves: 200))
            forged.add(split(grant, 40, by: key))
            #expect(forged.log.fault?.reason == .holderSignature)
        }
    }

    @Test func `a split changed after the holder signed it is refused`() {
        let rows: [(String, (inout Split) -> Void)] = [
            ("units", { $0.units = 41 }), ("key", { $0.releaseKey = eve.key.publicKey }),
            ("tag", { $0.tag = .filled(1) }),
        ]
        for (name, change) in rows {
            var play = Play()
            play.add(Declare(total: 300, remaining: 300))
            let grant = play.add(self.grant(100, leaves: 200))
            var body = split(grant, 40, by: release)
            change(&body)
            play.add(body)
            #expect(play.log.fault?.reason == .holderSignature, "\(name)")
        }
    }

    @Test func `units are granted to no key that two signatures could fit`() {
        var play = Play()
        play.add(Declare(total: 300, remaining: 300))
        play.add(
            Grant(units: 1, until: until, releaseKey: .zero, tag: .filled(7), remaining: 299))
        #expect(play.log.fault?.reason == .releaseKeyNotPrimeOrder)
    }

    @Test func `what this program cannot read stops the fold and says why`() {
        var newer = Play()
        newer.add(kind: 9, [1])
        newer.add(Declare(total: 300, remaining: 300))
        #expect(newer.log.newerAt == 1)
        #expect(newer.log.fault == nil)
        #expect(newer.log.line.total == nil)
        #expect(!newer.log.isOpen)
        var misplaced = Play()
        misplaced.add(kind: Kind.profile.rawValue, [1])
        #expect(misplaced.log.fault?.reason == .kindMisplaced(4))
        var garbled = Play()
        garbled.add(kind: Kind.declare.rawValue, [0xff])
        guard case .unreadable = garbled.log.fault?.reason else {
            Issue.record("unreadable, was \(String(describing: garbled.log.fault))")
            return
        }
    }

    private func grant(_ units: Int64, leaves remaining: Int64) -> Grant {
        Grant(
            units: units, until: until, releaseKey: release.publicKey, tag: .filled(7),
            remaining: remaining)
    }

    private func signedRelease(
        _ grant: EntryID, _ units: Int64, total: Int64, leaves remaining: Int64,
        by key: SigningKey? = nil
    ) -> Release {
        let message = HolderMessage.release(
            line: .line(author: bob.did, .pressWeek), grant: grant, units: units,
            runningTotal: total)
        return Release(
            grant: grant, units: units, holderSignature: (key ?? release).sign(message),
            remaining: remaining)
    }

    private func split(_ grant: EntryID, _ units: Int64, by key: SigningKey) -> Split {
        let message = HolderMessage.split(
            line: .line(author: bob.did, .pressWeek), grant: grant, units: units,
            releaseKey: other.publicKey, tag: .filled(9))
        return Split(
            grant: grant, units: units, releaseKey: other.publicKey, tag: .filled(9),
            holderSignature: key.sign(message), remaining: 200)
    }
}

/// Appends to bob's line and folds what was appended.
private struct Play {
    var writer = bob.lineWriter()
    var log = LineLog(issuer: bob.did, terms: .pressWeek)
    private(set) var last: ValidEntry?

    @discardableResult
    mutating func add(_ body: some EntryBody) -> EntryID {
        fold(writer.append(body))
    }

    mutating func add(kind: Int64, _ bytes: [UInt8]) {
        _ = fold(writer.append(kind: kind, bytes: bytes))
    }

    private mutating func fold(_ valid: ValidEntry) -> EntryID {
        #expect(writer.log == log.log)
        log.fold(valid.entry, checker: SignatureChecker())
        last = valid
        return valid.id
    }
}
