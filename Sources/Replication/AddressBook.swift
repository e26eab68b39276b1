public import Identity

/// Where others listen, kept so that nobody who names many addresses decides whom this node dials: the
/// address manager of Bitcoin after Heilman, Kendler, Zohar and Goldberg (USENIX Security 2015).
///
///     add ──▶ new ──good──▶ tried                 its place there is free, or whoever has it failed a test
///             new ◀─failed── tried                the test lost, and another waits for the place
///
/// The bucket of an address follows from a secret and from net groups: those of one source lie in few
/// buckets of `new`, those of one group in few of `tried`. It never dials: the shell does what
/// `choose` and `feeler` say and tells how it went.
public struct AddressBook: Sendable {
    public struct Address: Hashable, Comparable, Sendable {
        /// Who must answer there.
        public let did: DID
        public let host: String
        public let port: Int

        public init(did: DID, host: String, port: Int) {
            self.did = did
            self.host = host
            self.port = port
        }

        public static func < (left: Self, right: Self) -> Bool {
            (left.did, left.host, left.port) < (right.did, right.host, right.port)
        }

        /// Not of internet addresses: one group.
        public var group: [UInt8] { Host(host)?.group ?? [] }
    }

    /// What is known of one address. Times are milliseconds.
    private struct Record: Sendable {
        let source: [UInt8]
        var slot: Int
        var isTried: Bool
        /// Since it was good.
        var failures = 0
        var dialed: Int64?
        var good: Int64?
    }

    /// `challenger` was good and finds its place taken by `holder`, who is to be tested.
    private struct Contest: Sendable {
        let holder: Address
        let challenger: Address
    }

    private let secret: Hash32
    private var records: [Address: Record] = [:]
    private var newSlots: [Int: Address] = [:]
    private var triedSlots: [Int: Address] = [:]
    private var contests: [Contest] = []
    /// The outbound peers that lasted longest: the first to dial after a start.
    public private(set) var anchors: [Address]
    /// Anchors of the last run that were not dialed yet.
    private var recalled: [Address]

    /// `tried` and `anchors` as they were kept, with the time each was good last.
    public init(
        secret: Hash32, tried: [(address: Address, good: Int64)] = [], anchors: [Address] = []
    ) {
        self.secret = secret
        self.anchors = Array(anchors.prefix(ReplicationLimit.anchors))
        recalled = self.anchors
        for (address, good) in tried {
            let slot = triedSlot(of: address)
            guard triedSlots[slot] == nil, records[address] == nil else { continue }
            triedSlots[slot] = address
            records[address] = Record(source: [], slot: slot, isTried: true, good: good)
        }
        for anchor in self.anchors { add(anchor, from: []) }
    }

    public func isTried(_ address: Address) -> Bool { records[address]?.isTried ?? false }
    /// With the time each was good last.
    public var tried: [Address: Int64] {
        records.filter(\.value.isTried).mapValues { $0.good ?? 0 }
    }
    /// In the order of their places.
    public var new: [Address] { newSlots.sorted { $0.key < $1.key }.map(\.value) }

    // MARK: - What others say

    /// `source` is whoever vouches for it, named by what is dear to multiply. It is not taken where its
    /// place is taken by an address that did not fail.
    public mutating func add(_ address: Address, from source: [UInt8]) {
        guard records[address] == nil else { return }
        put(address, Record(source: source, slot: 0, isTried: false))
    }

    public mutating func drop(_ address: Address) {
        guard let record = records.removeValue(forKey: address) else { return }
        if record.isTried { triedSlots[record.slot] = nil } else { newSlots[record.slot] = nil }
        contests.removeAll { $0.holder == address || $0.challenger == address }
        anchors.removeAll { $0 == address }
        recalled.removeAll { $0 == address }
    }

    // MARK: - How dialing went

    public mutating func dialed(_ address: Address, at now: Int64) {
        records[address]?.dialed = now
        recalled.removeAll { $0 == address }
    }

    /// Who must answer there did, or did until now.
    public mutating func good(_ address: Address, at now: Int64) {
        guard var record = records[address] else { return }
        record.failures = 0
        record.good = now
        records[address] = record
        contests.removeAll { $0.holder == address }
        guard !record.isTried else { return }
        let slot = triedSlot(of: address)
        guard let holder = triedSlots[slot] else { return move(address, to: slot) }
        let since = records[holder]?.good ?? 0
        let isFresh = (since..<since + ReplicationLimit.freshMilliseconds).contains(now)
        guard !isFresh, contests.count < ReplicationLimit.contests,
            !contests.contains(where: { $0.holder == holder })
        else { return }
        contests.append(Contest(holder: holder, challenger: address))
    }

    public mutating func failed(_ address: Address) {
        guard records[address] != nil else { return }
        records[address]?.failures += 1
        guard let index = contests.firstIndex(where: { $0.holder == address }) else { return }
        let challenger = contests.remove(at: index).challenger
        guard var record = records[address], records[challenger]?.isTried == false else { return }
        triedSlots[record.slot] = nil
        record.isTried = false
        move(challenger, to: record.slot)
        put(address, record)
    }

    /// Outbound peers of now, the oldest first. Former anchors stay as long as there is room.
    public mutating func keepAnchors(_ outbound: [Address]) {
        let all = outbound + anchors.filter { !outbound.contains($0) }
        anchors = Array(all.prefix(ReplicationLimit.anchors))
    }

    // MARK: - Whom to dial

    /// Long enough after it was dialed last: the wait doubles with each failure.
    public func isDue(_ address: Address, at now: Int64) -> Bool {
        guard let record = records[address], let dialed = record.dialed else { return true }
        let wait = ReplicationLimit.redialMilliseconds << Int64(min(record.failures, 8))
        // Nor does a clock that was set back keep it from being dialed.
        return !(dialed..<dialed + wait).contains(now)
    }

    /// Anchors of the last run first; then, as likely, one tried or one new. Of a group that is among
    /// `taken` only where there is no other.
    public func choose(
        beside taken: [[UInt8]], at now: Int64, using chance: inout some RandomNumberGenerator,
        where mayDial: (Address) -> Bool
    ) -> Address? {
        if let anchor = recalled.first(where: mayDial) { return anchor }
        let first = chance.next() >> 63 == 0
        var others: [[Address]] = []
        for isTried in [first, !first] {
            let open = inBuckets(isTried: isTried) { isDue($0, at: now) && mayDial($0) }
            let apart = open.map { $0.filter { !taken.contains($0.group) } }
            if let address = pick(apart, using: &chance) { return address }
            others += open
        }
        return pick(others, using: &chance)
    }

    /// One to dial shortly and hang up on: a holder to be tested, else one that is new.
    public func feeler(
        at now: Int64, using chance: inout some RandomNumberGenerator,
        where mayDial: (Address) -> Bool
    ) -> Address? {
        let tests = contests.map(\.holder).filter { isDue($0, at: now) && mayDial($0) }
        if let holder = tests.first { return holder }
        return pick(
            inBuckets(isTried: false) { isDue($0, at: now) && mayDial($0) }, using: &chance)
    }

    // MARK: - Places

    private mutating func put(_ address: Address, _ record: Record) {
        let slot = newSlot(of: address, from: record.source)
        if let other = newSlots[slot] {
            guard records[other]?.failures ?? 0 >= ReplicationLimit.failuresOfNew else {
                records[address] = nil
                return
            }
            drop(other)
        }
        newSlots[slot] = address
        var record = record
        record.slot = slot
        records[address] = record
    }

    private mutating func move(_ address: Address, to slot: Int) {
        guard let from = records[address]?.slot else { return }
        newSlots[from] = nil
        triedSlots[slot] = address
        records[address]?.slot = slot
        records[address]?.isTried = true
    }

    private func newSlot(of address: Address, from source: [UInt8]) -> Int {
        let share = keyed([0], source, address.group) % ReplicationLimit.newBucketsOfSource
        var number: [UInt8] = []
        number.append(bigEndian: UInt64(share))
        let bucket = keyed([1], source, number) % ReplicationLimit.newBuckets
        return bucket * ReplicationLimit.bucketSlots + place(of: address, [2], bucket)
    }

    private func triedSlot(of address: Address) -> Int {
        let share = keyed([3], bytes(of: address)) % ReplicationLimit.triedBucketsOfGroup
        var number: [UInt8] = []
        number.append(bigEndian: UInt64(share))
        let bucket = keyed([4], address.group, number) % ReplicationLimit.triedBuckets
        return bucket * ReplicationLimit.bucketSlots + place(of: address, [5], bucket)
    }

    private func place(of address: Address, _ tag: [UInt8], _ bucket: Int) -> Int {
        var number: [UInt8] = []
        number.append(bigEndian: UInt64(bucket))
        return keyed(tag, number, bytes(of: address)) % ReplicationLimit.bucketSlots
    }

    private func bytes(of address: Address) -> [UInt8] {
        address.did.bytes + Array("\(address.port) \(address.host)".utf8)
    }

    /// A number that nobody foresees who lacks the secret. Parts carry their lengths.
    private func keyed(_ parts: [UInt8]...) -> Int {
        var message: [UInt8] = []
        for part in parts {
            message.append(bigEndian: UInt64(part.count))
            message += part
        }
        let digest = HMAC256.authenticate(message, key: secret.bytes).bytes
        return digest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }

    private func inBuckets(isTried: Bool, where isOpen: (Address) -> Bool) -> [[Address]] {
        let open = (isTried ? triedSlots : newSlots).filter { isOpen($0.value) }
        var buckets: [[Address]] = []
        var last = -1
        for (slot, address) in open.sorted(by: { $0.key < $1.key }) {
            let bucket = slot / ReplicationLimit.bucketSlots
            if bucket != last { buckets.append([]) }
            last = bucket
            buckets[buckets.count - 1].append(address)
        }
        return buckets
    }

    /// Each bucket as likely as another, however full: many addresses of few groups gain nothing.
    private func pick(
        _ buckets: [[Address]], using chance: inout some RandomNumberGenerator
    ) -> Address? {
        let full = buckets.filter { !$0.isEmpty }
        guard !full.isEmpty else { return nil }
        let bucket = full[below(full.count, &chance)]
        return bucket[below(bucket.count, &chance)]
    }

    private func below(_ count: Int, _ chance: inout some RandomNumberGenerator) -> Int {
        Int(truncatingIfNeeded: chance.next() >> 1) % count
    }
}
