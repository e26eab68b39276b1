import Capacity
@testable import Entries
import Fixtures
import Foundation
import Identity
import Testing

/// The bytes of our own formats, fixed for ever: made from the fixed keys of Fixtures, compared here,
/// and checked by verify.py, a second implementation. `TALEA_WRITE_VECTORS=1` writes them.
@Suite struct GoldenTests {
    static let files: [(name: String, content: JSON)] = [
        ("key-entry.json", .entries(alice.keyEntries)),
        ("continue.json", .entries(alice.keyEntries + rotatedLine)),
        ("line-log.json", .entries([bob.keyEntry] + lineLog)),
        ("statement.json", .entries([alice.keyEntry, proposal])),
        ("private-step.json", privateStep),
        ("derivations.json", .object([("derivations", .list(derivations))])),
        ("identity.json", identity),
        ("dsse-milestone.json", milestone),
        ("fork-proof.json", forkProof),
        ("cut.json", .entries([bob.keyEntry] + lineLog + [cut])),
        ("witness.json", witnesses),
        ("settlement.json", settlement),
        ("alliance.json", guild),
        ("proofs.json", .object([("proofs", .list(proofs.map { .text($0.text) }))])),
    ]

    @Test(arguments: files.map(\.name))
    func `golden bytes never change`(name: String) throws {
        let content = try #require(Self.files.first { $0.name == name }).content
        let made = content.text + "\n"
        let file = Vectors.folder.appending(path: name)
        if Vectors.environment["TALEA_WRITE_VECTORS"] == "1" {
            try Data(made.utf8).write(to: file)
        }
        let kept = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(made == kept)
    }

    @Test func `every hash input of this program stands in the golden file`() {
        // Two for the same row count once.
        let rows = Set(Self.derivations.map { $0["row"].text })
        #expect(rows.count == 14)
    }

    private static let python = Vectors.environment["TALEA_PYTHON"] ?? "python3"
    private static let verifier = Vectors.folder.appending(path: "verify.py").path
    /// In CI the interpreter must have PyNaCl; elsewhere its absence skips these two.
    private static let verifierRuns =
        Vectors.inCI
        || (try? Vectors.run([python, "-c", "import nacl.bindings"]).status) == 0

    @Test(.enabled(if: verifierRuns))
    func `a second implementation agrees with every golden file`() throws {
        let names = Self.files.map(\.name) + ["session.json"]
        let paths = names.map { Vectors.folder.appending(path: $0).path }
        let outcome = try Vectors.run([Self.python, Self.verifier] + paths)
        let output = String(decoding: outcome.output, as: UTF8.self)
        #expect(outcome.status == 0, "\(output)\(outcome.complaint)")
        #expect(output.contains("milestone("))
        let proof = Vectors.folder.appending(path: "dsse-milestone.json").path
        #expect(try Vectors.run([Self.python, Self.verifier, "proof", proof]).status == 0)
        #expect(try Vectors.run([Self.python, Self.verifier]).status == 1)
    }

    @Test(.enabled(if: verifierRuns))
    func `the second implementation refuses every golden file with one bit turned`() throws {
        let scratch = try Scratch()
        var random = Seeded(1)
        var paths: [String] = []
        for (name, content) in Self.files {
            let bytes = Array((content.text + "\n").utf8)
            for copy in 0..<60 {
                let bit = random.below(bytes.count * 8)
                let file = scratch.folder.appending(path: "\(copy)-\(bit)-\(name)")
                try Data(bytes.flipping(bit)).write(to: file)
                paths.append(file.path)
            }
        }
        let outcome = try Vectors.run([Self.python, Self.verifier] + paths)
        #expect(outcome.status == 1)
        let lines = String(decoding: outcome.output, as: UTF8.self).split(separator: "\n")
        let accepted = lines.filter { $0.hasPrefix("ok ") }
        #expect(accepted.isEmpty, "\(accepted)")
        #expect(lines.count { $0.hasPrefix("refused ") } == paths.count)
    }

    @Test func `the text of a proof is read back, and no other spelling of it`() throws {
        for proof in Self.proofs {
            let text = proof.text
            #expect(try ProofText(text) == proof)
            // Letters in a QR code of version 40 at level M.
            #expect(text.utf8.count <= 3_391)
            for wrong in [text + "0", String(text.dropLast()), text.lowercased(), text + " "] {
                #expect((try? ProofText(wrong)) ?? nil == nil)
            }
        }
        let place = ProofText.place(.init(hash: .filled(7), bytes: 9, address: "https://a.example"))
        #expect(try ProofText(place.text) == place)
        #expect(try ProofText("HTTP://A.EXAMPLE") == nil)
        // RFC 9285, section 4.4, and the ways it says a text may be wrong.
        for (text, bytes) in [("BB8", "AB"), ("%69 VD92EX0", "Hello!!"), ("QED8WEX0", "ietf!")] {
            #expect(Base45.text(Array(bytes.utf8)) == text)
            #expect(Base45.bytes(Array(text.utf8)[...]) == Array(bytes.utf8))
        }
        for wrong in ["A", "GGW", "::", ":::", "bb8", "BB8A"] {
            #expect(Base45.bytes(Array(wrong.utf8)[...]) == nil)
        }
    }

    @Test(.enabled(if: verifierRuns))
    func `a proof under a later key needs the key log beside it`() throws {
        var writer = alice.writer(
            .contract(Self.contract.contract, author: alice.did), topic: Self.contract.topic)
        writer.key = alice.keys[1]
        writer.keyEntry = alice.rotation.id
        let bodyKey = Self.contract.bodyKey(log: writer.log, sequence: 1)
        let entry = writer.append(Self.step("milestone", [:]), sealedBy: Self.contract)
        let scratch = try Scratch()
        func accepted(_ keys: [ValidEntry], by key: PublicKey) throws -> Bool {
            let file = scratch.folder.appending(path: "proof.json")
            let text = Self.proof(entry, by: key, bodyKey: bodyKey, keys: keys).text
            try Data(text.utf8).write(to: file)
            return try Vectors.run([Self.python, Self.verifier, "proof", file.path]).status == 0
        }
        let later = alice.keys[1].publicKey
        #expect(try accepted(alice.keyEntries, by: later))
        #expect(try !accepted([], by: later))
        #expect(try !accepted([alice.keyEntry], by: later))
        #expect(try !accepted(bob.keyEntries, by: later))
        #expect(try !accepted(alice.keyEntries, by: alice.key.publicKey))
    }

    // MARK: What is in the files

    private static let contract = ContractKey.repeating(0x2a)
    private static let release = SigningKey.repeating(0x51)

    private static let lineLog: [ValidEntry] = {
        var writer = bob.lineWriter()
        let declare = writer.append(Declare(total: 300, remaining: 300))
        let grant = writer.append(
            Grant(
                units: 100, until: Instant.morning.days(20), releaseKey: release.publicKey,
                tag: .grantTag(
                    contractKey: contract.bytes, line: writer.log, releaseKey: release.publicKey),
                remaining: 200))
        return [declare, grant]
    }()

    /// A line that goes on under the second key.
    private static let rotatedLine: [ValidEntry] = {
        var writer = alice.lineWriter()
        let declare = writer.append(Declare(total: 50, remaining: 50))
        writer.key = alice.keys[1]
        writer.keyEntry = alice.rotation.id
        writer.now = Instant.morning.days(1)
        let goesOn = writer.append(Continue(from: alice.keyEntry.id))
        return [declare, goesOn]
    }()

    /// Bob's second grant bears a signature that nobody made; two entries above vouch for it.
    private static let forkProof: JSON = {
        var writer = bob.lineWriter()
        writer.append(Declare(total: 300, remaining: 300))
        var other = writer
        let honest = writer.append(grant(0x61))
        let hidden = other.appendGarbage(grant(0x62))
        let garbage = other.appendGarbage(Adjust(total: 300, remaining: 0, reason: "one"))
        let signed = other.append(Adjust(total: 300, remaining: 0, reason: "two")).entry
        let proof = ForkProof(
            Vouched(entry: honest.entry, chain: []),
            Vouched(entry: hidden, chain: [garbage, signed]))
        return .object([
            ("entries", JSON.entries([bob.keyEntry])["entries"]), ("proof", .hex(proof.wire)),
            ("fork", .hex(proof.fork.bytes)),
        ])
    }()

    /// Of the line above, which parts at 3: another branch granted 50.
    private static let cut: ValidEntry = {
        let cut = Cut(
            log: LogID.line(author: bob.did, .pressWeek), sequence: 2, id: lineLog[1].id,
            grants: [
                .init(
                    grant: .filled(0x63), units: 50, until: Instant.morning.days(20),
                    releaseKey: release.publicKey, tag: .filled(0x64))
            ], total: 300, remaining: 150)
        var writer = bob.writer(.successor(of: cut, author: bob.did), topic: .alliance)
        writer.now = Instant.morning.days(1)
        return writer.append(cut)
    }()

    private static func grant(_ tag: UInt8) -> Grant {
        Grant(
            units: 300, until: Instant.morning.days(20), releaseKey: release.publicKey,
            tag: .filled(tag), remaining: 0)
    }

    private static let proposal: ValidEntry = alice.say(
        Proposal(
            salt: .filled(0x11), contract: contract.contract, template: .filled(0x22),
            currency: .cny,
            arguments: [Argument](
                [
                    "note": .text("印刷 a5"),
                    "premium": .money(must { try Money(minor: 50_000, .cny) }),
                    "schedule": .list([.integer(3000), .integer(0), .integer(7000)]),
                    "units": .quantity(must { try Quantity(units: 100, try UnitCode("C62")) }),
                ]),
            roles: [
                .init(role: "holder", identities: [alice.did]),
                .init(role: "issuer", identities: [bob.did]),
            ],
            sequencer: bob.did, witnesses: .init(identities: [hub.did], threshold: 1),
            lines: [.pressWeek], acceptBy: Instant.noon.days(1), grantBy: Instant.noon.days(2),
            releaseKey: release.publicKey, witnessTermsHash: .filled(0x33)),
        topic: contract.topic, about: .contract(contract.contract, author: bob.did))

    private static func step(_ name: String, _ values: [String: Value]) -> Step {
        Step(
            act: SignedAct(transition: name, record: 1, arguments: [Argument](values)),
            request: nil,
            records: [.init(record: 1, state: "making", fields: [])], digest: .filled(0x44))
    }

    private static let steps: (entries: [ValidEntry], plaintexts: [[UInt8]]) = {
        var writer = bob.writer(
            .contract(contract.contract, author: bob.did), topic: contract.topic)
        let opening = step("deliver", ["units": .integer(30), "zero": .integer(0)])
        let milestone = step(
            "milestone",
            [
                "evidence": .hash(SHA256.hash(Array("photographs of 250 covers".utf8))),
                "index": .integer(2),
            ])
        let entries = [
            writer.append(opening, sealedBy: contract, nonce: 0x61),
            writer.append(milestone, sealedBy: contract, nonce: 0x62),
        ]
        return (entries, [opening.wire, milestone.wire])
    }()

    private static func bodyKey(_ sequence: Int64) -> [UInt8] {
        contract.bodyKey(
            log: .contract(contract.contract, author: bob.did), sequence: sequence)
    }

    private static let privateStep = JSON.object([
        ("entries", JSON.entries([bob.keyEntry, steps.entries[0]])["entries"]),
        ("contract_key", .hex(contract.bytes)), ("body_key", .hex(bodyKey(1))),
        ("plaintext", .hex(steps.plaintexts[0])),
    ])

    private static let milestone = proof(
        steps.entries[1], by: bob.key.publicKey, bodyKey: bodyKey(2))

    private static func proof(
        _ valid: ValidEntry, by key: PublicKey, bodyKey: [UInt8], keys: [ValidEntry] = []
    ) -> JSON {
        func base64(_ bytes: [UInt8]) -> JSON { .text(Data(bytes).base64EncodedString()) }
        let signature = JSON.object([
            ("keyid", .text(key.did)), ("sig", base64(valid.entry.signature.bytes)),
        ])
        let envelope = JSON.object([
            ("payload", base64(valid.entry.headerBytes)), ("payloadType", .text(DSSE.payloadType)),
            ("signatures", .list([signature])),
        ])
        return .object(
            [
                ("envelope", envelope), ("body", base64(valid.entry.body ?? [])),
                ("body_key", base64(bodyKey)),
            ] + (keys.isEmpty ? [] : [("keys", JSON.entries(keys)["entries"])]))
    }

    /// alice's request and acceptance before one witness, the hub, which receipts both and closes a record;
    /// then dave, the arbiter, claims and goes on from the step that it holds.
    private static let witnesses: JSON = {
        let terms = WitnessTerms(
            contract: contract.contract, sequencer: bob.did,
            witnesses: .init(identities: [hub.did], threshold: 1),
            participants: [alice.did, bob.did, dave.did].sorted(), arbiter: dave.did,
            response: 172_800_000)
        let request = Request(
            salt: .filled(0x12),
            act: SignedAct(
                transition: "exercise", record: 1,
                arguments: [.init(name: "n", value: .integer(100))]))
        let step = steps.entries[0].id
        let asked = alice.say(
            kind: Kind.request.rawValue,
            bytes: must {
                try contract.seal(
                    request, author: alice.did, log: terms.log,
                    nonce: [UInt8](repeating: 0x63, count: 24))
            }, topic: contract.topic, about: terms.log, basis: step,
            versions: [.init(record: 1, version: 1)])
        let accepted = alice.say(
            Acceptance(
                salt: .filled(0x13), statement: proposal.id, releaseKey: nil,
                witnessTermsHash: terms.hash), topic: contract.topic, about: terms.log)
        let closing = alice.say(
            ClosingRequest(salt: .filled(0x14), record: 1, version: 1, deadline: .noon),
            topic: contract.topic, about: terms.log)
        var says = hub.writer(
            .witness(of: terms.log, author: hub.did), topic: contract.topic)
        says.now = Instant.noon.minutes(1)
        var log = [says.append(Receipt(subject: accepted.id))]
        log.append(says.append(Receipt(subject: step, log: terms.log, sequence: 1)))
        log.append(says.append(Receipt(subject: asked.id)))
        log.append(
            says.append(Closed(record: 1, version: 1, deadline: .noon, requests: [asked.id])))
        var arbiter = dave.writer(
            .contract(contract.contract, author: dave.did, epoch: 1), topic: contract.topic)
        arbiter.now = Instant.noon.days(3)
        let claim = arbiter.append(TakeoverClaim(epoch: 1, request: asked.id))
        says.now = arbiter.now
        let held = says.append(
            Receipt(
                subject: claim.id, log: arbiter.log, sequence: 1, highest: 1, highestStep: step))
        let ruling = arbiter.append(
            Ruling(epoch: 1, sequence: 1, step: step, receipts: [held.entry]))
        let people = [alice.keyEntry, hub.keyEntry, dave.keyEntry]
        return .object([
            (
                "entries",
                JSON.entries(people + [accepted, asked, closing] + log + [claim, held, ruling])[
                    "entries"]
            ),
            ("terms", .hex(terms.wire)), ("contract_key", .hex(contract.bytes)),
            ("plaintext", .hex(request.wire)),
        ])
    }()

    /// alice and dave end it without bob, who sequences: 30 units are posted, 100.00 are owed.
    /// The hub is the steward. bob comes in with the hub's invitation and lets carol in, then dave; he is
    /// expelled up to the first of these.
    private static let guild: JSON = {
        let founding = Founding(
            name: "Guild", stewards: [hub.did], admission: "invitation",
            limits: [Argument](["entries_per_day": .integer(20), "expelled_by": .integer(1)]),
            nonce: .filled(0x1f)
        ).wire
        let topic = TopicID.alliance(foundingBody: founding)
        let secret = SigningKey.repeating(0x66)
        let terms = Invitation.Terms(nonce: .filled(0x67), expires: Instant.noon.days(7))
        let invitation = Invitation(
            foundingBody: founding,
            ticket: .init(inviter: hub.did, terms: terms, secret: .filled(0x66)))
        let joining = bob.say(
            Joining(
                salt: .filled(0x17), keys: [bob.keyEntry.entry], invitation: terms,
                proof: secret.sign(Invitation.message(topic, newcomer: bob.did))),
            topic: topic)
        let log = LogID.publicLog(author: bob.did, alliance: topic)
        var steward = hub.writer(.publicLog(author: hub.did, alliance: topic), topic: topic)
        var member = bob.writer(log, topic: topic)
        let acts = [
            steward.append(kind: Kind.founding.rawValue, bytes: founding), joining,
            steward.append(Admit(member: bob.did, invitation: secret.publicKey)),
            member.append(Admit(member: carol.did)), member.append(Admit(member: dave.did)),
            steward.append(Expel(member: bob.did, log: log, sequence: 1, reason: "left us")),
        ]
        func standing(_ did: DID, _ standing: String) -> JSON {
            .object([("did", .text(did.did)), ("standing", .text(standing))])
        }
        return .object([
            (
                "entries",
                JSON.entries([hub.keyEntry, bob.keyEntry] + acts)["entries"]
            ), ("invitation", .hex(invitation.wire)),
            (
                "standings",
                .list([
                    standing(hub.did, "steward"), standing(bob.did, "expelled 1"),
                    standing(carol.did, "member"), standing(dave.did, "outsider"),
                ])
            ),
        ])
    }()

    /// A step by its writer's own right, one that admits alice's request, that request alone, one under
    /// bob's second key, a sealed request, and the settlement.
    private static let proofs: [ProofText] = {
        let log = LogID.contract(contract.contract, author: bob.did)
        let request = alice.say(
            Request(
                salt: .filled(0x18),
                act: SignedAct(
                    transition: "milestone", record: 1,
                    arguments: [.init(name: "evidence", value: .hash(.filled(0x19)))])),
            topic: contract.topic, about: log, basis: steps.entries[1].id,
            versions: [.init(record: 1, version: 2)])
        var writer = bob.writer(log, topic: contract.topic)
        func step(_ admitted: Entry?) -> Step {
            Step(
                act: admitted == nil
                    ? SignedAct(transition: "release", record: 2, arguments: []) : nil,
                request: admitted,
                records: [
                    .init(
                        record: 1, state: "making",
                        fields: [.init(name: "next", value: .integer(1))])
                ], digest: .filled(0x44))
        }
        func shown(
            _ valid: ValidEntry, _ plain: [UInt8], sequencer: DID? = nil, keys: [ValidEntry] = []
        ) -> ProofText {
            let entry = valid.entry
            guard let place = entry.header.log else { preconditionFailure("in no log") }
            let opening = Proof.Opening(
                nonce: Array((entry.body ?? []).prefix(24)),
                bodyKey: Hash32(contract.bodyKey(log: place.log, sequence: place.sequence))!,
                plain: plain)
            return .proof(
                Proof(
                    contract: contract.contract, entry: entry.withoutBody, opening: opening,
                    sequencer: sequencer, keys: keys.map(\.entry)))
        }
        func proof(_ step: Step, keys: [ValidEntry] = []) -> ProofText {
            shown(writer.append(step, sealedBy: contract, nonce: 0x68), step.wire, keys: keys)
        }
        let secret = Request(
            salt: .filled(0x1a),
            act: SignedAct(
                transition: "exercise", record: 1,
                arguments: [.init(name: "n", value: .integer(100))]))
        let sealed = alice.say(
            kind: Kind.request.rawValue,
            bytes: must {
                try contract.seal(
                    secret, author: alice.did, log: log,
                    nonce: [UInt8](repeating: 0x69, count: 24))
            }, topic: contract.topic, about: log, basis: steps.entries[1].id,
            versions: [.init(record: 1, version: 2)]
        ).entry
        let (own, admitting) = (proof(step(nil)), proof(step(request.entry)))
        writer.key = bob.keys[1]
        writer.keyEntry = bob.rotation.id
        return [
            own, admitting,
            .proof(
                Proof(contract: contract.contract, entry: request.entry, sequencer: bob.did)),
            proof(step(request.entry), keys: bob.keyEntries),
            .proof(
                Proof(
                    contract: contract.contract, entry: sealed, sequencer: bob.did,
                    requestKey: contract.requestKey(of: sealed).flatMap { Hash32($0) })),
            shown(ended.entry, ended.body.wire, sequencer: bob.did),
        ]
    }()

    private static let settlement = JSON.object([
        ("entries", JSON.entries([alice.keyEntry, dave.keyEntry, ended.entry])["entries"]),
        ("contract_key", .hex(contract.bytes)), ("plaintext", .hex(ended.body.wire)),
    ])

    private static let ended: (body: Settlement, entry: ValidEntry) = {
        let log = LogID.contract(contract.contract, author: bob.did)
        let owed = must { try Money(minor: 10_000, .cny) }
        let act = SignedAct(
            transition: "settle", record: 1,
            arguments: [Argument](
                [
                    "owe": .list([.list([.identity(alice.did), .identity(dave.did), .money(owed)])]
                    ),
                    "post": .list([.list([.integer(1), .integer(0), .integer(30)])]),
                    "without": .identity(bob.did),
                ]))
        let request = alice.say(
            Request(salt: .filled(0x15), act: act), topic: contract.topic, about: log,
            basis: steps.entries[0].id)
        let consent = dave.say(
            Acceptance(salt: .filled(0x16), statement: request.id, releaseKey: nil),
            topic: contract.topic, about: log)
        let body = Settlement(request: request.entry, consents: [consent.entry])
        var writer = dave.writer(
            .contract(contract.contract, author: dave.did, epoch: 1), topic: contract.topic)
        writer.now = Instant.noon.minutes(1)
        return (body, writer.append(body, sealedBy: contract, nonce: 0x64))
    }()

    private static let derivations: [JSON] = {
        let (line, log) = (LogID.line(author: bob.did, .pressWeek), LogID.filled(2))
        let key = ("contract_key", JSON.hex(contract.bytes))
        let author = ("author", JSON.hex(bob.did.bytes))
        func row(_ name: String, _ inputs: [(String, JSON)], _ value: [UInt8]) -> JSON {
            .object([("row", .text(name))] + inputs + [("value", .hex(value))])
        }
        let terms = LineTerms.pressWeek
        let (grant, tag) = (EntryID.filled(5), Hash32.filled(6))
        return [
            row("log.key", [author], LogID.key(author: bob.did).bytes),
            row(
                "log.public", [author, ("alliance", .hex(TopicID.alliance.bytes))],
                LogID.publicLog(author: bob.did, alliance: .alliance).bytes),
            row(
                "log.line",
                [
                    author, ("resource", .text(terms.resource.path)),
                    ("start", .number(terms.window.start.milliseconds)),
                    ("end", .number(terms.window.end.milliseconds)),
                    ("unit", .text(terms.unit.code)),
                ], line.bytes),
            row(
                "log.contract",
                [("contract", .hex(contract.contract.bytes)), author, ("epoch", .number(0))],
                LogID.contract(contract.contract, author: bob.did).bytes),
            row(
                "log.contract",
                [("contract", .hex(contract.contract.bytes)), author, ("epoch", .number(3))],
                LogID.contract(contract.contract, author: bob.did, epoch: 3).bytes),
            row(
                "log.witness", [("log", .hex(log.bytes)), author],
                LogID.witness(of: log, author: bob.did).bytes),
            row(
                "topic.alliance", [("founding_body", .hex(Founding.sample.wire))],
                TopicID.alliance.bytes),
            row("topic.contract", [key], contract.topic.bytes),
            row("contract", [key], contract.contract.bytes),
            row(
                "next key", [("key", .hex(alice.key.publicKey.bytes))],
                Hash32.nextKey(alice.key.publicKey).bytes),
            row(
                "tag",
                [key, ("line", .hex(line.bytes)), ("release_key", .hex(release.publicKey.bytes))],
                Hash32.grantTag(
                    contractKey: contract.bytes, line: line, releaseKey: release.publicKey
                ).bytes),
            row(
                "body key", [key, ("log", .hex(log.bytes)), ("sequence", .number(3))],
                contract.bodyKey(log: log, sequence: 3)),
            row(
                "commitment", [("body_key", .hex(bodyKey(1)))],
                SHA256.hash(tag: "talea.body.v1", bodyKey(1)).bytes),
            row(
                "release",
                [
                    ("line", .hex(line.bytes)), ("grant", .hex(grant.bytes)),
                    ("units", .number(10)), ("running_total", .number(30)),
                ],
                HolderMessage.release(line: line, grant: grant, units: 10, runningTotal: 30)),
            row(
                "split",
                [
                    ("line", .hex(line.bytes)), ("grant", .hex(grant.bytes)),
                    ("units", .number(40)), ("release_key", .hex(release.publicKey.bytes)),
                    ("tag", .hex(tag.bytes)),
                ],
                HolderMessage.split(
                    line: line, grant: grant, units: 40, releaseKey: release.publicKey, tag: tag)),
        ]
    }()

    private static let identity: JSON = {
        let entropy = [UInt8](0..<20)
        let code = must {
            guard let code = RecoveryCode(entropy: entropy) else { throw EntryRefusal.bodyHash }
            return code
        }
        func next(_ index: UInt32) -> JSON { .hex(code.nextKey(index: index).publicKey.bytes) }
        return .object([
            (
                "did",
                .object([
                    ("seed", .hex(alice.key.seed.exposed)),
                    ("public_key", .hex(alice.key.publicKey.bytes)), ("did", .text(alice.did.did)),
                ])
            ),
            (
                "recovery",
                .object([
                    ("entropy", .hex(entropy)), ("code", .text(code.text)),
                    ("next_key_2", next(2)), ("next_key_3", next(3)),
                    ("node_secret", .hex(code.nodeSecret.exposed)),
                ])
            ),
        ])
    }()
}

/// Written by ourselves, so that the golden bytes hang on no library's taste in blanks.
indirect enum JSON: Sendable {
    case text(String)
    case number(Int64)
    case list([JSON])
    case object([(String, JSON)])

    static func hex(_ bytes: [UInt8]) -> JSON { .text(bytes.hex) }

    static func entries(_ entries: [ValidEntry]) -> JSON {
        let rows = entries.map { valid in
            JSON.object([
                ("header", .hex(valid.entry.headerBytes)),
                ("signature", .hex(valid.entry.signature.bytes)),
                ("body", .hex(valid.entry.body ?? [])), ("id", .hex(valid.id.bytes)),
            ])
        }
        return .object([("entries", .list(rows))])
    }

    subscript(name: String) -> JSON {
        guard case .object(let members) = self, let found = members.first(where: { $0.0 == name })
        else { return .list([]) }
        return found.1
    }

    var text: String { text(indent: "\n") }

    private func text(indent: String) -> String {
        let inner = indent + " "
        switch self {
        case .text(let text): return "\"\(text)\""
        case .number(let number): return "\(number)"
        case .list(let items):
            return "[" + items.map { inner + $0.text(indent: inner) }.joined(separator: ",")
                + indent + "]"
        case .object(let members):
            return "{"
                + members.map { "\(inner)\"\($0.0)\": \($0.1.text(indent: inner))" }
                .joined(separator: ",") + indent + "}"
        }
    }
}
