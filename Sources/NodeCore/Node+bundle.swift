internal import HashTreeCollections
internal import Contracts
public import Entries
public import Identity
internal import Logs

// A contract leaves its node and is folded again elsewhere: by a node of nobody that holds nothing else.
// So what a reader of the bundle sees is what every node would see that has these entries.

extension Node {
    /// Refused unless every entry in it verifies, belongs to the contract, and the fold reaches its end.
    public init(folding bundle: Bundle) throws(BundleRefusal) {
        let checker = SignatureChecker()
        let contract = bundle.key.contract
        let logs = try CheckedLogs(
            keys: bundle.keys, entries: bundle.entries, forks: bundle.forks, checker: checker)
        var snapshot = Snapshot()
        snapshot.entries = logs.entries
        for fork in bundle.forks { try logs.check(fork) }
        snapshot.proofs = bundle.forks
        for statement in bundle.statements {
            snapshot.statements.append((try logs.valid(statement), contract))
        }
        let template: Template
        do { template = try Template.read(bundle.template) } catch { throw .template(error) }
        snapshot.templates = [bundle.template]
        snapshot.contractKeys = [bundle.key.bytes]
        let (own, alliance) = Self.nobody()
        self.init(
            own: own, alliance: alliance, snapshot: snapshot, checker: checker,
            known: [template.hash: template])
        try check(bundle)
    }

    /// Signs nothing: what it holds is folded and nothing more.
    private static func nobody() -> (Own, Alliance) {
        let key = SigningKey(seed: SecretBytes(SHA256.hash(Array("nobody".utf8)).bytes))!
        let did = DID(key.publicKey)
        let founding = Founding(name: "nobody", stewards: [did], nonce: .zero)
        return (
            Own(did: did, keyEntry: .zero, key: key, nodeSecret: SecretBytes(did.bytes)),
            (try? Alliance(foundingBody: founding.wire))!
        )
    }

    /// Nothing in the bundle was passed over.
    private func check(_ bundle: Bundle) throws(BundleRefusal) {
        guard let held = contracts[bundle.key.contract],
            bundle.statements.first == held.proposalEntry
        else { throw .proposalMissing }
        let named = held.participants + held.witnesses
        for statement in bundle.statements {
            guard held.said.contains(statement), statement.header.topic == held.key.topic,
                statement.header.statement?.about == held.log,
                named.contains(statement.header.author)
            else { throw .foreign(statement.id) }
        }
        for entry in bundle.entries {
            guard let log = entry.header.log?.log, entry.header.topic == held.key.topic,
                contractOfLog[log] == held.id,
                belongs(log, author: entry.header.author, topic: entry.header.topic)
            else { throw .foreign(entry.id) }
        }
        for fork in bundle.forks {
            let log = fork.log
            guard log == .key(author: fork.author) || contractOfLog[log] == held.id else {
                throw .foreign(fork.one.entry.id)
            }
        }
        if let refusal = held.foldRefusal { throw .fold(refusal) }
        guard let fold = held.fold else { throw .fold(.templateWrong(held.proposal.template)) }
        switch fold.halt {
        // What the sequencer did, and no lack of the bundle.
        case nil, .forked, .unreadable: break
        case .some(let halt): throw .halted(halt)
        }
    }

    // MARK: - Out of a node

    /// The logs of a contract that this node holds, its sequencer's first, and how far each goes.
    public func logs(of contract: ContractID) -> [(log: LogID, head: Int64)] {
        guard let held = contracts[contract] else { return [] }
        let all = (logsOfTopic[held.key.topic] ?? []).filter { contractOfLog[$0] == contract }
        return all.sorted { ($0 == held.log ? 0 : 1, $0) < ($1 == held.log ? 0 : 1, $1) }
            .map { ($0, chains.head($0)) }
    }

    /// `entries` as storage gave them for `logs(of:)`.
    public func bundle(
        of held: HeldContract, entries: [Entry]
    ) throws(BundleRefusal) -> Bundle {
        guard let template = held.fold?.template.bytes else {
            throw .fold(held.foldRefusal ?? .templateWrong(held.proposal.template))
        }
        let inner = try authors(in: entries, of: held).union(held.said.map(\.header.author))
            .sorted()
        let logs = Set(entries.compactMap { $0.header.log?.log })
            .union(inner.map { .key(author: $0) })
        let bundle = Bundle(
            key: held.key, template: template, keys: inner.flatMap(keyLog(asHeld:)),
            statements: held.said, entries: entries,
            forks: logs.sorted().compactMap { proofs[$0] })
        // Whoever exports what does not hold is told at once.
        _ = try Node(folding: bundle)
        return bundle
    }

    /// Those steps for anyone to read; of the others header and signature alone.
    public func disclosure(
        of held: HeldContract, steps: Set<Int64>, entries: [Entry]
    ) throws(BundleRefusal) -> Disclosure {
        var shown: Set<EntryID> = []
        for number in steps.sorted() {
            guard let step = held.fold?.steps.first(where: { $0.sequence == number }) else {
                throw .stepUnknown(number)
            }
            shown.insert(step.id)
        }
        let steps = entries.filter { !held.witnesses.contains($0.header.author) }
        let authors = try authors(in: steps.filter { shown.contains($0.id) }, of: held)
            .union(steps.map(\.header.author)).sorted()
        var parts: [Disclosure.Part] = []
        for entry in steps {
            guard Disclosure.isPrivate(entry), let place = entry.header.log else {
                parts.append(.init(entry: entry))
                continue
            }
            guard shown.contains(entry.id) else {
                parts.append(.init(entry: entry.withoutBody))
                continue
            }
            let key = held.key.bodyKey(log: place.log, sequence: place.sequence)
            let content = try Disclosure.Content(entry, key: key)
            parts.append(
                .init(entry: entry, bodyKey: key, requestKey: content.requestKey(from: held.key)))
        }
        let disclosure = Disclosure(
            contract: held.id, keys: authors.flatMap(keyLog(asHeld:)), parts: parts)
        _ = try disclosure.opened()
        return disclosure
    }

    /// The key log of `author` with what is held at and above the place where it parts: nobody goes on under
    /// those keys, and what was signed under them stands.
    private func keyLog(asHeld author: DID) -> [Entry] {
        let log = LogID.key(author: author)
        guard forkedAt[log] != nil, let chain = chains.chain(log), chain.head > 0 else {
            return keyLogs.log(of: author)
        }
        return (1...chain.head).compactMap { chain.id(at: $0) }
            .compactMap { keyLogs.entry(author, $0) }
    }

    /// Everyone who signed one of these or something inside.
    private func authors(in entries: [Entry], of held: HeldContract) throws(BundleRefusal)
        -> Set<DID>
    {
        var found = Set(entries.map(\.header.author))
        for entry in entries {
            guard let place = entry.header.log else { continue }
            if Disclosure.isPrivate(entry) {
                let key = held.key.bodyKey(log: place.log, sequence: place.sequence)
                // What cannot be read names nobody.
                let content = try? Disclosure.Content(entry, key: key)
                found.formUnion((content?.embedded ?? []).map(\.header.author))
            } else if let ruling = try? entry.read(Ruling.self) {
                found.formUnion(ruling.receipts.map(\.header.author))
            }
        }
        return found
    }
}
