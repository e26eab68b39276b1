public import Entries
public import Identity
public import Logs

extension Genesis {
    /// A home made anew from the recovery code and the key log that others still hold: the same identity
    /// under its next key. Everything else comes from those who hold it.
    public init(
        recovering keyEntries: [ValidEntry], with code: RecoveryCode, joining alliance: Alliance
    ) throws(NodeRefusal) {
        guard let last = keyEntries.last, let place = last.header.log,
            let body = try? last.entry.read(KeyBody.self)
        else { throw .recoveryCodeWrong(rotations: 0) }
        let next = UInt32(clamping: place.sequence + 1)
        let key = code.nextKey(index: next)
        guard body.nextKeyHash == .nextKey(key.publicKey) else {
            throw .recoveryCodeWrong(rotations: keyEntries.count - 1)
        }
        let entry: ValidEntry
        do {
            entry = try KeyBody(
                publicKey: key.publicKey,
                nextKeyHash: .nextKey(code.nextKey(index: next + 1).publicKey),
                reason: KeyBody.recovered
            ).signed(
                by: key, of: last.header.author, sequence: place.sequence + 1, after: last.id,
                at: last.header.time)
        } catch {
            throw .entry(error)
        }
        self.init(
            own: Own(
                did: last.header.author, keyEntry: entry.id, key: key, nodeSecret: code.nodeSecret),
            alliance: alliance, entries: keyEntries + [entry])
    }
}

extension KeyLogs {
    /// The identity whose newest key entry commits to this code's next key.
    public func author(recoverable code: RecoveryCode) -> DID? {
        authors.first { author in
            let held = entries(of: author)
            let next = code.nextKey(index: UInt32(clamping: held.count + 1)).publicKey
            return held.last?.nextKeyHash == .nextKey(next)
        }
    }
}

extension Node {
    /// The key entries of `author`, from the first on, as they are held here.
    public func keyLog(of author: DID) -> [ValidEntry] {
        keyLogs.log(of: author).map { ValidEntry(stored: $0, ownSignatureChecked: true) }
    }
}
