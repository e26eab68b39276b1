internal import Entries

extension Node {
    /// How much of what peers can fill it holds, by name; each has a limit.
    public var footprint: [(name: String, count: Int, limit: Int)] {
        [
            ("waiting statements", waitingStatements.count, waitingMax),
            ("waiting logs", waitingLogs.count, waitingMax),
            ("waiting proofs", waitingProofs.count, waitingMax),
            ("returned contracts", returned.count, EntryLimit.listItems),
            (
                "statements handed to one peer",
                connections.values.map(\.handed.count).max() ?? 0,
                statementsSeen.count + outbox.count + waitingMax
            ),
            (
                "early consents",
                contracts.values.reduce(0) {
                    $0 + $1.earlyConsents.values.reduce(0) { $0 + $1.count }
                },
                waitingMax
            ),
        ]
    }
}
