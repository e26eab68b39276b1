internal import Ledger

/// The numbers of accounts that commits met, so that most changes look for none.
///
/// Right only as long as what gave them was committed: after a transaction that was not, and with
/// another connection, one begins with none.
struct AccountNumbers: Sendable {
    /// Of an account and of its mirror: every posting touches both.
    struct Pair: Sendable {
        let debit: Int64
        let credit: Int64
    }

    private var pairs: [Account: Pair] = [:]
    /// The table was empty when this was made: what is not known here is not there.
    let isWhole: Bool
    /// Of about 150 bytes each. When so many are known all are forgotten, which needs no account of
    /// which came when.
    private static let max = 4_096

    init(isWhole: Bool = false) { self.isWhole = isWhole }

    subscript(account: Account) -> Pair? { pairs[account] }

    mutating func know(_ pair: Pair, for account: Account) {
        if !isWhole, pairs.count >= Self.max { pairs = [:] }
        pairs[account] = pair
    }
}
