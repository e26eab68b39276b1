/// The end of a contract whose sequencer fell silent: what all others signed, in the log of one of them. Who
/// wrote it does not matter; the statements inside carry every signature that counts.
public struct Settlement: EntryBody {
    public static let kind = Kind.settlement
    /// Asks for the end; its header names the basis.
    public var request: Entry
    /// Acceptances of it by everyone else but the sequencer.
    public var consents: [Entry]

    public init(request: Entry, consents: [Entry]) {
        self.request = request
        self.consents = consents
    }

    public func write(to writer: inout WireWriter) {
        writer.message(1, request)
        writer.messages(2, consents)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        request = try reader.message(1, Entry.self)
        consents = try reader.messages(2, Entry.self)
    }
}
