@testable import Contracts

import Capacity
import Entries
import Fixtures
import Fuzzing
import Identity
import Ledger

// Templates are programs that somebody else wrote: reading, running and judging them comes to an end.

let contracts: [FuzzTarget] = [template, formula, play, checker]

private let shelf = Kept.files(in: "contracts").filter { $0.hasSuffix(".yaml") }
    .map { Kept.bytes("contracts/\($0)") }

/// Each place of a template's file that is refused lies in it.
private let template = FuzzTarget(
    "template",
    law:
        "what reads reads again as the same; a refusal names a place in the file, in both languages",
    bytesMax: 8192, seeds: { [tiny] + shelf }
) { input in
    do throws(TemplateRefusal) {
        let one = try Template.read(input)
        law(one.bytes == input && one.hash == SHA256.hash(input), "other bytes")
        guard let two = try? Template.read(one.bytes) else { return law(false, "reads once") }
        law(two.transitions == one.transitions && two.parameters == one.parameters, "reads twice")
    } catch {
        let lines = input.count { $0 == UInt8(ascii: "\n") } + 2
        law((1...lines).contains(error.line), "line \(error.line) of \(lines): \(error.what)")
        law((1...input.count + 2).contains(error.column), "column \(error.column): \(error.what)")
        law(!error.words(.en).isEmpty && !error.words(.zh).isEmpty, "no words")
    }
}

/// The smallest that reads, for mutations that go deep.
private let tiny: [UInt8] = Array(
    """
    talea: 1
    name: tiny
    title: {en: tiny, zh: 小}
    sequencer: maker
    roles:
      maker: {kind: party, title: {en: maker, zh: 甲}}
      buyer: {kind: party, title: {en: buyer, zh: 乙}}
      arbiter: {kind: third, title: {en: arbiter, zh: 丙}}
    parameters:
      total: {type: money, min: 1, title: {en: total, zh: 总额}}
      ends: {type: instant, title: {en: ends, zh: 止}}
    terms: {days: 3d}
    line: []
    payments: {within: days, confirm: days, denied: paid}
    disputes: {arbiter: arbiter, within: days}
    records:
      main:
        shape:
          final: {done: fulfilled, off: lapsed}
        states:
          open: {until: ends, default: lapse}
          due: {pay: {from: buyer, to: maker, amount: total, paid: {to: done}, unpaid: {to: off, claim: true}}}
    start: {first: {main: {state: open}}}
    transitions:
      go: {at: main.open, by: buyer, to: due, says: {en: "goes", zh: "起"}}
      lapse: {at: main.open, by: default, to: off, says: {en: "ends", zh: "止"}}
    outcome:
      - {when: "main.state == done", is: fulfilled}
      - {is: lapsed}
    prose: {en: "pays {total}", zh: "付 {total}"}

    """.utf8)

// MARK: - Formulas

private let formula = FuzzTarget(
    "formula",
    law:
        "a formula that reads has, on any values of its names' kinds, a value of its kind or a fault; twice "
        + "the same",
    bytesMax: 512,
    seeds: {
        let texts = [
            "1 + 2 * 3", "at(schedule, 0) * 10000 <= total * 4000", "share(29800, weights)",
            "if units == 100 then used else open", "part(total, fair)", "multiple(units, 30)",
            "month(time, 480)", "expiry + 3d - expiry == 3d", "sha(seed) == seed",
            "count(kitchens) + abs(0 - huge)", "max(units, 200)", "at(kitchens, 2) == maker",
            "not style == american and strike * units > 5", "part(3, 0 - 5)",
            "last(schedule) / huge",
            "if huge < 0 then min(huge, huge * 2, 7) else 4611686018427387904 * 2",
        ]
        let values = [UInt8](repeating: 9, count: 40)
        return texts.map { [0] + values + Array($0.utf8) }
            + (0..<16).map { seed in
                var chance = Seeded(UInt64(seed))
                return [1] + chance.bytes(160)
            }
    }
) { input in
    var choices = Choices(input)
    let grows = choices.below(2) == 1
    // Of a fixed length, so that a formula stays where it is.
    var values = Choices(choices.bytes(40))
    let environment = environment(&values)
    let text: String
    if grows {
        text = grown(&choices, 0)
    } else {
        guard let given = String(validating: choices.all(), as: UTF8.self) else { return }
        text = given
    }
    let place = Place(line: 1, column: 1)
    guard let formula = try? ExpressionReader.read(text, at: place, in: scope) else { return }
    func value() -> Result<Datum, EvaluationFault> {
        do throws(EvaluationFault) {
            return .success(try formula.evaluate(in: environment))
        } catch { return .failure(error) }
    }
    let first = value()
    law(first == value(), "\(text) is two things")
    if case .success(let datum) = first {
        law(isSound(datum, formula.kind), "\(text) is \(datum), not \(formula.kind)")
    }
    _ = try? formula.number(in: environment, as: .money)
    _ = try? formula.truth(in: environment)
}

private func isSound(_ datum: Datum, _ kind: ValueKind) -> Bool {
    switch (datum, kind) {
    case (.number, _): kind.isNumber
    case (.truth, .truth), (.hash, .hash), (.identity, .party): true
    case (.name, .choice), (.name, .role), (.name, .state), (.name, .text): true
    case (.list(let items), .list(let item)): items.allSatisfy { isSound($0, item.seen) }
    case (.list(let items), .schedule): items.allSatisfy { isSound($0, .money) }
    default: false
    }
}

private let scope: Scope = {
    var scope = Scope()
    scope.roles = ["maker": false, "buyer": false, "kitchens": true]
    scope.options = ["american": .choice(["american", "european"])]
    scope.parameters = [
        "total": (0, .money), "units": (1, .quantity(line: 0)), "strike": (2, .price),
        "expiry": (3, .instant), "grace": (4, .duration), "schedule": (5, .schedule(of: "total")),
        "style": (6, .choice(["american", "european"])), "fair": (7, .bp),
        "weights": (8, .list(.int)), "other": (9, .quantity(line: 1)), "huge": (10, .int),
        "seed": (11, .hash),
    ]
    scope.states = ["open", "used"]
    scope.hasTime = true
    return scope
}()

private func environment(_ choices: inout Choices) -> Environment {
    func number(_ kind: ValueKind) -> Datum {
        let raw: Int64
        switch choices.below(6) {
        case 0: raw = wholeNumberMax
        case 1: raw = -wholeNumberMax
        case 2: raw = 0
        case 3: raw = Int64(choices.below(65_536))
        case 4: raw = 1
        default: raw = -Int64(choices.byte())
        }
        return .number(kind.admits(raw) ? raw : 5_000)
    }
    var environment = Environment()
    func list(_ kind: ValueKind) -> Datum {
        .list((0..<choices.below(5)).map { _ in number(kind) })
    }
    environment.parameters = [
        number(.money), number(.quantity(line: 0)), number(.price), number(.instant),
        number(.duration), list(.money), .name("american"), number(.bp), list(.int),
        number(.quantity(line: 1)), number(.int), .hash(.filled(choices.byte())),
    ]
    environment.time = 1_795_219_200_000
    environment.memberCounts = ["kitchens": choices.below(9)]
    return environment
}

/// A formula of the grammar, mostly well typed by luck alone.
private func grown(_ choices: inout Choices, _ depth: Int) -> String {
    let leaves = [
        "total", "units", "strike", "expiry", "grace", "schedule", "style", "fair", "weights",
        "huge", "seed", "time", "kitchens", "0", "1", "2", "4611686018427387904", "10000", "3d",
        "american", "open",
    ]
    guard depth < 6, choices.below(4) > 0 else { return leaves[choices.below(leaves.count)] }
    func next() -> String { grown(&choices, depth + 1) }
    switch choices.below(8) {
    case 0, 1, 2:
        let signs = ["+", "-", "*", "/"]
        let (left, sign) = (next(), signs[choices.below(4)])
        return "(\(left) \(sign) \(next()))"
    case 3:
        let signs = ["==", "!=", "<", "<=", ">", ">="]
        let (left, sign) = (next(), signs[choices.below(6)])
        return "(\(left) \(sign) \(next()))"
    case 4:
        let (condition, then) = (next(), next())
        return "(if \(condition) then \(then) else \(next()))"
    case 5: return "(not \(next()))"
    default:
        let function = Expression.Function.allCases[
            choices.below(Expression.Function.allCases.count)]
        let one = ["count", "last", "abs", "sha"].contains(function.rawValue)
        let first = next()
        return one ? "\(function.rawValue)(\(first))" : "\(function.rawValue)(\(first), \(next()))"
    }
}

// MARK: - Plays

private struct Stage: Sendable {
    let template: Template
    let terms: [Terms]
}

/// Each template with sets of parameters that the checker tries too.
private let stages: [Stage] = shelf.compactMap { bytes in
    guard let template = try? Template.read(bytes) else { return nil }
    var terms: [Terms] = []
    for isChild in template.startChild == nil ? [false] : [false, true] {
        var search = SettingSearch(template: template, isChild: isChild, limit: 3)
        terms += search.settings().map(\.terms)
    }
    return Stage(template: template, terms: terms)
}

private let play = FuzzTarget(
    "play",
    law:
        "every move is refused and changes nothing, or leaves books that balance and exactly what is pending; "
        + "an end leaves nothing",
    bytesMax: 320,
    seeds: {
        (0..<UInt8(15)).map { index in
            var chance = Seeded(UInt64(index))
            return [index, 0] + chance.bytes(100)
        } + (0..<UInt8(15)).map { [$0, 1] + [UInt8](repeating: 0, count: 60) }
    }
) { input in
    var choices = Choices(input)
    let stage = stages[choices.below(stages.count)]
    guard !stage.terms.isEmpty else { return }
    let terms = stage.terms[choices.below(stage.terms.count)]
    guard var state = try? ContractState(template: stage.template, terms: terms),
        let opening = try? state.opening(at: terms.grantBy)
    else { return }
    var books = Books()
    var pending: [Cause: Transfer] = [:]
    func take(_ outcome: Outcome) {
        for event in outcome.transfers {
            law((try? books.decide(event)) != nil, "the books refuse \(event)")
            books.apply(event)
            switch event {
            case .reserve(let transfer): pending[transfer.cause] = transfer
            case .post(let cause, _, _), .void(let cause, _): pending[cause] = nil
            case .discharge: break
            }
        }
        state.apply(outcome)
        law(Set(pending.values) == Set(state.pending), "\(pending.count) pending")
        law(books.imbalance().isEmpty, "imbalance")
        law(!state.isEnded || pending.isEmpty && state.escrow == 0, "left after the end")
    }
    take(opening)
    var now = terms.grantBy
    var sequence: Int64 = 1
    let people = state.participants
    while !choices.isAtEnd, sequence < 40 {
        let did = people[choices.below(people.count)]
        var act: Act
        if choices.below(4) == 0 {
            // Time passes, to a deadline or a little.
            let next = state.records.compactMap(\.until).min()
            let hours = Int64(choices.byte())
            if hours & 1 == 0, let next, next >= now {
                now = next.advanced(by: 1)
            } else {
                now = now.advanced(by: hours * 3_600_000)
            }
            guard let record = state.records.first(where: { $0.until.map { $0 < now } ?? false }),
                let due = state.defaultAct(record.number)
            else { continue }
            act = due
        } else {
            let all = state.choices(for: did, at: now, includeDefaults: choices.below(2) == 0)
            guard !all.isEmpty else { continue }
            let choice = all[choices.below(all.count)]
            act = choice.act
            let held = state.record(act.record)?.holds.first?.amount ?? 0
            for parameter in choice.arguments where choices.below(16) > 0 {
                act.arguments[parameter.name] = value(
                    of: parameter.kind, held: held, terms, &choices)
            }
            if choices.below(16) == 0 { act.record = Int64(choices.byte()) }
        }
        let digest = state.digest()
        let consents = choices.below(8) == 0 ? [] : state.consentsNeeded(for: act)
        do throws(ContractRefusal) {
            let outcome = try state.decide(
                act, by: did, consents: consents, at: now, sequence: sequence + 1)
            law(outcome.sequence == sequence + 1, "sequence \(outcome.sequence)")
            sequence += 1
            take(outcome)
        } catch {
            law(state.digest() == digest, "a refusal changed the state")
            law(!error.words(.en).isEmpty && !error.words(.zh).isEmpty, "no words")
        }
    }
}

private func value(
    of kind: ValueKind, held: Int64, _ terms: Terms, _ choices: inout Choices
) -> Value {
    let small = [0, 1, 2, 7, 10, 100, held, held, held / 2, wholeNumberMax, -1]
    let number = small[choices.below(small.count)]
    switch kind {
    case .quantity(let line):
        let unit = terms.lines[safe: line]?.unit ?? must { try UnitCode("C62") }
        return .quantity(
            (try? Quantity(units: max(number, 0), unit)) ?? must { try Quantity(units: 1, unit) })
    case .money, .price: return .money(must { try Money(minor: number, terms.currency) })
    case .instant:
        return .instant(terms.grantBy.advanced(by: Int64(choices.byte()) * 86_400_000))
    case .duration: return .integer(Int64(choices.byte()) * 3_600_000)
    case .bp: return .integer(Int64(choices.below(65_536)))
    case .hash: return .hash(choices.below(2) == 0 ? SHA256.hash([1]) : .filled(choices.byte()))
    case .party: return .identity(.filled(choices.byte()))
    case .choice(let options): return .text(options[choices.below(options.count)])
    case .list(let item):
        return .list(
            (0..<choices.below(5)).map { _ in value(of: item, held: held, terms, &choices) })
    case .int, .literal: return .integer(number)
    default: return .text("x")
    }
}

// MARK: - The checker

private let checker = FuzzTarget(
    "checker",
    law:
        "whatever reads as a template is judged within the limits, twice the same, every finding with a place",
    bytesMax: 2048, seeds: { [tiny] }
) { input in
    guard let template = try? Template.read(input) else { return }
    var limits = Exploration.Limits()
    limits.settings = 2
    limits.steps = 120
    limits.states = 40
    limits.stepsEach = 240
    limits.records = 2
    limits.few = 3
    let one = Exploration.run(template, limits: limits)
    let two = Exploration.run(template, limits: limits)
    law(one.findings == two.findings && one.steps == two.steps, "judged twice")
    let lines = input.count { $0 == UInt8(ascii: "\n") } + 2
    for finding in one.findings {
        law((1...lines).contains(finding.line), "line \(finding.line) of \(lines)")
    }
    for loss in one.losses { law(loss.hostile >= loss.silent || loss.stated == nil, "\(loss)") }
}
