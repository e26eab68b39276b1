import Capacity
import Contracts
import Entries
import Identity

/// Every template in `contracts/`, and terms to play each with.
enum Shelf {
    static let names = [
        "capacity-option", "capacity-swap", "flexible-volume", "idle-slots", "joint-purchase",
        "material-call", "material-put", "milestone-production", "mutual-assistance",
        "presale-cover", "receivable-advance", "revenue-share", "tiered-presale",
        "vendor-managed-stock", "virtual-stock",
    ]

    /// `changes` to the parameters of the worked example.
    static func terms(_ name: String, _ changes: [String: Value] = [:]) -> Terms {
        let (parameters, roles, lines) = setting(name)
        var all = roles
        all["arbiter"] = [Who.arbiter]
        return ContractsTests.terms(
            parameters.merging(changes) { $1 }, all, lines: lines,
            sequencer: roles["custodian"]?.first ?? Who.dongguan)
    }

    static func play(_ name: String, _ changes: [String: Value] = [:]) throws -> Play {
        try Play(template(name), terms(name, changes))
    }

    /// Why a proposal with these changes is no contract; `nil` where it is.
    static func refusal(_ name: String, _ changes: [String: Value]) throws -> ContractRefusal? {
        let template = try template(name)
        do {
            _ = try ContractState(template: template, terms: terms(name, changes))
            return nil
        } catch {
            return error
        }
    }

    private typealias Setting = (
        parameters: [String: Value], roles: [String: [DID]], lines: [LineTerms]
    )

    private static func setting(_ name: String) -> Setting {
        let z = [Who.zhijian]
        let d = [Who.dongguan]
        let line = [lineTerms()]
        func until(_ number: Int64) -> Value { .instant(on(day: number)) }
        func whole(_ numbers: [Int64]) -> Value { .list(numbers.map { .integer($0) }) }
        switch name {
        case "capacity-option":
            return (CapacityOptionTests.parameters, ["issuer": d, "holder": z], line)
        case "capacity-swap":
            return (
                [
                    "left_units": pcs(50), "left_price": fen(1200), "right_units": hrs(80),
                    "right_price": fen(900), "deliver_by": until(30),
                ], ["left": z, "right": d], [lineTerms(), lineTerms(hours)]
            )
        case "flexible-volume":
            return (
                [
                    "forecast": pcs(1000), "call_max": pcs(500), "price": fen(2000),
                    "remedy": fen(300), "ends": until(365),
                ], ["supplier": d, "buyer": z], line
            )
        case "idle-slots":
            return (
                [
                    "units": pcs(1000), "price": fen(600), "remedy": fen(100), "ends": until(90),
                ], ["host": d, "guest": z], line
            )
        case "joint-purchase":
            return (
                [
                    "units": pcs(100), "portions": whole([1, 1, 1]), "threshold": pcs(60),
                    "price": fen(800), "freight": fen(10_000), "remedy": fen(100),
                    "deposit_by": until(10), "deliver_by": until(40),
                ],
                [
                    "lead": z, "members": [Who.studio, Who.partner], "supplier": d,
                    "custodian": [Who.custodian],
                ], line
            )
        case "material-call":
            return (
                [
                    "units": pcs(100), "premium": fen(99_280), "strike": fen(8000),
                    "market": fen(9200), "remedy": fen(1000), "expiry": until(30),
                    "deliver_by": until(60),
                ], ["issuer": d, "holder": z], line
            )
        case "material-put":
            return (
                [
                    "units": pcs(100), "premium": fen(99_280), "strike": fen(8000),
                    "market": fen(6800), "remedy": fen(1000), "expiry": until(30),
                    "deliver_by": until(60),
                ], ["seller": z, "buyer": d], line
            )
        case "milestone-production":
            return (
                MilestoneTests.parameters(),
                ["buyer": z, "maker": d, "custodian": [Who.custodian]], line
            )
        case "mutual-assistance":
            return (
                [
                    "trigger": pcs(100), "cap": pcs(100), "cap_call": pcs(32),
                    "cap_month": pcs(40), "price": fen(60_000), "fee": fen(20_000),
                    "remedy": fen(50_000), "ends": until(180),
                ], ["user": z, "partner": [Who.partner], "supplier": d], line
            )
        case "presale-cover":
            return (
                ["covered": fen(4_964_000), "ends": until(60)],
                ["insured": z, "insurer": d, "oracle": [Who.studio]], []
            )
        case "receivable-advance":
            return (
                [
                    "receivable": fen(4_964_000), "orders": .integer(180),
                    "advance": fen(3_000_000), "rate": .integer(600), "better_rate": .integer(400),
                    "count_by": until(60), "repay_by": until(90),
                ], ["borrower": z, "lender": d, "teller": [Who.studio]], []
            )
        case "revenue-share":
            return (
                ["shares": whole([15, 85]), "periods": .integer(2), "minimum": fen(10_000)],
                ["seller": d, "contributors": z], []
            )
        case "tiered-presale":
            return (
                [
                    "prices": .list([19_800, 29_800, 49_800].map(fen)),
                    "targets": whole([100, 50, 30]), "close_at": until(30),
                    "deliver_by": until(90),
                ], ["creator": z, "custodian": [Who.custodian]], []
            )
        case "vendor-managed-stock":
            return (
                [
                    "units": pcs(300), "cost": fen(2000), "remedy": fen(150),
                    "stock_by": until(20), "ends": until(60),
                ], ["supplier": d, "creator": z], line
            )
        default:
            return (
                [
                    "units": pcs(200), "base": fen(1200), "finish": fen(500), "remedy": fen(900),
                    "ready_by": until(20), "ends": until(60),
                ], ["supplier": d, "creator": z], line
            )
        }
    }
}
