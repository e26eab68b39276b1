public import Identity

/// The frames of a session. Fixed layouts: 32-byte values bare, numbers big-endian, lists counted.
public enum Message: Hashable, Sendable {
    case hello(Hello)
    /// Topics of the sender, each as a hash that only this session has.
    case topics([Hash32])
    /// Topics beside those that were named before.
    case moreTopics([Hash32])
    case heads([Head])
    /// "What do you hold of these logs of mine?"
    case ask([LogID])
    /// One head per log that was asked for, in that order; sequence 0 and id zero: nothing.
    case answer([Head])
    /// The sender's own key entries, from the first on, where its key is not the first: what its
    /// certificate names may be news here.
    case keys([[UInt8]])
    case range(RangeRequest)
    /// Entries of one log, ascending, each as its wire bytes. `done`: nothing of the range is left.
    case entries([[UInt8]], done: Bool)
    case push([UInt8])
    /// One entry on its way along a tree. The id in `PushedEntry` is not on the wire: whoever reads the entry
    /// sets it.
    case treePush(PushedEntry, [UInt8])
    /// What neighbours say of entries. `topic`: the first octets of its name as the sender's `topics` has it;
    /// `nil` where both sides share one alliance alone.
    case gossip(GossipMessage, topic: UInt64?)
    /// One sealed statement for the receiver.
    case put([UInt8])
    /// The sender's sealed snapshot, to be kept for it.
    case keep([UInt8])
    /// The receiver's own sealed snapshot, as it was kept.
    case kept([UInt8])
    /// Asks for a proof of the fork of this log, and for what else of its branches is held.
    case prove(LogID)
    /// One proof of a fork.
    case proof([UInt8])
    /// Entries of one log beside those that the sender's heads name: a run, unasked.
    case branch([[UInt8]])
    /// Asks for one chunk of a file.
    case fetch(blob: Hash32, index: UInt32)
    /// One sealed chunk, and how many bytes the whole file is; 0 and nothing: not held.
    case chunk(blob: Hash32, index: UInt32, size: UInt32, sealed: [UInt8])
    /// Between a hub and those whom it serves.
    case mail(Mail)
    /// One turn of a reconciliation of one topic.
    case reconcile(Turn)
    /// What do these items of the reconciliation with this number stand for?
    case resolve(UInt32, [ItemID])
    case resolved(UInt32, [Head])
    /// Milliseconds by the sender's clock.
    case ping(time: UInt64)
    case pong(time: UInt64)
    case goodbye(code: UInt8, text: String)

    public struct Hello: Hashable, Sendable {
        /// Wire versions spoken, ascending.
        public var versions: [UInt8]
        /// 32 random bytes, new for each connection.
        public var nonce: Hash32
        /// Milliseconds UTC.
        public var time: UInt64
        public var agent: String

        public init(versions: [UInt8], nonce: Hash32, time: UInt64, agent: String) {
            self.versions = versions
            self.nonce = nonce
            self.time = time
            self.agent = agent
        }
    }

    /// The newest entry of a log that its sender holds without a gap below. At sequence 0: the id that
    /// stands for a known fork of this log, or the newest entry of another branch of it.
    public struct Head: Hashable, Sendable {
        public var log: LogID
        public var sequence: UInt64
        public var id: EntryID

        public init(log: LogID, sequence: UInt64, id: EntryID) {
            self.log = log
            self.sequence = sequence
            self.id = id
        }
    }

    public struct Turn: Hashable, Sendable {
        /// Of the reconciliation, counted by who dialed.
        public var number: UInt32
        /// In the first turn alone.
        public var opening: Opening?
        /// What `Reconciliation` says. Empty: it is over; with an opening: the other side shall begin.
        public var bytes: [UInt8]

        public init(number: UInt32, opening: Opening?, bytes: [UInt8]) {
            self.number = number
            self.opening = opening
            self.bytes = bytes
        }
    }

    public struct Opening: Hashable, Sendable {
        /// The topic as `topics` names it.
        public var topic: Hash32
        /// Items of later times are left out on both sides.
        public var horizon: UInt64
        /// Ids are hashed with both nonces.
        public var isRehashed: Bool

        public init(topic: Hash32, horizon: UInt64, isRehashed: Bool) {
            self.topic = topic
            self.horizon = horizon
            self.isRehashed = isRehashed
        }
    }

    /// `from` and `to` included, both from 1.
    public struct RangeRequest: Hashable, Sendable {
        public var log: LogID
        public var from: UInt64
        public var to: UInt64

        public init(log: LogID, from: UInt64, to: UInt64) {
            self.log = log
            self.from = from
            self.to = to
        }

        /// The end of what is answered at once. `from` may be any number, so nothing is added to it before
        /// it is known to have room.
        public var toAtOnce: UInt64 {
            to - from < ReplicationLimit.rangeEntries
                ? to : from + ReplicationLimit.rangeEntries - 1
        }
    }
}

/// What one peer can make us hold or do.
public enum ReplicationLimit {
    public static let wireVersion: UInt8 = 2
    /// The same, and live push along trees.
    public static let treeVersion: UInt8 = 3
    /// Heads in one frame: 72 bytes each, well inside a frame.
    public static let headsPerFrame = 2_000
    /// A topic of so few logs is compared by its heads: ids to resolve would cost more.
    public static let headsAtOnce = 32
    /// Heads told of what a reconciliation found to be missing over there: as many as are asked for at a time.
    public static let headsTold = 4_096
    /// Heads told at once of topics that came to be shared; other topics are compared a minute later. More would
    /// not fit into what may wait for a connection.
    public static let headsShared = 16_384
    /// Bytes of one turn of a reconciliation.
    public static let turnBytes = 64 * 1024
    public static let reconciliationRounds = 32
    public static let reconciledItems = 1_000_000
    /// Items resolved, or heads told, in one frame of a reconciliation.
    public static let resolvedPerFrame = 900
    /// Of so many connections that we dial to one peer, the first reconciles keyed hashes of ids.
    public static let rehashEvery = 8
    /// Ids hashed at once; the next ones at the next tick.
    public static let rehashSlice = 4_096
    /// Ids that all connections together keep hashed, some 150 bytes each: the next peer waits its turn.
    public static let rehashedItems = 1_000_000
    /// How long a reconciliation stands in which the other side says nothing, or its turn does not come.
    public static let talkMilliseconds: Int64 = 600_000
    /// Key entries in one frame: as many rotations as an identity will ever see.
    public static let keyEntries = 256
    /// A sealed snapshot fits one frame.
    public static let snapshotBytes = 200 * 1024
    /// A frame less its own overhead.
    public static let topicsPerFrame = 8_000
    /// Topics that one side names, in one frame or several.
    public static let topicsNamed = 32_000
    /// Logs that one peer named and of which nothing is held yet: twice what is asked for at a time.
    public static let strangeLogs = 8_192
    /// Range requests we have in the air with one peer: some are decided, some written, some on their way.
    public static let rangesOpen = 32
    /// Ranges we still want to ask one peer for.
    public static let rangesWaiting = 4_096
    /// Entries asked for at once.
    public static let rangeEntries: UInt64 = 256
    /// Bytes of entries in one answer: a frame less its own overhead.
    public static let answerBytes = 200 * 1024
    public static let agentBytes = 64
    /// Proofs we ask one peer for in a session: forks are rare, and each costs signature checks.
    public static let proofsAsked = 1_024
    /// Contract topics that a hub keeps for one member.
    public static let topicsEntrusted = 4_096
    /// A sealed statement on its way through a hub: a frame less its own overhead.
    public static let letterBytes = 200 * 1024
    /// Letters of one mailbox that are on their way to their recipient.
    public static let lettersInFlight = 16
    /// A sealed chunk of a file: 64 KiB and its tag.
    public static let chunkBytes = 64 * 1024 + 16
    public static let pingEveryMilliseconds: Int64 = 60_000
    /// Between two comparisons of a topic in which trees carried something.
    public static let compareMilliseconds: Int64 = 60_000

    // Live push (Overlay, BroadcastTree).
    /// Links of the overlay that a node keeps open.
    public static let neighbours = 8
    /// With no more than these a node may not be refused, lest a few cut off keep to themselves.
    public static let neighboursFew = 4
    /// Addresses to replace neighbours from: after 80 % crash at once, 0.8^72 have nobody left.
    public static let spares = 64
    /// How far a newcomer's or a shuffle's random walk goes, and where on it the newcomer is kept as a spare
    /// (HyParView §5.1: ARWL 6, PRWL 3).
    public static let overlaySteps: UInt8 = 6
    public static let spareStep: UInt8 = 3
    /// Peers told in one shuffle (HyParView §5.1: 3 and 4).
    public static let shuffledNeighbours = 3
    public static let shuffledSpares = 4
    public static let shuffled = 8
    /// Entries named in one gossip frame.
    public static let announced = 512
    /// Entries announced here that have not come.
    public static let missing = 4_096
    /// The same, of those that one neighbour was the first to announce.
    public static let missingOfOne: UInt16 = 1_024
    /// Trees remembered; the one unused the longest goes first.
    public static let trees = 1_024
    /// Entries remembered as seen: what comes later than that is not told apart from new.
    public static let seen = 16_384
    public static let seenMilliseconds: Int64 = 600_000

    // Whom to dial (AddressBook). The shares are Bitcoin's, a sixteenth and a thirty-second of all buckets.
    public static let newBuckets = 256
    public static let newBucketsOfSource = 16
    public static let triedBuckets = 64
    public static let triedBucketsOfGroup = 2
    /// Addresses in one bucket.
    public static let bucketSlots = 16
    /// After so many an address gives up its place in `new` to whoever else comes.
    public static let failuresOfNew = 3
    /// Good so lately: kept in its place in `tried` without a test.
    public static let freshMilliseconds: Int64 = 4 * 3_600_000
    /// Places in `tried` that wait for a test.
    public static let contests = 16
    public static let anchors = 4
    /// Between two dials of one address; doubles with each failure, up to 43 minutes.
    public static let redialMilliseconds: Int64 = 10_000
}

public indirect enum MessageRefusal: Error, Hashable, Sendable {
    case malformed(type: UInt8)
    case unknownType(UInt8)
}

extension Message {
    public var frame: Frame {
        var out: [UInt8] = []
        switch self {
        case .hello(let hello):
            out.append(UInt8(hello.versions.count))
            out += hello.versions
            out += hello.nonce.bytes
            out.append(bigEndian: hello.time)
            out += Self.cut(hello.agent, to: ReplicationLimit.agentBytes)
            return Frame(type: 1, payload: out)
        case .topics(let names), .moreTopics(let names):
            for name in names { out += name.bytes }
            if case .topics = self { return Frame(type: 2, payload: out) }
            return Frame(type: 22, payload: out)
        case .heads(let heads):
            for head in heads { Self.write(head, to: &out) }
            return Frame(type: 3, payload: out)
        case .ask(let logs):
            for log in logs { out += log.bytes }
            return Frame(type: 4, payload: out)
        case .answer(let heads):
            for head in heads { Self.write(head, to: &out) }
            return Frame(type: 5, payload: out)
        case .keys(let entries):
            for entry in entries { out.append(counted: entry) }
            return Frame(type: 6, payload: out)
        case .keep(let sealed): return Frame(type: 11, payload: sealed)
        case .kept(let sealed): return Frame(type: 12, payload: sealed)
        case .range(let request):
            out += request.log.bytes
            out.append(bigEndian: request.from)
            out.append(bigEndian: request.to)
            return Frame(type: 7, payload: out)
        case .entries(let entries, let done):
            out.append(done ? 1 : 0)
            for entry in entries { out.append(counted: entry) }
            return Frame(type: 8, payload: out)
        case .push(let entry): return Frame(type: 9, payload: entry)
        case .treePush(let push, let entry): return push.frame(entry: entry)
        case .gossip(let message, let topic): return message.frame(topic: topic)
        case .put(let sealed): return Frame(type: 10, payload: sealed)
        case .prove(let log): return Frame(type: 13, payload: log.bytes)
        case .proof(let proof): return Frame(type: 14, payload: proof)
        case .branch(let entries):
            for entry in entries { out.append(counted: entry) }
            return Frame(type: 15, payload: out)
        case .mail(let mail): return mail.frame
        case .fetch(let blob, let index):
            out += blob.bytes
            out.append(bigEndian: index)
            return Frame(type: 40, payload: out)
        case .chunk(let blob, let index, let size, let sealed):
            out += blob.bytes
            out.append(bigEndian: index)
            out.append(bigEndian: size)
            return Frame(type: 41, payload: out + sealed)
        case .reconcile(let turn):
            out.append(bigEndian: turn.number)
            if let opening = turn.opening {
                out.append(opening.isRehashed ? 2 : 1)
                out += opening.topic.bytes
                out.append(bigEndian: opening.horizon)
            } else {
                out.append(0)
            }
            return Frame(type: 16, payload: out + turn.bytes)
        case .resolve(let number, let items):
            out.append(bigEndian: number)
            for item in items { out += item.bytes }
            return Frame(type: 20, payload: out)
        case .resolved(let number, let heads):
            out.append(bigEndian: number)
            for head in heads { Self.write(head, to: &out) }
            return Frame(type: 21, payload: out)
        case .ping(let time), .pong(let time):
            out.append(bigEndian: time)
            if case .ping = self { return Frame(type: 18, payload: out) }
            return Frame(type: 19, payload: out)
        case .goodbye(let code, let text):
            return Frame(type: 17, payload: [code] + Self.cut(text, to: 512))
        }
    }

    private static func write(_ head: Head, to out: inout [UInt8]) {
        out += head.log.bytes
        out.append(bigEndian: head.sequence)
        out += head.id.bytes
    }

    /// Whole characters: half of one is no UTF-8, and refused.
    private static func cut(_ text: String, to count: Int) -> [UInt8] {
        var kept: [UInt8] = []
        for character in text {
            guard kept.count + character.utf8.count <= count else { break }
            kept += character.utf8
        }
        return kept
    }

    /// What a peer may say whose key is not known to be in force: hello, its keys, goodbye, ping, pong.
    public static func mayComeUnproven(_ frame: Frame) -> Bool {
        [1, 6, 17, 18, 19].contains(frame.type)
    }

    /// Strict: every byte is accounted for.
    public init(_ frame: Frame) throws(MessageRefusal) {
        var rest = frame.payload[...]
        func malformed() -> MessageRefusal { .malformed(type: frame.type) }
        func take(_ count: Int) throws(MessageRefusal) -> ArraySlice<UInt8> {
            guard count >= 0, rest.count >= count else { throw malformed() }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        func number(_ count: Int) throws(MessageRefusal) -> UInt64 {
            try take(count).reduce(0) { $0 << 8 | UInt64($1) }
        }
        func id<K>() throws(MessageRefusal) -> Fixed32<K> {
            guard let value = Fixed32<K>(try take(32)) else { throw malformed() }
            return value
        }
        func wires() throws(MessageRefusal) -> [[UInt8]] {
            var entries: [[UInt8]] = []
            var bytes = 0
            while !rest.isEmpty {
                let entry = Array(try take(Int(try number(4))))
                bytes += entry.count
                entries.append(entry)
                // What is vouched for only together must fit in whatever answer it is passed on in.
                guard entries.count <= Int(ReplicationLimit.rangeEntries),
                    entries.count == 1 || bytes <= ReplicationLimit.answerBytes
                else {
                    throw malformed()
                }
            }
            return entries
        }
        switch frame.type {
        case 1:
            let count = Int(try number(1))
            guard count > 0 else { throw malformed() }
            let versions = Array(try take(count))
            let nonce: Hash32 = try id()
            let time = try number(8)
            guard rest.count <= ReplicationLimit.agentBytes,
                let agent = String(validating: rest, as: UTF8.self)
            else { throw malformed() }
            self = .hello(Hello(versions: versions, nonce: nonce, time: time, agent: agent))
        case 2, 22:
            guard rest.count % 32 == 0, rest.count / 32 <= ReplicationLimit.topicsPerFrame else {
                throw malformed()
            }
            var names: [Hash32] = []
            while !rest.isEmpty { names.append(try id()) }
            self = frame.type == 2 ? .topics(names) : .moreTopics(names)
        case 4:
            guard rest.count % 32 == 0, rest.count / 32 <= ReplicationLimit.headsPerFrame else {
                throw malformed()
            }
            var logs: [LogID] = []
            while !rest.isEmpty { logs.append(try id()) }
            self = .ask(logs)
        case 6:
            var entries: [[UInt8]] = []
            while !rest.isEmpty {
                entries.append(Array(try take(Int(try number(4)))))
                guard entries.count <= ReplicationLimit.keyEntries else { throw malformed() }
            }
            self = .keys(entries)
        case 11, 12:
            guard !rest.isEmpty, rest.count <= ReplicationLimit.snapshotBytes else {
                throw malformed()
            }
            self = frame.type == 11 ? .keep(frame.payload) : .kept(frame.payload)
        case 3, 5:
            guard rest.count % 72 == 0, rest.count / 72 <= ReplicationLimit.headsPerFrame else {
                throw malformed()
            }
            var heads: [Head] = []
            while !rest.isEmpty {
                heads.append(Head(log: try id(), sequence: try number(8), id: try id()))
            }
            self = frame.type == 3 ? .heads(heads) : .answer(heads)
        case 7:
            let request = RangeRequest(log: try id(), from: try number(8), to: try number(8))
            guard rest.isEmpty, request.from >= 1, request.to >= request.from else {
                throw malformed()
            }
            self = .range(request)
        case 8:
            let flag = try number(1)
            guard flag <= 1 else { throw malformed() }
            self = .entries(try wires(), done: flag == 1)
        case 9: self = .push(frame.payload)
        case PushedEntry.type:
            guard let (push, entry) = PushedEntry.read(frame) else { throw malformed() }
            self = .treePush(push, entry)
        case GossipMessage.types:
            guard let (message, topic) = GossipMessage.read(frame) else { throw malformed() }
            self = .gossip(message, topic: topic)
        case 10: self = .put(frame.payload)
        case 13:
            self = .prove(try id())
            guard rest.isEmpty else { throw malformed() }
        case 14: self = .proof(frame.payload)
        case 15: self = .branch(try wires())
        case 16:
            let turn = UInt32(truncatingIfNeeded: try number(4))
            let flag = try number(1)
            guard flag <= 2 else { throw malformed() }
            var opening: Opening?
            if flag > 0 {
                opening = Opening(topic: try id(), horizon: try number(8), isRehashed: flag == 2)
            }
            guard rest.count <= ReplicationLimit.turnBytes else { throw malformed() }
            self = .reconcile(Turn(number: turn, opening: opening, bytes: Array(rest)))
        case 20:
            let turn = UInt32(truncatingIfNeeded: try number(4))
            guard rest.count % 32 == 0, rest.count / 32 <= ReplicationLimit.resolvedPerFrame else {
                throw malformed()
            }
            var items: [ItemID] = []
            while !rest.isEmpty { items.append(try id()) }
            self = .resolve(turn, items)
        case 21:
            let turn = UInt32(truncatingIfNeeded: try number(4))
            guard rest.count % 72 == 0, rest.count / 72 <= ReplicationLimit.resolvedPerFrame else {
                throw malformed()
            }
            var heads: [Head] = []
            while !rest.isEmpty {
                heads.append(Head(log: try id(), sequence: try number(8), id: try id()))
            }
            self = .resolved(turn, heads)
        case 17:
            guard let code = frame.payload.first,
                let text = String(validating: frame.payload.dropFirst(), as: UTF8.self)
            else { throw malformed() }
            self = .goodbye(code: code, text: text)
        case 18, 19:
            let time = try number(8)
            guard rest.isEmpty else { throw malformed() }
            self = frame.type == 18 ? .ping(time: time) : .pong(time: time)
        case 40:
            self = .fetch(blob: try id(), index: UInt32(try number(4)))
            guard rest.isEmpty else { throw malformed() }
        case 41:
            let (blob, index, size): (Hash32, UInt64, UInt64) = (
                try id(), try number(4), try number(4)
            )
            guard rest.count <= ReplicationLimit.chunkBytes, rest.isEmpty == (size == 0) else {
                throw malformed()
            }
            self = .chunk(
                blob: blob, index: UInt32(index), size: UInt32(size), sealed: Array(rest))
        case Mail.types:
            guard let mail = Mail(frame) else { throw malformed() }
            self = .mail(mail)
        default: throw .unknownType(frame.type)
        }
    }
}
