import Capacity
import Contracts
import Entries
import Identity
import NodeCore
import Testing

@testable import Dashboard
@testable import talea

/// What people are told of money: whose it is, who is asked for it, and by whose clock.
@Suite(.enabled(if: shipped("milestone-production") != nil)) struct MoneyTests {
    /// The keeper holds the buyer's deposit, and owes the maker the first payment out of it.
    private static func deposited() async throws -> (World, contract: String) {
        let file = try #require(shipped("milestone-production"))
        let world = try World(["buyer", "judge", "keeper", "maker"], templates: [file])
        _ = try await ask(
            world, "maker", "line declare",
            [
                "resource": ["print/notebook"], "start": ["+10d"], "end": ["+17d"],
                "total": ["1000"],
            ]
        ).get()
        let proposed = try await ask(
            world, "buyer", "production propose",
            [
                "buyer": ["me"], "maker": ["maker"], "custodian": ["keeper"],
                "arbiter": ["judge"], "units": ["1000"], "minimum": ["100"],
                "total": ["20000"], "dates": ["[+40d, +50d, +60d, +70d]"],
                "demand-by": ["+5d"], "batch-max": ["20"], "batch-price": ["25"],
                "batches-end": ["+20d"],
            ]
        ).get()
        let contract = try #require(proposed["id"]?.string)
        for who in ["judge", "keeper", "maker"] {
            _ = try await ask(world, who, "contract accept", ["contract": [contract]]).get()
        }
        _ = try await ask(
            world, "buyer", "order place", ["contract": [contract], "units": ["1000"]]
        ).get()
        try await Self.state(world, "buyer", contract)
        _ = try await ask(world, "keeper", "pay receive", ["contract": [contract]]).get()
        return (world, contract)
    }

    private static func state(_ world: World, _ who: String, _ contract: String) async throws {
        _ = try await ask(
            world, who, "pay state",
            ["contract": [contract], "channel": ["bank"], "reference": ["1"]]
        ).get()
    }

    /// As its page of the ledger has it: of whom, what, and on whose side.
    private static func positions(_ world: World, _ who: String) async throws -> Set<String> {
        try await world.read(who) { node in
            let partners = Rooms(node, .en, now: World.clock).ledger(after: 0)["partners"]
            return Set(
                (partners?.array ?? []).flatMap { partner in
                    (partner["positions"]?.array ?? []).map { one in
                        let name = partner["name"]?.string?.prefix { $0 != " " } ?? ""
                        return "\(name): \(one["kind"]?.string ?? "") \(one["text"]?.string ?? "") "
                            + (one["side"]?.string ?? "")
                    }
                })
        }
    }

    @Test func `the ledger's page says who owes and who keeps, and not the contrary`() async throws
    {
        let (world, contract) = try await Self.deposited()
        let (buyer, keeper) = (
            try await Self.positions(world, "buyer"), try await Self.positions(world, "keeper")
        )
        #expect(buyer.contains("keeper: paid ¥20,000.00 by you"))
        #expect(buyer.contains("keeper: in custody ¥20,000.00 for you"), "\(buyer)")
        #expect(keeper.contains("buyer: in custody ¥20,000.00 by you"), "\(keeper)")
        // The keeper does not pay: it owes.
        await world.pass(4 * 86_400_000)
        _ = try await ask(world, "maker", "default", ["contract": [contract], "record": ["2"]])
            .get()
        let maker = try await Self.positions(world, "maker")
        #expect(maker.contains("keeper: owed ¥6,000.00 to you"), "\(maker)")
        let debtor = try await Self.positions(world, "keeper")
        #expect(debtor.contains("maker: owed ¥6,000.00 by you"), "\(debtor)")
    }

    @Test func `what a custodian paid to another did not come in`() async throws {
        let (world, contract) = try await Self.deposited()
        try await Self.state(world, "keeper", contract)
        _ = try await ask(world, "maker", "pay receive", ["contract": [contract]]).get()
        func row(_ who: String) async throws -> JSON {
            let statement = try await ask(world, who, "ledger statement").get()
            return try #require(
                statement["rows"]?.array.first { $0["kind"]?.string == "payout" })
        }
        let (paid, seen, got) = (
            try await row("keeper"), try await row("buyer"), try await row("maker")
        )
        #expect(paid["direction"]?.string == "out" && got["direction"]?.string == "in")
        #expect(seen["direction"]?.string == "held")
        #expect(seen["text"]?.string == "6000.00 CNY")
        #expect(seen["who"]?.string?.hasPrefix("maker") == true)
        for (language, words) in [(Language.en, "for you"), (.zh, "代管支出")] {
            let text = Show.text(
                ["rows": [seen]], verb: "ledger statement", language)
            #expect(text.contains(words), "\(text)")
        }
    }

    @Test func `what a custodian owes is not shown as still in its custody`() async throws {
        let (world, contract) = try await Self.deposited()
        func picture() async throws -> String {
            try await world.read("buyer") { node in
                let held = try #require(node.contracts[try node.contractID(contract)])
                return Rooms(node, .en, now: World.clock).contract(held)["money"]?.string ?? ""
            }
        }
        #expect(try await picture().contains("with the custodian ¥20,000.00"))
        await world.pass(4 * 86_400_000)
        _ = try await ask(world, "maker", "default", ["contract": [contract], "record": ["2"]])
            .get()
        #expect(try await picture().contains("with the custodian ¥14,000.00"))
    }

    @Test func `a payment that was denied is the arbiter's to rule on, and not to make`()
        async throws
    {
        let (world, contract) = try await Self.deposited()
        try await Self.state(world, "keeper", contract)
        _ = try await ask(world, "maker", "pay deny", ["contract": [contract]]).get()
        let (kinds, whats) = try await world.read("judge") { node in
            let rooms = Rooms(node, .en, now: World.clock)
            let held = try #require(node.contracts[try node.contractID(contract)])
            return (
                rooms.today()["waiting"]?.array.compactMap { $0["kind"]?.string } ?? [],
                rooms.contract(held)["waiting"]?.array.compactMap { $0["what"]?.string } ?? []
            )
        }
        #expect(kinds == ["Your move"])
        #expect(whats.contains("to rule on ¥6,000.00") && !whats.contains("to pay ¥6,000.00"))
    }

    @Test func `a comma that may be a point makes no price a hundred times as high`() {
        let cases: [(String, Int64?)] = [
            ("1,234.50", 123_450), ("¥12，345", 1_234_500), ("1,234,567.8", 123_456_780),
            ("12,50", nil), ("0,5", nil), ("1,2345", nil), ("1.234,56", nil), (",500", nil),
        ]
        for (text, minor) in cases {
            #expect(Desk.minor(text) == minor, "\(text)")
            let typed = Desk.options([("m.a", text)], Figures(.en, now: World.clock))["a"]?.first
            let yuan = (try? Currency("CNY"), try? UnitCode("C62"))
            guard let currency = yuan.0, let unit = yuan.1, let typed else { continue }
            let read = try? SettlementPlan.money.read(typed, currency: currency, unit: unit)
            let wanted = minor.flatMap { try? Money(minor: $0, currency) }.map { Value.money($0) }
            #expect(read == wanted, "\(text)")
        }
    }

    @Test func `whoever signs is told whose clock decides, and where that is unusual`() async throws
    {
        let file = try #require(shipped("capacity-option"))
        let world = try World(["alice", "bob", "carol"], templates: [file])
        _ = try await ask(
            world, "alice", "line declare",
            [
                "resource": ["print/notebook"], "start": ["+10d"], "end": ["+17d"],
                "total": ["100"],
            ]
        ).get()
        let proposed = try await ask(
            world, "bob", "option buy",
            [
                "issuer": ["alice"], "holder": ["me"], "arbiter": ["carol"], "units": ["10"],
                "premium": ["5"], "strike": ["18"], "remedy": ["9"], "expiry": ["+40d"],
                "deliver-by": ["+60d"],
            ]
        ).get()
        func told(_ id: ContractID) async throws -> (clock: String, preview: String) {
            let contract = ["contract": [id.hex]]
            let preview = try await ask(
                world, "alice", "contract accept", contract, dryRun: true
            ).get()
            let clock = preview["would"]?["clock"]?["en"]?.string ?? ""
            return (clock, Show.preview(preview, .en))
        }
        let usual = try #require(ContractID(hex: proposed["id"]?.string ?? ""))
        let (clock, preview) = try await told(usual)
        #expect(clock.contains("clock decides, that of alice") && !clock.contains("usual"))
        #expect(preview.contains(clock))
        // The same, but bob writes its log: by his clock he is never late.
        let other = try await world.propose(like: usual, by: "bob", sequencer: "bob")
        let (unusual, shown) = try await told(other)
        #expect(unusual.contains("that of bob"), "\(unusual)")
        #expect(unusual.contains("usually that of the issuer"), "\(unusual)")
        #expect(shown.contains(unusual))
    }
}
