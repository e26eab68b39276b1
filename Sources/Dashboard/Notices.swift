public import Capacity
public import Contracts
import Entries
import Identity
public import NodeCore

/// Something that the owner may want to hear of while no page is open.
public struct Notice: Hashable, Sendable {
    public enum Kind: String, Sendable {
        case waiting, payment, deadline, fork
    }

    public let kind: Kind
    /// Names this very thing for good, so that it is told once.
    public let key: String
    /// When it is over; `nil` where no deadline runs.
    public let until: Instant?
    /// Names nobody and no terms.
    public let brief: String
    /// As the pages say it.
    public let full: String

    /// Of more than these nobody wants to be told one by one.
    private static let waitingMax = 500

    /// What there is now, the most urgent first. A deadline is told apart once fewer than `hours` are left.
    public static func all(
        of node: Node, at now: Instant, hours: Int64, _ language: Language
    ) -> [Notice] {
        let rooms = Rooms(node, language, now: now)
        let waiting = rooms.overview.waiting(at: now, most: waitingMax).flatMap { one in
            node.contracts[one.contract].map { rooms.notices($0, one, hours) } ?? []
        }
        return (waiting + rooms.forkNotices).sorted {
            ($0.until ?? .latest, $0.key) < ($1.until ?? .latest, $1.key)
        }
    }
}

extension Rooms {
    fileprivate func notices(
        _ held: HeldContract, _ awaited: Overview.Waiting, _ hours: Int64
    ) -> [Notice] {
        let until = awaited.until == .latest ? nil : awaited.until
        switch awaited.what {
        case .proposal:
            return told(held, "proposal", .waiting, until: until, word("wait_accept"), hours)
        case .record(let number):
            guard let record = held.fold?.state.record(number) else { return [] }
            let says = acts(held, record: number).first?["says"]?.string ?? ""
            return told(
                held, "record \(number) \(record.version)",
                record.isStated ? .payment : .waiting, until: until,
                toDo(record.waitsAs, says), hours)
        case .request(let id):
            guard let state = held.fold?.state, let request = held.requests[id] else { return [] }
            return told(
                held, "request \(id.hex)", .waiting, until: until,
                toDo("wait_consent", figures.local(state.says(Act(request.act), language))), hours)
        }
    }

    /// The sentence of a step, which reads as if it were done, behind what is still to be done.
    private func toDo(_ kind: String, _ says: String) -> String {
        word(kind) + figures.pick(": ", "：") + says
    }

    /// The thing itself, and once its deadline is near that too.
    private func told(
        _ held: HeldContract, _ what: String, _ kind: Notice.Kind, until: Instant?, _ says: String,
        _ hours: Int64
    ) -> [Notice] {
        func notice(_ kind: Notice.Kind) -> Notice {
            let left = until.map { " (" + figures.left(until: $0) + ")" } ?? ""
            return Notice(
                kind: kind, key: "\(kind.rawValue) \(held.id.hex) \(what)", until: until,
                brief: word("notice_" + kind.rawValue) + left,
                full: "\(says)\(left) · \(title(held)) · \(partners(held))")
        }
        let near = until.map { $0.milliseconds - now.milliseconds < hours * 3_600_000 } ?? false
        return near ? [notice(kind), notice(.deadline)] : [notice(kind)]
    }

    fileprivate var forkNotices: [Notice] {
        (view.forks().array).map { fork in
            Notice(
                kind: .fork,
                key: "fork \(fork["log"]?.string ?? "") \(fork["sequence"]?.number ?? 0)",
                until: nil, brief: word("notice_fork"),
                full: fork["says"]?[language.rawValue]?.string ?? "")
        }
    }
}
