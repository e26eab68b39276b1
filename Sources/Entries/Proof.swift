public import Identity

/// One signed thing of a contract for a reader who has nothing else: a step or a settlement with its body
/// opened, or a request alone. Small enough for a QR code, where nobody in it had changed the key.
///
/// It is no entry and bears no signature of its own: it carries those that were made.
public struct Proof: Hashable, Sendable {
    public var contract: ContractID
    /// A step or a settlement, without its body; or a request, with it.
    public var entry: Entry
    /// Of a step or a settlement alone.
    public var opening: Opening?
    /// Who writes the contract log that requests name; absent where `entry` is in that log.
    public var sequencer: DID?
    /// With witnesses a request's body is sealed once more.
    public var requestKey: Hash32?
    /// Key logs of those who signed under another key than their first, from its first entry on.
    public var keys: [Entry]

    /// From what a private body is made again: so the padding need not be carried.
    public struct Opening: Hashable, Sendable, WireMessage {
        public static let nonceBytes = 24
        public var nonce: [UInt8]
        public var bodyKey: Hash32
        public var plain: [UInt8]

        public init(nonce: [UInt8], bodyKey: Hash32, plain: [UInt8]) {
            self.nonce = nonce
            self.bodyKey = bodyKey
            self.plain = plain
        }

        public func write(to writer: inout WireWriter) {
            writer.bytes(1, nonce)
            writer.id(2, bodyKey)
            writer.bytes(3, plain)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            nonce = try reader.bytes(1)
            guard nonce.count == Self.nonceBytes else {
                throw .wireLength(field: 1, bytes: nonce.count)
            }
            bodyKey = try reader.id(2)
            plain = try reader.bytes(3)
        }
    }

    public static let bytesMax = 128 * 1024

    public init(
        contract: ContractID, entry: Entry, opening: Opening? = nil, sequencer: DID? = nil,
        requestKey: Hash32? = nil, keys: [Entry] = []
    ) {
        self.contract = contract
        self.entry = entry
        self.opening = opening
        self.sequencer = sequencer
        self.requestKey = requestKey
        self.keys = keys
    }
}

extension Proof: WireMessage {
    public func write(to writer: inout WireWriter) {
        writer.id(1, contract)
        writer.message(2, entry)
        writer.message(3, opening)
        writer.id(4, sequencer)
        writer.id(5, requestKey)
        writer.messages(6, keys)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        contract = try reader.id(1)
        entry = try reader.message(2, Entry.self)
        opening = try reader.optionalMessage(3, Opening.self)
        sequencer = try reader.optionalID(4)
        requestKey = try reader.optionalID(5)
        keys = try reader.messages(6, Entry.self)
    }
}

/// Where a proof lies that is too large for a picture, and by what it is known.
public struct ProofPlace: Hashable, Sendable, WireMessage {
    /// SHA-256 of the file's octets.
    public var hash: Hash32
    public var bytes: Int64
    public var address: String

    public init(hash: Hash32, bytes: Int64, address: String) {
        self.hash = hash
        self.bytes = bytes
        self.address = address
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, hash)
        writer.number(2, bytes)
        writer.text(3, address)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        hash = try reader.id(1)
        bytes = try reader.required(2)
        address = try reader.requiredText(3)
    }
}

/// The one line of text that is in the picture, all of it in the letters that a QR code packs best.
public enum ProofText: Hashable, Sendable {
    case proof(Proof)
    case place(ProofPlace)

    public static let proofLead = "TALEA1:"
    public static let placeLead = "TALEA1-AT:"

    public var text: String {
        switch self {
        case .proof(let proof): Self.proofLead + Base45.text(proof.wire)
        case .place(let place): Self.placeLead + Base45.text(place.wire)
        }
    }

    /// `nil`: it does not begin as one of ours.
    public init?(_ text: some StringProtocol) throws(EntryRefusal) {
        let utf8 = Array(text.utf8)
        if utf8.starts(with: Self.proofLead.utf8) {
            self = .proof(try Proof(strict: try Self.bytes(utf8, after: Self.proofLead)))
        } else if utf8.starts(with: Self.placeLead.utf8) {
            self = .place(try ProofPlace(strict: try Self.bytes(utf8, after: Self.placeLead)))
        } else {
            return nil
        }
    }

    private static func bytes(_ text: [UInt8], after lead: String) throws(EntryRefusal) -> [UInt8] {
        let limit = Proof.bytesMax / 2 * 3
        guard text.count <= limit else {
            throw .tooLarge(what: "proof", bytes: text.count, limit: limit)
        }
        guard let bytes = Base45.bytes(text[lead.utf8.count...]) else { throw .wireText(field: 0) }
        return bytes
    }
}

/// RFC 9285: two octets as three letters, a last one as two.
enum Base45 {
    private static let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".utf8)

    static func text(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 2) {
            let isPair = start + 1 < bytes.count
            var value = isPair ? Int(bytes[start]) << 8 | Int(bytes[start + 1]) : Int(bytes[start])
            for _ in 0..<(isPair ? 3 : 2) {
                text.append(letters[value % 45])
                value /= 45
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `nil` for any other letter, a length that no octets have, or a group above them.
    static func bytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            guard group.count > 1 else { return nil }
            var value = 0
            for letter in group.reversed() {
                guard let digit = letters.firstIndex(of: letter) else { return nil }
                value = value * 45 + digit
            }
            if group.count == 3 {
                guard value <= 0xffff else { return nil }
                bytes.append(UInt8(value >> 8))
            } else {
                guard value <= 0xff else { return nil }
            }
            bytes.append(UInt8(value & 0xff))
        }
        return bytes
    }
}
