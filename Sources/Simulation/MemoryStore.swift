internal import Capacity
public import Entries
public import Identity
public import NodeCore
internal import Replication

/// What a node's database would hold: the committed changes, and entries by log for serving.
public struct MemoryStore: Sendable {
    public private(set) var snapshot = Snapshot()
    private var byLog: [LogID: [Entry]] = [:]
    /// Branches beside what is held, kept as proof.
    public private(set) var rivals: [Entry] = []

    public init() {}

    /// One transaction.
    public mutating func commit(_ changes: [Change]) {
        for change in changes {
            switch change {
            case .entry(let valid, _):
                snapshot.entries.append(valid)
                if let log = valid.header.log?.log { byLog[log, default: []].append(valid.entry) }
            case .rival(let valid): rivals.append(valid.entry)
            case .fork(let log, let fork): snapshot.forks.append((log, fork))
            case .statement(let valid, let contract):
                snapshot.statements.append((valid, contract))
            case .contractKey(_, let key): snapshot.contractKeys.append(key)
            case .outbox(let item): snapshot.outbox.append(item)
            case .delivered(let statement, let recipient):
                snapshot.outbox.removeAll {
                    $0.statement.id == statement && $0.recipient == recipient
                }
            case .books, .line: break
            case .template(_, let bytes): snapshot.templates.append(bytes)
            case .petname(let did, let name):
                snapshot.petnames.removeAll { $0.0 == did }
                if let name { snapshot.petnames.append((did, name)) }
            case .peer(let address, let added):
                snapshot.peers.removeAll { $0 == address }
                if added { snapshot.peers.append(address) }
            case .transfer(let child, let parent, let act):
                snapshot.transfers.append((child, parent, act))
            case .transferDone(let child): snapshot.transfers.removeAll { $0.child == child }
            }
        }
    }

    public mutating func add(template bytes: [UInt8]) { snapshot.templates.append(bytes) }

    /// The entries of a log, as they were kept.
    public func entries(of log: LogID) -> [Entry] { byLog[log] ?? [] }

    /// Entries of `request`, from the first on, as many as an answer holds.
    func answer(_ request: Message.RangeRequest) -> Message {
        let all = byLog[request.log] ?? []
        var wires: [[UInt8]] = []
        var size = 0
        for entry in all {
            guard let sequence = entry.header.log?.sequence,
                (Int64(clamping: request.from)...Int64(clamping: request.to)).contains(sequence)
            else { continue }
            let wire = entry.wire
            size += wire.count + 4
            if size > ReplicationLimit.answerBytes, !wires.isEmpty {
                return .entries(wires, done: false)
            }
            wires.append(wire)
        }
        return .entries(wires, done: true)
    }
}
