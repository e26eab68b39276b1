import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore

extension Rooms {
    /// Weeks that the calendar shows: half a year.
    private static let weeks = 26

    /// By week, what is past last; the calendar has what the rows of this page are about.
    func capacity(after: Int) -> JSON {
        let mine = node.lines.values.filter { $0.issuer == me }
            .sorted { left, right in
                let (one, other) = (left.terms.window, right.terms.window)
                if (one.end < now) != (other.end < now) { return other.end < now }
                return (one.start, left.terms.resource, left.log)
                    < (other.start, right.terms.resource, right.log)
            }
        let part = mine.dropFirst(after).prefix(Self.pageSize)
        let resources = Set(part.map(\.terms.resource))
        let shown = mine.filter { resources.contains($0.terms.resource) }
        return [
            "empty": .bool(mine.isEmpty), "map": .string(heatMap(shown)),
            "monday": .string(iso(firstWeek(shown))),
            "rows": .array(part.map(row)),
            "more": more("/capacity", after + part.count, of: mine.count),
            "elastic": .array(elasticity(shown)),
            "declare": [declareAct.json],
        ]
    }

    /// What, when, how much of it and in which unit.
    func lineFields(_ quantity: DeskField) -> [JSON] {
        var unit = DeskField(name: "o.unit", label: word("field_unit"), value: "C62")
        unit.choices = [
            ("C62", word("unit_C62")), ("HUR", word("unit_HUR")), ("KGM", word("unit_KGM")),
        ]
        return [
            DeskField(
                name: "o.resource", label: word("field_resource"), help: "print/notebook/a5"
            ).json,
            DeskField(name: "t.start", label: word("field_start"), type: "datetime-local").json,
            DeskField(name: "t.end", label: word("field_end"), type: "datetime-local").json,
            quantity.json, unit.json,
        ]
    }

    var declareAct: DeskAct {
        DeskAct(
            verb: "line declare", button: word("review"),
            fields: lineFields(
                DeskField(name: "o.total", label: word("field_total"), mode: "numeric")),
            back: "/capacity", isPrimary: true)
    }

    private func iso(_ instant: Instant) -> String { figures.civil(instant).date }

    struct Use {
        var free: Int64 = 0
        var granted: Int64 = 0
        var exercised: Int64 = 0
        var delivered: Int64 = 0
    }

    func use(_ line: LineLog) -> Use {
        var use = Use(free: line.line.remaining)
        for grant in line.line.grants {
            use.granted += grant.looseUnits
            use.exercised += grant.firmUnits
        }
        use.delivered = overview.delivered(of: line.log)
        use.exercised = max(use.exercised - use.delivered, 0)
        return use
    }

    private func row(_ line: LineLog) -> JSON {
        let use = use(line)
        let code = line.terms.unit.code
        func text(_ units: Int64) -> JSON { .string(figures.units(Int128(units), code)) }
        let fault = line.fault.map { DoorRefusal($0.reason).message[language] } ?? ""
        return [
            "resource": .string(line.terms.resource.path),
            "window": .string(
                figures.date(line.terms.window.start) + " – " + figures.date(line.terms.window.end)),
            "total": text(line.line.total ?? 0), "free": text(use.free),
            "granted": text(use.granted), "exercised": text(use.exercised),
            "delivered": text(use.delivered), "fault": .string(fault),
            "acts": [
                DeskAct(
                    verb: "line adjust", button: word("review"), hidden: [("line", line.log.hex)],
                    fields: [
                        DeskField(
                            name: "o.total", label: word("field_total"), mode: "numeric",
                            value: "\(line.line.total ?? 0)"
                        ).json, DeskField(name: "o.reason", label: word("reason")).json,
                    ], back: "/capacity"
                ).json.merging([.init("says", .string(word("adjust")))])
            ],
        ]
    }

    /// This week, or up to four earlier where lines still stand there.
    private func firstWeek(_ lines: [LineLog]) -> Instant {
        let first = figures.monday(of: lines.reduce(now) { min($0, $1.terms.window.start) })
        return max(first, figures.monday(-4, after: figures.monday(of: now)))
    }

    /// Resources down, weeks across; the darker, the more of it is promised.
    private func heatMap(_ lines: [LineLog]) -> String {
        let start = firstWeek(lines)
        // Weeks can be drawn before there is a line.
        let resources = lines.isEmpty ? [""] : Set(lines.map(\.terms.resource.path)).sorted()
        let (left, cell, tall) = (180, 30, 34)
        var picture = Picture(
            width: left + Self.weeks * cell + 10, height: 40 + resources.count * tall + 6,
            says: word("heat_says"))
        var month = Int64(0)
        for week in 0..<Self.weeks {
            let monday = figures.monday(week, after: start)
            let time = figures.civil(monday)
            let x = left + week * cell
            picture.text("\(time.day)", x: x + cell / 2 - 1, y: 34, "faint", anchor: "middle")
            if time.month != month {
                month = time.month
                picture.text(figures.month(monday), x: x + 4, y: 16, "strong")
            }
        }
        for (index, resource) in resources.enumerated() {
            let y = 42 + index * tall
            picture.text(resource, x: 0, y: y + 19, within: left - 8)
            for week in 0..<Self.weeks {
                let monday = figures.monday(week, after: start)
                let here = lines.filter {
                    $0.terms.resource.path == resource && stands($0.terms.window, in: monday)
                }
                let x = left + week * cell
                guard let line = here.first else {
                    picture.box(
                        "cell-none", x: x, y: y, width: cell - 3, height: tall - 5, round: 4)
                    continue
                }
                let total = here.reduce(0) { $0 + ($1.line.total ?? 0) }
                let free = here.reduce(0) { $0 + $1.line.remaining }
                let share = total > 0 ? Int((total - free) * 4 / total) : 0
                let code = line.terms.unit.code
                let tip =
                    "\(resource), \(figures.weekName(monday)): "
                    + "\(figures.units(Int128(free), code)) \(word("free")) / \(figures.units(Int128(total), code))"
                picture.box(
                    "cell-\(min(share + (free < total ? 1 : 0), 4))", x: x, y: y, width: cell - 3,
                    height: tall - 5, tip: tip, round: 4)
                picture.text(
                    Self.brief(free), x: x + (cell - 3) / 2, y: y + 19,
                    share >= 3 ? "on-dark" : "small", anchor: "middle")
            }
        }
        return picture.svg
    }

    /// For a narrow cell: `1.9k` for 1,999, never more than there is.
    static func brief(_ count: Int64) -> String {
        for (size, mark) in [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] as [(Int64, _)]
        where count >= size {
            let (whole, tenth) = (count / size, count % size * 10 / size)
            return "\(whole)" + (whole < 10 && tenth > 0 ? ".\(tenth)" : "") + mark
        }
        return "\(count)"
    }

    /// A window stands in the weeks of which it covers half, and where half of it lies: of two halves, the first.
    func stands(_ window: Window, in monday: Instant) -> Bool {
        let start = max(window.start, monday)
        let next = figures.monday(1, after: monday)
        let covered = min(window.end, next).milliseconds - start.milliseconds
        let whole = window.end.milliseconds - window.start.milliseconds
        let isHalf = covered * 2 == whole && window.start >= monday
        return covered > 0 && (covered * 2 >= Figures.week || covered * 2 > whole || isHalf)
    }

    /// The weeks to come, as far as the calendar reaches, in which a window stands.
    func weeks(of window: Window) -> [Instant] {
        let first = figures.monday(of: max(window.start, now))
        return (0..<Self.weeks).lazy.map { figures.monday($0, after: first) }
            .prefix { $0 < window.end }.filter { stands(window, in: $0) }
    }

    /// How far a week can be stretched: (largest − smallest) / smallest of what was declared, per resource,
    /// against the 150 % that a flexible partner should reach.
    private func elasticity(_ lines: [LineLog]) -> [JSON] {
        var totals: [String: [Int64]] = [:]
        for line in lines {
            totals[line.terms.resource.path, default: []].append(line.line.total ?? 0)
        }
        return totals.sorted { $0.key < $1.key }.compactMap { resource, totals in
            guard totals.count > 1, let base = totals.min(), let most = totals.max(), base > 0
            else { return nil }
            let percent = (most - base) * 100 / base
            return [
                "resource": .string(resource), "percent": .string("\(percent) %"),
                "enough": .bool(percent >= 150),
                "says": .string(
                    figures.pick(
                        "from \(figures.grouped(Int128(base))) to \(figures.grouped(Int128(most)))",
                        "\(figures.grouped(Int128(base))) 至 \(figures.grouped(Int128(most)))")),
            ]
        }
    }
}
