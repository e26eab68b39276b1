internal import HashTreeCollections
public import Capacity
internal import Contracts
internal import Entries
public import Identity
public import Ledger
internal import Logs
public import Market

/// What lists, sums and orders show of all contracts together, kept as they change: a page reads what it
/// shows, however many contracts are held.
///
/// It follows from what is held of each contract and from its rows in the books, and from nothing else.
public struct Overview: Equatable, Sendable {
    /// Every contract, the oldest proposal first.
    public private(set) var contracts = SortedChunks<Listed>()
    /// By the newest step that another took, as far as it is among the contract's last.
    public private(set) var news = SortedChunks<News>()
    /// Payments that contracts which are not over ask of the owner, as long as it did not state them, and for
    /// the owner, by deadline.
    public private(set) var dues = SortedChunks<Due>()
    /// The transfers that concern the owner, by the time of their steps.
    public private(set) var transfers = SortedChunks<Dated>()
    /// Proposals wait until their deadline, all else until it is done.
    private var offered = SortedChunks<Waiting>()
    private var asked = SortedChunks<Waiting>()
    private var marks: TreeDictionary<DID, [Reputation.Kind: SortedChunks<Reputation.Step>]> = [:]
    private var delivered: TreeDictionary<LogID, Int64> = [:]
    /// In how many contracts each is named.
    private var named: TreeDictionary<DID, Int> = [:]

    /// How many of a contract's steps are looked at for news.
    public static let newsMax = 12

    public struct Listed: Comparable, Sendable {
        /// When it was proposed.
        public let time: Instant
        public let id: ContractID
        public let topic: TopicID
        public let template: Hash32
        public let grade: HeldContract.Grade
        public let isOver: Bool
        public let isDeclined: Bool

        public static func < (left: Self, right: Self) -> Bool {
            (left.time, left.id) < (right.time, right.id)
        }
    }

    public struct News: Comparable, Sendable {
        public let time: Instant
        public let contract: ContractID

        public static func < (left: Self, right: Self) -> Bool {
            (left.time, left.contract) < (right.time, right.contract)
        }
    }

    /// Something that waits for the owner.
    public struct Waiting: Comparable, Sendable {
        /// `latest` where no deadline runs.
        public let until: Instant
        public let contract: ContractID
        public let what: HeldContract.Awaited.What
        /// A contract's own stay in their order.
        let place: Int

        public static func < (left: Self, right: Self) -> Bool {
            (left.until, left.contract, left.place) < (right.until, right.contract, right.place)
        }
    }

    public struct Due: Comparable, Sendable {
        public let until: Instant
        public let contract: ContractID
        public let record: Int64
        /// The owner is to pay.
        public let isOut: Bool
        public let partner: DID
        /// Minor units.
        public let amount: Int64
        public let currency: Currency

        public static func < (left: Self, right: Self) -> Bool {
            (left.until, left.contract, left.record) < (right.until, right.contract, right.record)
        }
    }

    public struct Dated: Comparable, Sendable {
        public let time: Instant
        public let cause: Cause

        public static func < (left: Self, right: Self) -> Bool {
            (left.time, left.cause) < (right.time, right.cause)
        }
    }

    // MARK: Questions

    /// The first `count` of what waits for the owner, the most urgent first.
    public func waiting(at now: Instant, most count: Int) -> [Waiting] {
        let both = Array(asked.prefix(count)) + offered.dropFirst(expired(at: now)).prefix(count)
        return Array(both.sorted().prefix(count))
    }

    public func waitingCount(at now: Instant) -> Int {
        asked.count + offered.count - expired(at: now)
    }

    /// How many proposals can no longer be accepted.
    private func expired(at now: Instant) -> Int { offered.place { $0.until >= now } }

    func steps(of who: DID) -> [Reputation.Kind: SortedChunks<Reputation.Step>] {
        marks[who] ?? [:]
    }

    /// Units of this line of the owner's that were delivered.
    public func delivered(of line: LogID) -> Int64 { delivered[line] ?? 0 }

    /// Everyone whom a contract names as a participant.
    var people: some Collection<DID> { named.keys }

    // MARK: Keeping

    mutating func replace(_ old: ContractOutline?, with new: ContractOutline?) {
        guard old != new else { return }
        contracts.replace(old.map { [$0.listed] } ?? [], with: new.map { [$0.listed] } ?? [])
        news.replace(old?.news ?? [], with: new?.news ?? [])
        dues.replace(old?.dues ?? [], with: new?.dues ?? [])
        transfers.replace(old?.transfers ?? [], with: new?.transfers ?? [])
        offered.replace(old?.offered ?? [], with: new?.offered ?? [])
        asked.replace(old?.asked ?? [], with: new?.asked ?? [])
        mark(old?.marks ?? [], new?.marks ?? [])
        for (line, units) in old?.delivered ?? [:] { deliver(-units, of: line) }
        for (line, units) in new?.delivered ?? [:] { deliver(units, of: line) }
        if old?.people != new?.people {
            for did in old?.people ?? [] { name(did, -1) }
            for did in new?.people ?? [] { name(did, 1) }
        }
    }

    private mutating func mark(_ old: [ContractOutline.Marked], _ new: [ContractOutline.Marked]) {
        let same = zip(old, new).prefix { $0 == $1 }.count
        for one in old.dropFirst(same) {
            marks[one.who]?[one.kind]?.remove(one.step)
            if marks[one.who]?[one.kind]?.isEmpty == true { marks[one.who]?[one.kind] = nil }
            if marks[one.who]?.isEmpty == true { marks[one.who] = nil }
        }
        for one in new.dropFirst(same) {
            marks[one.who, default: [:]][one.kind, default: SortedChunks()].insert(one.step)
        }
    }

    private mutating func deliver(_ units: Int64, of line: LogID) {
        let sum = (delivered[line] ?? 0) + units
        delivered[line] = sum == 0 ? nil : sum
    }

    private mutating func name(_ did: DID, _ more: Int) {
        let count = (named[did] ?? 0) + more
        named[did] = count == 0 ? nil : count
    }
}

/// What an overview shows of one contract.
struct ContractOutline: Equatable, Sendable {
    let listed: Overview.Listed
    let people: [DID]
    private(set) var news: [Overview.News] = []
    private(set) var dues: [Overview.Due] = []
    private(set) var transfers: [Overview.Dated] = []
    private(set) var offered: [Overview.Waiting] = []
    private(set) var asked: [Overview.Waiting] = []
    private(set) var marks: [Marked] = []
    private(set) var delivered: [LogID: Int64] = [:]

    struct Marked: Equatable {
        let who: DID
        let kind: Reputation.Kind
        let step: Reputation.Step
    }

    /// `rows`: those of this contract. `own`: whose overview it is.
    init(_ held: HeldContract, _ rows: [TransferRow], of own: DID) {
        let proposal = held.proposal
        listed = Overview.Listed(
            time: held.proposalEntry.header.time, id: held.id, topic: held.key.topic,
            template: proposal.template, grade: held.grade, isOver: held.isOver,
            isDeclined: held.declined != nil)
        people = held.participants
        for (place, awaited) in held.awaited(of: own).enumerated() {
            let waiting = Overview.Waiting(
                until: awaited.until, contract: held.id, what: awaited.what, place: place)
            if awaited.what == .proposal { offered.append(waiting) } else { asked.append(waiting) }
        }
        guard let fold = held.fold else { return }
        let newest = fold.steps.suffix(Overview.newsMax).filter { $0.actor != own }.map(\.time)
        news = newest.max().map { [Overview.News(time: $0, contract: held.id)] } ?? []
        if !held.isOver { dues = Self.dues(fold, in: held.id, of: own) }
        transfer(rows, fold, of: own)
        mark(held, fold)
    }

    private static func dues(_ fold: Fold, in contract: ContractID, of own: DID) -> [Overview.Due] {
        fold.state.records.compactMap { record in
            // Who has said that it was paid is not asked again: what is awaited now is somebody else's word.
            guard let pay = record.pay, let until = record.until,
                pay.to == own || (pay.from == own && record.state == record.stateName),
                case .money(let currency) = pay.transfer.commodity
            else { return nil }
            return Overview.Due(
                until: until, contract: contract, record: record.number, isOut: pay.from == own,
                partner: pay.from == own ? pay.to : pay.from, amount: pay.amount,
                currency: currency)
        }
    }

    private mutating func transfer(_ rows: [TransferRow], _ fold: Fold, of own: DID) {
        for row in rows {
            let transfer = row.transfer
            guard
                transfer.from == own || transfer.to == own
                    || row.released.contains(where: { $0.depositor == own })
            else { continue }
            let step = fold.step(transfer.cause.step)
            transfers.append(
                Overview.Dated(time: step?.time ?? .earliest, cause: transfer.cause))
            guard transfer.from == own, row.postedAmount > 0,
                case .capacity(let resource, _) = transfer.commodity
            else { continue }
            for terms in fold.proposal.lines where terms.resource == resource {
                delivered[.line(author: own, terms), default: 0] += row.postedAmount
            }
        }
    }

    private mutating func mark(_ held: HeldContract, _ fold: Fold) {
        for step in fold.steps {
            for mark in step.marks {
                marks.append(
                    Marked(
                        who: mark.who, kind: Reputation.Kind(mark.kind),
                        step: .init(contract: held.id, sequence: step.sequence)))
            }
        }
        guard held.grade == .settled, held.outcome == .fulfilled, let last = fold.steps.last else {
            return
        }
        let parties = fold.template.roles.filter { $0.kind == .party }.map(\.name)
        let people = held.proposal.roles.filter { parties.contains($0.role) }
            .flatMap(\.identities)
        for who in Set(people).sorted() {
            marks.append(
                Marked(
                    who: who, kind: .completed,
                    step: .init(contract: held.id, sequence: last.sequence)))
        }
    }
}
