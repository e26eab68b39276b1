public import Capacity
public import Identity

/// What a node that lost its home cannot fetch from logs: contract keys, loose statements, addresses and
/// names, and how far its own logs had come. Sealed for its author alone; partners keep it.
public struct Keepsake: Hashable, Sendable, WireMessage {
    public var time: Instant
    public var heads: [Head]
    public var contracts: [Contract]
    public var peers: [Peer]
    public var names: [Name]
    /// The alliances the author took part in.
    public var alliances: [Invitation]

    public init(
        time: Instant, heads: [Head], contracts: [Contract], peers: [Peer], names: [Name],
        alliances: [Invitation] = []
    ) {
        self.time = time
        self.heads = heads
        self.contracts = contracts
        self.peers = peers
        self.names = names
        self.alliances = alliances
    }

    public struct Head: Hashable, Sendable, WireMessage {
        public var log: LogID
        public var sequence: Int64

        public init(log: LogID, sequence: Int64) {
            self.log = log
            self.sequence = sequence
        }

        public func write(to writer: inout WireWriter) {
            writer.id(1, log)
            writer.number(2, sequence)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            log = try reader.id(1)
            sequence = try reader.required(2)
        }
    }

    public struct Contract: Hashable, Sendable, WireMessage {
        public var key: [UInt8]
        /// The proposal first.
        public var statements: [Entry]

        public init(key: [UInt8], statements: [Entry]) {
            self.key = key
            self.statements = statements
        }

        /// It takes no more in the snapshot: signature, tags and lengths of each statement are below 96.
        public var bytesMost: Int {
            statements.reduce(key.count + 16) {
                $0 + $1.headerBytes.count + ($1.body?.count ?? 0) + 96
            }
        }

        public func write(to writer: inout WireWriter) {
            writer.bytes(1, key)
            writer.messages(2, statements)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            key = try reader.bytes(1)
            statements = try reader.messages(2, Entry.self)
        }
    }

    public struct Peer: Hashable, Sendable, WireMessage {
        public var host: String
        public var port: Int64
        public var did: DID?

        public init(host: String, port: Int64, did: DID?) {
            self.host = host
            self.port = port
            self.did = did
        }

        public func write(to writer: inout WireWriter) {
            writer.text(1, host)
            writer.number(2, port)
            writer.id(3, did)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            host = try reader.requiredText(1)
            port = try reader.required(2)
            did = try reader.optionalID(3)
        }
    }

    public struct Name: Hashable, Sendable, WireMessage {
        public var did: DID
        public var name: String

        public init(did: DID, name: String) {
            self.did = did
            self.name = name
        }

        public func write(to writer: inout WireWriter) {
            writer.id(1, did)
            writer.text(2, name)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            did = try reader.id(1)
            name = try reader.requiredText(2)
        }
    }

    public func write(to writer: inout WireWriter) {
        writer.number(1, time.milliseconds)
        writer.messages(2, heads)
        writer.messages(3, contracts)
        writer.messages(4, peers)
        writer.messages(5, names)
        writer.messages(6, alliances)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        time = try reader.instant(1)
        heads = try reader.messages(2, Head.self)
        contracts = try reader.messages(3, Contract.self)
        peers = try reader.messages(4, Peer.self)
        names = try reader.messages(5, Name.self)
        alliances = try reader.messages(6, Invitation.self)
    }

    /// Of two snapshots that say the same, whenever they were made, the same: statements count by their ids.
    public var fingerprint: Hash32 {
        var rest = self
        rest.time = .earliest
        rest.contracts = []
        return SHA256.hash(
            contracts.reduce(into: rest.wire) { all, contract in
                all += contract.key
                for statement in contract.statements { all += statement.id.bytes }
            })
    }

    // MARK: - Sealed

    /// The largest size class: with nonce and tag it fits a frame.
    public static let plainBytesMax = 128 * 1024
    private static let plainBytesMin = 4 * 1024
    private static let signedBytes = 32 + 64
    /// So many it may take itself: signature, and the octet that ends it, come on top.
    public static let wireBytesMax = plainBytesMax - signedBytes - 1

    /// `24 nonce ‖ XChaCha20-Poly1305(key entry ‖ signature ‖ padded)`; `nil` where it is larger than the
    /// largest class. What it is sealed with stays when the author changes the key, so it is signed as well.
    public func sealed(
        for author: DID, key: SecretBytes, nonce: [UInt8], signing: SigningKey,
        broughtInBy entry: EntryID
    ) -> [UInt8]? {
        let wire = wire
        let signature = signing.sign(Self.data(author) + entry.bytes + wire)
        var plain = entry.bytes + signature.bytes + wire + [0x80]
        var size = Self.plainBytesMin
        while size < plain.count { size *= 2 }
        guard size <= Self.plainBytesMax else { return nil }
        plain += [UInt8](repeating: 0, count: size - plain.count)
        return nonce
            + XChaCha20Poly1305.seal(
                plain, nonce: nonce, key: key.exposed, authenticating: Self.data(author))
    }

    /// One that opened and is whole. Who signed it is still to be looked at.
    public struct Opened: Sendable {
        public let keepsake: Keepsake
        /// The key entry under which it was signed, as it says.
        public let key: EntryID
        private let signature: Signature
        private let message: [UInt8]

        /// `nil` where it is not `author`'s, or not whole.
        public init?(opening sealed: [UInt8], of author: DID, key: SecretBytes) {
            let nonce = Array(sealed.prefix(XChaCha20Poly1305.nonceBytes))
            guard
                let padded = XChaCha20Poly1305.open(
                    Array(sealed.dropFirst(nonce.count)), nonce: nonce, key: key.exposed,
                    authenticating: Keepsake.data(author)),
                let end = padded.lastIndex(where: { $0 != 0 }), padded[end] == 0x80,
                end >= Keepsake.signedBytes, let entry = EntryID(padded[..<32]),
                let signature = Signature(padded[32..<Keepsake.signedBytes])
            else { return nil }
            let wire = Array(padded[Keepsake.signedBytes..<end])
            guard let keepsake = try? Keepsake(strict: wire) else { return nil }
            self.keepsake = keepsake
            self.key = entry
            self.signature = signature
            message = Keepsake.data(author) + entry.bytes + wire
        }

        public func isSigned(byCheckedKey key: PublicKey, checker: SignatureChecker) -> Bool {
            checker.verifies(signature, of: message, byCheckedKey: key)
        }
    }

    private static func data(_ author: DID) -> [UInt8] {
        Array("talea.keepsake.v2".utf8) + author.bytes
    }
}
