public import Identity

/// What a hub and those whom it serves say to each other: statements that wait for their recipient, and
/// topics that it keeps for members who are away.
public enum Mail: Hashable, Sendable {
    /// The sender keeps mailboxes and topics for members of the alliances that both share.
    case serving
    /// "Keep a mailbox for me, and these topics": whole each time, at most
    /// `ReplicationLimit.topicsEntrusted`.
    case entrust([TopicID])
    /// A sealed statement for somebody who is away. `tag` is the same each time it is brought.
    case deposit(recipient: DID, tag: Hash32, expires: UInt64, sealed: [UInt8])
    case deposited(tag: Hash32, Outcome)
    /// From the receiver's mailbox. Numbers are the hub's.
    case letter(number: UInt64, sealed: [UInt8])
    /// What became of a letter; one that is `isKept` may go from the mailbox, another comes again.
    case collected(number: UInt64, isKept: Bool)

    public enum Outcome: UInt8, Hashable, Sendable {
        case kept = 0
        /// The hub keeps no mailbox for the recipient, or for the sender.
        case unknown = 1
        /// A quota is used up.
        case full = 2
        /// Over, or good for longer than letters are kept.
        case untimely = 3
    }
}

extension Mail {
    static let types: ClosedRange<UInt8> = 32...37

    var frame: Frame {
        var out: [UInt8] = []
        switch self {
        case .serving: return Frame(type: 32, payload: [])
        case .entrust(let topics):
            for topic in topics { out += topic.bytes }
            return Frame(type: 33, payload: out)
        case .deposit(let recipient, let tag, let expires, let sealed):
            out += recipient.bytes
            out += tag.bytes
            out.append(bigEndian: expires)
            out += sealed
            return Frame(type: 34, payload: out)
        case .deposited(let tag, let outcome):
            return Frame(type: 35, payload: tag.bytes + [outcome.rawValue])
        case .letter(let number, let sealed):
            out.append(bigEndian: number)
            out += sealed
            return Frame(type: 36, payload: out)
        case .collected(let number, let isKept):
            out.append(bigEndian: number)
            out.append(isKept ? 1 : 0)
            return Frame(type: 37, payload: out)
        }
    }

    /// `nil` where a byte is too many, too few or wrong.
    init?(_ frame: Frame) {
        let bytes = frame.payload
        func number(at start: Int) -> UInt64 {
            bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
        switch frame.type {
        case 32:
            guard bytes.isEmpty else { return nil }
            self = .serving
        case 33:
            guard bytes.count % 32 == 0,
                bytes.count / 32 <= ReplicationLimit.topicsEntrusted
            else { return nil }
            self = .entrust(
                stride(from: 0, to: bytes.count, by: 32).compactMap {
                    TopicID(bytes[$0..<$0 + 32])
                })
        case 34:
            guard bytes.count > 72, bytes.count - 72 <= ReplicationLimit.letterBytes,
                let recipient = DID(bytes[..<32]), let tag = Hash32(bytes[32..<64])
            else { return nil }
            self = .deposit(
                recipient: recipient, tag: tag, expires: number(at: 64),
                sealed: Array(bytes[72...]))
        case 35:
            guard bytes.count == 33, let tag = Hash32(bytes[..<32]),
                let outcome = Outcome(rawValue: bytes[32])
            else { return nil }
            self = .deposited(tag: tag, outcome)
        case 36:
            guard bytes.count > 8, bytes.count - 8 <= ReplicationLimit.letterBytes else {
                return nil
            }
            self = .letter(number: number(at: 0), sealed: Array(bytes[8...]))
        case 37:
            guard bytes.count == 9, bytes[8] <= 1 else { return nil }
            self = .collected(number: number(at: 0), isKept: bytes[8] == 1)
        default: return nil
        }
    }
}
