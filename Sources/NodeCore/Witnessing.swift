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

    /// Whether one more request on these versions of records is receipted. The default of a record embeds
    /// all that are listed: they have to fit into one step, whoever would rather have them not. Requests on
    /// other records name main's version too where they read it, and may leave it as it was: so there is
    /// room for a small one on each such record beside.
    func hasRoom(for request: Entry) -> Bool {
        let author = request.header.author
        let share = max(
            listedBytesMin, listedBytesMax / max(1, terms.participants.count))
        let versions = request.header.statement?.versions ?? []
        return versions.allSatisfy { version in
            let before = requests.filter {
                $0.header.author == author
                    && $0.header.statement?.versions.contains(version) == true
            }
            let sets = Set(before.compactMap { $0.header.statement?.versions })
            return !sets.contains(versions) && sets.count < listedSetsMax
                && request.wire.count <= listedSmallMax
                || (before + [request]).reduce(0) { $0 + $1.wire.count + testimonyBytes } <= share
        }
    }
}

/// How many contracts a node witnesses, and how many requests of one author it receipts in one of them a
/// UTC day. Beyond: it waits, and the sender keeps trying.
let witnessingMax = 100_000
let receiptsPerDay = 1_000
let dayMilliseconds: Int64 = 86_400_000
/// How many bytes of requests on one version of a record are receipted: of all participants together, each
/// an equal part, and of one at least. A step has 64 KiB.
let listedBytesMax = 32 * 1024
let listedBytesMin = 6 * 1024
/// Of how many sets of versions, with one version of a record in common, one request of so many bytes is receipted
/// in any case.
let listedSetsMax = 16
let listedSmallMax = 1024
/// What a step shows beside a listed request of when it came.
let testimonyBytes = 1024
