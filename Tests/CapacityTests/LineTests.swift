import Capacity
import Testing

@Suite struct LineTests {
    @Test func `a line gives away what was declared and not one unit more`() {
        check(
            """
            grant a 1 9       -> lineNotDeclared
            declare 300       -> 300
            declare 300       -> lineAlreadyDeclared
            grant a 100 9     -> 200
            grant a 1 9       -> grantRepeated
            grant b 200 9     -> 0
            grant c 1 9       -> lineExceeded
            grant c 0 9       -> unitsNotPositive
            grant c -5 9      -> unitsNotPositive
            """)
    }

    @Test func `a total falls no lower than what is granted`() {
        check(
            """
            adjust 5          -> lineNotDeclared
            declare 50        -> 50
            grant a 30 9      -> 20
            adjust 29         -> totalBelowGranted
            adjust 30         -> 0
            adjust 80         -> 50
            adjust -1         -> numberOutOfBounds
            """)
    }

    @Test func `numbers stop at what JSON holds exactly`() {
        check(
            """
            declare -1                -> numberOutOfBounds
            declare 9007199254740992  -> numberOutOfBounds
            declare 9007199254740991  -> 9007199254740991
            adjust 9007199254740992   -> numberOutOfBounds
            """)
    }

    @Test func `time frees loose units after their until and firm ones after theirs`() {
        check(
            """
            declare 100       -> 100
            grant a 100 10    -> 0
            firm a 60 20      -> 0
            at 10
            free a 1          -> releaseTooEarly
            at 11
            free a 41         -> releaseTooEarly
            free a 40         -> 40
            at 20
            free a 1          -> releaseTooEarly
            at 21
            free a 60         -> 100
            free a 1          -> grantExceeded
            """)
    }

    @Test func `firm holds longer and never shorter`() {
        check(
            """
            declare 100       -> 100
            grant a 100 10    -> 0
            firm a 100 9      -> firmShortened
            firm a 100 20     -> 0
            firm a 60 15      -> grantExceeded
            firm a 60 30      -> 0
            at 21
            free a 41         -> releaseTooEarly
            free a 40         -> 40
            at 31
            free a 60         -> 100
            firm z 1 20       -> grantUnknown
            """)
    }

    @Test func `a split moves units and how long they are held`() {
        check(
            """
            declare 100       -> 100
            grant a 100 10    -> 0
            firm a 80 20      -> 0
            split a 101 b     -> grantExceeded
            split a 40 a      -> grantRepeated
            split a 40 b      -> 0
            split a 61 c      -> grantExceeded
            at 11
            free b 21         -> releaseTooEarly
            free b 20         -> 20
            free a 1          -> releaseTooEarly
            at 21
            free b 20         -> 40
            free a 60         -> 100
            """)
    }

    @Test func `a holder may release at any time, firm or not`() {
        var line = check(
            """
            declare 100       -> 100
            grant a 60 10     -> 40
            firm a 50 20      -> 40
            release a 30      -> 70
            release a 31      -> grantExceeded
            release b 1       -> grantUnknown
            """)
        #expect(line.grant("a")?.units == 30)
        #expect(line.grant("a")?.firmUnits == 30)
        #expect(line.grant("a")?.releasedBySignature == 30)
        line.apply(.release("a", units: 30, signed: true))
        #expect(line.remaining == 100)
        #expect(line.grant("a")?.releasedBySignature == 60)
    }

    @Test func `two thousand random lives of a line lose and invent nothing`() throws {
        var taken = 0
        for seed in UInt64(0)..<2000 {
            var random = Dice(seed)
            var line = Line<Int64>()
            for step in Int64(0)..<40 {
                let at = try Instant(milliseconds: random.roll(50) + 1)
                let event = random.event(step)
                let before = line
                guard let remaining = try? line.decide(event, at: at) else { continue }
                line.apply(event)
                taken += 1
                let total = line.total ?? -1
                let held = line.grants.map(\.units)
                #expect(line.remaining == remaining)
                #expect((0...total).contains(line.remaining), "seed \(seed)")
                #expect(line.remaining + held.reduce(0, +) == total, "seed \(seed)")
                #expect(held.allSatisfy { $0 >= 0 })
                for grant in line.grants {
                    #expect((0...grant.units).contains(grant.firmUnits), "seed \(seed)")
                    #expect(grant.firm.allSatisfy { $0.until >= grant.until && $0.units > 0 })
                }
                if case .firm(_, let units, let until) = event {
                    // Nobody's unit is held shorter than it was.
                    #expect(heldAfter(until, line) >= heldAfter(until, before))
                    #expect(firm(line) <= firm(before) + units)
                }
            }
        }
        #expect(taken > 10_000, "the dice must reach the law")
    }

    private func firm(_ line: Line<Int64>) -> Int64 {
        line.grants.reduce(0) { $0 + $1.firmUnits }
    }

    private func heldAfter(_ instant: Instant, _ line: Line<Int64>) -> Int64 {
        line.grants.reduce(0) { sum, grant in
            sum + grant.firm.filter { $0.until > instant }.reduce(0) { $0 + $1.units }
        }
    }
}

/// Runs a script, one event a line: `verb words -> remaining or refusal`. `at 5` turns the clock.
@discardableResult
private func check(
    _ script: String, sourceLocation: SourceLocation = #_sourceLocation
) -> Line<String> {
    var line = Line<String>()
    var now = Instant.earliest
    for row in script.split(separator: "\n") {
        let sides = row.split(separator: ">").map { $0.split(separator: " ").map(String.init) }
        let words = sides[0].filter { $0 != "-" }
        func number(_ index: Int) -> Int64 { Int64(words[index]) ?? -99 }
        func instant(_ index: Int) -> Instant { Instant.earliest.advanced(by: number(index) - 1) }
        let event: Line<String>.Event
        switch words[0] {
        case "at":
            now = instant(1)
            continue
        case "declare": event = .declare(total: number(1))
        case "adjust": event = .adjust(total: number(1))
        case "grant": event = .grant(words[1], units: number(2), until: instant(3))
        case "firm": event = .firm(words[1], units: number(2), until: instant(3))
        case "split": event = .split(words[1], units: number(2), into: words[3])
        case "free": event = .release(words[1], units: number(2), signed: false)
        default: event = .release(words[1], units: number(2), signed: true)
        }
        var outcome: String
        do {
            outcome = "\(try line.decide(event, at: now))"
            line.apply(event)
        } catch {
            outcome = String("\(error)".prefix { $0 != "(" })
        }
        #expect(outcome == sides[1][0], "\(row)", sourceLocation: sourceLocation)
    }
    return line
}

/// A generator of its own: this room's tests lean on nothing.
private struct Dice {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func roll(_ sides: Int64) -> Int64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int64(state >> 11) % sides
    }

    mutating func event(_ step: Int64) -> Line<Int64>.Event {
        let grant = roll(6)
        let units = roll(30)
        let until = Instant.earliest.advanced(by: roll(60))
        switch step == 0 ? 0 : roll(9) {
        case 0: return .declare(total: roll(200))
        case 1: return .adjust(total: roll(300))
        case 2, 3: return .grant(grant, units: units, until: until)
        case 4: return .firm(grant, units: units, until: until)
        case 5: return .split(grant, units: units, into: roll(6))
        case 6: return .release(grant, units: units, signed: true)
        default: return .release(grant, units: units, signed: false)
        }
    }
}
