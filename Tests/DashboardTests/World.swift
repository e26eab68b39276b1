import Capacity
import Dashboard
import Entries
import Foundation
import Identity
import Logging
import NodeCore
import Transport

/// Real nodes without a network: what one signs, the others hold at their next turn. Each turn builds the
/// node anew from everything that was ever kept, as a restart does.
actor World {
    private var owns: [String: Own] = [:]
    private var alliance: Alliance?
    private var entries: [ValidEntry] = []
    private var statements: [(ValidEntry, ContractID?)] = []
    private var contractKeys: [[UInt8]] = []
    private var templates: [[UInt8]]
    private var petnames: [String: [(DID, String)]] = [:]
    private var peers: [String: [PeerAddress]] = [:]
    private var transfers: [String: [(child: EntryID, parent: ContractID, act: SignedAct)]] = [:]
    private var seed: UInt64 = 0
    var now: Instant
    /// What was carried away whole.
    private(set) var copies: [DoorStatus.Backup] = []
    /// More than two sockets hold.
    static let copyBytes = 32 << 20

    init(_ names: [String], templates: [String]) throws {
        _ = Sodium.start()
        now = try Instant(milliseconds: 1_795_000_000_000)
        self.templates = templates.map { Array($0.utf8) }
        var alliance: Alliance?
        for (index, name) in names.enumerated() {
            let code = RecoveryCode(entropy: [UInt8](repeating: UInt8(index + 1), count: 20))
            let key = SigningKey(seed: SecretBytes([UInt8](repeating: UInt8(index + 1), count: 32)))
            guard let code, let key, let seed = Hash32([UInt8](repeating: 200, count: 32)) else {
                continue
            }
            let genesis = try Genesis(
                key: key, nextKey: code.nextKey(index: 2).publicKey, nodeSecret: code.nodeSecret,
                profile: Profile(name: name), joining: alliance, founding: "test", at: now,
                seed: seed)
            alliance = genesis.alliance
            owns[name] = genesis.own
            entries += genesis.entries
        }
        self.alliance = alliance
    }

    func did(_ name: String) -> DID { owns[name]?.did ?? .zero }

    func keep(_ copy: DoorStatus.Backup) { copies.append(copy) }

    func pass(_ milliseconds: Int64) { now = now.advanced(by: milliseconds) }

    nonisolated func commands(_ name: String) -> Commands {
        Commands(door: Door(world: self, name: name)) { Self.clock }
    }

    /// Readers of these tests look at the moment at which all of it happens.
    static let clock = (try? Instant(milliseconds: 1_795_000_000_000)) ?? .earliest

    private func node(_ name: String) -> Node {
        guard let own = owns[name], let alliance else { preconditionFailure("unknown \(name)") }
        var snapshot = Snapshot()
        snapshot.entries = entries
        snapshot.statements = statements
        snapshot.contractKeys = contractKeys
        snapshot.templates = templates
        snapshot.petnames = petnames[name] ?? []
        snapshot.peers = peers[name] ?? []
        snapshot.transfers = transfers[name] ?? []
        var node = Node(own: own, alliance: alliance, snapshot: snapshot)
        node.begin(at: now, seed: nextSeed())
        // Nobody is connected here, who could tell that this is no old copy.
        try? node.acceptRisk(nil)
        return node
    }

    private func nextSeed() -> Hash32 {
        seed += 1
        return SHA256.hash(Array("\(seed)".utf8))
    }

    func read<T: Sendable>(_ name: String, _ body: (Node) throws -> T) throws -> T {
        try body(node(name))
    }

    func perform<T: Sendable>(
        _ name: String, dryRun: Bool, _ body: (inout Node) throws -> T
    ) throws -> (value: T, changes: [Change]) {
        var node = node(name)
        let value = try body(&node)
        let changes = node.takeChanges()
        if !dryRun {
            keep(changes, name)
            settle()
        }
        return (value, changes)
    }

    /// Everybody takes turns until nobody has anything left to say.
    private func settle() {
        for _ in 0..<8 {
            var quiet = true
            for name in owns.keys.sorted() {
                var node = node(name)
                node.tick()
                let changes = node.takeChanges()
                if keep(changes, name) { quiet = false }
            }
            if quiet { return }
        }
    }

    @discardableResult
    private func keep(_ changes: [Change], _ name: String) -> Bool {
        var signed = false
        for change in changes {
            switch change {
            case .entry(let entry, _):
                entries.append(entry)
                signed = true
            case .statement(let statement, let contract):
                statements.append((statement, contract))
                signed = true
            case .contractKey(_, let key): contractKeys.append(key)
            case .petname(let did, let petname):
                petnames[name, default: []].removeAll { $0.0 == did }
                if let petname { petnames[name, default: []].append((did, petname)) }
            case .peer(let address, let added):
                peers[name, default: []].removeAll { $0 == address }
                if added { peers[name, default: []].append(address) }
            case .transfer(let child, let parent, let act):
                transfers[name, default: []].append((child, parent, act))
            case .transferDone(let child):
                transfers[name, default: []].removeAll { $0.child == child }
            default: break
            }
        }
        return signed
    }

    /// A proposal like one that is held, signed by hand, in which somebody else writes the log.
    func propose(like id: ContractID, by name: String, sequencer: String) throws -> ContractID {
        guard let own = owns[name], let held = node(name).contracts[id],
            let key = ContractKey([UInt8](repeating: 9, count: 32))
        else { throw NodeRefusal.contractUnknown(id.short) }
        var proposal = held.proposal
        proposal.contract = key.contract
        proposal.sequencer = did(sequencer)
        proposal.releaseKey = own.releaseKey(key.contract).publicKey
        let body = proposal.wire
        let header = Header(
            kind: Kind.proposal.rawValue, author: own.did, key: own.keyEntry, topic: key.topic,
            time: now, bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
            place: .statement(
                .init(
                    expires: proposal.grantBy,
                    about: .contract(key.contract, author: proposal.sequencer))))
        statements.append(
            (try ValidEntry(signing: header, body: body, by: own.key), key.contract))
        contractKeys.append(key.bytes)
        return key.contract
    }

    func entry(_ log: LogID, _ sequence: Int64) -> Entry? {
        entries.first {
            $0.header.log?.log == log && $0.header.log?.sequence == sequence
        }?.entry
    }
}

struct Door: NodeDoor {
    let world: World
    let name: String
    let feed = Feed()
    let measures = Exposition()
    let log: RecentLog
    let untold: [DoorStatus.Untold]

    init(world: World, name: String, untold: [DoorStatus.Untold] = []) {
        (self.world, self.name, self.untold) = (world, name, untold)
        let log = RecentLog { World.clock }
        Logger(label: "test") { _ in log.handler }.info("a <Door> made")
        self.log = log
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (Node) throws -> T) async throws -> T {
        try await world.read(name, body)
    }

    func perform<T: Sendable>(
        dryRun: Bool, _ body: @escaping @Sendable (inout Node) throws -> T
    ) async throws -> (value: T, changes: [Change]) {
        let done = try await world.perform(name, dryRun: dryRun, body)
        if !dryRun { feed.note(done.changes) }
        return done
    }

    func watch<T: Sendable>(
        seconds: Int64, _ probe: @escaping @Sendable (Node) -> T?
    ) async -> T? {
        (try? await world.read(name, probe)) ?? nil
    }

    func entry(log: LogID, sequence: Int64) async throws -> Entry? {
        await world.entry(log, sequence)
    }

    func entries(log: LogID, from sequence: Int64, maxBytes: Int) async throws -> [Entry] {
        await world.entry(log, sequence).map { [$0] } ?? []
    }

    func chunk(_ index: Int, of blob: Hash32) async throws -> [UInt8]? { nil }

    func phoneCertificate(for host: String) async throws -> (der: [UInt8], key: [UInt8]) {
        let made = try PhoneCertificate(for: host)
        return (made.der, made.key)
    }

    func rebuildLedger(checkOnly: Bool) async throws -> [LedgerDifference] {
        [LedgerDifference(name: "a", stored: "1", rebuilt: "2")]
    }

    func status() async -> DoorStatus {
        var status = DoorStatus(
            listening: "127.0.0.1:7001", dataBytes: 4096, started: World.clock)
        status.untold = untold
        return status
    }

    func backUp() async throws(DoorRefusal) -> (path: String, copy: DoorStatus.Backup) {
        let path = NSTemporaryDirectory() + "talea-copy-\(UUID().uuidString)"
        try? Data(count: World.copyBytes).write(to: URL(filePath: path))
        return (path, DoorStatus.Backup(made: World.clock, file: "a.backup"))
    }

    func keep(_ copy: DoorStatus.Backup) async { await world.keep(copy) }

    func refreshTemplates() async -> [TemplateFault] { [] }
}

/// A template that no program has ever heard of.
let studioHours = """
    talea: 1
    name: studio-hours
    title: {en: Studio hours, zh: 工时}
    verb: hours buy
    sequencer: issuer
    roles:
      issuer: {kind: party, title: {en: issuer, zh: 出让方}}
      holder: {kind: party, title: {en: holder, zh: 持有方}}
      arbiter: {kind: third, stop: grace, title: {en: arbiter, zh: 仲裁方}}
    parameters:
      units: {type: quantity, min: 1, max: 1000, title: {en: units, zh: 数量}}
      lot: {type: quantity, min: 1, max: units, default: 1, title: {en: lot, zh: 每批}}
      premium: {type: money, min: 0, max: 1000000, title: {en: premium, zh: 权利金}}
      expiry: {type: instant, title: {en: expiry, zh: 到期}}
    terms: {pay_within: 3d, confirm_within: 2d, inspect_within: 5d, rule_within: 5d, grace: 3d}
    check:
      - {that: grant_by < expiry, en: "expiry {expiry} must be after the grant", zh: "到期 {expiry} 须晚于授予"}
    line: {issuer: issuer, holder: holder, units: units, until: expiry + grace * 2}
    payments: {within: pay_within, confirm: confirm_within, denied: unpaid}
    disputes: {arbiter: arbiter, within: rule_within}
    records:
      main:
        shape:
          holds: {held: {of: units, from: issuer, to: holder}}
          final: {used: fulfilled, lapsed: lapsed}
        states:
          premium_due:
            pay: {from: holder, to: issuer, amount: premium, paid: {to: open}, unpaid: {to: lapsed, do: [{void: held}]}}
          open: {until: expiry, default: lapse}
          shown: {until: time + inspect_within, default: silent}
    start:
      first: {main: {state: premium_due, held: units}}
    transitions:
      show:
        at: main.open
        by: issuer
        verb: hours show
        args: {n: quantity, evidence: hash}
        require: [n == held]
        to: shown
        says: {en: "I worked {n}.", zh: "已完成 {n}。"}
      confirm:
        at: main.shown
        by: holder
        verb: hours confirm
        to: used
        do: [{post: held, of: held}]
        says: {en: "{held} received.", zh: "已收到 {held}。"}
      silent:
        at: main.shown
        by: default
        to: used
        do: [{post: held, of: held}]
        says: {en: No word counts as received., zh: 未答复视为收到。}
      lapse:
        at: main.open
        by: default
        to: lapsed
        do: [{void: held}]
        says: {en: "{held} were not used.", zh: "未使用 {held}。"}
    outcome:
      - {when: main.state == used, is: fulfilled}
      - {is: lapsed}
    worst:
      holder: {en: "You lose {premium}.", zh: "最多损失 {premium}。"}
    prose:
      en: "The {issuer} keeps {units} for the {holder} until {expiry} for {premium}."
      zh: "{issuer}为{holder}保留 {units}，至 {expiry}，权利金 {premium}。"
    """
