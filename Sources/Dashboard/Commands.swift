public import Capacity
import Contracts
import Entries
import FoundationEssentials
import Identity
import Logs
import Market
import NodeCore
import Replication

/// Every verb of the command line, on the node's side: options in, JSON or a refusal in words out.
///
/// Verbs that are not built in are the templates' own (`Commands+acts`): this room knows no template.
public struct Commands: Sendable {
    let door: any NodeDoor
    let clock: @Sendable () -> Instant

    public static let wireVersion: Int64 = Header.version

    public init(door: any NodeDoor, clock: @escaping @Sendable () -> Instant = Self.wallClock) {
        self.door = door
        self.clock = clock
    }

    public static let wallClock: @Sendable () -> Instant = {
        let milliseconds = Int64(Date().timeIntervalSince1970 * 1000)
        return (try? Instant(milliseconds: milliseconds)) ?? .earliest
    }

    /// Never throws: whatever goes wrong is put into words here.
    public func run(_ request: CommandRequest) async -> Result<JSON, DoorRefusal> {
        do {
            return .success(try await answer(request))
        } catch let refusal as DoorRefusal {
            return .failure(refusal)
        } catch {
            return .failure(DoorRefusal(any: error))
        }
    }

    /// What `GET /metrics` answers.
    func measures() async -> String? {
        let (status, clock) = (await door.status(), clock)
        let now = try? await door.read { View(node: $0, now: clock()).measures(status) }
        return now.map { door.measures.text() + $0.text() }
    }

    private func answer(_ request: CommandRequest) async throws -> JSON {
        switch request.verb {
        case "id": return try await read(request, Self.identity)
        case "status":
            let status = await door.status()
            return try await read(request) { view, options in
                try options.finish()
                return view.status(status)
            }
        case "key show": return try await read(request, Self.showKeys)
        case "recover": return try await write(request, Self.acceptRisk)
        case "key rotate": return try await write(request, Self.rotateKey)
        case "peer add": return try await write(request, Self.addPeer)
        case "peer remove": return try await write(request, Self.removePeer)
        case "peer list": return try await read(request, Self.listPeers)
        case "name": return try await write(request, Self.name)
        case "name list": return try await read(request, Self.listNames)
        case "alliance found": return try await write(request, Self.foundAlliance)
        case "alliance join": return try await write(request, Self.joinAlliance)
        case "alliance list": return try await read(request, Self.listAlliances)
        case "alliance leave": return try await write(request, Self.leaveAlliance)
        case "alliance invite":
            let status = await door.status()
            return try await write(request) { node, options in
                try Self.invite(&node, &options, listening: status.listening)
            }
        case "alliance admit": return try await write(request, Self.admit)
        case "alliance expel": return try await write(request, Self.expel)
        case "line declare": return try await write(request, Self.declareLine)
        case "line adjust": return try await write(request, Self.adjustLine)
        case "line show": return try await read(request, Self.showLines)
        case "cut": return try await write(request, Self.cut)
        case "offer publish":
            await door.refreshTemplates()
            return try await write(request, Self.publishOffer)
        case "offer withdraw": return try await write(request, Self.withdrawOffer)
        case "offer list": return try await read(request, Self.listOffers)
        case "offer show": return try await read(request, Self.showOffer)
        case "wish publish": return try await write(request, Self.publishWish)
        case "wish withdraw": return try await write(request, Self.withdrawWish)
        case "wish list": return try await read(request, Self.listWishes)
        case "profile set": return try await write(request, Self.setProfile)
        case "template list":
            let faults = await door.refreshTemplates()
            return try await read(request) { view, options in
                try Self.listTemplates(view, &options, faults)
            }
        case "template show":
            await door.refreshTemplates()
            return try await read(request, Self.showTemplate)
        case "contract propose":
            await door.refreshTemplates()
            return try await write(request) { node, options in
                try Self.propose(&node, &options, verb: nil)
            }
        case "contract accept": return try await write(request, Self.accept)
        case "contract decline": return try await write(request, Self.decline)
        case "contract cancel": return try await write(request, Self.cancel)
        case "contract request":
            return try await write(request) { node, options in
                try Self.act(&node, &options, verb: nil)
            }
        case "contract settle": return try await write(request, Self.settle)
        case "contract takeover": return try await write(request, Self.takeOver)
        case "witness list": return try await read(request, Self.listDuties)
        case "witness accept": return try await write(request, Self.acceptDuty)
        case "witness on":
            return try await write(request) { try Self.witness(&$0, &$1, isOn: true) }
        case "witness off":
            return try await write(request) { try Self.witness(&$0, &$1, isOn: false) }
        case "hub list": return try await read(request, Self.listHubs)
        case "hub use": return try await write(request, Self.useHub)
        case "hub leave": return try await write(request, Self.leaveHub)
        case "hub on":
            return try await write(request) { try Self.hub(&$0, &$1, isOn: true) }
        case "hub off":
            return try await write(request) { try Self.hub(&$0, &$1, isOn: false) }
        case "attachment list": return try await read(request, Self.listAttachments)
        case "attachment put": return try await write(request, Self.addChunk)
        case "attachment fetch": return try await write(request, Self.fetchAttachment)
        case "attachment read": return try await readChunk(request)
        case "attachment forget": return try await write(request, Self.forgetAttachment)
        case "sync export": return try await exportSync(request)
        case "sync import": return try await write(request, Self.importSync)
        case "contract show": return try await read(request, Self.showContract)
        case "contract paper": return try await paper(request)
        case "contract list": return try await read(request, Self.listContracts)
        case "ledger balance": return try await read(request, Self.balance)
        case "ledger statement": return try await read(request, Self.statement)
        case "ledger export": return try await read(request, Self.export)
        case "ledger rebuild": return try await rebuild(request)
        case "reputation show": return try await read(request, Self.reputation)
        case "proof export": return try await proof(request)
        case "proof": return try await prove(request)
        case "proof page": return try await provePage(request)
        default:
            await door.refreshTemplates()
            return try await alias(request)
        }
    }

    // MARK: - Shapes of verbs

    func read(
        _ request: CommandRequest,
        _ body: @escaping @Sendable (View, inout Options) throws -> JSON
    ) async throws -> JSON {
        let now = clock()
        return try await door.read { node in
            var options = Options(request.options, now: now)
            return try body(View(node: node, now: now), &options)
        }
    }

    /// What a signing verb did, and what it would have moved.
    struct Done: Sendable {
        var value: JSON
        var moves: JSON = .array([])
        var says: Localized?
        /// Which lines it is about; in a trial also which record of several.
        var about: [Localized] = []
        var record: (contract: ContractID, number: Int64)?
        var worst: JSON = .null
        var mayLose: JSON = .null
        /// What waits until when afterwards.
        var deadlines: JSON = .array([])
        /// The same was asked for before, and is not answered yet.
        var again: Localized?
        var follow: Follow?
        /// Names what a trial was worked out from: what it would move, and the records it is about.
        var basis: Hash32?
    }

    /// A request whose answer the owner wants to see, for so long.
    struct Follow: Sendable {
        let request: EntryID
        let contract: ContractID
        let seconds: Int64
    }

    /// Names are the reader's even in refusals, so they are put into words inside.
    func write(
        _ request: CommandRequest,
        _ body: @escaping @Sendable (inout Node, inout Options) throws -> Done
    ) async throws -> JSON {
        let done: Done
        do {
            done = try await attempt(request, body)
        } catch let refusal as DoorRefusal where refusal.code == "unconfirmed" {
            // Just after a start: whoever is there answers within seconds.
            let isSure = await door.watch(seconds: Self.confirmationSeconds) { node in
                node.waitingLogsOfOurs.isEmpty ? true : nil
            }
            guard isSure != nil else { throw refusal }
            done = try await attempt(request, body)
        }
        guard request.dryRun else {
            guard let follow = done.follow else { return done.value }
            let answered = await door.watch(seconds: follow.seconds) { Self.answer(to: follow, $0) }
            return answered.map { done.value.merging($0) } ?? done.value
        }
        return [
            "dry_run": true, "would": done.value, "would_move": done.moves,
            "says": done.says?.json ?? .null, "about": .array(done.about.map(\.json)),
            "worst": done.worst,
            "may_lose": done.mayLose, "deadlines": done.deadlines,
            "again": done.again?.json ?? .null, "basis": .text(done.basis?.hex),
        ]
    }

    private static let confirmationSeconds: Int64 = 15

    private func attempt(
        _ request: CommandRequest,
        _ body: @escaping @Sendable (inout Node, inout Options) throws -> Done
    ) async throws -> Done {
        try await door.perform(dryRun: request.dryRun) { node in
            var options = Options(request.options, now: node.now, isTrial: request.dryRun)
            do {
                if let shown = request.basis, !request.dryRun {
                    var (trial, asked) = (node, options)
                    asked.isTrial = true
                    let basis = try body(&trial, &asked).basis
                    guard basis?.hex == shown else { throw Self.changedSinceShown }
                }
                var done = try body(&node, &options)
                guard request.dryRun, let (id, number) = done.record, let held = node.contracts[id]
                else { return done }
                let view = View(node: node, now: node.now)
                if let origin = view.origin(of: number, view.replay(held)) {
                    done.about.append(origin)
                }
                return done
            } catch {
                let node = node
                throw DoorRefusal(any: error, name: node.displayName)
            }
        }.value
    }

    private static let changedSinceShown = DoorRefusal(
        "changed_since_shown",
        en: "this changed since it was shown, and nothing was signed; look at it again",
        zh: "内容在展示之后已有变化，没有签署；请重新查看")

    // MARK: - Who and where

    static func identity(_ view: View, _ options: inout Options) throws -> JSON {
        try options.finish()
        return identity(view)
    }

    static func identity(_ view: View) -> JSON {
        let node = view.node
        let profile = node.book[node.own.did]?.profile
        return [
            "did": .string(node.own.did.did), "short": .string(node.own.did.shortDID),
            "name": .text(profile?.name), "role": .text(profile?.role),
            "place": .text(profile?.place), "terms": .text(profile?.terms),
            "addresses": .array((profile?.addresses ?? []).map { .string($0) }),
            "alliance": .string(node.alliance.founding.name),
            "topic": .string(node.alliance.topic.hex),
            "invitation": .string(
                Invitation(foundingBody: node.alliance.foundingBody).code),
            "alliances": .array(view.alliances),
            "wire_version": .number(wireVersion),
        ]
    }

    static func addPeer(_ node: inout Node, _ options: inout Options) throws -> Done {
        let address = try peerAddress(&node, &options)
        try options.finish()
        node.addPeer(address)
        return Done(value: peers(node))
    }

    static func removePeer(_ node: inout Node, _ options: inout Options) throws -> Done {
        let address = try peerAddress(&node, &options)
        try options.finish()
        let matching = node.peers.filter { $0.host == address.host && $0.port == address.port }
        guard !matching.isEmpty else {
            throw DoorRefusal(
                "peer_unknown", field: "address", value: "\(address.host):\(address.port)",
                en:
                    "--address “\(address.host):\(address.port)” is not among your peers; see: talea peer list",
                zh: "--address “\(address.host):\(address.port)”不在您的节点列表中；请看 talea peer list")
        }
        for one in matching { node.removePeer(one) }
        return Done(value: peers(node))
    }

    static func listPeers(_ view: View, _ options: inout Options) throws -> JSON {
        try options.finish()
        return peers(view.node)
    }

    /// The owner's, then those that the node found and reached by itself.
    private static func peers(_ node: Node) -> JSON {
        let found = node.dials.values.filter { $0.isUp && $0.purpose != .feeler }.map(\.address)
        let fixed = node.peers.map { peer($0.host, $0.port, $0.did, from: "fixed") }
        let other = found.sorted().map { peer($0.host, $0.port, $0.did, from: "found") }
        return ["peers": .array(fixed + other)]
    }

    private static func peer(_ host: String, _ port: Int, _ did: DID?, from: String) -> JSON {
        [
            "address": .string(PeerAddress(host: host, port: port, did: did).text),
            "did": .text(did?.did), "from": .string(from),
        ]
    }

    private static func peerAddress(_ node: inout Node, _ options: inout Options) throws
        -> PeerAddress
    {
        let wanted = Localized(en: "HOST:PORT, as 127.0.0.1:7001", zh: "主机:端口，如 127.0.0.1:7001")
        let text = try options.need("address", wanted)
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
            let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port)
        else { throw Options.wrong("address", text, wanted.en, wanted.zh) }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let lawful = host.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != 47 }
        guard lawful, !host.isEmpty, host.utf8.count <= 253 else {
            throw Options.wrong("address", text, wanted.en, wanted.zh)
        }
        let did = try options.one("did").map { try node.party($0, field: "did") }
        return PeerAddress(host: host, port: port, did: did)
    }

    static func name(_ node: inout Node, _ options: inout Options) throws -> Done {
        let did = try node.party(
            try options.need("did", Localized(en: "did:key:z6Mk…", zh: "did:key:z6Mk…")),
            field: "did")
        let name = try options.need("name", Localized(en: "a name of your own", zh: "您起的名称"))
        try options.finish()
        guard !name.unicodeScalars.contains(where: \.isHidden), name.utf8.count <= 64, name != "me",
            !name.hasPrefix("did:")
        else {
            throw Options.wrong(
                "name", name, "a visible name of at most 64 bytes, not “me”, not a did",
                "可见的名称，至多 64 字节，不是“me”或 did")
        }
        if let other = node.petnames.first(where: { $0.value == name && $0.key != did })?.key {
            throw DoorRefusal(
                "name_taken", field: "name", value: name,
                en: "--name “\(name)” is your name for \(other.shortDID) already; choose another",
                zh: "--name “\(name)”已是您对 \(other.shortDID) 的称呼；请另选")
        }
        node.name(did, name)
        return Done(value: ["did": .string(did.did), "name": .string(name)])
    }

    static func listNames(_ view: View, _ options: inout Options) throws -> JSON {
        let page = try options.page()
        try options.finish()
        let node = view.node
        let everyone = Set(node.book.authors + Array(node.petnames.keys)).sorted()
        let (shown, next) = page.cut(everyone, id: \.did)
        return [
            "names": .array(
                shown.map { did in
                    [
                        "did": .string(did.did), "short": .string(did.shortDID),
                        "petname": .text(node.petnames[did]),
                        "profile_name": .text(node.book[did]?.profile?.name),
                        "role": .text(node.book[did]?.profile?.role),
                        "place": .text(node.book[did]?.profile?.place),
                        "key_changed": view.keyChanged(did),
                        "own": .bool(did == node.own.did),
                    ]
                }), "next": next,
        ]
    }
}

extension View {
    /// How much of one topic is named by peers and not held.
    private func lag(_ lag: Lag) -> JSON {
        let alliance = node.alliances.first { $0.topic == lag.topic }
        let contract = node.contracts.overview.contracts.first { $0.topic == lag.topic }
        return [
            "topic": .text(lag.topic?.hex), "alliance": .text(alliance?.founding.name),
            "contract": .text(contract?.id.hex), "logs": .number(lag.logs),
            "entries": .number(Int64(clamping: lag.entries)),
        ]
    }

    func status(_ status: DoorStatus) -> JSON {
        let undelivered = node.undelivered
        let listed = node.contracts.overview.contracts
        var counts: [HeldContract.Grade: Int] = [:]
        for one in listed where !one.isDeclined { counts[one.grade, default: 0] += 1 }
        var grades: [JSON.Field] = HeldContract.Grade.allCases.map { grade in
            .init(grade.rawValue, .number(counts[grade] ?? 0))
        }
        let declined = listed.count - counts.values.reduce(0, +)
        grades.append(.init("declined", .number(declined)))
        var readOnly = JSON.null
        if let reason = node.readOnly {
            let put = reason.wording.refusal
            readOnly = ["code": .string(put.code), "message": put.message.json]
        }
        var fault = JSON.null
        if let refusal = node.ledgerFault {
            let put = DoorRefusal(refusal)
            fault = ["code": .string(put.code), "message": put.message.json]
        }
        return [
            "did": .string(node.own.did.did), "name": .string(name(node.own.did)),
            "wire_version": .number(Commands.wireVersion),
            "listening": .string(status.listening), "started": instant(status.started),
            "data_bytes": .number(status.dataBytes), "entries": .number(status.entries),
            "last_scrub": status.scrub.map {
                [
                    "time": instant($0.finished), "entries": .number($0.entries),
                    "bad": .number($0.bad),
                ]
            } ?? .null,
            "last_backup": status.backup.map {
                ["time": instant($0.made), "file": .string($0.file)]
            } ?? .null,
            "backup_due": backupDue(status).map(\.json) ?? .null,
            "read_only": readOnly, "recovery": recovery, "ledger_fault": fault,
            "untold": .array(
                status.untold.map { one in
                    [
                        "way": .string(one.way), "since": instant(one.since),
                        "tries": .number(one.tries), "complaint": .string(one.complaint),
                        "message": one.says.json,
                    ]
                }),
            "peers": .array(
                node.connections.filter { $0.value.isProven }.sorted { $0.key < $1.key }.map {
                    id, connection in
                    let waiting = undelivered.count { $0.recipient == connection.did }
                    let traffic = status.traffic[connection.did]
                    let lags = node.lag(behind: id)
                    return [
                        "did": .string(connection.did.did), "name": .string(name(connection.did)),
                        "agent": .string(connection.agent),
                        "key_changed": keyChanged(connection.did),
                        // Their clock is known from the hello on.
                        "established": .bool(connection.skew != nil),
                        "skew_ms": .number(connection.skew), "lag": .number(waiting),
                        "received_bytes": .number(traffic.map { Int64(clamping: $0.received) }),
                        "sent_bytes": .number(traffic.map { Int64(clamping: $0.sent) }),
                        "entries_behind": .number(
                            lags.reduce(0) { $0 &+ Int64(clamping: $1.entries) }),
                        "behind": .array(lags.map(lag)),
                        "held_back": .object(
                            node.heldBack(from: id).map { .init($0.why.rawValue, .number($0.logs)) }
                        ),
                    ]
                }),
            "behind": .array(node.lag().map(lag)),
            "farewells": .array(
                status.farewells.map { farewell in
                    [
                        "address": .string(farewell.address), "did": .text(farewell.did?.did),
                        "name": .text(farewell.did.map(name)), "code": .string(farewell.code),
                        "message": farewell.says.json, "time": instant(farewell.time),
                        "times": .number(farewell.times),
                    ]
                }),
            "outbox": .array(
                undelivered.map { item in
                    [
                        "statement": .string(item.key.statement.hex),
                        "kind": .text(item.statement.kind.map { "\($0)" }),
                        "to": .string(item.recipient.did), "to_name": .string(name(item.recipient)),
                        "age_ms": .number(
                            now.milliseconds - item.statement.header.time.milliseconds),
                        "expires": instant(item.expires),
                        "at_hubs": .array(
                            node.hubs(holding: item.key).map { .string(name($0)) }),
                    ]
                }),
            "contracts": .object(grades), "lines": .number(node.lines.count),
            "known_people": .number(node.book.count), "forks": forks(),
        ]
    }

    /// A copy older than this is asked to be made again, while anything is open that it would have to bring
    /// back.
    private static let backupDaysMax: Int64 = 30

    /// What to say where a backup is missing or old, and would be missed.
    func backupDue(_ status: DoorStatus) -> Localized? {
        guard node.contracts.overview.contracts.contains(where: { !$0.isOver && !$0.isDeclined })
        else {
            return nil
        }
        guard let made = status.backup?.made else {
            return Localized(
                en: "There is no backup of this node yet; make one with: talea backup FILE",
                zh: "本节点尚无备份；请运行：talea backup 文件")
        }
        let days = (now.milliseconds - made.milliseconds) / 86_400_000
        guard days > Self.backupDaysMax else { return nil }
        return Localized(
            en: "The last backup is \(days) days old; make one with: talea backup FILE",
            zh: "上次备份已是 \(days) 天前；请运行：talea backup 文件")
    }
}
