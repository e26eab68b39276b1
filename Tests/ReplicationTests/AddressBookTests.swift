import Identity
import Replication
import Testing

@Suite struct AddressBookTests {
    typealias Address = AddressBook.Address
    var draws = Draws(state: 1)

    /// SplitMix64: the same draws in every run.
    struct Draws: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }
    }

    static func secret(_ seed: UInt64) -> Hash32 {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: seed)
        return SHA256.hash(tag: "secret", bytes)
    }

    /// The `number`th listener of an IPv4 /16.
    static func address(group: Int, _ number: Int = 0) -> Address {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: UInt64(group << 32 | number))
        let host = "\(20 + group / 256).\(group % 256).\(number / 256).\(number % 256)"
        return Address(did: DID(SHA256.hash(tag: "listener", bytes)), host: host, port: 7001)
    }

    private func book(_ seed: UInt64 = 1) -> AddressBook { AddressBook(secret: Self.secret(seed)) }

    // MARK: - Places

    @Test func `a flood from one source fills its own buckets and leaves the others' places`() {
        var book = book()
        for group in 0..<20_000 { book.add(Self.address(group: group), from: [1]) }
        let most = ReplicationLimit.newBucketsOfSource * ReplicationLimit.bucketSlots
        #expect(book.new.count <= most)
        #expect(book.new.count > most / 2)
        let others = (0..<200).map { Self.address(group: 30_000 + $0) }
        for (index, other) in others.enumerated() { book.add(other, from: [2, UInt8(index)]) }
        let taken = others.count { book.new.contains($0) }
        #expect(taken * 10 >= others.count * 8, "\(taken)")
    }

    @Test func `one net group fills at most its buckets of those tried`() {
        var book = book()
        for number in 0..<5_000 {
            let address = Self.address(group: 7, number)
            book.add(address, from: [UInt8(number % 256), UInt8(number / 256)])
            book.good(address, at: 0)
        }
        let most = ReplicationLimit.triedBucketsOfGroup * ReplicationLimit.bucketSlots
        #expect(book.tried.count <= most)
        #expect(book.tried.count >= ReplicationLimit.bucketSlots)
    }

    @Test func `another secret, other places`() {
        func places(_ seed: UInt64) -> [Address] {
            var book = book(seed)
            for group in 0..<100 { book.add(Self.address(group: group), from: [1]) }
            return book.new
        }
        #expect(places(1) == places(1))
        #expect(places(1) != places(2))
    }

    @Test func `an address that failed thrice gives way to a newcomer`() {
        // One source and one group: one bucket.
        var book = book()
        for number in 0..<200 { book.add(Self.address(group: 1, number), from: [1]) }
        let held = book.new
        #expect(held.count == ReplicationLimit.bucketSlots)
        for address in held {
            for _ in 0..<ReplicationLimit.failuresOfNew { book.failed(address) }
        }
        for number in 200..<400 { book.add(Self.address(group: 1, number), from: [1]) }
        #expect(book.new.count == ReplicationLimit.bucketSlots)
        #expect(Set(book.new).isDisjoint(with: held))
    }

    // MARK: - Test before evict

    /// Two of one group that want one place; the first has it.
    private func rivals(_ book: inout AddressBook) throws -> (holder: Address, challenger: Address)
    {
        for number in 1..<400 {
            let address = Self.address(group: 3, number)
            book.add(address, from: [UInt8(number % 256), UInt8(number / 256)])
            guard book.new.contains(address) else { continue }
            book.good(address, at: 0)
            if book.isTried(address) { continue }
            for holder in book.tried.keys.sorted() {
                var trial = book
                trial.drop(holder)
                trial.good(address, at: 0)
                if trial.isTried(address) { return (holder, address) }
            }
        }
        throw Missing()
    }
    struct Missing: Error {}

    @Test mutating func `who was good lately stays without a test`() throws {
        var book = book()
        let (holder, challenger) = try rivals(&book)
        book.good(challenger, at: ReplicationLimit.freshMilliseconds - 1)
        let feeler = book.feeler(at: ReplicationLimit.freshMilliseconds, using: &draws) { _ in true
        }
        #expect(feeler != holder)
        #expect(book.isTried(holder) && !book.isTried(challenger))
    }

    @Test(arguments: [true, false])
    mutating func `whoever has the place is tested first, and leaves it only if nobody answers`(
        answers: Bool
    ) throws {
        var book = book()
        let (holder, challenger) = try rivals(&book)
        let later = ReplicationLimit.freshMilliseconds
        book.good(challenger, at: later)
        #expect(book.isTried(holder))
        #expect(book.feeler(at: later, using: &draws) { _ in true } == holder)
        book.dialed(holder, at: later)
        if answers { book.good(holder, at: later) } else { book.failed(holder) }
        #expect(book.isTried(holder) == answers)
        #expect(book.isTried(challenger) == !answers)
        #expect(book.feeler(at: later, using: &draws) { _ in true } != holder)
    }

    // MARK: - Choice

    @Test mutating func `no two of one net group while there is another`() throws {
        var book = book()
        let groups = 6
        for group in 0..<groups {
            for number in 0..<5 {
                let address = Self.address(group: group, number)
                book.add(address, from: [UInt8(group)])
                if number < 2 { book.good(address, at: 0) }
            }
        }
        var chosen: [Address] = []
        for _ in 0..<groups + 2 {
            let next = book.choose(beside: chosen.map(\.group), at: 0, using: &draws) {
                !chosen.contains($0)
            }
            chosen.append(try #require(next))
        }
        #expect(Set(chosen.prefix(groups).map(\.group)).count == groups)
    }

    @Test mutating func `the wait doubles with each failure and begins anew with success`() {
        var book = book()
        let address = Self.address(group: 1)
        book.add(address, from: [1])
        var now: Int64 = 0
        var wait = ReplicationLimit.redialMilliseconds
        for _ in 0..<4 {
            book.dialed(address, at: now)
            book.failed(address)
            wait *= 2
            #expect(!book.isDue(address, at: now + wait - 1))
            #expect(book.choose(beside: [], at: now, using: &draws) { _ in true } == nil)
            now += wait
            #expect(book.isDue(address, at: now))
        }
        book.dialed(address, at: now)
        book.good(address, at: now)
        #expect(book.isDue(address, at: now + ReplicationLimit.redialMilliseconds))
    }

    @Test mutating func `the last outbound peers are the first to be dialed after a start`() {
        let outbound = (0..<8).map { Self.address(group: $0) }
        var book = book()
        for group in 0..<100 {
            book.add(Self.address(group: group), from: [1])
            book.good(Self.address(group: group), at: 0)
        }
        book.keepAnchors(outbound)
        // One that is left keeps those of before in their places behind it.
        book.keepAnchors([outbound[7]])
        let anchors = [outbound[7]] + outbound.prefix(ReplicationLimit.anchors - 1)
        #expect(book.anchors == anchors)

        var next = AddressBook(
            secret: Self.secret(1),
            tried: book.tried.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            anchors: book.anchors)
        #expect(next.tried == book.tried)
        for anchor in anchors {
            #expect(next.choose(beside: [], at: 0, using: &draws) { _ in true } == anchor)
            next.dialed(anchor, at: 0)
        }
    }

    // MARK: - Plays

    /// Peers that listen, a node with eight slots and a feeler every two minutes.
    private struct Play {
        var book: AddressBook
        var draws: Draws
        var now: Int64 = 0
        var outbound: [Address] = []
        var listening: Set<Address>

        mutating func dial(_ address: Address) -> Bool {
            book.dialed(address, at: now)
            guard listening.contains(address) else {
                book.failed(address)
                return false
            }
            book.good(address, at: now)
            return true
        }

        /// Each slot is lost now and then, so that attackers have their chance at it.
        mutating func minutes(_ count: Int) {
            for minute in 0..<count {
                now += 60_000
                outbound.removeAll { !listening.contains($0) }
                if minute % 20 == 0, !outbound.isEmpty {
                    outbound.remove(at: Int.random(in: 0..<outbound.count, using: &draws))
                }
                for _ in 0..<8 where outbound.count < 8 {
                    let held = outbound
                    let next = book.choose(
                        beside: held.map(\.group), at: now, using: &draws
                    ) { !held.contains($0) }
                    guard let next else { break }
                    if dial(next) { outbound.append(next) }
                }
                book.keepAnchors(outbound)
                let held = outbound
                if minute % 2 == 0,
                    let feeler = book.feeler(
                        at: now, using: &draws, where: { !held.contains($0) })
                {
                    _ = dial(feeler)
                }
            }
        }
    }

    private static let honest = (0..<100).map { address(group: $0 % 50, $0 / 50) }
    /// Nine of ten addresses, of four net groups, that answer whenever they are dialed.
    private static let hostile = (0..<900).map { address(group: 1_000 + $0 % 4, $0 / 4) }

    private static func offer(_ book: inout AddressBook) {
        for (index, address) in hostile.enumerated() {
            book.add(address, from: [9, UInt8(index % 4)])
        }
        for (index, address) in honest.enumerated() {
            book.add(address, from: [1, UInt8(index % 10)])
        }
    }

    @Test
    func
        `who owns nine of ten addresses owns neither what was tried nor all peers, over a restart`()
    {
        let seeds: UInt64 = 20
        let isHonest = Set(Self.honest)
        for seed in 0..<seeds {
            var play = Play(
                book: AddressBook(secret: Self.secret(seed)), draws: .init(state: seed),
                listening: isHonest.union(Self.hostile))
            Self.offer(&play.book)
            play.minutes(12 * 60)
            let tried = play.book.tried.keys.sorted()
            let good = tried.count(where: isHonest.contains)
            #expect(good * 2 > tried.count, "seed \(seed): \(good) of \(tried.count)")
            #expect(play.outbound.contains(where: isHonest.contains), "seed \(seed)")

            // Half of the honest ones are away just then.
            var next = AddressBook(
                secret: Self.secret(seed), tried: tried.map { ($0, play.now) },
                anchors: play.book.anchors)
            Self.offer(&next)
            play.book = next
            play.outbound = []
            play.listening.subtract(Self.honest.filter { _ in Bool.random(using: &play.draws) })
            play.minutes(5)
            let kept = play.outbound.count(where: isHonest.contains)
            #expect(kept > 0, "seed \(seed): \(play.outbound.count) outbound")
        }
    }

    @Test func `when all the honest move, feelers find them where they are now`() {
        let isHonest = Set(Self.honest)
        let moved = Self.honest.map {
            Address(did: $0.did, host: "99." + $0.host.dropFirst(3), port: 7002)
        }
        for seed: UInt64 in 0..<5 {
            var play = Play(
                book: AddressBook(secret: Self.secret(seed)), draws: .init(state: seed),
                listening: isHonest)
            for (index, address) in Self.honest.enumerated() {
                play.book.add(address, from: [1, UInt8(index % 10)])
            }
            play.minutes(12 * 60)
            play.listening = Set(moved)
            for (index, address) in moved.enumerated() {
                play.book.add(address, from: [1, UInt8(index % 10)])
            }
            play.minutes(24 * 60)
            let found = moved.count(where: play.book.isTried)
            #expect(found * 10 >= moved.count * 8, "seed \(seed): \(found)")
            #expect(play.outbound.count == 8)
        }
    }
}
