public import Capacity
public import Entries
public import Identity

/// What one witness wrote about one contract, in the order of its log.
public struct WitnessLog: Sendable {
    /// By the statement or log entry that was receipted.
    public private(set) var receipts: [EntryID: Entry] = [:]
    /// Those that were no entries of a log.
    public private(set) var receiptedStatements: [EntryID] = []
    public private(set) var closings: [Closing: Entry] = [:]
    /// Entries of logs that were receipted, by log.
    private var places: [LogID: [Place]] = [:]

    /// A receipted log entry.
    public struct Place: Hashable, Sendable {
        public let sequence: Int64
        public let id: EntryID
    }

    /// One version of a record at one deadline.
    public struct Closing: Hashable, Sendable {
        public let record: Int64
        public let version: Int64
        public let deadline: Instant

        public init(record: Int64, version: Int64, deadline: Instant) {
            self.record = record
            self.version = version
            self.deadline = deadline
        }
    }

    public init() {}

    /// What cannot be read means nothing; the first word on a subject counts.
    public mutating func fold(_ entry: Entry) {
        switch entry.kind {
        case .receipt:
            guard let body = try? entry.read(Receipt.self), receipts[body.subject] == nil else {
                return
            }
            receipts[body.subject] = entry
            if let log = body.log {
                places[log, default: []].append(.init(sequence: body.sequence, id: body.subject))
            } else {
                receiptedStatements.append(body.subject)
            }
        case .closed:
            guard let body = try? entry.read(Closed.self) else { return }
            let closing = Closing(
                record: body.record, version: body.version, deadline: body.deadline)
            if closings[closing] == nil { closings[closing] = entry }
        default: break
        }
    }

    /// The highest sequence of `log` at which it receipted an entry for which `holds` is true; 0 if none.
    public func highest(in log: LogID, where holds: (Place) -> Bool) -> Int64 {
        places[log]?.filter(holds).map(\.sequence).max() ?? 0
    }
}
