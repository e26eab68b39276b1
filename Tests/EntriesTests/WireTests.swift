import Capacity
import Entries
import Fixtures
import Identity
import Testing

@Suite struct WireTests {
    @Test func `a header is read from its one spelling and no other`() throws {
        #expect(try Header(strict: Raw.log.bytes).wire == Raw.log.bytes)
        #expect(try Header(strict: Raw.statement.bytes).wire == Raw.statement.bytes)
        for row in Self.refused {
            do {
                _ = try Header(strict: row.bytes)
                Issue.record("\(row.name) was read")
            } catch {
                #expect("\(error)" == row.refusal, "\(row.name)")
            }
        }
    }

    private static let refused: [(name: String, bytes: [UInt8], refusal: String)] = {
        let (log, statement) = (Raw.log, Raw.statement)
        let id = [UInt8](repeating: 1, count: 32)
        return [
            ("nothing", [], "wireMissing(field: 1)"),
            ("unknown field", log.adding(16, 1), "wireField(field: 16, after: 10)"),
            ("unknown field beyond all", log.adding(1001, 1), "wireField(field: 0, after: 10)"),
            ("field zero", log.bytes + [0, 1], "wireField(field: 0, after: 10)"),
            ("repeated number", log.twice(10), "wireField(field: 10, after: 10)"),
            ("repeated id", log.twice(9), "wireMissing(field: 10)"),
            ("out of order", log.swapping(3, 4), "wireMissing(field: 3)"),
            ("last two swapped", log.swapping(8, 9), "wireMissing(field: 8)"),
            ("long varint", log.replacing(1, [0x08, 0x81, 0x00]), "wireVarint"),
            ("long tag", log.replacing(1, [0x88, 0x00, 0x01]), "wireVarint"),
            (
                "varint above 64 bits",
                log.replacing(6, [0x30] + [UInt8](repeating: 0xff, count: 9) + [2]), "wireVarint"
            ),
            ("varint that never ends", log.bytes + [0x80], "wireTruncated"),
            (
                "default spelled out", log.replacing(10, [0x50, 0]),
                "wireDefaultSpelledOut(field: 10)"
            ),
            ("number as bytes", log.replacing(10, [0x52, 1, 1]), "wireType(field: 10)"),
            ("id as number", log.replacing(9, [0x48, 1]), "wireType(field: 9)"),
            ("fixed64", log.replacing(10, [0x51, 1, 0, 0, 0, 0, 0, 0, 0]), "wireType(field: 10)"),
            ("group", log.bytes + [0x63, 0x64], "wireField(field: 12, after: 10)"),
            ("trailing zero", log.bytes + [0], "wireField(field: 0, after: 10)"),
            ("short id", log.with(3, Array(id.dropLast())), "wireLength(field: 3, bytes: 31)"),
            ("long id", log.with(5, id + [1]), "wireLength(field: 5, bytes: 33)"),
            ("empty id", log.with(7, []), "wireLength(field: 7, bytes: 0)"),
            ("length beyond the end", Array(log.bytes.dropLast(3)), "wireTruncated"),
            ("time zero", log.without(6), "wireMissing(field: 6)"),
            (
                "time above 2^53", log.with(6, wholeNumberMax + 1),
                "value(field: 6, Capacity.CapacityRefusal.numberOutOfBounds(9007199254740992))"
            ),
            ("no author", log.without(3), "wireMissing(field: 3)"),
            ("no body", log.without(8), "wireMissing(field: 8)"),
            (
                "body above the limit", log.with(8, Int64(EntryLimit.bodyBytes) + 1),
                "tooLarge(what: \"body\", bytes: 65609, limit: 65608)"
            ),
            ("newer version", log.with(1, 2), "newerVersion(2)"),
            ("newer version, newer fields", log.with(1, 7) + [0xff, 0xff], "newerVersion(7)"),
            ("no version", log.without(1), "wireMissing(field: 1)"),
            ("log and statement", log.adding(12, 5), "wireField(field: 12, after: 10)"),
            ("neither", log.without(9, 10), "wireMissing(field: 12)"),
            ("sequence without log", log.without(9), "wireMissing(field: 12)"),
            ("log without sequence", log.without(10), "wireMissing(field: 10)"),
            (
                "previous at the first", log.adding(11, id),
                "headerShape(\"previous stands exactly where sequence is above 1\")"
            ),
            (
                "second without previous", log.with(10, 2),
                "headerShape(\"previous stands exactly where sequence is above 1\")"
            ),
            (
                "a statement's kind in a log", log.with(2, 40),
                "headerShape(\"kinds below 40 stand in logs, the others are statements\")"
            ),
            (
                "a log's kind as statement", statement.with(2, 39),
                "headerShape(\"kinds below 40 stand in logs, the others are statements\")"
            ),
            ("no kind", log.without(2), "wireMissing(field: 2)"),
            ("no key", log.without(4), "headerShape(\"key stands in all but key entries\")"),
            (
                "a key entry with a key", log.with(2, 1),
                "headerShape(\"key stands in all but key entries\")"
            ),
            (
                "a key entry in a topic", log.with(2, 1, dropping: 4),
                "headerShape(\"a key entry belongs to no topic\")"
            ),
            ("no expiry", statement.without(12), "wireMissing(field: 12)"),
            (
                "record versions out of order",
                statement.bytes + [0x7a, 4, 8, 2, 16, 1, 0x7a, 4, 8, 1, 16, 1],
                "wireOrder(field: 15)"
            ),
            (
                "one record twice",
                statement.bytes + [0x7a, 4, 8, 2, 16, 1, 0x7a, 4, 8, 2, 16, 3],
                "wireOrder(field: 15)"
            ),
            (
                "a record without version", statement.bytes + [0x7a, 2, 8, 2],
                "wireMissing(field: 2)"
            ),
            (
                "a record with more", statement.bytes + [0x7a, 6, 8, 2, 16, 1, 24, 1],
                "wireField(field: 3, after: 2)"
            ),
        ]
    }()

    @Test func `an unknown kind of a known version is read`() throws {
        let unknown = try Header(strict: Raw.log.with(2, 39))
        #expect(unknown.kind == 39)
        #expect(try Header(strict: Raw.statement.with(2, 9999)).kind == 9999)
        #expect(Kind(rawValue: 39) == nil)
        for kind in Kind.allCases { #expect(Kind.reserved[kind.rawValue] == nil) }
    }

    @Test func `values have one spelling, zeros and empties included`() throws {
        for value: Value in [.integer(0), .text(""), .list([])] {
            #expect(try Value(strict: value.wire) == value)
            #expect(value.wire.count == 2)
        }
        let refused: [(String, [UInt8])] = [
            ("nothing", []), ("integer zero", [0x08, 0]), ("empty text", [0x32, 0]),
            ("empty list", [0x42, 0]), ("two at once", [0x08, 2, 0x20, 1]), ("zero 4", [0x48, 4]),
            ("text with a zero byte", [0x32, 1, 0]), ("broken UTF-8", [0x32, 2, 0xc3, 0x28]),
            ("overlong UTF-8", [0x32, 2, 0xc0, 0x80]),
            ("a surrogate", [0x32, 3, 0xed, 0xa0, 0x80]),
            ("money without currency", [0x12, 2, 0x08, 2]),
            ("currency in small letters", [0x12, 5, 0x12, 3, 0x63, 0x6e, 0x79]),
            ("an integer above 2^53", [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]),
        ]
        for (name, bytes) in refused {
            #expect(throws: EntryRefusal.self, "\(name)") { try Value(strict: bytes) }
        }
    }

    @Test func `lists nest as deep as a schedule needs and no deeper`() throws {
        var value = Value.integer(7)
        for _ in 0..<6 { value = .list([value]) }
        #expect(try Value(strict: value.wire) == value)
        let deeper = Value.list([value])
        #expect(throws: EntryRefusal.self) { try Value(strict: deeper.wire) }
        var bottomless: [UInt8] = [8, 2]
        for _ in 0..<12 {
            bottomless =
                [0x42] + [UInt8(bottomless.count + 2)] + [0x0a]
                + [UInt8(bottomless.count)] + bottomless
        }
        #expect(throws: EntryRefusal.self) { try Value(strict: bottomless) }
    }

    @Test func `names are plain, sorted and stand once`() throws {
        func act(_ arguments: [Argument], transition: String = "go") -> [UInt8] {
            SignedAct(transition: transition, record: 1, arguments: arguments).wire
        }
        func argument(_ name: String) -> Argument { Argument(name: name, value: .integer(1)) }
        #expect(try SignedAct(strict: act([argument("a"), argument("b")])).arguments.count == 2)
        #expect(throws: EntryRefusal.wireOrder(field: 3)) {
            try SignedAct(strict: act([argument("b"), argument("a")]))
        }
        #expect(throws: EntryRefusal.wireOrder(field: 3)) {
            try SignedAct(strict: act([argument("a"), argument("a")]))
        }
        let names = ["é", "a b", "а", "a/b", String(repeating: "a", count: 65)]
        for name in names {
            #expect(throws: EntryRefusal.wireText(field: 1), "\(name)") {
                try SignedAct(strict: act([], transition: name))
            }
        }
        #expect(throws: EntryRefusal.wireMissing(field: 1)) {
            try SignedAct(strict: act([], transition: ""))
        }
    }

    @Test func `a list has at most a thousand and twenty-four items`() throws {
        func founding(_ count: Int) -> [UInt8] {
            Founding(
                name: "a", stewards: Array(repeating: alice.did, count: count), nonce: .zero
            ).wire
        }
        #expect(try Founding(strict: founding(1024)).stewards.count == 1024)
        #expect(throws: EntryRefusal.wireTooMany(field: 2, limit: 1024)) {
            try Founding(strict: founding(1025))
        }
        func texts(_ count: Int) -> [UInt8] {
            Profile(name: "a", addresses: Array(repeating: "b", count: count)).wire
        }
        #expect(try Profile(strict: texts(1024)).addresses.count == 1024)
        #expect(throws: EntryRefusal.wireTooMany(field: 3, limit: 1024)) {
            try Profile(strict: texts(1025))
        }
    }

    @Test func `a text has at most eight kibibytes`() throws {
        func profile(_ count: Int) -> [UInt8] {
            Profile(name: String(repeating: "a", count: count)).wire
        }
        #expect(try Profile(strict: profile(8192)).name.utf8.count == 8192)
        #expect(throws: EntryRefusal.tooLarge(what: "text", bytes: 8193, limit: 8192)) {
            try Profile(strict: profile(8193))
        }
    }

    @Test func `two texts that look alike stay two`() throws {
        let (one, other) = (Value.text("é").wire, Value.text("e\u{301}").wire)
        #expect(one != other)
        #expect(try Value(strict: one).wire == one)
        #expect(try Value(strict: other).wire == other)
    }

    @Test func `a step holds an act or a request`() throws {
        var step = Step(act: nil, request: nil, records: [], digest: .zero)
        #expect(throws: EntryRefusal.self) { try Step(strict: step.wire) }
        step.act = SignedAct(transition: "go", record: 1, arguments: [])
        #expect(try Step(strict: step.wire) == step)
        step.request = alice.keyEntry.entry
        #expect(throws: EntryRefusal.self) { try Step(strict: step.wire) }
    }

    @Test func `ten thousand random messages read back as they were written`() {
        var random = Seeded(2026)
        for number in 0..<10_000 {
            let message = random.message(number % Seeded.messageKinds)
            do {
                let again = try message.reread(message.bytes)
                if again != message.bytes { Issue.record("\(message.name) changed, \(number)") }
            } catch {
                Issue.record("\(message.name) \(number): \(error)")
            }
        }
    }

    @Test func `any bytes are refused or the one spelling of what they say`() {
        var random = Seeded(7)
        let pool = (0..<230).map { random.message($0 % Seeded.messageKinds) }
        var read = 0
        for number in 0..<100_000 {
            let message = pool[random.below(pool.count)]
            let bytes =
                number % 10 == 0
                ? random.bytes(random.below(80)) : random.mutated(message.bytes, pool)
            guard let again = try? message.reread(bytes) else { continue }
            read += 1
            if again != bytes { Issue.record("\(message.name) \(bytes.hex) is \(again.hex)") }
        }
        // Flips inside ids leave a lawful message; the others must have been refused.
        #expect((1000..<80_000).contains(read), "\(read)")
    }
}

extension Seeded {
    fileprivate mutating func mutated(_ bytes: [UInt8], _ pool: [Message]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(3) {
            let at = bytes.isEmpty ? 0 : below(bytes.count)
            switch below(6) {
            case 0 where !bytes.isEmpty: bytes[at] ^= 1 << UInt8(below(8))
            case 1 where !bytes.isEmpty: bytes.remove(at: at)
            case 2: bytes.insert(UInt8(below(256)), at: at)
            case 3: bytes = Array(bytes[..<at])
            case 4 where !bytes.isEmpty: bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)]
            default: bytes = Array(bytes[..<at]) + pool[below(pool.count)].bytes.suffix(below(40))
            }
        }
        return bytes
    }
}

/// A header field by field, to spell it wrongly.
private struct Raw {
    private var fields: [(number: Int, bytes: [UInt8])] = []

    static let log: Raw = {
        var raw = common(kind: 10)
        raw.set(9, [UInt8](repeating: 9, count: 32))
        raw.set(10, 1)
        return raw
    }()

    static let statement: Raw = {
        var raw = common(kind: 42)
        raw.set(12, 1_795_222_900_000)
        return raw
    }()

    private static func common(kind: Int64) -> Raw {
        var raw = Raw()
        raw.set(1, 1)
        raw.set(2, kind)
        for field in 3...5 { raw.set(field, [UInt8](repeating: UInt8(field), count: 32)) }
        raw.set(6, 1_795_222_800_000)
        raw.set(7, [UInt8](repeating: 7, count: 32))
        raw.set(8, 20)
        return raw
    }

    var bytes: [UInt8] { fields.flatMap(\.bytes) }

    func with(_ field: Int, _ value: Int64, dropping other: Int = 0) -> [UInt8] {
        var copy = self
        copy.set(field, value)
        return copy.without(other)
    }

    func with(_ field: Int, _ value: [UInt8]) -> [UInt8] {
        var copy = self
        copy.set(field, value)
        return copy.bytes
    }

    func adding(_ field: Int, _ value: Int64) -> [UInt8] { with(field, value) }
    func adding(_ field: Int, _ value: [UInt8]) -> [UInt8] { with(field, value) }

    func without(_ numbers: Int...) -> [UInt8] {
        fields.filter { !numbers.contains($0.number) }.flatMap(\.bytes)
    }

    func twice(_ number: Int) -> [UInt8] {
        fields.flatMap { $0.number == number ? $0.bytes + $0.bytes : $0.bytes }
    }

    func swapping(_ one: Int, _ other: Int) -> [UInt8] {
        var copy = self
        guard let a = fields.firstIndex(where: { $0.number == one }),
            let b = fields.firstIndex(where: { $0.number == other })
        else { return [] }
        copy.fields.swapAt(a, b)
        return copy.bytes
    }

    func replacing(_ number: Int, _ raw: [UInt8]) -> [UInt8] {
        fields.flatMap { $0.number == number ? raw : $0.bytes }
    }

    private mutating func set(_ field: Int, _ value: Int64) {
        put(field, varint(UInt64(field) << 3) + varint(UInt64(value)))
    }

    private mutating func set(_ field: Int, _ value: [UInt8]) {
        put(field, varint(UInt64(field) << 3 | 2) + varint(UInt64(value.count)) + value)
    }

    private mutating func put(_ field: Int, _ raw: [UInt8]) {
        if let index = fields.firstIndex(where: { $0.number == field }) {
            fields[index].bytes = raw
        } else {
            fields.append((field, raw))
        }
    }

    private func varint(_ value: UInt64) -> [UInt8] {
        var (bytes, rest): ([UInt8], UInt64) = ([], value)
        while rest > 127 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
