import Capacity
import Identity
import Ledger
import Testing

/// Fixed identities and commodities, and the little language that the tables speak.
enum Play {
    static let parties = ["alice", "bob", "carol", "wang", "eve"]

    static func party(_ name: some StringProtocol) throws -> DID {
        let index = try #require(parties.firstIndex(of: String(name)))
        return try #require(DID([UInt8](repeating: UInt8(index + 1), count: 32)))
    }

    static func contract(_ name: some StringProtocol) throws -> ContractID {
        let letter = try #require(name.utf8.first)
        return try #require(ContractID([UInt8](repeating: letter, count: 32)))
    }

    /// `k/2/0`: contract k, step 2, index 0.
    static func cause(_ text: some StringProtocol) throws -> Cause {
        let parts = text.split(separator: "/")
        return Cause(
            contract: try contract(parts[0]), step: try #require(Int64(parts[1])),
            index: try #require(Int64(parts[2])))
    }

    /// `CNY`, or `print/a5` counted in pieces, or `print/a5:HUR`.
    static func commodity(_ text: some StringProtocol) throws -> Commodity {
        if let currency = try? Currency(String(text)) { return .money(currency) }
        let parts = text.split(separator: ":")
        let unit = parts.count > 1 ? String(parts[1]) : "C62"
        return .capacity(try Resource(String(parts[0])), try UnitCode(unit))
    }

    /// `reserve k/1/0 payment alice bob 50000 CNY`, `post k/1/0 50000 signed`, `void k/1/0 late`,
    /// `discharge k/1/0 20`.
    static func event(_ text: some StringProtocol) throws -> TransferEvent {
        let words = text.split(separator: " ")
        switch words[0] {
        case "reserve":
            return .reserve(
                Transfer(
                    cause: try cause(words[1]),
                    kind: try #require(TransferKind(rawValue: String(words[2]))),
                    from: try party(words[3]), to: try party(words[4]),
                    commodity: try commodity(words[6]), amount: try #require(Int64(words[5]))))
        case "post":
            return .post(
                try cause(words[1]), amount: try #require(Int64(words[2])),
                signed: words.count > 3 && words[3] == "signed")
        case "void":
            return .void(try cause(words[1]), reason: words.dropFirst(2).joined(separator: " "))
        default:
            #expect(words[0] == "discharge")
            return .discharge(try cause(words[1]), amount: try #require(Int64(words[2])))
        }
    }
}

/// Runs a table. `event -> ok` or the name of the refusal; `balance owner counterparty commodity
/// kind -> debit D credit C`; `position … -> net`; `paid owner -> CNY 12`; `held custodian contract
/// -> 12`.
@discardableResult
func check(_ script: String, location: SourceLocation = #_sourceLocation) throws -> Books {
    var books = Books()
    for line in script.split(separator: "\n") {
        let sides = line.split(separator: "->").map { side in
            side.split(separator: " ").joined(separator: " ")
        }
        let words = sides[0].split(separator: " ")
        let comment = Comment(rawValue: String(line))
        let answer: String
        switch words[0] {
        case "balance", "position":
            let account = Account(
                owner: try Play.party(words[1]), counterparty: try Play.party(words[2]),
                commodity: try Play.commodity(words[3]),
                kind: try #require(AccountKind(rawValue: String(words[4]))))
            let balance = books.balance(of: account)
            let position = books.positions(of: account.owner).first {
                $0.counterparty == account.counterparty && $0.commodity == account.commodity
                    && $0.kind == account.kind
            }
            #expect(position?.amount ?? 0 == balance.net, comment, sourceLocation: location)
            answer =
                words[0] == "position"
                ? "\(balance.net)" : "debit \(balance.debits) credit \(balance.credits)"
        case "paid":
            let sums = books.netPaid(by: try Play.party(words[1]))
            answer =
                sums.isEmpty ? "nothing" : sums.map { "\($0) \($1)" }.joined(separator: " ")
        case "held":
            let held = books.held(
                by: try Play.party(words[1]), for: try Play.contract(words[2]), try Currency("CNY"))
            answer = "\(held)"
        default:
            let event = try Play.event(sides[0])
            do {
                try books.decide(event)
                books.apply(event)
                answer = "ok"
            } catch {
                answer = String("\(error)".prefix { $0 != "(" })
            }
        }
        #expect(answer == sides[1], comment, sourceLocation: location)
        #expect(books.imbalance().isEmpty, comment, sourceLocation: location)
    }
    return books
}

/// SplitMix64 (Steele, Lea, Flood 2014): a seed is a replay.
struct Dice: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
