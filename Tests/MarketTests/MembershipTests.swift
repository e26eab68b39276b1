import Capacity
import Entries
import Fixtures
import Identity
import Market
import Testing

/// Who is in an alliance: the fold of its rules, of admissions and of expulsions.
@Suite struct MembershipTests {
    static func key(_ number: UInt8) -> SigningKey {
        SigningKey(seed: SecretBytes([UInt8](repeating: number, count: 32)))!
    }
    static func did(_ number: UInt8) -> DID { DID(key(number).publicKey) }
    static let (sam, sue) = (did(1), did(2))
    static let (ann, ben, cat, dan) = (did(11), did(12), did(13), did(14))
    static let topic = TopicID(SHA256.hash([9]))
    static let now = try! Instant(milliseconds: 1_795_000_000_000)

    static func rules(
        _ admission: AllianceRules.Admission, stewards: [DID] = [sam, sue],
        _ limits: [String: Int64] = [:]
    ) throws -> AllianceRules {
        try AllianceRules(
            Founding(
                name: "guild", stewards: stewards, admission: admission.rawValue,
                limits: [Argument](limits.mapValues { .integer($0) }), nonce: .zero))
    }

    /// An entry of the public log of the key's owner, as far as this fold looks at it.
    static func act<Body: EntryBody>(
        _ number: UInt8, _ sequence: Int64, _ body: Body, time: Instant = now
    ) throws -> Entry {
        let (key, bytes) = (key(number), body.wire)
        return try ValidEntry(
            signing: Header(
                kind: Body.kind.rawValue, author: DID(key.publicKey),
                key: EntryID(SHA256.hash([2])), topic: topic, time: time,
                bodyHash: SHA256.hash(bytes), bodySize: Int64(bytes.count),
                place: .log(
                    .init(
                        log: .publicLog(author: DID(key.publicKey), alliance: topic),
                        sequence: sequence,
                        previous: sequence == 1 ? nil : EntryID(SHA256.hash([3]))))),
            body: bytes, by: key
        ).entry
    }

    static func expel(_ member: DID, at sequence: Int64) -> Expel {
        Expel(
            member: member, log: .publicLog(author: member, alliance: topic), sequence: sequence)
    }

    /// The standings of all six after `acts`, the same in whatever order these come.
    static func standings(_ rules: AllianceRules, _ acts: [Entry]) -> [Membership.Standing] {
        var all: [[Membership.Standing]] = []
        for order in permutations(acts) {
            var membership = Membership(topic: topic, rules: rules)
            for entry in order { _ = membership.fold(entry) }
            all.append([sam, sue, ann, ben, cat, dan].map(membership.standing))
        }
        #expect(Set(all).count == 1)
        return all[0]
    }

    static func permutations<T>(_ items: [T]) -> [[T]] {
        guard let first = items.first else { return [[]] }
        return permutations(Array(items.dropFirst())).flatMap { rest in
            (0...rest.count).map { Array(rest[..<$0]) + [first] + Array(rest[$0...]) }
        }
    }

    @Test func `where stewards admit, nobody else does`() throws {
        let found = Self.standings(
            try Self.rules(.steward),
            [
                try Self.act(1, 1, Admit(member: Self.ann)),
                try Self.act(11, 1, Admit(member: Self.ben)),
                try Self.act(12, 1, Admit(member: Self.ben)),
            ])
        #expect(found == [.steward, .steward, .member, .outsider, .outsider, .outsider])
    }

    @Test func `where members invite, one leads to the next, and nobody invites himself`() throws {
        let found = Self.standings(
            try Self.rules(.invitation),
            [
                try Self.act(13, 1, Admit(member: Self.dan)),
                try Self.act(1, 1, Admit(member: Self.ann)),
                try Self.act(11, 1, Admit(member: Self.ben)),
                try Self.act(14, 1, Admit(member: Self.cat)),
            ])
        #expect(found == [.steward, .steward, .member, .member, .outsider, .outsider])
    }

    @Test func `what an expelled member did below the cut stands, and above it nothing`() throws {
        let found = Self.standings(
            try Self.rules(.invitation),
            [
                try Self.act(1, 1, Admit(member: Self.ann)),
                try Self.act(11, 3, Admit(member: Self.ben)),
                try Self.act(11, 4, Admit(member: Self.cat)),
                try Self.act(2, 1, Self.expel(Self.ann, at: 3)),
                // A later word of the same steward, further up, changes nothing.
                try Self.act(2, 2, Self.expel(Self.ann, at: 9)),
            ])
        #expect(
            found == [.steward, .steward, .expelled(upTo: 3), .member, .outsider, .outsider])
    }

    @Test func `members expel nobody, and stewards stay`() throws {
        let found = Self.standings(
            try Self.rules(.anyone),
            [
                try Self.act(11, 1, Self.expel(Self.ben, at: 0)),
                try Self.act(1, 1, Self.expel(Self.sue, at: 0)),
                try Self.act(2, 1, Self.expel(Self.cat, at: 2)),
            ])
        #expect(
            found == [.steward, .steward, .member, .member, .expelled(upTo: 2), .member])
    }

    @Test func `where two stewards must agree, the log ends where both say it does`() throws {
        let rules = try Self.rules(.anyone, [AllianceRules.expelledByName: 2])
        let one = try Self.act(1, 1, Self.expel(Self.ann, at: 4))
        let twice = try Self.act(1, 2, Self.expel(Self.ann, at: 6))
        let other = try Self.act(2, 1, Self.expel(Self.ann, at: 7))
        #expect(Self.standings(rules, [one, twice])[2] == .member)
        #expect(Self.standings(rules, [one, twice, other])[2] == .expelled(upTo: 7))
    }

    @Test func `an expulsion counts on through the cuts of a log`() throws {
        let first = LogID.publicLog(author: Self.ann, alliance: Self.topic)
        let second = LogID(SHA256.hash([8]))
        var membership = Membership(topic: Self.topic, rules: try Self.rules(.anyone))
        _ = membership.fold(
            try Self.act(1, 1, Expel(member: Self.ann, log: second, sequence: 2)))
        // The log that it names is not here yet: what is here stands.
        let last = Header.LogPlace(log: first, sequence: 40, previous: nil)
        #expect(membership.stands(Self.ann, at: last))
        membership.goOn(second, after: Cut(log: first, sequence: 5, id: .zero))
        #expect(membership.standing(of: Self.ann) == .expelled(upTo: 7))
        for (sequence, stands) in [(Int64(2), true), (3, false)] {
            let place = Header.LogPlace(log: second, sequence: sequence, previous: nil)
            #expect(membership.stands(Self.ann, at: place) == stands)
        }
    }

    @Test func `an invitation is spent by the first admission that names it`() throws {
        let code = Self.key(40).publicKey
        var membership = Membership(topic: Self.topic, rules: try Self.rules(.invitation))
        #expect(membership.admitted(with: code, by: Self.sam) == nil)
        for (sequence, member) in [(Int64(2), Self.ben), (1, Self.ann)] {
            _ = membership.fold(
                try Self.act(1, sequence, Admit(member: member, invitation: code)))
        }
        #expect(membership.admitted(with: code, by: Self.sam) == Self.ann)
        #expect(membership.admitted(with: code, by: Self.sue) == nil)
        #expect(membership.admitter(of: Self.ben) == Self.sam)
    }

    @Test func `rules that this program does not understand are refused`() throws {
        func refusal(_ founding: Founding) -> AllianceRules.Refusal? {
            do throws(AllianceRules.Refusal) { _ = try AllianceRules(founding) } catch {
                return error
            }
            return nil
        }
        func founding(
            _ admission: String = "anyone", _ stewards: [DID] = [Self.sam],
            _ limits: [String: Value] = [:]
        ) -> Founding {
            Founding(
                name: "a", stewards: stewards, admission: admission,
                limits: [Argument](limits), nonce: .zero)
        }
        #expect(refusal(founding()) == nil)
        #expect(refusal(founding("lot")) == .admissionUnknown("lot"))
        #expect(refusal(founding("anyone", [])) == .noStewards)
        #expect(refusal(founding("anyone", [Self.sam, Self.sam])) == .stewardTwice(Self.sam))
        #expect(
            refusal(founding("anyone", [Self.sam], ["moon": .integer(1)])) == .limitUnknown("moon"))
        #expect(
            refusal(founding("anyone", [Self.sam], [AllianceRules.openOffersName: .integer(0)]))
                == .limitUnreadable(AllianceRules.openOffersName))
        #expect(
            refusal(founding("anyone", [Self.sam], [AllianceRules.expelledByName: .integer(2)]))
                == .tooFewStewards(have: 1, needed: 2))
    }
}

/// What one public log may take on in a day, counted in the log alone.
@Suite struct PaceTests {
    typealias Membership = MembershipTests
    static let start = MembershipTests.now

    static func hours(_ count: Int64) -> Instant { start.advanced(by: count * 3_600_000) }

    @Test func `what is above the day's limit may be taken a day after what it follows`() throws {
        let rules = try Membership.rules(.anyone, [AllianceRules.entriesPerDayName: 2])
        var pace = try #require(Pace(rules, of: Membership.ann))
        var dues: [Instant] = []
        for (sequence, hour) in [(Int64(1), Int64(0)), (2, 1), (3, 2), (4, 3), (5, 60)] {
            let entry = try Membership.act(
                11, sequence, Profile(name: "ann"), time: Self.hours(hour))
            dues.append(max(pace.due(entry), entry.header.time))
            pace.fold(entry)
        }
        #expect(dues == [0, 1, 24, 25, 60].map(Self.hours))
    }

    @Test func `admissions and expulsions wait for what is below them and count for nothing`()
        throws
    {
        let rules = try Membership.rules(.invitation, [AllianceRules.entriesPerDayName: 1])
        var pace = try #require(Pace(rules, of: Membership.ann))
        pace.fold(try Membership.act(11, 1, Profile(name: "ann")))
        let admit = try Membership.act(11, 2, Admit(member: Membership.ben))
        #expect(pace.due(admit) <= Self.start)
        pace.fold(admit)
        let late = try Membership.act(11, 3, Profile(name: "anna"))
        #expect(pace.due(late) == Self.hours(24))
        pace.fold(late)
        let above = try Membership.act(11, 4, Admit(member: Membership.cat))
        #expect(pace.due(above) == Self.hours(24))
    }

    @Test func `an offer above the limit waits until an earlier one is over or withdrawn`() throws {
        let rules = try Membership.rules(.anyone, [AllianceRules.openOffersName: 2])
        func offer(_ sequence: Int64, until hour: Int64) throws -> Entry {
            try Membership.act(
                11, sequence,
                Offer(
                    template: .zero, line: nil, arguments: [], maxUnits: 1, lot: 1,
                    until: Self.hours(hour)), time: Self.start)
        }
        var pace = try #require(Pace(rules, of: Membership.ann))
        let first = try offer(1, until: 48)
        pace.fold(first)
        pace.fold(try offer(2, until: 24))
        let third = try offer(3, until: 90)
        #expect(pace.due(third) == Self.hours(24).advanced(by: 1))
        pace.fold(try Membership.act(11, 3, Withdrawal(offer: first.id)))
        #expect(pace.due(third) <= Self.start)
        // A wish stands in the market like an offer.
        let terms = LineTerms(
            resource: try Resource("print"),
            window: try Window(
                start: Self.hours(90), end: Self.hours(99), offsetMinutes: 0),
            unit: try UnitCode("C62"))
        let wish = Wish(terms: terms, units: 5, most: nil, until: Self.hours(60))
        pace.fold(try Membership.act(11, 4, wish, time: Self.start))
        #expect(pace.due(third) == Self.hours(24).advanced(by: 1))
    }

    @Test func `who may not admit or expel is slowed down in that as in all else`() throws {
        for (admission, isSlowed) in [
            (AllianceRules.Admission.anyone, true), (.steward, true), (.invitation, false),
        ] {
            let rules = try Membership.rules(admission, [AllianceRules.entriesPerDayName: 1])
            var pace = try #require(Pace(rules, of: Membership.ann))
            pace.fold(try Membership.act(11, 1, Profile(name: "ann")))
            let admit = try Membership.act(11, 2, Admit(member: Membership.ben))
            #expect((pace.due(admit) == Self.hours(24)) == isSlowed, "\(admission)")
            let expel = try Membership.act(11, 2, Membership.expel(Membership.ben, at: 0))
            #expect(pace.due(expel) == Self.hours(24))
            // A change of key is one, whatever else is called so is not.
            let same = try Membership.act(11, 2, Continue(from: EntryID(SHA256.hash([2]))))
            #expect(pace.due(same) == Self.hours(24))
        }
    }

    @Test func `what is said to be of before one was let in counts from then on`() throws {
        let rules = try Membership.rules(.steward, [AllianceRules.entriesPerDayName: 2])
        var membership = Market.Membership(topic: Membership.topic, rules: rules)
        membership.fold(try Membership.act(1, 1, Admit(member: Membership.ann)))
        var pace = try #require(membership.pace(of: Membership.ann))
        var dues: [Instant] = []
        for sequence in 1...6 as ClosedRange<Int64> {
            // As if ann had been here for years.
            let entry = try Membership.act(
                11, sequence, Profile(name: "ann"), time: Self.hours(24 * (sequence - 1_000)))
            dues.append(max(pace.due(entry), Self.start))
            pace.fold(entry)
        }
        #expect(dues == [0, 0, 24, 24, 48, 48].map(Self.hours))
    }

    @Test func `without limits there is no pace`() throws {
        #expect(Pace(try Membership.rules(.anyone), of: Membership.ann) == nil)
    }
}
