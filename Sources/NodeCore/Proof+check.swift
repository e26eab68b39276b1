public import Capacity
public import Entries
public import Identity
internal import Logs

/// What holds in a proof, found out with nothing else at hand. Who signed, by which key, when by their own
/// clock, in or about which log; not what the step did to the contract, nor whether more came after.
public struct Proven: Hashable, Sendable {
    public let proof: Proof
    public let act: SignedAct
    /// Whoever asked for it; the writer, where the step was its own right.
    public let actor: DID
    /// Everyone whose signature stands in it, the writer of the entry first.
    public let signatures: [Signed]
    /// As the writer signed that they stood afterwards; none of a request or a settlement.
    public let records: [Step.RecordChange]

    public struct Signed: Hashable, Sendable {
        public let part: Part
        public let author: DID
        /// By the clock of whoever signed.
        public let time: Instant

        public enum Part: String, Hashable, Sendable {
            case wrote, asked, consented, proposed, witnessed
            /// It is about something else, as a line is.
            case beside
        }
    }

    public var entry: Entry { proof.entry }
}

extension Proof {
    /// Refused unless every signature in it verifies and everything in it belongs together.
    public func check() throws(BundleRefusal) -> Proven {
        guard wire.count <= Self.bytesMax else {
            throw .entry(.tooLarge(what: "proof", bytes: wire.count, limit: Self.bytesMax))
        }
        // What the entry says by itself is not told twice.
        guard sequencer != entry.header.author else { throw .foreign(entry.id) }
        var parts: [(Proven.Signed.Part, Entry)] = []
        var (act, records): (SignedAct?, [Step.RecordChange]) = (nil, [])
        var request: Entry?
        switch entry.kind {
        case .request:
            guard opening == nil else { throw .bodyAndKey(entry.id) }
            request = entry
        case .step, .settlement:
            let (whole, content) = try opened()
            parts.append((.wrote, whole))
            (request, act, records) = (content.request, content.own, content.records)
            let others = content.embedded.filter { $0 != content.request }
            parts += others.map { (Self.part(of: $0, among: others, of: content.request), $0) }
            guard request != nil || (sequencer == nil && requestKey == nil) else {
                throw .bodyAndKey(entry.id)
            }
        case nil, .some: throw .foreign(entry.id)
        }
        if let request {
            let log = LogID.contract(contract, author: sequencer ?? entry.header.author)
            guard request.kind == .request, request.header.statement?.about == log,
                request.header.topic == entry.header.topic
            else { throw .foreign(request.id) }
            parts.insert((.asked, request), at: min(parts.count, 1))
            act = try Disclosure.act(of: request, key: requestKey?.bytes)
        }
        guard let act else { throw .bodyAndKey(entry.id) }
        try checkSignatures(of: parts.map(\.1))
        return Proven(
            proof: self, act: act, actor: (request ?? entry).header.author,
            signatures: parts.map {
                .init(part: $0.0, author: $0.1.header.author, time: $0.1.header.time)
            }, records: records)
    }

    /// Whoever signed under the first key needs no key log: an identity is that key.
    private func checkSignatures(of all: [Entry]) throws(BundleRefusal) {
        let checker = SignatureChecker()
        let logs = try CheckedLogs(keys: keys, entries: [], checker: checker)
        for one in all {
            let author = one.header.author
            if logs.keyLogs.knows(author) {
                _ = try logs.valid(one)
                continue
            }
            do { _ = try ValidEntry(one, by: PublicKey(author), checker: checker) } catch {
                throw .entry(error)
            }
        }
        // No key log that nothing needs, and none longer than that.
        for author in logs.keyLogs.authors {
            let held = logs.keyLogs.entries(of: author)
            guard held.count > 1, let last = held.last,
                all.contains(where: { $0.header.author == author && $0.header.key == last.id })
            else { throw .keyUnknown(author) }
        }
    }

    /// The entry with its body, made again out of what was inside.
    private func opened() throws(BundleRefusal) -> (Entry, Disclosure.Content) {
        let author = entry.header.author
        guard let opening, entry.body == nil, let place = entry.header.log else {
            throw .bodyAndKey(entry.id)
        }
        guard
            place.log == .contract(contract, author: author)
                || place.log == .contract(contract, author: author, epoch: 1)
        else { throw .foreign(entry.id) }
        let whole: Entry
        do {
            let body = try PrivateBody.seal(
                opening.plain, key: opening.bodyKey.bytes, nonce: opening.nonce, author: author,
                place: place)
            whole = try Entry(
                headerBytes: entry.headerBytes, signature: entry.signature, body: body)
        } catch {
            throw .entry(error)
        }
        return (whole, try Disclosure.Content(whole, key: opening.bodyKey.bytes))
    }

    private static func part(of entry: Entry, among all: [Entry], of request: Entry?)
        -> Proven.Signed.Part
    {
        let proposal = all.first { $0.kind == .proposal }
        if let acceptance = try? entry.read(Acceptance.self) {
            let isOurs = [request?.id, proposal?.id].contains(acceptance.statement)
            return isOurs ? .consented : .beside
        }
        if let receipt = try? entry.read(Receipt.self), receipt.subject == request?.id {
            return .witnessed
        }
        return entry == proposal ? .proposed : .beside
    }
}

extension Node {
    /// One step for a reader who has nothing else; with `requestAlone` only what was asked for, so that
    /// nothing is shown of what the step changed. `entry` as storage gave it.
    public func proof(
        of held: HeldContract, _ entry: Entry, requestAlone: Bool = false
    ) throws(BundleRefusal) -> Proof {
        guard let place = entry.header.log, let body = entry.body, Disclosure.isPrivate(entry)
        else { throw .bodyAndKey(entry.id) }
        let bodyKey = held.key.bodyKey(log: place.log, sequence: place.sequence)
        let content = try Disclosure.Content(entry, key: bodyKey)
        var proof = Proof(contract: held.id, entry: entry.withoutBody)
        if requestAlone {
            guard let request = content.request else { throw .bodyAndKey(entry.id) }
            proof.entry = request
        } else {
            proof.opening = .init(
                nonce: Array(body.prefix(Proof.Opening.nonceBytes)),
                bodyKey: Hash32(bodyKey) ?? .zero, plain: content.plain)
        }
        if content.request != nil {
            let first = held.proposal.sequencer
            proof.sequencer = first == proof.entry.header.author ? nil : first
            proof.requestKey = content.requestKey(from: held.key).flatMap { Hash32($0) }
        }
        for author in Set(([entry] + content.embedded).map(\.header.author)).sorted() {
            proof.keys += keyEntries(of: author, in: [entry] + content.embedded)
        }
        if requestAlone, let request = content.request {
            proof.keys = keyEntries(of: request.header.author, in: [request])
        }
        _ = try proof.check()
        return proof
    }

    /// Up to the newest under which `author` signed one of these; none where that is the first.
    private func keyEntries(of author: DID, in signed: [Entry]) -> [Entry] {
        let all = keyLogs.log(of: author)
        let used = Set(signed.filter { $0.header.author == author }.compactMap(\.header.key))
        guard let last = all.lastIndex(where: { used.contains($0.id) }), last > 0 else { return [] }
        return Array(all[...last])
    }
}
