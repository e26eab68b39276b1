public import Capacity
public import Entries
public import Identity
public import Ledger

/// One thing that lives by itself inside a contract: main, a tranche, a delivery. Its version is the
/// sequence of the step that last changed it.
public struct Record: Hashable, Sendable {
    /// From 1 in the order of making; main is 1.
    public let number: Int64
    public let family: String
    /// Within its family, from 0.
    public let index: Int64
    /// `open`; of a payment `due`, `due.stated`, `due.denied`.
    public internal(set) var state: String
    public internal(set) var version: Int64
    /// The deadline, computed once on entering the state; `nil` in a final state.
    public internal(set) var until: Instant?
    public internal(set) var fields: [Field]
    public internal(set) var holds: [Hold]
    /// While the record waits for a payment.
    public internal(set) var pay: Pay?
    /// What started the running deadline; `nil` in a final state.
    public internal(set) var clock: Clock?

    public struct Field: Hashable, Sendable {
        public let name: String
        public internal(set) var value: Value
        let kind: ValueKind
        var datum: Datum
    }

    /// Units that a party holds: the pending transfer itself, not a second count of it.
    public struct Hold: Hashable, Sendable {
        public let name: String
        public internal(set) var transfer: Transfer?
        public var amount: Int64 { transfer?.amount ?? 0 }
        public var cause: Cause? { transfer?.cause }
        let line: Int
    }

    public struct Pay: Hashable, Sendable {
        public let from: DID
        public let to: DID
        /// Minor units, above zero.
        public let amount: Int64
        public let transfer: Transfer
        /// What the payer stated; kept while the payee or the arbiter is asked.
        public internal(set) var reference: String?
        let fromRole: String
        let toRole: String
    }

    public struct Clock: Hashable, Sendable {
        public let sequence: Int64
        /// Who moved; `nil` for a default.
        public let actor: DID?
    }

    /// The state without a payment's phase: `due` of `due.stated`.
    public var stateName: String {
        state.utf8.firstIndex(of: UInt8(ascii: ".")).map { String(state[..<$0]) } ?? state
    }

    var phase: String {
        state.hasSuffix(".stated") ? "stated" : state.hasSuffix(".denied") ? "denied" : ""
    }
}
