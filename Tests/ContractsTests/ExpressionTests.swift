import Capacity
import Entries
import Identity
import Testing

@testable import Contracts

struct ExpressionTests {
    /// What the formulas below may read.
    static let scope: Scope = {
        var scope = Scope()
        scope.roles = ["maker": false, "buyer": false, "kitchens": true]
        scope.options = ["american": .choice(["american", "european"])]
        scope.parameters = [
            "total": (0, .money), "units": (1, .quantity(line: 0)), "strike": (2, .price),
            "expiry": (3, .instant), "grace": (4, .duration),
            "schedule": (5, .schedule(of: "total")),
            "style": (6, .choice(["american", "european"])), "fair": (7, .bp),
            "weights": (8, .list(.int)), "other": (9, .quantity(line: 1)), "huge": (10, .int),
            "seed": (11, .hash),
        ]
        scope.states = ["open", "used"]
        scope.hasTime = true
        return scope
    }()

    static let environment: Environment = {
        var environment = Environment()
        environment.parameters = [
            .number(2_000_000), .number(100), .number(1800), .number(1_795_219_200_000),
            .number(86_400_000), .list([.number(600_000), .number(1_400_000)]),
            .name("american"), .number(5000), .list([.number(15), .number(85)]), .number(7),
            .number(Int64.max), .hash(SHA256.hash([1])),
        ]
        environment.time = 1_795_219_200_000
        environment.memberCounts = ["kitchens": 3]
        return environment
    }()

    static let values: [(String, Datum)] = [
        ("1 + 2 * 3", .number(7)), ("(1 + 2) * 3", .number(9)), ("7 / 2", .number(3)),
        ("(0 - 7) / 2", .number(-3)), ("10 - 3 - 2", .number(5)), ("2 * 3 == 6", .truth(true)),
        ("not 1 == 2", .truth(true)), ("1 == 1 or 1 / 0 == 1", .truth(true)),
        ("1 == 2 and 1 / 0 == 1", .truth(false)), ("if 1 < 2 then 5 else 1 / 0", .number(5)),
        ("if units == 100 then used else open", .name("used")),
        ("strike * units", .number(180_000)), ("units * strike == 180000", .truth(true)),
        ("at(schedule, 0) * 10000 <= total * 4000", .truth(true)),
        ("last(schedule)", .number(1_400_000)), ("count(schedule) - 1", .number(1)),
        ("min(3, 1, 2)", .number(1)), ("max(units, 200)", .number(200)),
        ("abs(3 - 5)", .number(2)), ("multiple(units, 30)", .truth(false)),
        ("multiple(units, 20)", .truth(true)),
        ("multiple(0 - 9223372036854775807 - 1, 0 - 1)", .truth(true)),
        ("part(total, fair)", .number(1_000_000)),
        ("part(3, 5000)", .number(2)), ("part(strike * 1, 0)", .number(0)),
        ("expiry + 3d - expiry == 3d", .truth(true)), ("grace * 2 > 47h", .truth(true)),
        ("time < expiry + 1s", .truth(true)), ("style == american", .truth(true)),
        ("month(time, 480)", .number(2026 * 12 + 10)), ("count(kitchens)", .number(3)),
        ("at(kitchens, 2)", .name("kitchens.2")),
        ("share(29800, weights)", .list([.number(4470), .number(25_330)])),
        ("sha(seed)", .hash(SHA256.hash(SHA256.hash([1]).bytes))),
        ("sha(seed) == seed", .truth(false)),
    ]

    @Test(arguments: values.indices)
    func `a formula has this value`(_ index: Int) throws {
        let (text, value) = Self.values[index]
        let formula = try ExpressionReader.read(
            text, at: Place(line: 1, column: 1), in: Self.scope)
        #expect(try formula.evaluate(in: Self.environment) == value, "\(text)")
    }

    static let faults: [(String, EvaluationFault)] = [
        ("1 / 0", .divisionByZero), ("huge + 1", .overflow), ("huge * 2", .overflow),
        ("at(schedule, 2)", .index(2, count: 2)), ("at(schedule, 0 - 1)", .index(-1, count: 2)),
        ("multiple(units, 0)", .divisionByZero), ("part(0 - 1, fair)", .outOfBounds(-1, .money)),
        ("part(total, 0 - 9223372036854775807)", .overflow),
        ("part(total, 0 - 1)", .outOfBounds(-1, .bp)),
    ]

    @Test(arguments: faults.indices)
    func `a formula without a value says why`(_ index: Int) throws {
        let (text, fault) = Self.faults[index]
        let formula = try ExpressionReader.read(
            text, at: Place(line: 1, column: 1), in: Self.scope)
        #expect(throws: fault) { try formula.evaluate(in: Self.environment) }
    }

    /// Text, and the column of what is wrong.
    static let wrong: [(String, Int)] = [
        ("total + units", 9), ("units + other", 9), ("units == strike", 10), ("strike * total", 10),
        ("units / units", 9), ("style == buyer", 10), ("expiry + expiry", 10), ("nobody", 1),
        ("1 +", 4), ("(1", 3), ("1 2", 3), ("if 1 then 2 else 3", 4), ("at(units, 1)", 4),
        ("foo(1)", 1), ("min(1)", 1), ("1 = 1", 3), ("3x", 1), ("main.state", 1),
        ("maker < buyer", 9),
        ("part(total, 10d)", 13), ("not units", 5), ("a$", 2),
        (String(repeating: "(", count: 13) + "1" + String(repeating: ")", count: 13), 14),
        (String(repeating: "1 + ", count: 200) + "1", 513),
    ]

    @Test(arguments: wrong.indices)
    func `a wrong formula is refused where it is wrong`(_ index: Int) throws {
        let (text, column) = Self.wrong[index]
        do {
            _ = try ExpressionReader.read(text, at: Place(line: 1, column: 1), in: Self.scope)
            Issue.record("accepted: \(text)")
        } catch {
            #expect(error.column == column, "\(text): \(error.words(.en))")
            #expect(facts(error.words(.en)) == facts(error.words(.zh)))
        }
    }

    /// amount, weights, parts (the royalty and milestone cases of the source texts among them)
    static let shares: [(Int64, [Int64], [Int64])] = [
        (29_800, [15, 85], [4470, 25_330]), (10_000, [1, 1, 1], [3334, 3333, 3333]),
        (
            2_000_000, [3000, 1750, 1750, 1750, 1750],
            [600_000, 350_000, 350_000, 350_000, 350_000]
        ),
        (2_000_000, [3000, 0, 2000, 2500, 2500], [600_000, 0, 400_000, 500_000, 500_000]),
        (7, [4000, 1500, 1500, 1500, 1500], [3, 1, 1, 1, 1]), (0, [1, 2], [0, 0]),
        (1, [1, 1], [1, 0]), (wholeNumberMax, [wholeNumberMax, 1], [wholeNumberMax - 1, 1]),
    ]

    @Test(arguments: shares.indices)
    func `shares lose nothing`(_ index: Int) throws {
        let (amount, weights, parts) = Self.shares[index]
        let split = try Shares.split(amount, weights)
        #expect(split == parts)
        #expect(split.reduce(0, +) == amount)
    }

    @Test func `amounts are read and shown alike`() throws {
        #expect(Literal.decimal("500.00", decimals: 2) == 50_000)
        #expect(Literal.decimal("1,200.5", decimals: 2) == 120_050)
        #expect(Literal.decimal("1.234", decimals: 2) == nil)
        #expect(Literal.decimal("-1", decimals: 2) == nil)
        #expect(Literal.decimal("", decimals: 2) == nil)
        #expect(Literal.decimal("99999999999999999999", decimals: 2) == nil)
        #expect(Literal.share("17.5 %") == 1750)
        #expect(Literal.duration("90s") == 90_000)
        #expect(Literal.duration("3 d") == nil)
        #expect(Display.decimal(120_000) == "1,200.00")
        #expect(Display.decimal(-5) == "-0.05")
        // 2 % of 49,640.00 is 992.80.
        #expect(try Shares.split(4_964_000, [200, 9800]).first == 99_280)
    }

    @Test func `a form's texts become signed values`() throws {
        let template = try template("milestone-production")
        func read(_ name: String, _ text: String) throws -> Value {
            try #require(template.parameter(name)).read(text, currency: cny, unit: pieces)
        }
        #expect(try read("total", "20,000.00") == fen(2_000_000))
        #expect(try read("units", "1000") == pcs(1000))
        #expect(try read("schedule", "[30 %, 17.5 %]") == .list([.integer(3000), .integer(1750)]))
        #expect(try read("schedule", "[80.00, 1.00]") == .list([fen(8000), fen(100)]))
        #expect(try read("demand_by", "2026-11-21T00:00Z") == .instant(grantBy))
        #expect(try read("dates", "[2026-11-21T00:00Z]") == .list([.instant(grantBy)]))
        #expect(try read("pay_within", "3d") == .integer(3 * day))
        #expect(try read("fair", "50 %") == .integer(5000))
        #expect(try read("fair", "0") == .integer(0))
        #expect(try read("fair", "5000") == .integer(5000))
        // Half of it, or half a percent? Whoever types it has to say.
        for bare in ["1", "50", "100"] {
            #expect(throws: ParameterRefusal.self) { try read("fair", bare) }
        }
        #expect(throws: ParameterRefusal.self) { try read("total", "12.345") }
        #expect(throws: ParameterRefusal.self) { try read("units", "-1") }
        for parameter in template.parameters + template.terms {
            guard let text = parameter.defaultText else { continue }
            #expect(throws: Never.self) {
                try parameter.read(text, currency: cny, unit: pieces)
            }
        }
    }
}
