import Capacity
import Contracts
import Entries
import Identity
import NodeCore
import Simulation
import Testing

/// One signed thing taken out of a node, small enough for a picture.
@Suite struct ProofTests {
    private static func proof(
        _ market: Market, _ name: String, _ id: ContractID, _ step: Int64,
        requestAlone: Bool = false
    ) throws -> Proof {
        let node = market.network[name]
        let held = try market.held(name, id)
        let outline = try #require(held.fold?.steps.first { $0.sequence == step })
        let entries = try market.bundle(name, id).entries
        let entry = try #require(entries.first { $0.id == outline.id })
        return try node.proof(of: held, entry, requestAlone: requestAlone)
    }

    @Test(arguments: BundleTests.plays.indices)
    func `every step that anyone holds is proven alone, and says what the fold read`(_ index: Int)
        throws
    {
        let (play, market) = (BundleTests.plays[index].name, try BundleTests.plays[index].play())
        var sizes: [Int] = []
        for name in market.names {
            guard let node = market.network.nodes[name] else { continue }
            for (id, held) in node.contracts {
                for step in held.fold?.steps ?? [] where step.act != Fold.continued {
                    let proof = try Self.proof(market, name, id, step.sequence)
                    let proven = try Proof(strict: proof.wire).check()
                    #expect(proven.entry.id == step.id, "\(play)")
                    #expect(proven.act.transition == step.act.transition)
                    #expect(proven.actor == step.actor)
                    #expect(!proof.wire.holds(held.key.bytes))
                    if step.sequence > 1 { sizes.append(proof.wire.count) }
                }
            }
        }
        #expect(sizes.isEmpty == (play == "declined"))
        // So that a telephone reads it off paper: half of what the largest code holds.
        if play == "production" { #expect(sizes.max() ?? 0 <= 1_128, "\(sizes)") }
    }

    @Test func `a request alone is proven, and shows nothing of what its step changed`() throws {
        let (market, id) = try BundleTests.witnessed()
        let whole = try Self.proof(market, "alice", id, 2).check()
        let alone = try Self.proof(market, "alice", id, 2, requestAlone: true).check()
        #expect(alone.act == whole.act && alone.actor == whole.actor)
        #expect(alone.records.isEmpty && !whole.records.isEmpty)
        #expect(alone.signatures.map(\.part) == [.asked])
        #expect(whole.signatures.count { $0.part == .witnessed } == 2)
        #expect(alone.proof.wire.count < whole.proof.wire.count)
    }

    @Test func `no bit of a proof can be turned`() throws {
        let (market, id) = try BundleTests.witnessed()
        for alone in [false, true] {
            let proof = try Self.proof(market, "alice", id, 2, requestAlone: alone)
            var bytes = proof.wire
            for bit in stride(from: 0, to: bytes.count * 8, by: 11) {
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect((try? Proof(strict: bytes).check()) == nil, "\(alone), bit \(bit)")
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            }
        }
    }

    @Test func `what does not belong in a proof is refused`() throws {
        let (market, id) = try BundleTests.witnessed()
        let whole = try Self.proof(market, "alice", id, 2)
        let alone = try Self.proof(market, "alice", id, 2, requestAlone: true)
        let keys = try market.bundle("alice", id).keys.filter {
            $0.header.author == market.did("alice")
        }
        let rows: [(String, Proof, (inout Proof) -> Void)] = [
            ("another contract", whole, { $0.contract = .zero }),
            ("another key", whole, { $0.opening?.bodyKey = .zero }),
            ("no body", whole, { $0.opening = nil }),
            ("another sequencer", alone, { $0.sequencer = market.did("wei") }),
            ("no sequencer", alone, { $0.sequencer = nil }),
            ("the sequencer told twice", whole, { $0.sequencer = market.did("bob") }),
            ("a sealed request without its key", alone, { $0.requestKey = nil }),
            ("an opening of a request", alone, { $0.opening = whole.opening }),
            ("a key log that nothing needs", whole, { $0.keys = keys }),
            ("another kind", whole, { $0.entry = keys[0] }),
        ]
        for (name, honest, change) in rows {
            _ = try honest.check()
            var proof = honest
            change(&proof)
            #expect(throws: BundleRefusal.self, "\(name)") { try proof.check() }
        }
    }
}

extension [UInt8] {
    fileprivate func holds(_ part: [UInt8]) -> Bool {
        indices.contains { self[$0...].starts(with: part) }
    }
}
