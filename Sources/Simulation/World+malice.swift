internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Logs
internal import NodeCore
internal import Replication

// What people outside the honest ones do. They hold their own keys and nobody else's, and a node that
// trades like any other until it does one of these.

extension World {
    func play(_ index: Int) {
        guard !isHealed, let trick = machines[index].trick else { return }
        let mean = Int64(max(plan.rate(trick), 30_000))
        agenda.put(.trick(index), at: now + malice.within(mean / 4...mean * 7 / 4))
        guard machines[index].node != nil else { return }
        tally.hit(trick)
        switch trick {
        case .equivocator: equivocate(index)
        case .replayer: replay(index)
        case .timeLiar: lieAboutTime(index)
        case .colluder: rule(index)
        case .badCounterparty: cheat(index)
        case .garbage: talkNonsense(index)
        // These two keep silent where they should speak: see `said`.
        default: break
        }
    }

    /// What a machine puts on the wire in place of what its node says; `nil` for nothing at all.
    func said(_ frame: Frame, by index: Int, to other: Int) -> Frame? {
        guard let trick = machines[index].trick else { return frame }
        // Trees carry what a plain push would.
        let type = frame.type == 50 ? 9 : frame.type
        let frame = type == 9 ? misquoted(frame, by: index) : frame
        if isHealed { return frame }
        if machines[index].isMute, type == 9 { return nil }
        switch (trick, type) {
        case (.splitView, 9), (.splitView, 3): return other % 2 == 0 ? nil : frame
        case (.withholder, 9), (.withholder, 10):
            return malice.below(2) == 0 ? nil : frame
        case (.withholder, 8): return malice.below(4) == 0 ? nil : frame
        case (.garbage, 8), (.badCounterparty, 8): return tampered(frame)
        default: return frame
        }
    }

    /// Half of those who withhold also know of no request that was sent to them: what witnesses say of it is
    /// all that their nodes learn.
    func hears(_ frame: Frame, at index: Int) -> Bool {
        guard machines[index].trick == .withholder, !isHealed, frame.type == 10,
            machines[index].did.words.3 % 2 == 0, case .put(let box)? = try? Message(frame),
            let plain = machines[index].own.key.open(box),
            let sealed = try? Sealed(strict: plain)
        else { return true }
        return sealed.statement.kind != .request
    }

    /// Entries served with a bit changed in one that is not the last: its own signature is not checked.
    private func tampered(_ frame: Frame) -> Frame {
        guard malice.below(2) == 0, case .entries(var wires, let done) = try? Message(frame),
            wires.count > 1
        else { return frame }
        let number = malice.below(wires.count - 1)
        let wire = wires[number]
        guard wire.count > 100 else { return frame }
        switch malice.below(3) {
        case 0: wires[number][wire.count - 1 - malice.below(8)] ^= 1 << UInt8(malice.below(8))
        case 1: wires[number][malice.below(wire.count)] ^= 1 << UInt8(malice.below(8))
        default:
            // All is right but for the signature, and so for the id that the next one names.
            guard let entry = try? Entry(strict: wire),
                let signature = Signature(malice.bytes(64)),
                let other = try? Entry(
                    headerBytes: entry.headerBytes, signature: signature, body: entry.body)
            else { return frame }
            wires[number] = other.wire
        }
        return Message.entries(wires, done: done).frame
    }

    func neighbours(_ index: Int) -> [Int] {
        machines.indices.filter { $0 != index && linkOf[pair(index, $0)] != nil }
    }

    // MARK: - Signing

    /// An entry by `index`, in another's name with a signature that is not his, or under a key of his.
    func hand(
        _ kind: Int64, _ body: [UInt8], _ place: Header.Place, topic: TopicID?, by index: Int,
        inNameOf victim: Int? = nil, under stolen: Own? = nil, time: Instant? = nil
    ) -> Entry? {
        let named = stolen ?? machines[victim ?? index].own
        return try? ValidEntry(
            signing: Header(
                kind: kind, author: named.did, key: named.keyEntry, topic: topic,
                time: time ?? clock(index), bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count), place: place),
            body: body, by: (stolen ?? machines[index].own).key
        ).entry
    }

    func statement<Body: EntryBody>(
        _ body: Body, about held: HeldContract, by index: Int, inNameOf victim: Int? = nil,
        under stolen: Own? = nil, basis: EntryID? = nil, versions: [RecordVersion] = []
    ) -> Entry? {
        hand(
            Body.kind.rawValue, body.wire,
            .statement(
                .init(
                    expires: clock(index).advanced(by: 86_400_000), about: held.log, basis: basis,
                    versions: versions)),
            topic: held.key.topic, by: index, inNameOf: victim, under: stolen)
    }

    func hand(_ statement: Entry?, key: [UInt8]? = nil, from index: Int, to others: [DID]) {
        guard let statement else { return }
        let sealed = Sealed(statement: statement, contractKey: key).wire
        for did in others {
            guard let other = oracle.machineOf[did], other != index,
                let box = SealedBox.seal(sealed, to: machines[other].own.key.publicKey)
            else { continue }
            inject(Message.put(box).frame, from: index, to: other, print: Trace.hash(sealed))
        }
    }

    func push(_ entry: Entry?, from index: Int, to others: [Int]) {
        guard let entry else { return }
        for other in others { inject(Message.push(entry.wire).frame, from: index, to: other) }
    }

    /// Any contract of this node that was opened.
    func someContract(_ index: Int) -> HeldContract? {
        let held = machines[index].node?.contracts.sorted { $0.key < $1.key }.map(\.value) ?? []
        return malice.pick(held.filter { $0.fold?.isSequenced == true })
    }

    // MARK: - The tricks

    /// A second entry at a place that is taken, shown to half of the others.
    private func equivocate(_ index: Int) {
        guard let node = machines[index].node else { return }
        let did = node.own.did
        let mine = node.chains.logs.filter {
            node.chains.chain($0)?.author == did && $0 != .key(author: did)
        }
        guard let log = malice.pick(mine) else { return }
        let entries = machines[index].disk.entries(of: log)
        guard entries.count > 1 else { return }
        let old = entries[entries.count - 1 - malice.below(min(3, entries.count - 1))]
        guard let place = old.header.log, let body = rival(of: old, node) else { return }
        let entry = hand(
            old.header.kind, body, .log(place), topic: old.header.topic, by: index,
            time: old.header.time)
        let half = neighbours(index).filter { _ in malice.below(2) == 0 }
        push(entry, from: index, to: half)
    }

    /// Something else that could stand in its place: other units, another price, the same under a new seal.
    private func rival(of entry: Entry, _ node: Node) -> [UInt8]? {
        switch entry.kind {
        case .grant:
            guard var grant = try? entry.read(Grant.self) else { return nil }
            grant.tag = malice.hash()
            return grant.wire
        case .step:
            guard let place = entry.header.log, let id = oracle.contractOf[place.log],
                let held = node.contracts[id], let step = try? held.fold?.open(entry)
            else { return nil }
            var body = try? PrivateBody.seal(
                step.wire, key: held.key.bodyKey(log: place.log, sequence: place.sequence),
                nonce: malice.bytes(24), author: node.own.did, place: place)
            // Under another key than it commits to.
            if malice.below(3) == 0 { body?[24 + malice.below(32)] ^= 1 }
            return body
        case .profile, .offer, .withdrawal, .lineOpening:
            return entry.kind == .profile ? Profile(name: "r\(malice.below(99))").wire : nil
        case .declare: return Declare(total: 7, remaining: 7).wire
        default: return nil
        }
    }

    private func replay(_ index: Int) {
        for _ in 0..<1 + malice.below(20) {
            guard let (print, frame) = malice.pick(machines[index].recorded),
                let other = malice.pick(neighbours(index))
            else { return }
            inject(frame, from: index, to: other, print: print)
        }
    }

    private func lieAboutTime(_ index: Int) {
        let lies: [Int64] = [
            -172_800_000, 172_800_000, 540_000, 660_000, -Self.beginning, 0, .max / 2, -3_600_000,
        ]
        machines[index].clockError = malice.pick(lies) ?? 0
    }

    /// An arbiter that rules where nobody asked, and always for its friend.
    private func rule(_ index: Int) {
        guard let held = someContract(index), let fold = held.fold else { return }
        let names = ["rule", "pay_rule", "pay_rule_default", "rule_default", "agree"]
        let record = malice.within(1...Int64(max(fold.state.records.count, 1)))
        let share = Value.integer(malice.below(2) == 0 ? 0 : 10_000)
        let name = malice.pick(names) ?? "rule"
        let arguments: [String: Value] =
            name == "pay_rule"
            ? ["paid": .integer(malice.within(0...1))]
            : name.hasSuffix("default") ? [:] : ["ruling": share]
        ask(Act(transition: name, record: record, arguments: arguments), held, index)
    }

    /// Whether its author may is another matter.
    func ask(_ act: Act, _ held: HeldContract, _ index: Int, inNameOf victim: Int? = nil) {
        guard let fold = held.fold else { return }
        let request = request(
            act, held, fold, by: index, inNameOf: victim, isStale: malice.below(6) == 0)
        hand(request, from: index, to: held.proposal.participants)
    }

    /// A request on the versions as they are, or one of the versions before.
    func request(
        _ act: Act, _ held: HeldContract, _ fold: Fold, by index: Int, inNameOf victim: Int? = nil,
        under stolen: Own? = nil, isStale: Bool = false
    ) -> Entry? {
        let versions = fold.state.touched(by: act).sorted().map {
            RecordVersion(
                record: $0,
                version: max(1, (fold.state.record($0)?.version ?? 1) - (isStale ? 1 : 0)))
        }
        let signed = SignedAct(
            transition: act.transition, record: act.record, arguments: [Argument](act.arguments))
        return statement(
            Request(salt: malice.hash(), act: signed), about: held, by: index, inNameOf: victim,
            under: stolen, basis: fold.head.id, versions: versions)
    }

    private func talkNonsense(_ index: Int) {
        for _ in 0..<1 + malice.below(8) {
            guard let other = malice.pick(neighbours(index)) else { return }
            let type = UInt8(malice.below(22))
            if malice.below(3) > 0, let old = malice.pick(stash) {
                var payload = old.frame.payload
                if !payload.isEmpty {
                    payload[malice.below(payload.count)] ^= 1 << UInt8(malice.below(8))
                }
                inject(
                    Frame(type: old.frame.type, payload: payload), from: index, to: other, print: 0)
            } else {
                inject(
                    Frame(type: type, payload: malice.bytes(malice.below(300))), from: index,
                    to: other)
            }
        }
        if malice.below(6) == 0 { flood(index) }
    }

    /// More than anyone may make another hold: answers to questions that nobody asked.
    private func flood(_ index: Int) {
        guard let other = malice.pick(neighbours(index)), !oracle.flooded else { return }
        oracle.flooded = true
        for _ in 0..<1_100 {
            let acceptance = Acceptance(
                salt: malice.hash(), statement: EntryID(malice.hash()), releaseKey: nil)
            let entry = hand(
                Kind.acceptance.rawValue, acceptance.wire,
                .statement(
                    .init(
                        expires: clock(index).advanced(by: 3_600_000), about: LogID(malice.hash()))),
                topic: TopicID(malice.hash()), by: index)
            hand(entry, from: index, to: [machines[other].did])
        }
    }
}
