public import Capacity
public import Identity

// What a witness reads and writes. Its bodies are in the clear and name records by number, entries by id:
// it needs no contract key, and learns no terms.

/// What a witness is told of a contract; proposal and acceptances carry its hash.
public struct WitnessTerms: Hashable, Sendable, WireMessage {
    public var contract: ContractID
    /// Who writes the contract's log until a takeover.
    public var sequencer: DID
    public var witnesses: Proposal.Witnesses
    /// Whose requests and acceptances are receipted, and who may ask for a closing; sorted.
    public var participants: [DID]
    /// Who alone may claim the next epoch.
    public var arbiter: DID
    /// How long a receipted request may go unanswered before that, milliseconds.
    public var response: Int64

    public init(
        contract: ContractID, sequencer: DID, witnesses: Proposal.Witnesses, participants: [DID],
        arbiter: DID, response: Int64
    ) {
        self.contract = contract
        self.sequencer = sequencer
        self.witnesses = witnesses
        self.participants = participants
        self.arbiter = arbiter
        self.response = response
    }

    /// The log by which the contract is called in receipts, whoever sequences.
    public var log: LogID { .contract(contract, author: sequencer) }
    public var hash: Hash32 { SHA256.hash(tag: "talea.witness-terms.v1", wire) }

    public func write(to writer: inout WireWriter) {
        writer.id(1, contract)
        writer.id(2, sequencer)
        writer.message(3, witnesses)
        writer.ids(4, participants)
        writer.id(5, arbiter)
        writer.number(6, response)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        contract = try reader.id(1)
        sequencer = try reader.id(2)
        witnesses = try reader.message(3, Proposal.Witnesses.self)
        participants = try reader.ids(4)
        arbiter = try reader.id(5)
        response = try reader.required(6)
    }
}

/// "I held this by then": the header's time is the time of receipt. Once per log and sequence for steps,
/// once per id for statements.
public struct Receipt: EntryBody {
    public static let kind = Kind.receipt
    public var subject: EntryID
    /// A log entry's place; absent for a statement.
    public var log: LogID?
    public var sequence: Int64
    /// For a takeover claim: the highest step of the epoch before that this witness holds; none: 0.
    public var highest: Int64
    public var highestStep: EntryID?

    public init(
        subject: EntryID, log: LogID? = nil, sequence: Int64 = 0, highest: Int64 = 0,
        highestStep: EntryID? = nil
    ) {
        self.subject = subject
        self.log = log
        self.sequence = sequence
        self.highest = highest
        self.highestStep = highestStep
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, subject)
        writer.id(2, log)
        writer.number(3, sequence)
        writer.number(4, highest)
        writer.id(5, highestStep)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        subject = try reader.id(1)
        log = try reader.optionalID(2)
        sequence = try reader.number(3)
        highest = try reader.number(4)
        highestStep = try reader.optionalID(5)
        guard (log == nil) == (sequence == 0), (highestStep == nil) == (highest == 0) else {
            throw .headerShape("a receipt names a log together with a sequence")
        }
    }
}

/// "By this deadline these requests on this record had come, and no other": whatever is receipted later
/// bears a later time.
public struct Closed: EntryBody {
    public static let kind = Kind.closed
    public var record: Int64
    public var version: Int64
    public var deadline: Instant
    /// In the order of receipt.
    public var requests: [EntryID]

    public init(record: Int64, version: Int64, deadline: Instant, requests: [EntryID]) {
        self.record = record
        self.version = version
        self.deadline = deadline
        self.requests = requests
    }

    public func write(to writer: inout WireWriter) {
        writer.number(1, record)
        writer.number(2, version)
        writer.number(3, deadline.milliseconds)
        writer.ids(4, requests)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        record = try reader.required(1)
        version = try reader.required(2)
        deadline = try reader.instant(3)
        requests = try reader.ids(4)
    }
}

/// A participant asks a witness to close one version of a record; the answer is in the witness's log.
public struct ClosingRequest: EntryBody {
    public static let kind = Kind.closingRequest
    public var salt: Hash32
    public var record: Int64
    public var version: Int64
    public var deadline: Instant

    public init(salt: Hash32, record: Int64, version: Int64, deadline: Instant) {
        self.salt = salt
        self.record = record
        self.version = version
        self.deadline = deadline
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, salt)
        writer.number(2, record)
        writer.number(3, version)
        writer.number(4, deadline.milliseconds)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        salt = try reader.id(1)
        record = try reader.required(2)
        version = try reader.required(3)
        deadline = try reader.instant(4)
    }
}

/// The arbiter begins epoch e + 1, first entry of its own log of the contract.
public struct TakeoverClaim: EntryBody {
    public static let kind = Kind.claim
    public var epoch: Int64
    /// A receipted request that went unanswered for longer than the response time.
    public var request: EntryID

    public init(epoch: Int64, request: EntryID) {
        self.epoch = epoch
        self.request = request
    }

    public func write(to writer: inout WireWriter) {
        writer.number(1, epoch)
        writer.id(2, request)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        epoch = try reader.required(1)
        request = try reader.id(2)
    }
}

/// Where the new epoch goes on from: the highest step that M witnesses, having receipted the claim, hold.
public struct Ruling: EntryBody {
    public static let kind = Kind.ruling
    public var epoch: Int64
    /// Sequence and id of the last step of the epoch before that stands.
    public var sequence: Int64
    public var step: EntryID
    /// Receipts of the claim, whole.
    public var receipts: [Entry]

    public init(epoch: Int64, sequence: Int64, step: EntryID, receipts: [Entry]) {
        self.epoch = epoch
        self.sequence = sequence
        self.step = step
        self.receipts = receipts
    }

    public func write(to writer: inout WireWriter) {
        writer.number(1, epoch)
        writer.number(2, sequence)
        writer.id(3, step)
        writer.messages(4, receipts)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        epoch = try reader.required(1)
        sequence = try reader.required(2)
        step = try reader.id(3)
        receipts = try reader.messages(4, Entry.self)
    }
}
