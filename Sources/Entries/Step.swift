public import Identity

/// One step of a contract. It holds whole what its reader must check, so that an export is one run.
public struct Step: EntryBody {
    public static let kind = Kind.step
    /// The sequencer's own act; absent where a request is admitted.
    public var act: SignedAct?
    public var request: Entry?
    /// Acceptances of the proposal (step 1), of the child proposal, of the request, acknowledgements.
    public var consents: [Entry]
    public var lines: [Entry]
    /// Receipts and closings of witnesses.
    public var receipts: [Entry]
    public var keys: [Entry]
    /// Records as they stand after this step, those it changed alone.
    public var records: [RecordChange]
    /// The state digest that results.
    public var digest: Hash32
    /// Sequencer epoch; 0 until a takeover.
    public var epoch: Int64
    /// Step 1 and a child's step 1 alone.
    public var proposal: Entry?

    public struct RecordChange: Hashable, Sendable, WireMessage {
        public var record: Int64
        public var state: String
        public var fields: [Argument]

        public init(record: Int64, state: String, fields: [Argument]) {
            self.record = record
            self.state = state
            self.fields = fields
        }

        public func write(to writer: inout WireWriter) {
            writer.number(1, record)
            writer.text(2, state)
            writer.messages(3, fields)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            record = try reader.required(1)
            state = try reader.identifier(2)
            fields = try reader.arguments(3)
        }
    }

    public init(
        act: SignedAct?, request: Entry?, consents: [Entry] = [], lines: [Entry] = [],
        receipts: [Entry] = [], keys: [Entry] = [], records: [RecordChange], digest: Hash32,
        epoch: Int64 = 0, proposal: Entry? = nil
    ) {
        self.act = act
        self.request = request
        self.consents = consents
        self.lines = lines
        self.receipts = receipts
        self.keys = keys
        self.records = records
        self.digest = digest
        self.epoch = epoch
        self.proposal = proposal
    }

    public func write(to writer: inout WireWriter) {
        writer.message(1, act)
        writer.message(2, request)
        writer.messages(3, consents)
        writer.messages(4, lines)
        writer.messages(5, receipts)
        writer.messages(6, keys)
        writer.messages(7, records)
        writer.id(8, digest)
        writer.number(9, epoch)
        writer.message(10, proposal)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        act = try reader.optionalMessage(1, SignedAct.self)
        request = try reader.optionalMessage(2, Entry.self)
        consents = try reader.messages(3, Entry.self)
        lines = try reader.messages(4, Entry.self)
        receipts = try reader.messages(5, Entry.self)
        keys = try reader.messages(6, Entry.self)
        records = try reader.messages(7, RecordChange.self)
        digest = try reader.id(8)
        epoch = try reader.number(9)
        proposal = try reader.optionalMessage(10, Entry.self)
        guard (act == nil) != (request == nil) else {
            throw .headerShape("a step holds either an act of its author or a request")
        }
    }
}
