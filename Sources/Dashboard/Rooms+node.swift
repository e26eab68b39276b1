import Capacity
import Contracts
import Entries
import Identity
import Logging
import Logs
import Market
import NodeCore

extension Rooms {
    // MARK: Partners

    /// `address`: where partners reach this node; `ticket`: the alliance to which one newcomer is to be invited.
    func partners(after: Int, address: String, ticket: (alliance: TopicID, seed: Hash32)? = nil)
        -> JSON
    {
        let connected = Set(node.connections.values.map(\.did))
        let people = others
        let part = people.dropFirst(after).prefix(Self.pageSize)
        return [
            "rows": .array(
                part.map { did in
                    let profile = node.book[did]?.profile
                    let record = node.reputation(of: did)
                    let steps: [(String, SortedChunks<Reputation.Step>)] = [
                        ("completed", record.completed), ("in_time", record.inTime),
                        ("late", record.late), ("silent", record.silent),
                        ("defaults", record.defaults), ("lost", record.lost),
                    ]
                    var marks = steps.filter { !$0.1.isEmpty }.map { name, steps in
                        mark(name, steps.count, steps.prefix(20))
                    }
                    if record.hasOversold {
                        marks.append(mark("oversales", record.oversales.count, []))
                    }
                    return [
                        "name": .string(view.name(did)), "did": .string(did.did),
                        "short": .string(did.shortDID),
                        "role": .string((profile?.role ?? "").legible),
                        "connected": .bool(connected.contains(did)),
                        "record": .array(marks), "no_record": .bool(marks.isEmpty),
                        "acts": [
                            DeskAct(
                                verb: "name", button: word("save"), hidden: [("did", did.did)],
                                fields: [
                                    DeskField(
                                        name: "o.name", label: word("field_petname"),
                                        value: node.petnames[did] ?? node.profileName(did) ?? ""
                                    ).json
                                ], back: "/partners"
                            ).json.merging([.init("says", .string(word("rename")))])
                        ],
                    ]
                }),
            "more": more("/partners", after + part.count, of: people.count),
            "empty": .bool(people.isEmpty), "picture": .string(network(people, connected)),
            "invitations": .array(
                node.alliances.compactMap { invitation(to: $0, address, ticket) }),
            "join": DeskAct(
                verb: "alliance join", button: word("join"),
                fields: [
                    DeskField(
                        name: "o.code", label: word("first_invitation"), help: "talea-invite:…",
                        scan: Invitation.lead
                    ).json
                ], back: "/partners"
            ).json,
            "add": [
                DeskAct(
                    verb: "peer add", button: word("connect"),
                    fields: [
                        DeskField(
                            name: "o.address", label: word("field_address"),
                            help: "192.168.1.20:4100"
                        ).json,
                        DeskField(
                            name: "o.did", label: word("field_did"), help: "did:key:z6Mk…",
                            isRequired: false
                        ).json,
                    ], back: "/partners"
                ).json
            ],
        ]
    }

    /// Good for a week from the day it is looked at.
    private static let ticketDays: Int64 = 8

    /// A code to hand on; of an alliance that admits by one-time codes, only where it is asked for.
    private func invitation(
        to alliance: Alliance, _ address: String, _ ticket: (alliance: TopicID, seed: Hash32)?
    ) -> JSON? {
        let isOpen = alliance.rules.admission == .anyone
        guard isOpen || node.memberships[alliance.topic]?.mayAdmit(me) == true else { return nil }
        var json: [JSON.Field] = [
            .init("name", .string(alliance.founding.name)),
            .init(
                "href",
                .string("/partners?invite=\(alliance.topic.hex)&one=\(Entropy.bytes(8).hex)")),
        ]
        guard isOpen || ticket?.alliance == alliance.topic else { return .object(json) }
        // Looking again at one address shows one code, until midnight.
        var copy = node
        copy.begin(at: now, seed: ticket?.seed ?? .zero)
        let day: Int64 = 86_400_000
        let until = now.advanced(by: Self.ticketDays * day - now.milliseconds % day)
        guard let made = try? copy.invite(to: alliance.topic, until: until, address: address)
        else { return nil }
        json.append(.init("code", .string(made.code)))
        json.append(.init("qr", .string(QR(made.code)?.svg(says: word("invite")) ?? "")))
        if made.ticket != nil { json.append(.init("once", .string(figures.date(until)))) }
        return .object(json)
    }

    private func mark(_ name: String, _ count: Int, _ shown: some Sequence<Reputation.Step>) -> JSON
    {
        [
            "label": .string(word("mark_" + name)), "count": .number(count),
            "bad": .bool(!["completed", "in_time"].contains(name)),
            "links": .array(
                shown.map {
                    [
                        "href": .string("/contracts/\($0.contract.hex)#step-\($0.sequence)"),
                        "text": .string($0.contract.short),
                    ]
                }),
        ]
    }

    /// Me in the middle, everyone known around; a whole line to whoever is connected.
    private func network(_ people: [DID], _ connected: Set<DID>) -> String {
        guard !people.isEmpty else { return "" }
        let shown = people.prefix(24)
        var picture = Picture(
            width: 640, height: 300,
            says: figures.pick(
                "\(connected.count) of \(people.count) people are connected",
                "已知 \(people.count) 人，已连接 \(connected.count) 人"))
        for (index, did) in shown.enumerated() {
            let (x, y) = Self.place(index, of: shown.count)
            picture.line(connected.contains(did) ? "tie" : "tie-off", 320, 150, x, y)
        }
        for (index, did) in shown.enumerated() {
            let (x, y) = Self.place(index, of: shown.count)
            let isHere = connected.contains(did)
            picture.dot(
                isHere ? "fill-done" : "fill-open", x: x, y: y, radius: 7,
                tip: view.name(did) + " · " + word(isHere ? "connected" : "away"))
            let name = node.petnames[did] ?? node.profileName(did) ?? did.shortDID
            picture.text(
                String(name.prefix(14)), x: x, y: y < 150 ? y - 14 : y + 24, anchor: "middle")
        }
        picture.dot("fill-accent", x: 320, y: 150, radius: 11, tip: word("you"))
        return picture.svg
    }

    /// On an ellipse, from the top on; sines from a table, as no maths library is linked for them.
    private static func place(_ index: Int, of count: Int) -> (Int, Int) {
        let quarter = [0, 131, 259, 383, 500, 609, 707, 793, 866, 924, 966, 991, 1000]
        func sine(_ step: Int) -> Int {
            let place = ((step % 48) + 48) % 48
            switch place {
            case 0...12: return quarter[place]
            case 13...24: return quarter[24 - place]
            case 25...36: return -quarter[place - 24]
            default: return -quarter[48 - place]
            }
        }
        let step = index * 48 / max(count, 1)
        return (320 + 240 * sine(step) / 1000, 150 - 105 * sine(step + 12) / 1000)
    }

    // MARK: Node

    /// A line of the log, people by name where they are known.
    private func named(_ line: String, _ people: [DID]) -> String {
        people.filter { line.contains($0.shortDID) }.reduce(line) { line, did in
            line.putting(view.name(did), for: did.shortDID)
        }
    }

    private var profileAct: DeskAct {
        let profile = node.book[me]?.profile
        func field(_ name: String, _ label: String, _ value: String?, _ isRequired: Bool) -> JSON {
            DeskField(
                name: (isRequired ? "o." : "e.") + name, label: word(label), value: value ?? "",
                isRequired: isRequired
            ).json
        }
        return DeskAct(
            verb: "profile set", button: word("review"),
            fields: [
                field("name", "name", profile?.name, true),
                field("role", "field_profile_role", profile?.role, false),
                field("place", "field_place", profile?.place, false),
                field("terms", "field_profile_terms", profile?.terms, false),
            ], back: "/node")
    }

    func nodeRoom(_ status: DoorStatus, log: [RecentLog.Line]) -> JSON {
        let json = view.status(status)
        var trouble: [JSON] = []
        func tell(_ says: String?, _ acts: [JSON] = []) {
            if let says, !says.isEmpty {
                trouble.append(["says": .string(says), "acts": .array(acts)])
            }
        }
        tell(json["read_only"]?["message"]?[language.rawValue]?.string)
        tell(json["ledger_fault"]?["message"]?[language.rawValue]?.string)
        if node.recovery.reason != nil {
            tell(
                json["recovery"]?["message"]?[language.rawValue]?.string,
                [
                    DeskAct(
                        verb: "recover", button: word("review"), hidden: [("accept-risk", "all")],
                        back: "/node"
                    ).json.merging([.init("says", .string(word("accept_risk")))])
                ])
        }
        for one in status.untold { tell(one.says[language]) }
        if let scrub = status.scrub, scrub.bad > 0 {
            tell(word("scrub_bad"))
        }
        let clockOff = node.connections.values.compactMap(\.skew).filter {
            $0.magnitude > 600_000
        }
        if clockOff.count * 2 > max(node.connections.count, 1) { tell(word("clock_off")) }
        let waiting = node.waitingLogsOfOurs.count
        let (undelivered, people) = (node.undelivered, others)
        return [
            "trouble": .array(trouble), "well": .bool(trouble.isEmpty),
            "did": .string(me.did), "name": .string(view.name(me)), "profile": [profileAct.json],
            "listening": .string(status.listening),
            "since": .string(figures.ago(status.started)),
            "storage": .string(figures.size(status.dataBytes)),
            "contracts": .number(node.contracts.count), "lines": .number(node.lines.count),
            "people": .number(people.count),
            "scrub": .string(
                status.scrub.map {
                    figures.ago($0.finished)
                        + figures.pick(
                            ", \($0.entries) entries whole", "，\($0.entries) 条完好")
                } ?? word("scrub_none")),
            "backup": .string(
                status.backup.map { figures.ago($0.made) } ?? word("backup_none")),
            "backup_due": .string(plain(view.backupDue(status)?[language] ?? "")),
            "unsure": .string(
                waiting == 0
                    ? ""
                    : figures.pick(
                        "\(waiting) of your logs wait for a partner to confirm that this copy is the newest.",
                        "您有 \(waiting) 份日志在等伙伴确认本机副本最新。")),
            "peers": .array(
                node.connections.sorted { $0.key < $1.key }.map { id, connection in
                    let lag = undelivered.count { $0.recipient == connection.did }
                    let traffic = status.traffic[connection.did] ?? .init()
                    let behind = node.lag(behind: id).reduce(0) {
                        $0 &+ Int64(clamping: $1.entries)
                    }
                    return [
                        "behind": .number(behind),
                        "received": .string(figures.size(Int64(clamping: traffic.received))),
                        "sent": .string(figures.size(Int64(clamping: traffic.sent))),
                        "name": .string(view.name(connection.did)),
                        "agent": .string(connection.agent), "lag": .number(lag),
                        "skew": .string(
                            connection.skew.map { "\($0.magnitude < 1000 ? 0 : $0 / 1000) s" }
                                ?? "…"),
                    ]
                }),
            "no_peers": .bool(node.connections.isEmpty),
            "any_farewells": .bool(!status.farewells.isEmpty),
            "farewells": .array(
                status.farewells.prefix(10).map { farewell in
                    [
                        "who": .string(farewell.did.map(view.name) ?? ""),
                        "address": .string(farewell.address),
                        "says": .string(farewell.says[language]),
                        "ago": .string(figures.ago(farewell.time)),
                    ]
                }),
            "addresses": .array(
                node.peers.map { address in
                    let text = "\(address.host):\(address.port)"
                    return [
                        "text": .string(text),
                        "name": .string(address.did.map(view.name) ?? ""),
                        "acts": [
                            DeskAct(
                                verb: "peer remove", button: word("forget"),
                                hidden: [("address", text)], back: "/node"
                            ).json
                        ],
                    ]
                }),
            "outbox": .array(
                undelivered.prefix(Self.pageSize).map { item in
                    [
                        "to": .string(view.name(item.recipient)),
                        "kind": .string(item.statement.kind.map { word("statement_\($0)") } ?? ""),
                        "age": .string(figures.ago(item.statement.header.time)),
                    ]
                }),
            "keys": .array(
                node.keyLogs.entries(of: me).reversed().enumerated().map { index, key in
                    [
                        "key": .string(key.key.did), "since": .string(figures.moment(key.time)),
                        "here": .bool(index == 0),
                    ]
                }),
            "wire": .number(Commands.wireVersion),
            "log": .array(
                log.map { line in
                    let tone =
                        line.level >= .error ? "bad" : line.level == .warning ? "open" : "plain"
                    return [
                        "level": badge("level_" + line.level.rawValue, tone),
                        "text": .string(named(line.text, people)),
                        "at": .string(figures.moment(line.time)),
                        "times": line.times > 1 ? .string("× \(line.times)") : .null,
                    ]
                }),
        ]
    }
}
