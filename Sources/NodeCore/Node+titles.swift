internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Ledger
internal import Logs
internal import Market

// Chain of title: capacity that an issuer holds out of a contract and grants on names the step that locked
// it. A line says so by naming another issuer's line as its source; every other grant is the issuer's own.

extension Node {
    /// What a reader can say of one grant's title. Shown beside the line; it changes no state.
    public enum Title: Hashable, Sendable {
        case own
        /// Passed on, and the step is in a contract that this node does not see.
        case unseen(EntryID)
        /// Passed on out of a contract that this node sees, and within what it locked.
        case held(EntryID, contract: ContractID)
        /// The line names another's as its source, and the grant names no step.
        case missing
        /// The step locked no units of that source for this issuer, or had no effect.
        case wrong(EntryID, contract: ContractID)
        /// More is granted on than the step locked.
        case exceeded(EntryID, locked: Int64, granted: Int64)

        public var isSound: Bool {
            switch self {
            case .own, .unseen, .held: true
            case .missing, .wrong, .exceeded: false
            }
        }
    }

    /// Whose line this one passes on; `nil` where it is of the issuer's own capacity.
    func foreignSource(of log: LogID) -> LogID? {
        guard let line = lines[log], let source = book[line.issuer]?.opening(of: log)?.source,
            book[line.issuer]?.opening(of: source) == nil
        else { return nil }
        return source
    }

    /// The titles of all grants of a line.
    public func titles(of log: LogID) -> [EntryID: Title] {
        guard let line = lines[log] else { return [:] }
        let source = foreignSource(of: log)
        var titles: [EntryID: Title] = [:]
        for (grant, holder) in line.holders {
            titles[grant] = title(holder, of: source, by: line.issuer)
        }
        return titles
    }

    private func title(_ holder: LineLog.Holder, of source: LogID?, by issuer: DID) -> Title {
        guard let step = holder.title else { return source == nil ? .own : .missing }
        guard let locked = locked(by: step, on: source, for: issuer) else { return .unseen(step) }
        guard locked.units > 0 else { return .wrong(step, contract: locked.contract) }
        let granted = granted(on: step, by: issuer)
        return granted <= locked.units
            ? .held(step, contract: locked.contract)
            : .exceeded(step, locked: locked.units, granted: granted)
    }

    /// Units that `step` locked on `source` for `holder`; `nil` where this node does not see that step.
    private func locked(by step: EntryID, on source: LogID?, for holder: DID) -> (
        contract: ContractID, units: Int64
    )? {
        for (id, held) in sorted(contracts) {
            guard let fold = held.fold, let outline = fold.steps.first(where: { $0.id == step })
            else { continue }
            guard outline.void == nil, outline.sequence == 1, let source else { return (id, 0) }
            let units = fold.grants.filter { $0.line == source && $0.holder == holder }
                .reduce(Int64(0)) {
                    $0 + (lines[source]?.line.grant($1.grant)?.units ?? 0)
                }
            return (id, units)
        }
        return nil
    }

    /// Units that `issuer` grants on under one title, over all its lines.
    private func granted(on step: EntryID, by issuer: DID) -> Int64 {
        // Whoever declares what he likes could make a plain sum trap.
        let sum = lines.values.filter { $0.issuer == issuer }.reduce(Int128(0)) { sum, line in
            line.holders.filter { $0.value.title == step }
                .reduce(sum) { $0 + Int128(line.line.grant($1.key)?.units ?? 0) }
        }
        return Int64(clamping: sum)
    }

    /// The title for a grant of ours on `log`: the first contract out of which so much is still ours.
    func title(for units: Int64, on log: LogID) throws(NodeRefusal) -> EntryID? {
        guard let source = foreignSource(of: log) else { return nil }
        var most: Int64 = 0
        for (_, held) in sorted(contracts) {
            guard let fold = held.fold, fold.isSequenced, fold.halt == nil,
                let step = fold.steps.first,
                let locked = locked(by: step.id, on: source, for: own.did)
            else { continue }
            let free = locked.units - granted(on: step.id, by: own.did)
            if free >= units { return step.id }
            most = max(most, free)
        }
        throw .titleMissing(source: source, free: most, needed: units)
    }
}
