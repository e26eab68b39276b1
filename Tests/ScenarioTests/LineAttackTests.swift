import Capacity
import Contracts
import Entries
import Foundation
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// An issuer who would sell again what it sold, and a sequencer who would show two prices.
@Suite struct LineAttackTests {
    /// An entry of bob's on his line, where alice holds a grant of 100, and what readers say of it.
    struct Attack: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let reason: LineLog.Reason
        let body: @Sendable (Market, ForkTests.Line) throws -> (Kind, [UInt8])

        init(
            _ words: String, _ reason: LineLog.Reason,
            _ body: @escaping @Sendable (Market, ForkTests.Line) throws -> (Kind, [UInt8])
        ) {
            testDescription = words
            self.reason = reason
            self.body = body
        }
    }

    private static func release(
        _ market: Market, _ play: ForkTests.Line, _ units: Int64, by key: SigningKey?,
        over other: LogID? = nil
    ) -> (Kind, [UInt8]) {
        let grant = play.trunk[1].id
        let signature = key.map {
            $0.sign(
                HolderMessage.release(
                    line: other ?? play.log, grant: grant, units: units, runningTotal: units))
        }
        return (
            .release,
            Release(
                grant: grant, units: units, holderSignature: signature, remaining: 200 + units
            ).wire
        )
    }

    /// Alice's key for this one contract.
    private static func holder(_ market: Market) throws -> SigningKey {
        let contract = try #require(market.network["alice"].contracts.keys.first)
        return try #require(market.network.own("alice")).releaseKey(contract)
    }

    static let attacks = [
        Attack(
            "frees what it sold, on nobody's word",
            .capacity(.releaseTooEarly(until: .earliest, now: .earliest))
        ) { market, play in release(market, play, 100, by: nil) },
        Attack("frees it on its own signature", .holderSignature) { market, play in
            release(market, play, 100, by: try #require(market.network.own("bob")).key)
        },
        Attack("frees it on the holder's identity key", .holderSignature) { market, play in
            release(market, play, 100, by: try #require(market.network.own("alice")).key)
        },
        Attack("frees it on a signature for another line", .holderSignature) { market, play in
            release(
                market, play, 100, by: try holder(market), over: LogID(SHA256.hash([1])))
        },
        Attack(
            "frees more than was held", .capacity(.grantExceeded(held: 100, requested: 150))
        ) { market, play in release(market, play, 150, by: try holder(market)) },
        Attack("splits it to itself", .holderSignature) { market, play in
            let bob = try #require(market.network.own("bob"))
            let (grant, tag) = (play.trunk[1].id, SHA256.hash([5]))
            let message = HolderMessage.split(
                line: play.log, grant: grant, units: 100, releaseKey: bob.key.publicKey, tag: tag)
            return (
                .split,
                Split(
                    grant: grant, units: 100, releaseKey: bob.key.publicKey, tag: tag,
                    holderSignature: bob.key.sign(message), remaining: 200
                ).wire
            )
        },
        Attack(
            "shortens how long it is held",
            .capacity(.firmShortened(until: .earliest, requested: .earliest))
        ) {
            market, play in
            (
                .firm,
                Firm(
                    grant: play.trunk[1].id, units: 100, until: market.at(days: 1), remaining: 200
                ).wire
            )
        },
        Attack(
            "makes firm what was never granted", .capacity(.grantUnknown)
        ) { market, play in
            (
                .firm,
                Firm(
                    grant: EntryID(SHA256.hash([6])), units: 10, until: market.at(days: 90),
                    remaining: 200
                ).wire
            )
        },
        Attack(
            "declares less than it granted",
            .capacity(.totalBelowGranted(granted: 100, total: 50))
        ) { _, _ in (.adjust, Adjust(total: 50, remaining: 0, reason: "x").wire) },
        Attack(
            "misstates what is left",
            .capacity(.remainingMisstated(stated: 300, computed: 200))
        ) { _, _ in (.adjust, Adjust(total: 300, remaining: 300, reason: "x").wire) },
        Attack(
            "declares once more", .capacity(.lineAlreadyDeclared(total: 300))
        ) { _, _ in (.declare, Declare(total: 300, remaining: 300).wire) },
    ]

    /// The same refusal, whatever its instants.
    private static func kind(_ reason: LineLog.Reason?) -> String {
        switch reason {
        case .capacity(.releaseTooEarly): "too early"
        case .capacity(.firmShortened): "shortened"
        default: String(describing: reason)
        }
    }

    @Test(arguments: attacks)
    func `an issuer cannot take back what it granted`(_ attack: Attack) throws {
        var play = try ForkTests.Line()
        let (kind, body) = try attack.body(play.market, play)
        let entry = try play.market.entry(
            by: "bob", kind: kind.rawValue, body: body, in: play.log,
            topic: ForkTests.alliance(play.market), after: play.trunk)
        play.market.push(entry, from: "bob", to: "carol")
        play.market.network.settle()
        for name in CutTests.readers {
            let line = try #require(play.market.network[name].lines[play.log])
            #expect(Self.kind(line.fault?.reason) == Self.kind(attack.reason), "\(name)")
            #expect(line.fault?.entry == entry.id)
            #expect(line.line.remaining == 200)
            #expect(line.line.grant(play.trunk[1].id)?.units == 100)
        }
        // Nobody buys on it again, and the holder's contract stands.
        let draft = try AttackTests.draft(play.market, play.terms, units: 10)
        #expect(throws: NodeRefusal.self) {
            try play.market.network.command("carol") { try $0.propose(draft) }
        }
        #expect(
            play.market.network["alice"].contracts.values.first?.fold?.state.record(1) != nil)
    }

    @Test func `a release that served once serves not again`() throws {
        var play = try ForkTests.Line()
        let (_, body) = Self.release(play.market, play, 40, by: try Self.holder(play.market))
        var written = play.trunk
        for remaining: Int64 in [240, 280] {
            var release = try Release(strict: body)
            release.remaining = remaining
            written.append(
                try play.market.entry(
                    by: "bob", kind: Kind.release.rawValue, body: release.wire, in: play.log,
                    topic: ForkTests.alliance(play.market), after: written))
        }
        for entry in written.suffix(2) { play.market.push(entry, from: "bob", to: "carol") }
        play.market.network.settle()
        for name in CutTests.readers {
            let line = try #require(play.market.network[name].lines[play.log])
            #expect(line.fault?.reason == .holderSignature, "\(name)")
            #expect(line.fault?.sequence == 4)
            #expect(line.line.remaining == 240)
        }
    }

    // MARK: - Two prices

    private struct TwoPrices: Decodable {
        let keys: [String]
        let nonce: String
        let associated: String
        let sealed: String
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        stride(from: 0, to: hex.utf8.count, by: 2).compactMap {
            UInt8(hex.dropFirst($0).prefix(2), radix: 16)
        }
    }

    @Test func `one ciphertext made to open as two prices is read by nobody`() throws {
        var story = try AttackTests.story(4)
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Vectors/two-prices.json")
        let made = try JSONDecoder().decode(TwoPrices.self, from: Data(contentsOf: file))
        let keys = made.keys.map(Self.bytes)
        // The attack: the cipher by itself takes either key, and reads two prices.
        let readings = try keys.map { key in
            let text = try #require(
                XChaCha20Poly1305.open(
                    Self.bytes(made.sealed), nonce: Self.bytes(made.nonce), key: key,
                    authenticating: Self.bytes(made.associated)))
            return String(decoding: text.prefix(11), as: UTF8.self)
        }
        #expect(Set(readings).count == 2)
        // Bob's step bears it, under whichever commitment he likes.
        let held = try story.market.held("bob", story.parent)
        let before = try story.market.state("alice", story.parent).digest()
        let body =
            Self.bytes(made.nonce) + SHA256.hash(tag: "talea.body.v1", keys[0]).bytes
            + Self.bytes(made.sealed)
        let step = try story.market.entry(
            by: "bob", kind: Kind.step.rawValue, body: body, in: held.log, topic: held.key.topic)
        story.market.push(step, from: "bob", to: "alice", "judge")
        story.market.network.settle()
        for name in ["alice", "judge"] {
            let fold = try #require(try story.market.held(name, story.parent).fold)
            guard case .unreadable(_, .commitmentWrong) = fold.halt else {
                Issue.record("\(name): \(String(describing: fold.halt))")
                continue
            }
            #expect(fold.state.digest() == before, "\(name)")
        }
        // Shown to two customers, with another key each, it convinces one at most.
        let place = try #require(step.header.log)
        let opened = keys.filter { key in
            do {
                _ = try PrivateBody.open(
                    body, key: key, author: step.header.author, place: place)
                return true
            } catch EntryRefusal.commitmentWrong {
                return false
            } catch {
                // The commitment held; the place did not.
                return true
            }
        }
        #expect(opened == [keys[0]])
    }
}
