internal import Capacity
internal import Entries
public import Identity
internal import Ledger

extension ContractState {
    /// SHA-256 over the state, the same on every node that ran the same steps. All integers are
    /// big-endian; `s(x)` is a u32 length and UTF-8 bytes; there is no other padding.
    ///
    ///     "talea.state.v1" 00
    ///     contract id (32) ‖ template hash (32)
    ///     u32 number of records, then each, by family name bytes, then index:
    ///       s(family) ‖ u32 index ‖ u64 version ‖ s(state path, as `due.stated`)
    ///       until: 00, or 01 ‖ i64 ms
    ///       each field in template order: tag ‖ value
    ///       each hold in template order: 02 ‖ i64 units
    ///       payment: 00, or 01 ‖ s(from role) ‖ s(to role) ‖ i64 minor units
    ///                ‖ reference: 00, or 01 ‖ SHA-256 of the stated reference's UTF-8 (32)
    ///     u32 number of (debtor, creditor) pairs with open claims, then each, by debtor, then creditor:
    ///       debtor (32) ‖ creditor (32) ‖ i64 minor units still open
    ///     u8 ended (0 or 1)
    ///
    /// Tags: 1 int, 2 quantity, 3 money, 4 price, 5 bp, 6 instant (ms), 7 duration (ms), each i64;
    /// 8 role, choice or text: s(x); 9 hash or identity: 32 bytes; 10 list: u32 count ‖ tagged items.
    /// Units and currency stand in the proposal, not here.
    public func digest() -> Hash32 {
        var bytes: [UInt8] = Array("talea.state.v1".utf8) + [0]
        bytes += terms.contract.bytes
        bytes += template.hash.bytes
        bytes.append(bigEndian: UInt32(clamping: records.count))
        let sorted = records.sorted { left, right in
            if left.family == right.family { return left.index < right.index }
            return left.family.utf8.lexicographicallyPrecedes(right.family.utf8)
        }
        for record in sorted { Self.append(record, to: &bytes) }
        let pairs = openPairs
        bytes.append(bigEndian: UInt32(clamping: pairs.count))
        for pair in pairs {
            bytes += pair.from.bytes
            bytes += pair.to.bytes
            bytes.append(bigEndian: UInt64(bitPattern: pair.open))
        }
        bytes.append(isEnded ? 1 : 0)
        return SHA256.hash(bytes)
    }

    private var openPairs: [(from: DID, to: DID, open: Int64)] {
        var pairs: [(from: DID, to: DID, open: Int64)] = []
        let sorted = claims.sorted {
            ($0.transfer.from, $0.transfer.to) < ($1.transfer.from, $1.transfer.to)
        }
        for claim in sorted {
            if let last = pairs.last, last.from == claim.transfer.from, last.to == claim.transfer.to
            {
                let (sum, overflow) = last.open.addingReportingOverflow(claim.open)
                pairs[pairs.count - 1].open = overflow ? .max : sum
            } else {
                pairs.append((claim.transfer.from, claim.transfer.to, claim.open))
            }
        }
        return pairs
    }

    private static func append(_ record: Record, to bytes: inout [UInt8]) {
        bytes.append(counted: Array(record.family.utf8))
        bytes.append(bigEndian: UInt32(clamping: record.index))
        bytes.append(bigEndian: UInt64(bitPattern: record.version))
        bytes.append(counted: Array(record.state.utf8))
        if let until = record.until {
            bytes.append(1)
            bytes.append(bigEndian: UInt64(bitPattern: until.milliseconds))
        } else {
            bytes.append(0)
        }
        for field in record.fields { append(field.datum, field.kind, to: &bytes) }
        for hold in record.holds {
            bytes.append(2)
            bytes.append(bigEndian: UInt64(bitPattern: hold.amount))
        }
        guard let pay = record.pay else {
            bytes.append(0)
            return
        }
        bytes.append(1)
        bytes.append(counted: Array(pay.fromRole.utf8))
        bytes.append(counted: Array(pay.toRole.utf8))
        bytes.append(bigEndian: UInt64(bitPattern: pay.amount))
        if let reference = pay.reference {
            bytes.append(1)
            bytes += SHA256.hash(Array(reference.utf8)).bytes
        } else {
            bytes.append(0)
        }
    }

    private static func append(_ datum: Datum, _ kind: ValueKind, to bytes: inout [UInt8]) {
        bytes.append(kind.tag)
        switch datum {
        case .number(let number): bytes.append(bigEndian: UInt64(bitPattern: number))
        case .truth(let truth): bytes.append(bigEndian: UInt64(truth ? 1 : 0))
        case .name(let name): bytes.append(counted: Array(name.utf8))
        case .hash(let hash): bytes += hash.bytes
        case .identity(let did): bytes += did.bytes
        case .list(let items):
            let item: ValueKind
            if case .list(let inner) = kind.seen { item = inner } else { item = .int }
            bytes.append(bigEndian: UInt32(clamping: items.count))
            for one in items { append(one, item, to: &bytes) }
        }
    }
}
