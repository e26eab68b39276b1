internal import HashTreeCollections
public import Entries
public import Identity

// A fork as a value that travels: two pieces of evidence, judged by what the reader holds of key logs.

extension ForkProof {
    /// Refused unless both entries are valid by themselves: each chain of headers holds, and its newest
    /// signature verifies under the one key that both name.
    ///
    /// Refused as `keyUnknown` or `gap` where a key log has to come first; then it is not false.
    public func check(keys: KeyLogs, checker: SignatureChecker) throws(LogRefusal) {
        if one.entry.kind == .key || two.entry.kind == .key {
            return try checkKeyLog(keys: keys, checker: checker)
        }
        guard one.entry.header.topic == two.entry.header.topic else {
            throw .foreign(two.entry.id)
        }
        guard let keyID = one.entry.header.key, two.entry.header.key == keyID else {
            throw .keysDiffer(one.entry.id, two.entry.id)
        }
        guard let key = keys.key(author, keyID) else {
            throw .keyUnknown(author: author, key: keyID)
        }
        try one.check(by: key, checker: checker)
        try two.check(by: key, checker: checker)
    }

    private func checkKeyLog(keys: KeyLogs, checker: SignatureChecker) throws(LogRefusal) {
        for evidence in [one, two] {
            guard evidence.chain.isEmpty else { throw .runUneven(at: sequence) }
            _ = try keys.decide(rival: evidence.entry, checker: checker)
        }
    }
}

extension Vouched {
    /// Newest first: a signature, then the run check down to the entry.
    func check(by key: PublicKey, checker: SignatureChecker) throws(LogRefusal) {
        let newest = chain.last ?? entry
        do {
            var valid = try ValidEntry(newest, by: key, checker: checker)
            for lower in ([entry] + chain).dropLast().reversed() {
                valid = try ValidEntry(lower, reachedBy: valid)
            }
        } catch {
            throw .entry(error)
        }
    }
}

extension Chains {
    /// What of `run` stands on a rival that is held; `nil` where it has to do with none.
    func decideBranch(
        _ run: [Entry], _ chain: Chain, keys: KeyLogs, checker: SignatureChecker
    ) throws(LogRefusal) -> Admission? {
        let fresh = run.drop { entry in
            guard let place = entry.header.log else { return false }
            return chain.rivals[entry.id] != nil || chain.id(at: place.sequence) == entry.id
        }
        guard let first = fresh.first, let newest = fresh.last else { return .known }
        guard let previous = first.header.log?.previous, chain.rivals[previous] != nil else {
            return nil
        }
        return .branches(
            try validate(Array(fresh), newest: newest, keys: keys, checker: checker))
    }

    /// Remembers a kept entry of another branch.
    public mutating func apply(rival valid: ValidEntry) {
        guard let place = valid.header.log, chains[place.log] != nil else { return }
        chains[place.log]?.rivals[valid.id] = Rival(
            sequence: place.sequence, previous: place.previous)
    }

    /// Marks a fork that a proof shows; this node may hold neither of the two.
    public mutating func apply(_ proof: ForkProof) {
        guard let chain = chains[proof.log] else { return }
        let (one, two) = (proof.one.entry.id, proof.two.entry.id)
        let held = chain.id(at: proof.sequence) == two ? two : one
        apply(
            Fork(sequence: proof.sequence, held: held, rival: held == one ? two : one),
            in: proof.log)
    }
}

extension Chains.Chain {
    /// The newest entry of every other branch that is held, by id.
    public var tips: [EntryID] {
        let below = Set(rivals.values.compactMap(\.previous))
        return rivals.keys.filter { !below.contains($0) }.sorted()
    }
}

extension KeyLogs {
    /// A key entry at a place that is held already, judged by what is held below it.
    public func decide(rival entry: Entry, checker: SignatureChecker) throws(LogRefusal)
        -> ValidEntry
    {
        let author = entry.header.author
        guard let place = entry.header.log, entry.kind == .key else {
            throw .notALogEntry(entry.id)
        }
        guard place.log == .key(author: author) else { throw .logIdWrong(place.log) }
        let held = entries(of: author)
        guard place.sequence <= Int64(held.count) + 1 else {
            throw .gap(log: place.log, held: Int64(held.count), offered: place.sequence)
        }
        let below = place.sequence > 1 ? held[Int(place.sequence) - 2] : nil
        guard place.previous == below?.id else {
            throw .forkElsewhere(log: place.log, sequence: place.sequence)
        }
        let body: KeyBody
        do { body = try entry.read(KeyBody.self) } catch { throw .entry(error) }
        let follows =
            below.map { $0.isFollowed(by: body, at: entry.header.time) }
            ?? (PublicKey(author) == body.publicKey)
        guard follows else { throw .keyLogBroken(author: author, sequence: place.sequence) }
        do { return try ValidEntry(entry, by: body.publicKey, checker: checker) } catch {
            throw .entry(error)
        }
    }
}
