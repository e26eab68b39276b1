public import Identity
internal import Logs
internal import Replication

// How far this node is behind what its peers named, and what it does not take of them yet.

/// What was named in one topic and is not held here.
public struct Lag: Hashable, Sendable {
    /// `nil`: nothing of these logs is held, so what they belong to is not known.
    public let topic: TopicID?
    public internal(set) var logs = 0
    public internal(set) var entries: UInt64 = 0
}

extension Node {
    /// By topic, as all peers together named it, or this one: a log that several offer counts once.
    public func lag(behind peer: PeerID? = nil) -> [Lag] {
        var goals: [LogID: (goal: UInt64, topic: TopicID?)] = [:]
        for (id, connection) in connections where peer == nil || peer == id {
            let shared = connection.session.shared
            for (log, goal) in connection.session.goals {
                let topic = chains.chain(log)?.topic ?? (shared.count == 1 ? shared.first : nil)
                let known = goals[log]
                goals[log] = (max(goal, known?.goal ?? 0), known?.topic ?? topic)
            }
        }
        var found: [TopicID?: Lag] = [:]
        for (log, (goal, topic)) in goals {
            let held = UInt64(chains.head(log))
            guard goal > held else { continue }
            var lag = found[topic] ?? Lag(topic: topic)
            lag.logs += 1
            lag.entries = lag.entries.addingReportingOverflow(goal - held).partialValue
            found[topic] = lag
        }
        return found.values.sorted { $0.topic ?? .zero < $1.topic ?? .zero }
    }

    /// Why a log that was offered is not taken yet.
    public enum HeldBack: String, Hashable, CaseIterable, Sendable {
        /// Another log must come first.
        case another
        /// It is ahead of its alliance's limits, or of our clock.
        case time
        /// Its author is nobody here.
        case admission
    }

    /// How many logs of each kind wait, all or those that this peer offered.
    public func heldBack(from peer: PeerID? = nil) -> [(why: HeldBack, logs: Int)] {
        HeldBack.allCases.map { why in
            let count = waitingLogs.count { waiting in
                guard peer == nil || waiting.peer == peer else { return false }
                switch waiting.until {
                case .another: return why == .another
                case .time: return why == .time
                case .admission: return why == .admission
                }
            }
            return (why, count)
        }
    }
}
