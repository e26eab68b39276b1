/// That `key` signed `message`, as somebody says.
public struct SignatureClaim: Sendable {
    let signature: Signature
    let message: [UInt8]
    let key: PublicKey

    /// `key` is of prime order, as the caller has seen.
    public init(_ signature: Signature, of message: [UInt8], byCheckedKey key: PublicKey) {
        self.signature = signature
        self.message = message
        self.key = key
    }
}

/// Claims that were looked into before anybody asked. Made by `SignatureChecker` alone, so that nobody
/// can put a verdict of his own in.
public struct SignatureVerdicts: Sendable {
    private struct Verdict {
        let message: [UInt8]
        let key: PublicKey
        let holds: Bool
    }

    private var verdicts: [Signature: Verdict] = [:]

    public init() {}

    mutating func add(_ claim: SignatureClaim, _ holds: Bool) {
        verdicts[claim.signature] = Verdict(
            message: claim.message, key: claim.key, holds: holds)
    }

    mutating func add(_ others: SignatureVerdicts) {
        verdicts.merge(others.verdicts) { _, last in last }
    }

    /// `nil` if nobody looked into just this.
    func holds(_ signature: Signature, of message: [UInt8], by key: PublicKey) -> Bool? {
        guard !verdicts.isEmpty, let verdict = verdicts[signature], verdict.message == message,
            verdict.key == key
        else { return nil }
        return verdict.holds
    }
}

extension SignatureChecker {
    /// So many are worth a task of their own.
    private static let share = 16

    /// Looks into all of them, side by side: a signature stands by itself, and is most of what an entry
    /// costs.
    public func verdicts(on claims: [SignatureClaim]) async -> SignatureVerdicts {
        guard !claims.isEmpty else { return SignatureVerdicts() }
        return await withTaskGroup(of: SignatureVerdicts.self) { group in
            for start in stride(from: 0, to: claims.count, by: Self.share) {
                group.addTask {
                    var verdicts = SignatureVerdicts()
                    for claim in claims[start..<min(start + Self.share, claims.count)] {
                        verdicts.add(
                            claim,
                            verifies(claim.signature, of: claim.message, byCheckedKey: claim.key))
                    }
                    return verdicts
                }
            }
            return await group.reduce(into: SignatureVerdicts()) { $0.add($1) }
        }
    }
}
