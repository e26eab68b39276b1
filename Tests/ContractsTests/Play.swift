import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Testing

enum Who {
    static func did(_ byte: UInt8) -> DID { DID([UInt8](repeating: byte, count: 32)) ?? .zero }
    static let zhijian = did(1)
    static let dongguan = did(2)
    static let studio = did(3)
    static let arbiter = did(4)
    static let custodian = did(5)
    static let partner = did(6)
    static let stranger = did(9)
}

/// Bytes of a template in `contracts/`, beside the sources.
func templateBytes(_ name: String, file: String = #filePath) throws -> [UInt8] {
    let root = file.split(separator: "/").dropLast(3).joined(separator: "/")
    return try #require(readFile("/\(root)/contracts/\(name).yaml"))
}

func template(_ name: String) throws -> Template {
    do {
        return try Template.read(try templateBytes(name))
    } catch let refusal as TemplateRefusal {
        Issue.record("\(name): \(refusal.words(.en))")
        throw refusal
    }
}

let cny = try! Currency("CNY")
let pieces = try! UnitCode("C62")
let hours = try! UnitCode("HUR")
let day: Int64 = 86_400_000
/// 2026-11-21T00:00Z, when everything here is granted.
let grantBy = try! Instant(milliseconds: 1_795_219_200_000)

func on(day number: Int64) -> Instant { grantBy.advanced(by: number * day) }
func fen(_ minor: Int64) -> Value { .money(try! Money(minor: minor, cny)) }
func pcs(_ units: Int64) -> Value { .quantity(try! Quantity(units: units, pieces)) }
func hrs(_ units: Int64) -> Value { .quantity(try! Quantity(units: units, hours)) }
let proof = Value.hash(SHA256.hash([1]))

func lineTerms(_ unit: UnitCode = pieces) -> LineTerms {
    LineTerms(
        resource: try! Resource("print/letterpress"),
        window: try! Window(start: on(day: 0), end: on(day: 400), offsetMinutes: 480), unit: unit)
}

func terms(
    _ parameters: [String: Value], _ roles: [String: [DID]], lines: [LineTerms] = [lineTerms()],
    sequencer: DID = Who.dongguan, isChild: Bool = false
) -> Terms {
    Terms(
        contract: ContractID([UInt8](repeating: 7, count: 32)) ?? .zero, proposal: .zero,
        parameters: parameters, roles: roles, sequencer: sequencer, currency: cny, lines: lines,
        acceptBy: grantBy.advanced(by: -day), grantBy: grantBy, witnesses: 1, isChild: isChild)
}

/// One contract played step by step, with the sums that its transfers come to.
struct Play {
    var state: ContractState
    var now = grantBy
    var sequence: Int64 = 1
    var reserved: [Cause: Transfer] = [:]
    var voidReasons: [String] = []
    /// Money posted outside of claims, per identity.
    var paid: [DID: Int64] = [:]
    var owed: [DID: Int64] = [:]
    var unitsPosted: Int64 = 0
    var unitsVoided: Int64 = 0
    private(set) var sums: Sums
    var last: Outcome?
    var digests: [Hash32] = []

    init(_ template: Template, _ terms: Terms) throws {
        state = try ContractState(template: template, terms: terms)
        sums = Sums(state)
        take(try state.opening(at: now, sequence: 1))
    }

    @discardableResult
    mutating func act(
        _ name: String, _ record: Int64 = 1, by: DID, _ arguments: [String: Value] = [:],
        with consents: Set<DID> = [], at time: Instant? = nil
    ) throws -> Outcome {
        if let time { now = time }
        let act = Act(transition: name, record: record, arguments: arguments)
        let outcome = try state.decide(
            act, by: by, consents: consents, at: now, sequence: sequence + 1)
        sequence += 1
        let signed = versions(of: act)
        take(outcome)
        // At most one successor: whatever else was signed on the record as it was names a version that no
        // longer stands, which `Fold.checkFresh` refuses.
        for (number, version) in signed where number == record {
            #expect(outcome.touched.contains(number), "\(name)")
            #expect(state.record(number)?.version == sequence && version < sequence, "\(name)")
        }
        #expect(outcome.records.allSatisfy { $0.version == sequence })
        return outcome
    }

    /// Of the records that a request for `act` names, as they stand.
    func versions(of act: Act) -> [Int64: Int64] {
        Dictionary(
            uniqueKeysWithValues: state.touched(by: act).map {
                ($0, state.record($0)?.version ?? 0)
            })
    }

    mutating func refused(
        _ name: String, _ record: Int64 = 1, by: DID, _ arguments: [String: Value] = [:],
        with consents: Set<DID> = [], at time: Instant? = nil
    ) -> ContractRefusal? {
        let act = Act(transition: name, record: record, arguments: arguments)
        do {
            _ = try state.decide(
                act, by: by, consents: consents, at: time ?? now, sequence: sequence + 1)
            return nil
        } catch {
            #expect(facts(error.words(.en)) == facts(error.words(.zh)))
            return error
        }
    }

    /// Pays and receives what a record waits for.
    mutating func pay(_ record: Int64) throws {
        let pay = try #require(state.record(record)?.pay)
        try act(
            "pay_state", record, by: pay.from, ["channel": .text("bank"), "reference": .text("r")])
        try act("pay_receive", record, by: pay.to)
    }

    /// Nobody moves until the record's deadline has passed; a stranger to the default asks for it.
    mutating func silent(_ record: Int64) throws {
        let until = try #require(state.record(record)?.until)
        let act = try #require(state.defaultAct(record))
        if now <= until { now = until.advanced(by: 1) }
        try self.act(act.transition, record, by: try #require(state.participants.first))
    }

    func path(_ record: Int64) -> String { state.record(record)?.state ?? "none" }

    private mutating func take(_ outcome: Outcome) {
        for event in outcome.transfers {
            switch event {
            case .reserve(let transfer):
                #expect(transfer.amount > 0)
                #expect(reserved.updateValue(transfer, forKey: transfer.cause) == nil)
            case .post(let cause, let amount, _):
                guard let transfer = reserved.removeValue(forKey: cause) else {
                    Issue.record("posted what is not pending: \(cause)")
                    continue
                }
                switch transfer.kind {
                case .capacity:
                    unitsPosted += amount
                    unitsVoided += transfer.amount - amount
                case .claim:
                    owed[transfer.from, default: 0] -= amount
                    owed[transfer.to, default: 0] += amount
                case .payment, .deposit, .payout:
                    paid[transfer.from, default: 0] -= amount
                    paid[transfer.to, default: 0] += amount
                }
            case .void(let cause, let reason):
                let transfer = reserved.removeValue(forKey: cause)
                #expect(transfer != nil)
                voidReasons.append(reason)
            case .discharge: break
            }
        }
        let before = state
        state.apply(outcome)
        sums.take(outcome, from: before, to: state)
        last = outcome
        digests.append(state.digest())
        #expect(Set(reserved.values) == Set(state.pending))
        #expect(paid.values.reduce(0, +) == 0)
        if outcome.ends {
            #expect(reserved.isEmpty)
            #expect(state.escrow == 0)
        }
    }
}
