public import Entries
public import Identity

/// A few steps of a contract for somebody who is to know no more: whole logs of headers and signatures,
/// and the bodies of those steps with their keys. What a step did to the contract cannot be told from it.
public struct Disclosure: Hashable, Sendable {
    public var contract: ContractID
    public var keys: [Entry]
    public var parts: [Part]

    public struct Part: Hashable, Sendable {
        /// Without its body where it is hidden.
        public var entry: Entry
        public var bodyKey: [UInt8]?
        /// With witnesses: a request's body is sealed once more inside the step.
        public var requestKey: [UInt8]?

        public init(entry: Entry, bodyKey: [UInt8]? = nil, requestKey: [UInt8]? = nil) {
            self.entry = entry
            self.bodyKey = bodyKey
            self.requestKey = requestKey
        }
    }

    public init(contract: ContractID, keys: [Entry], parts: [Part]) {
        self.contract = contract
        self.keys = keys
        self.parts = parts
    }

    /// One entry as a stranger reads it.
    public struct Opened: Hashable, Sendable {
        public let entry: Entry
        /// Who asked; `nil` where the body is hidden or is no step.
        public let actor: DID?
        public let act: SignedAct?
        public var isHidden: Bool { Disclosure.isPrivate(entry) && entry.body == nil }
    }

    /// The logs are whole, every signature outside and inside of bodies verifies, and each body shown is
    /// the one that was signed.
    public func opened() throws(BundleRefusal) -> [Opened] {
        let logs = try CheckedLogs(
            keys: keys, entries: parts.map(\.entry), checker: SignatureChecker())
        let topic = parts.first?.entry.header.topic
        var opened: [Opened] = []
        for part in parts {
            let (entry, author) = (part.entry, part.entry.header.author)
            let lawful = [
                LogID.contract(contract, author: author),
                .contract(contract, author: author, epoch: 1),
            ]
            guard let log = entry.header.log?.log, lawful.contains(log),
                entry.header.topic == topic
            else { throw .foreign(entry.id) }
            guard (part.bodyKey != nil) == (Self.isPrivate(entry) && entry.body != nil),
                Self.isPrivate(entry) || entry.body != nil,
                part.bodyKey != nil || part.requestKey == nil
            else { throw .bodyAndKey(entry.id) }
            guard let key = part.bodyKey else {
                opened.append(Opened(entry: entry, actor: nil, act: nil))
                continue
            }
            let content = try Content(entry, key: key)
            for inner in content.embedded { _ = try logs.valid(inner) }
            opened.append(
                Opened(
                    entry: entry, actor: content.request?.header.author ?? author,
                    act: try content.act(part.requestKey)))
        }
        return opened
    }

    static func isPrivate(_ entry: Entry) -> Bool {
        entry.kind == .step || entry.kind == .settlement
    }

    /// With witnesses a request's body is sealed, and opens with `key`.
    static func act(of request: Entry, key: [UInt8]?) throws(BundleRefusal) -> SignedAct {
        do {
            if let key { return try Request(opening: request, key: key).act }
            return try request.read(Request.self).act
        } catch {
            throw .entry(error)
        }
    }

    /// What a private body holds.
    struct Content {
        let plain: [UInt8]
        let request: Entry?
        /// The writer's own act.
        let own: SignedAct?
        let records: [Step.RecordChange]
        /// Everything in it that somebody signed, key entries aside.
        let embedded: [Entry]

        init(_ entry: Entry, key: [UInt8]) throws(BundleRefusal) {
            guard let place = entry.header.log, let body = entry.body else {
                throw .bodyAndKey(entry.id)
            }
            do {
                plain = try PrivateBody.open(
                    body, key: key, author: entry.header.author, place: place)
                if entry.kind == .settlement {
                    let settlement = try Settlement(strict: plain)
                    (request, own, records) = (settlement.request, nil, [])
                    embedded = [settlement.request] + settlement.consents
                } else {
                    let step = try Step(strict: plain)
                    (request, own, records) = (step.request, step.act, step.records)
                    embedded =
                        [step.request, step.proposal].compactMap(\.self) + step.consents
                        + step.lines + step.receipts
                }
            } catch {
                throw .entry(error)
            }
        }

        func act(_ requestKey: [UInt8]?) throws(BundleRefusal) -> SignedAct? {
            guard let request else { return own }
            return try Disclosure.act(of: request, key: requestKey)
        }

        func requestKey(from key: ContractKey) -> [UInt8]? {
            guard let request, (try? request.read(Request.self)) == nil else { return nil }
            return key.requestKey(of: request)
        }
    }
}
