internal import Entries
public import Identity
internal import Logs
public import Replication

// Most of what an entry costs is its signature, and that can be looked into on another processor before
// the entry's turn comes. The node says which signatures those are; what is found changes nothing but time.
extension Node {
    /// The signature on which the frame's entries will be judged; `nil` where they may not be judged by
    /// one, or not at all.
    public func claim(in frame: Frame, from id: PeerID) -> SignatureClaim? {
        guard let connection = connections[id], connection.stands,
            let newest = newestEntry(in: frame), let place = newest.header.log,
            chains.head(place.log) < place.sequence,
            let topic = newest.header.topic, connection.session.shared.contains(topic),
            belongs(place.log, author: newest.header.author, topic: topic),
            let keyID = newest.header.key,
            let key = keyLogs.key(newest.header.author, keyID)
        else { return nil }
        return SignatureClaim(
            newest.signature, of: newest.signedBytes, byCheckedKey: key)
    }

    private func newestEntry(in frame: Frame) -> Entry? {
        switch try? Message(frame) {
        case .push(let wire), .treePush(_, let wire): try? Entry(strict: wire)
        case .entries(let wires, done: _): wires.last.flatMap { try? Entry(strict: $0) }
        default: nil
        }
    }

    /// What the inputs that follow need not compute; nothing once they are done.
    public mutating func foresee(_ verdicts: SignatureVerdicts) { checker.ahead = verdicts }
}
