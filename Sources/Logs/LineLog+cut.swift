internal import Capacity
public import Entries
internal import Identity

extension LineLog {
    /// Goes on after a cut: what stood below the fork stands, and every grant that the cut names with it.
    /// A cut that promises more than its total, or misstates what is left, is a fault like any other.
    public mutating func fold(cut entry: Entry) {
        folded += 1
        guard parted != nil, fault == nil, newerAt == nil else { return }
        do {
            let body = try entry.read(Cut.self)
            var next = line
            let left: Int64
            if next.total == nil {
                left = try apply(.declare(total: body.total), to: &next, at: entry)
            } else {
                // Raised first where grants of the branches need the room.
                left = try apply(.adjust(total: body.total), to: &next, at: entry)
            }
            var remaining = left
            for grant in body.grants where next.grant(grant.grant) == nil {
                guard grant.releaseKey.isPrimeOrder else { throw Reason.releaseKeyNotPrimeOrder }
                remaining = try apply(
                    .grant(grant.grant, units: grant.units, until: grant.until), to: &next,
                    at: entry)
            }
            guard remaining == body.remaining else {
                throw Reason.capacity(
                    .remainingMisstated(stated: body.remaining, computed: remaining))
            }
            line = next
            for grant in body.grants where holder(of: grant.grant) == nil {
                hold(
                    grant.grant,
                    Holder(releaseKey: grant.releaseKey, tag: grant.tag, title: nil))
            }
            parted?.cut = Set(body.grants.map(\.grant))
        } catch {
            let reason: Reason
            switch error {
            case let found as Reason: reason = found
            case let refusal as CapacityRefusal: reason = .capacity(refusal)
            case let refusal as EntryRefusal: reason = .unreadable(refusal)
            default: reason = .kindMisplaced(entry.header.kind)
            }
            fault = Fault(sequence: folded, entry: entry.id, reason: reason)
        }
    }

    private func apply(
        _ event: Line<EntryID>.Event, to line: inout Line<EntryID>, at entry: Entry
    ) throws -> Int64 {
        let remaining = try line.decide(event, at: entry.header.time)
        line.apply(event)
        return remaining
    }

    /// Grants of the branches that a cut would have to name, with those that were split off on them: who
    /// holds one may have paid for it. A grant below the fork stands whole beside what was split off above.
    public func carried(by branches: [Entry]) -> [Cut.Carried] {
        var carried: [EntryID: Cut.Carried] = [:]
        for entry in branches where entry.kind == .grant {
            guard let body = try? entry.read(Grant.self) else { continue }
            carried[entry.id] = .init(
                grant: entry.id, units: body.units, until: body.until, releaseKey: body.releaseKey,
                tag: body.tag)
        }
        let splits = branches.filter { $0.kind == .split }.sorted {
            ($0.header.log?.sequence ?? 0, $0.id) < ($1.header.log?.sequence ?? 0, $1.id)
        }
        for entry in splits {
            guard let body = try? entry.read(Split.self),
                let until = carried[body.grant]?.until ?? line.grant(body.grant)?.until,
                body.units > 0
            else { continue }
            // A grant that was split off whole is named all the same: left out, it would close nothing.
            if let left = carried[body.grant]?.units, body.units < left {
                carried[body.grant]?.units = left - body.units
            }
            carried[entry.id] = .init(
                grant: entry.id, units: body.units, until: until, releaseKey: body.releaseKey,
                tag: body.tag)
        }
        // What was made firm on a branch stays held as long.
        for entry in branches where entry.kind == .firm {
            guard let body = try? entry.read(Firm.self), let grant = carried[body.grant] else {
                continue
            }
            carried[body.grant]?.until = max(grant.until, body.until)
        }
        return carried.values.sorted { $0.grant < $1.grant }
    }
}
