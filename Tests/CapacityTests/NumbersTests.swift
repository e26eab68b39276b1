import Capacity
import Testing

@Suite struct NumbersTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00.001Z", 1, 0),
        ("2026-11-21T09:00+08:00", 1_795_222_800_000, 480),
        ("2024-02-29T23:59:59.999-03:30", 1_709_263_799_999, -210),
        ("2000-02-29T00:00Z", 951_782_400_000, 0),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999, 0),
    ])
    func `a written time is the instant it names`(text: String, milliseconds: Int64, offset: Int) {
        let read = CivilTime.read(text)
        #expect(read?.instant.milliseconds == milliseconds)
        #expect(read?.offsetMinutes == offset)
    }

    @Test(arguments: [
        "", "2026", "2026-11-21", "2026-11-21T09:00", "2026-11-21 09:00Z", "2026-02-29T00:00Z",
        "2026-02-30T00:00Z", "1900-02-29T00:00Z", "2100-02-29T00:00Z", "2026-04-31T00:00Z",
        "2026-13-01T00:00Z", "2026-00-10T00:00Z", "2026-01-00T00:00Z", "2026-01-32T00:00Z",
        "2026-01-01T24:00Z", "2026-01-01T00:60Z", "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.1234Z", "2026-01-01T00:00+8:00",
        "2026-01-01T00:00+08", "2026-01-01T00:00+19:00", "2026-01-01T00:00+08:60",
        "2026-01-01T00:00Zz", "2026-01-01T00:00z", "+026-01-01T00:00Z", "1969-12-31T23:59Z",
        "1970-01-01T00:00Z", "２０２６-01-01T00:00Z", "2026-01-01T00:00Z\u{301}",
    ])
    func `what is no time is refused`(text: String) {
        #expect(CivilTime.read(text) == nil)
    }

    @Test func `every day of four centuries reads back as it was written`() throws {
        var instant = try Instant(milliseconds: 86_400_000)
        for day in 0..<146_097 {
            let offset = day % 37 * 60 - 1080
            let civil = CivilTime(instant, offsetMinutes: offset)
            let sign = offset < 0 ? "-" : "+"
            let minutes = offset.magnitude
            let text =
                "\(civil.date)T\(two(civil.hour)):\(two(civil.minute)):\(two(civil.second))"
                + ".\(three(civil.millisecond))\(sign)\(two(Int64(minutes / 60)))"
                + ":\(two(Int64(minutes % 60)))"
            guard let read = CivilTime.read(text), read.instant == instant else {
                Issue.record("\(text) does not read back as \(instant.milliseconds)")
                return
            }
            instant = instant.advanced(by: 86_400_000 + 61_003)
        }
    }

    @Test func `an instant shows date, clock and offset`() throws {
        let instant = try Instant(milliseconds: 1_795_222_800_000)
        #expect("\(CivilTime(instant, offsetMinutes: 480))" == "2026-11-21 09:00:00 +08:00")
        #expect("\(instant)" == "2026-11-21 01:00:00 +00:00")
        #expect("\(CivilTime(instant, offsetMinutes: -90))" == "2026-11-20 23:30:00 -01:30")
    }

    @Test func `an instant moved too far stays at the edge`() {
        #expect(Instant.latest.advanced(by: 1) == .latest)
        #expect(Instant.earliest.advanced(by: -1) == .earliest)
        #expect(Instant.latest.advanced(by: .max) == .latest)
        #expect(Instant.earliest.advanced(by: .min) == .earliest)
    }

    @Test(arguments: [Int64.min, -1, 0, wholeNumberMax + 1, .max])
    func `an instant outside its bounds is refused`(milliseconds: Int64) {
        #expect(throws: CapacityRefusal.numberOutOfBounds(milliseconds)) {
            try Instant(milliseconds: milliseconds)
        }
    }

    @Test func `money and quantities stop at two to the fifty-third`() throws {
        let yuan = try Currency("CNY")
        let piece = try UnitCode("C62")
        #expect(try Money(minor: -wholeNumberMax, yuan).minor == -wholeNumberMax)
        #expect(throws: CapacityRefusal.self) { try Money(minor: wholeNumberMax + 1, yuan) }
        #expect(throws: CapacityRefusal.self) { try Money(minor: .min, yuan) }
        #expect(try Quantity(units: wholeNumberMax, piece).units == wholeNumberMax)
        #expect(throws: CapacityRefusal.self) { try Quantity(units: -1, piece) }
        #expect(throws: CapacityRefusal.self) { try Quantity(units: wholeNumberMax + 1, piece) }
    }

    @Test(arguments: ["", "CN", "CNYX", "cny", "CN1", "ＣＮＹ"])
    func `a currency is three capital letters`(code: String) {
        #expect(throws: CapacityRefusal.currencyMalformed(code)) { try Currency(code) }
    }

    @Test(arguments: ["", "C624", "c62", "C-2", "é"])
    func `a unit is one to three capitals or digits`(code: String) {
        #expect(throws: CapacityRefusal.unitMalformed(code)) { try UnitCode(code) }
    }

    @Test(arguments: [
        "", "/", "print/", "/print", "print//a5", "Print", "print a5", "a/b/c/d/e/f/g/h/i", "é",
        String(repeating: "a", count: 129),
    ])
    func `a resource is one to eight plain parts`(path: String) {
        #expect(throws: CapacityRefusal.resourceMalformed(path)) { try Resource(path) }
    }

    @Test(arguments: [
        ("print", "print", true), ("print", "print/a5", true), ("print/a5", "print", true),
        ("print/a5", "print/a4", false), ("print", "printing", false),
    ])
    func `equal and nested resources overlap`(one: String, other: String, overlap: Bool) throws {
        #expect(try Resource(one).overlaps(Resource(other)) == overlap)
    }

    @Test(arguments: [
        (1, 5, 5, 9, false), (1, 6, 5, 9, true), (5, 9, 1, 6, true), (2, 3, 1, 9, true),
    ])
    func `windows are half-open`(a: Int64, b: Int64, c: Int64, d: Int64, overlap: Bool) throws {
        #expect(try window(a, b).overlaps(window(c, d)) == overlap)
    }

    @Test func `an empty window and an impossible offset are refused`() throws {
        #expect(throws: CapacityRefusal.self) { try window(5, 5) }
        #expect(throws: CapacityRefusal.windowOffset(minutes: 1081)) { try window(1, 5, 1081) }
        #expect(throws: CapacityRefusal.windowOffset(minutes: -1081)) { try window(1, 5, -1081) }
        #expect(try window(1, 5, 1080).offsetMinutes == 1080)
    }

    private func window(_ start: Int64, _ end: Int64, _ offset: Int = 0) throws -> Window {
        try Window(
            start: Instant(milliseconds: start), end: Instant(milliseconds: end),
            offsetMinutes: offset)
    }

    private func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

    private func three(_ value: Int64) -> String { value < 100 ? "0\(two(value))" : "\(value)" }
}
