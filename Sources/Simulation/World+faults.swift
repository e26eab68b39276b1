internal import Capacity
internal import Entries
internal import Identity
internal import NodeCore

extension FaultFamily {
    /// Strikes at times of its own; the others come with a chance at each frame or commit.
    var isScheduled: Bool {
        switch self {
        case .halves, .isolation, .asymmetry, .swizzle, .jumps, .pauses, .wipes, .oldCopies,
            .lostWrites, .fullDisk, .bitFlips, .rotations:
            true
        default: false
        }
    }
}

extension FaultPlan {
    func schedule(
        _ family: FaultFamily, from now: Int64, _ chance: inout Chance,
        _ agenda: inout Agenda<Event>
    ) {
        guard family.isScheduled, let mean = rates[family] else { return }
        agenda.put(.strike(family), at: now + chance.within(mean / 4...mean * 7 / 4))
    }
}

extension World {
    enum CrashPoint: Equatable {
        case none, beforeCommit, beforeSync, beforeDirectives
        /// After so many of them, the last one's number.
        case betweenDirectives(Int)
    }

    func crashPoint(_ index: Int, changes: Int, directives: Int) -> CrashPoint {
        guard plan.has(.crashes), !isHealed, changes + directives > 0,
            weather.happens(plan.rate(.crashes))
        else { return .none }
        switch weather.below(4) {
        case 0: return .beforeCommit
        case 1 where changes > 0: return .beforeSync
        case 2: return .beforeDirectives
        default: return .betweenDirectives(weather.below(max(directives, 1)))
        }
    }

    private static let minute: Int64 = 60_000

    func strike(_ family: FaultFamily) {
        guard !isHealed else { return }
        plan.schedule(family, from: now, &weather, &agenda)
        let index = weather.below(machines.count)
        let length = weather.within(5_000...20 * Self.minute)
        switch family {
        case .halves:
            let side = machines.indices.map { _ in weather.below(2) == 0 }
            for from in machines.indices {
                for to in machines.indices where side[from] != side[to] {
                    stall(from: from, to: to, for: length)
                }
            }
        case .isolation: cutOff(index, for: length)
        case .asymmetry:
            let other = weather.below(machines.count)
            guard other != index else { return }
            stall(from: index, to: other, for: length)
        case .swizzle:
            for other in machines.indices where weather.below(2) == 0 {
                cutOff(other, for: weather.within(5_000...length))
            }
        case .jumps:
            machines[index].clockError = weather.within(-172_800_000...172_800_000)
            // Most come back: someone sets the clock.
            if weather.below(3) > 0 { machines[index].clockError /= 1_000 }
        case .pauses: machines[index].pausedUntil = now + length
        case .wipes:
            // Never more than a quarter: what is left must still be a market.
            guard machines.count(where: \.isGone) < machines.count / 4 else { return }
            end(index)
            machines[index].disk.close()
            machines[index].isGone = true
        case .oldCopies, .lostWrites: putBackOrCopy(index, family)
        case .fullDisk: machines[index].diskFullUntil = now + length
        case .bitFlips:
            guard machines.count(where: \.isGone) < machines.count / 4,
                let entry = weather.pick(machines[index].disk.entries)
            else { return }
            machines[index].disk.damage(entry.id)
            crash(index, isWhole: !machines[index].flushIsDue)
        case .rotations:
            let (code, old) = (machines[index].code, machines[index].own)
            guard command(index, { try $0.rotate(with: code) }) != nil else { return }
            machines[index].stolen = old
        default: return
        }
        tally.hit(family)
    }

    private func putBackOrCopy(_ index: Int, _ family: FaultFamily) {
        guard machines[index].node != nil, !machines[index].flushIsDue else { return }
        guard machines.count(where: { $0.isOld || $0.isGone }) < machines.count / 4,
            machines[index].disk.putBack()
        else {
            for index in machines.indices { machines[index].disk.copy() }
            return
        }
        machines[index].isOld = true
        machines[index].isUnnoticed = true
        forgetHeads(index)
        end(index)
        agenda.put(.wake(index), at: now + weather.within(1_000...Self.minute))
    }

    private func cutOff(_ index: Int, for length: Int64) {
        for other in machines.indices where other != index {
            stall(from: index, to: other, for: length)
            stall(from: other, to: index, for: length)
        }
    }

    private func stall(from: Int, to: Int, for length: Int64) {
        let way = way(from: from, to: to)
        stalledUntil[way] = max(stalledUntil[way], now + length)
    }
}
