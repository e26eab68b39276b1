import Replication
import Testing

/// Dialogues of one overlay with its surroundings.
@Suite struct OverlayTests {
    /// The same draws in every run.
    struct Draws: RandomNumberGenerator {
        var state: UInt64 = 7
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }

    typealias Directive = Overlay<Int>.Directive
    var draws = Draws()

    private mutating func filled(_ count: Int) -> Overlay<Int> {
        var overlay = Overlay(me: 0)
        for peer in 1...count {
            _ = overlay.received(.neighbour(urgent: false), from: peer, using: &draws)
        }
        return overlay
    }

    @Test mutating func `who joins is a neighbour at once, and the neighbours hear of it`() {
        var overlay = filled(2)
        let directives = overlay.received(.join, from: 9, using: &draws)
        #expect(
            directives == [
                .send(.answer(accepted: true), to: 9), .linked(9),
                .send(.forwardJoin(9, steps: ReplicationLimit.overlaySteps), to: 1),
                .send(.forwardJoin(9, steps: ReplicationLimit.overlaySteps), to: 2),
            ])
    }

    @Test mutating func `the last of a walk asks the newcomer`() {
        var overlay = filled(3)
        #expect(
            overlay.received(.forwardJoin(9, steps: 0), from: 1, using: &draws)
                == [.send(.neighbour(urgent: false), to: 9)])
        #expect(
            overlay.received(.answer(accepted: true), from: 9, using: &draws) == [.linked(9)])
    }

    @Test mutating func `a full house refuses who has others and displaces for who has none`() {
        var overlay = filled(ReplicationLimit.neighbours)
        #expect(
            overlay.received(.neighbour(urgent: false), from: 50, using: &draws)
                == [.send(.answer(accepted: false), to: 50)])
        let directives = overlay.received(.neighbour(urgent: true), from: 51, using: &draws)
        #expect(directives.first == .send(.answer(accepted: true), to: 51))
        #expect(overlay.neighbours.count == ReplicationLimit.neighbours)
        #expect(overlay.neighbours.contains(51))
    }

    @Test mutating func `a lost neighbour is replaced from the spares at once`() {
        var overlay = filled(3)
        _ = overlay.received(
            .forwardJoin(9, steps: ReplicationLimit.spareStep), from: 1, using: &draws)
        #expect(
            overlay.lost(2, using: &draws)
                == [.unlinked(2), .send(.neighbour(urgent: true), to: 9)])
        // A dead spare is forgotten.
        #expect(overlay.lost(9, using: &draws) == [])
        #expect(overlay.spares == [])
    }

    @Test mutating func `answers nobody asked for change nothing`() {
        var overlay = filled(2)
        let before = overlay.neighbours
        #expect(overlay.received(.answer(accepted: true), from: 7, using: &draws) == [])
        #expect(overlay.received(.disconnect, from: 7, using: &draws) == [])
        #expect(overlay.received(.shuffleAnswer([5, 6]), from: 7, using: &draws) == [])
        #expect(overlay.neighbours == before)
        #expect(overlay.spares == [])
    }

    @Test mutating func `spares stay within their limit, whatever shuffles bring`() {
        var overlay = filled(1)
        for round in 0..<100 {
            let peers = (0..<ReplicationLimit.shuffled).map { 100 + round * 10 + $0 }
            _ = overlay.received(.shuffle(origin: 2, peers, steps: 1), from: 1, using: &draws)
        }
        #expect(overlay.spares.count == ReplicationLimit.spares)
        let flood = Array(1_000..<2_000)
        #expect(
            overlay.received(.shuffle(origin: 2, flood, steps: 1), from: 1, using: &draws) == [])
    }
}
