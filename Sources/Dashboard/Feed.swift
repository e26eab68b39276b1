import Identity
public import NodeCore
import Entries
import Ledger
import Synchronization

/// What changed, in order, for whoever looks on: the last of it can be asked for again.
///
/// An event says where to look, never what is there: whoever hears it reads anew.
public final class Feed: Sendable {
    public struct Event: Hashable, Sendable {
        public let number: UInt64
        /// Rooms of the page: `contracts`, `ledger`, `market`, `capacity`, `partners`, `node`.
        public let about: [String]
        public let contracts: [String]

        var json: JSON {
            [
                "about": .array(about.map { .string($0) }),
                "contracts": .array(contracts.map { .string($0) }),
            ]
        }
    }

    /// How many events can be asked for again: minutes of a busy node.
    static let window = 1024
    /// Readers at a time. Each holds at most `window` events.
    static let readersMax = 64

    private struct State {
        var last: UInt64 = 0
        var events: [Event] = []
        var nextReader = 0
        var readers: [Int: AsyncStream<Event>.Continuation] = [:]
    }

    /// Tells the events of this run of the node from those of another.
    let run = Entropy.bytes(6).hex
    private let state = Mutex(State())

    public init() {}

    /// After the commit.
    public func note(_ changes: [Change]) {
        var about: Set<String> = []
        var contracts: Set<ContractID> = []
        for change in changes {
            about.formUnion(Self.rooms(of: change))
            switch change {
            case .statement(_, let contract): if let contract { contracts.insert(contract) }
            case .books(let events): contracts.formUnion(events.map { Self.cause(of: $0).contract })
            default: break
            }
        }
        guard !about.isEmpty else { return }
        note(about.sorted(), contracts.sorted().map(\.hex))
    }

    /// Somebody came or went.
    public func notePeers() { note(["node", "partners"], []) }

    private func note(_ about: [String], _ contracts: [String]) {
        state.withLock { state in
            state.last += 1
            let event = Event(number: state.last, about: about, contracts: contracts)
            state.events.append(event)
            if state.events.count > Self.window { state.events.removeFirst() }
            for reader in state.readers.values { reader.yield(event) }
        }
    }

    /// Names the newest event; another one once anything more happened.
    public var newest: String { id(state.withLock { $0.last }) }

    struct Reading: Sendable {
        /// Since the last one that the reader saw. `nil`: too long ago, or another run; read all anew.
        let missed: [Event]?
        let stream: AsyncStream<Event>
        let last: String
    }

    /// From `lastID` on, or from now. `nil`: too many read already.
    func read(after lastID: String?) -> Reading? {
        let (stream, continuation) = AsyncStream<Event>.makeStream(
            bufferingPolicy: .bufferingNewest(Self.window))
        return state.withLock { state -> Reading? in
            guard state.readers.count < Self.readersMax else { return nil }
            let missed = lastID.map { self.missed(after: $0, state) } ?? []
            state.nextReader += 1
            let reader = state.nextReader
            state.readers[reader] = continuation
            continuation.onTermination = { [weak self] _ in
                self?.state.withLock { _ = $0.readers.removeValue(forKey: reader) }
            }
            return Reading(missed: missed, stream: stream, last: id(state.last))
        }
    }

    func id(_ number: UInt64) -> String { "\(run).\(number)" }

    private func missed(after id: String, _ state: State) -> [Event]? {
        let parts = id.split(separator: ".")
        guard parts.count == 2, parts[0] == run, let number = UInt64(parts[1]),
            number <= state.last, number + UInt64(state.events.count) >= state.last
        else { return nil }
        return state.events.filter { $0.number > number }
    }

    private static func rooms(of change: Change) -> [String] {
        switch change {
        case .entry(let entry, _): rooms(of: entry.entry.kind)
        case .statement: ["contracts"]
        case .contractKey, .transfer, .transferDone: ["contracts"]
        case .books: ["contracts", "ledger"]
        case .line: ["capacity", "market"]
        case .petname: ["partners"]
        case .superseded, .rival, .fork, .proof: ["contracts", "node"]
        case .template: ["market"]
        case .ownKey, .recovery, .outbox, .delivered, .peer, .witnessTerms, .standing, .hub:
            ["node"]
        case .alliance: ["market", "partners", "node"]
        case .chunk, .attachmentGone: ["contracts"]
        case .keepsake, .entrusted, .letter, .letterGone, .tried, .anchors: []
        }
    }

    private static func cause(of event: TransferEvent) -> Cause {
        switch event {
        case .reserve(let transfer): transfer.cause
        case .post(let cause, _, _), .void(let cause, _), .discharge(let cause, _): cause
        }
    }

    private static func rooms(of kind: Kind?) -> [String] {
        switch kind {
        case .profile, .key: ["partners"]
        case .lineOpening, .declare, .adjust, .grant, .firm, .split, .release: ["capacity"]
        case .offer, .withdrawal, .wish: ["market"]
        case .founding, .admit, .expel: ["node", "partners"]
        default: ["contracts"]
        }
    }
}
