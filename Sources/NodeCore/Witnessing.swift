internal import Capacity
public import Contracts
public import Entries
public import Identity

/// A contract that this node witnesses. It knows headers, ids, record numbers and times, never the terms.
public struct Witnessing: Sendable {
    public let terms: WitnessTerms
    /// Header and signature alone.
    public let proposal: Entry
    public let topic: TopicID
    /// What this node said about it.
    public internal(set) var said = WitnessLog()
    public internal(set) var isAccepted = false
    /// How many statements of each party were receipted.
    var heard: [DID: Int] = [:]
    /// How many closings each asked for since this node's start.
    var closingsAsked: [DID: Int] = [:]
    /// Receipted requests, whole and sealed to others, in the order of receipt.
    var requests: [Entry] = []
    /// The arbiter's claim, as it came.
    var claim: Entry?

    var takeoverLog: LogID { .contract(terms.contract, author: terms.arbiter, epoch: 1) }

    /// Receipted by `deadline`, on this version of the record.
    func requests(on record: Int64, version: Int64, by deadline: Instant) -> [EntryID] {
        requests.filter { entry in
            guard let receipt = said.receipts[entry.id] else { return false }
            return receipt.header.time <= deadline
                && entry.header.statement?.versions.contains {
                    $0.record == record && $0.version == version
                } == true
        }.map(\.id)
    }
}

/// How many contracts a node witnesses, and how many requests of one author it receipts in one of them a
/// UTC day. Beyond: it waits, and the sender keeps trying.
let witnessingMax = 100_000
let receiptsPerDay = 1_000
let dayMilliseconds: Int64 = 86_400_000
