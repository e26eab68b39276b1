public import Capacity
public import Entries
internal import HashTreeCollections
public import Identity

/// The fold of one capacity line's log: what is declared, granted, firm, and under whose release key.
///
/// The first entry that breaks the line's law stays in the log as evidence and has no effect; from there
/// on the line is broken and nothing more is granted on it.
public struct LineLog: Sendable {
    public let issuer: DID
    public let terms: LineTerms
    public let log: LogID
    public internal(set) var line = Line<EntryID>()
    private var holderOf: TreeDictionary<EntryID, Holder> = [:]
    private var grantOf: TreeDictionary<Hash32, EntryID> = [:]
    /// Entries folded, valid or not.
    public internal(set) var folded: Int64 = 0
    public internal(set) var fault: Fault?
    /// The first entry of a kind that only a newer program knows: nothing from there on is judged.
    public internal(set) var newerAt: Int64?
    /// Where the log parts, and what every branch promises. Branches are held, not folded.
    public internal(set) var parted: Parted?

    /// Whose key frees or splits a grant, and the tag its participants know it by.
    public struct Holder: Hashable, Sendable {
        public let releaseKey: PublicKey
        public let tag: Hash32
        public let title: EntryID?
    }

    /// The first entry that is signed by the issuer and breaks the law: proof of an oversale or worse.
    public struct Fault: Hashable, Sendable {
        public let sequence: Int64
        public let entry: EntryID
        public let reason: Reason
    }

    public indirect enum Reason: Error, Hashable, Sendable {
        case capacity(CapacityRefusal)
        case holderSignature
        case releaseKeyNotPrimeOrder
        case unreadable(EntryRefusal)
        case kindMisplaced(Int64)
    }

    public init(issuer: DID, terms: LineTerms) {
        self.issuer = issuer
        self.terms = terms
        log = .line(author: issuer, terms)
    }

    /// What `entry` would do. Refused where it breaks the line; `apply` then records the fault.
    public func decide(_ entry: Entry, checker: SignatureChecker) throws(Reason) -> Effect {
        do {
            let (event, stated, holder) = try read(entry, checker: checker)
            let remaining = try line.decide(event, at: entry.header.time)
            guard remaining == stated else {
                throw Reason.capacity(.remainingMisstated(stated: stated, computed: remaining))
            }
            return Effect(event: event, holder: holder, grant: entry.id)
        } catch let reason as Reason {
            throw reason
        } catch let refusal as CapacityRefusal {
            throw .capacity(refusal)
        } catch let refusal as EntryRefusal {
            throw .unreadable(refusal)
        } catch {
            throw .kindMisplaced(entry.header.kind)
        }
    }

    /// An event with the grant holder it makes, if any.
    public struct Effect: Sendable {
        public let event: Line<EntryID>.Event
        let holder: Holder?
        let grant: EntryID
    }

    /// Folds the next entry of the log, good or bad.
    public mutating func fold(_ entry: Entry, checker: SignatureChecker) {
        folded += 1
        guard fault == nil, newerAt == nil, entry.kind != .continue else { return }
        guard entry.kind != nil else {
            newerAt = folded
            return
        }
        do {
            let effect = try decide(entry, checker: checker)
            line.apply(effect.event)
            if let holder = effect.holder { hold(effect.grant, holder) }
        } catch {
            fault = Fault(sequence: folded, entry: entry.id, reason: error)
        }
    }

    public func holder(of grant: EntryID) -> Holder? { holderOf[grant] }
    /// By the grant, in no order.
    public var holders: some Collection<(key: EntryID, value: Holder)> { holderOf }

    /// The grant made for `tag`, if one stands; of several, which their issuer should not have made, the
    /// first by id.
    public func grant(tag: Hash32) -> EntryID? { grantOf[tag] }

    mutating func hold(_ grant: EntryID, _ holder: Holder) {
        holderOf[grant] = holder
        grantOf[holder.tag] = grantOf[holder.tag].map { min($0, grant) } ?? grant
    }

    private func read(_ entry: Entry, checker: SignatureChecker) throws
        -> (Line<EntryID>.Event, stated: Int64, Holder?)
    {
        switch entry.kind {
        case .declare:
            let body = try entry.read(Declare.self)
            return (.declare(total: body.total), body.remaining, nil)
        case .adjust:
            let body = try entry.read(Adjust.self)
            return (.adjust(total: body.total), body.remaining, nil)
        case .grant:
            let body = try entry.read(Grant.self)
            guard body.releaseKey.isPrimeOrder else { throw Reason.releaseKeyNotPrimeOrder }
            return (
                .grant(entry.id, units: body.units, until: body.until), body.remaining,
                Holder(releaseKey: body.releaseKey, tag: body.tag, title: body.title)
            )
        case .firm:
            let body = try entry.read(Firm.self)
            return (
                .firm(body.grant, units: body.units, until: body.until), body.remaining, nil
            )
        case .split:
            let body = try entry.read(Split.self)
            let message = HolderMessage.split(
                line: log, grant: body.grant, units: body.units, releaseKey: body.releaseKey,
                tag: body.tag)
            guard body.releaseKey.isPrimeOrder else { throw Reason.releaseKeyNotPrimeOrder }
            guard let holder = holderOf[body.grant],
                checker.verifies(body.holderSignature, of: message, by: holder.releaseKey)
            else { throw Reason.holderSignature }
            return (
                .split(body.grant, units: body.units, into: entry.id), body.remaining,
                Holder(releaseKey: body.releaseKey, tag: body.tag, title: holder.title)
            )
        case .release:
            let body = try entry.read(Release.self)
            guard let signature = body.holderSignature else {
                return (
                    .release(body.grant, units: body.units, signed: false), body.remaining, nil
                )
            }
            let released = line.grant(body.grant)?.releasedBySignature ?? 0
            let message = HolderMessage.release(
                line: log, grant: body.grant, units: body.units,
                runningTotal: released + body.units)
            guard let holder = holderOf[body.grant],
                checker.verifies(signature, of: message, by: holder.releaseKey)
            else { throw Reason.holderSignature }
            return (.release(body.grant, units: body.units, signed: true), body.remaining, nil)
        default:
            throw Reason.kindMisplaced(entry.header.kind)
        }
    }
}
