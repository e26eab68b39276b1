import Capacity
import Entries
import Fixtures
import Identity
import Logs
import Testing

/// What a change of key does to logs, and what a thief of the old key can still do: nothing.
@Suite struct RotationTests {
    private let checker = SignatureChecker()
    private let keys: KeyLogs = {
        var keys = KeyLogs()
        keys.apply(alice.keyEntry)
        keys.apply(alice.rotation)
        return keys
    }()

    /// Alice's line with two entries under her first key; then hers and the thief's ways part.
    private static func begun() -> (chains: Chains, writer: LogWriter) {
        var writer = alice.lineWriter()
        var chains = Chains()
        for total in Int64(1)...2 {
            chains.apply(writer.append(Declare(total: total, remaining: total)))
        }
        return (chains, writer)
    }

    private static func rotated(_ writer: LogWriter) -> LogWriter {
        var next = writer
        next.key = alice.keys[1]
        next.keyEntry = alice.rotation.id
        return next
    }

    @Test func `a thief of the old key waits once the key entry is known`() throws {
        var (chains, thief) = Self.begun()
        let stolen = thief.append(declare(99)).entry
        guard case .extends = try decide(chains, [stolen], before: true) else {
            Issue.record("before the rotation nothing tells the thief apart")
            return
        }
        #expect(try name(chains, [stolen]) == "waits")
        chains.note(above: stolen, keys: keys, checker: checker)
        #expect(try name(chains, [stolen]) == "waits")
    }

    @Test func `what stands below a later continue is taken in parts`() throws {
        var (_, writer) = Self.begun()
        let log = writer.log
        var whole = alice.lineWriter()
        let old = (Int64(1)...4).map { whole.append(declare($0)) }
        writer = Self.rotated(whole)
        let new = [writer.append(Continue(from: alice.keyEntry.id)), writer.append(declare(5))]
        var chains = Chains()
        #expect(try name(chains, old[..<2].map(\.entry)) == "waits")
        // The newest entry, asked for by itself, shows that a `continue` will come.
        chains.note(above: new[1].entry, keys: keys, checker: checker)
        for part in [old[..<2], old[2...], new[...]] {
            guard case .extends(let valid) = try decide(chains, part.map(\.entry)) else {
                Issue.record("extends")
                return
            }
            for entry in valid { chains.apply(entry) }
        }
        #expect(chains.head(log) == 6)
        #expect(chains.chain(log)?.keys.map(\.from) == [1, 5])
    }

    @Test func `above a continue the old key has no effect and makes no fork`() throws {
        var (chains, thief) = Self.begun()
        var owner = Self.rotated(thief)
        chains.apply(owner.append(Continue(from: alice.keyEntry.id)))
        chains.apply(owner.append(declare(3)))
        let stolen = (Int64(7)...9).map { thief.append(declare($0)).entry }
        #expect(try name(chains, [stolen[0]]) == "superseded")
        #expect(try name(chains, stolen) == "superseded")
        // At the end of the owner's branch the old key cannot go on either.
        var behind = owner
        behind.key = alice.key
        behind.keyEntry = alice.keyEntry.id
        #expect(try name(chains, [behind.append(declare(4)).entry]) == "superseded")
    }

    @Test func `a continue takes the place of what the thief wrote`() throws {
        var (chains, thief) = Self.begun()
        var owner = Self.rotated(thief)
        for total in Int64(7)...8 { chains.apply(thief.append(declare(total))) }
        let run = [owner.append(Continue(from: alice.keyEntry.id)), owner.append(declare(3))]
        #expect(try name(chains, run.map(\.entry)) == "supersedes")
        // Whoever relied on the thief's entry holds the author to it.
        #expect(try name(chains, run.map(\.entry), anchored: 3) == "forks")
        #expect(try name(chains, run.map(\.entry), anchored: 2) == "supersedes")
    }

    @Test func `two branches under the new key are a fork`() throws {
        var (chains, writer) = Self.begun()
        var one = Self.rotated(writer)
        var two = one
        chains.apply(one.append(Continue(from: alice.keyEntry.id)))
        two.now = two.now.advanced(by: 5)
        let rival = two.append(Continue(from: alice.keyEntry.id)).entry
        #expect(try name(chains, [rival]) == "forks")
        writer.now = writer.now.advanced(by: 9)
        _ = writer
    }

    @Test func `the key rises at a continue alone and never falls`() throws {
        let (chains, writer) = Self.begun()
        var plain = Self.rotated(writer)
        let risen = plain.append(declare(3)).entry
        #expect(throws: LogRefusal.keyRose(at: risen.id)) { try decide(chains, [risen]) }
        var wrong = Self.rotated(writer)
        let misnamed = wrong.append(Continue(from: alice.rotation.id)).entry
        #expect(throws: LogRefusal.keyRose(at: misnamed.id)) { try decide(chains, [misnamed]) }
        var owner = Self.rotated(writer)
        let on = owner.append(Continue(from: alice.keyEntry.id)).entry
        owner.key = alice.key
        owner.keyEntry = alice.keyEntry.id
        let back = owner.append(declare(3)).entry
        #expect(throws: LogRefusal.keyFell(at: back.id)) { try decide(chains, [on, back]) }
        var first = Self.rotated(alice.lineWriter())
        let lonely = first.append(Continue(from: alice.keyEntry.id)).entry
        #expect(throws: LogRefusal.keyRose(at: lonely.id)) { try decide(Chains(), [lonely]) }
    }

    @Test func `our own old entries are taken back without waiting`() throws {
        var whole = alice.lineWriter()
        let old = (Int64(1)...4).map { whole.append(declare($0)).entry }
        guard
            case .extends = try Chains().decide(
                old, keys: keys, checker: checker, adopting: true)
        else {
            Issue.record("extends")
            return
        }
    }

    private func declare(_ total: Int64) -> Declare { Declare(total: total, remaining: total) }

    @discardableResult
    private func decide(
        _ chains: Chains, _ run: [Entry], anchored: Int64 = 0, before: Bool = false
    ) throws -> Chains.Admission {
        var early = KeyLogs()
        early.apply(alice.keyEntry)
        return try chains.decide(
            run, keys: before ? early : keys, checker: checker, anchored: anchored)
    }

    private func name(_ chains: Chains, _ run: [Entry], anchored: Int64 = 0) throws -> String {
        switch try decide(chains, run, anchored: anchored) {
        case .extends: "extends"
        case .known: "known"
        case .forks: "forks"
        case .supersedes: "supersedes"
        case .superseded: "superseded"
        case .waits: "waits"
        case .branches: "branches"
        }
    }
}
