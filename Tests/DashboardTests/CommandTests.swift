import Capacity
import Contracts
import Entries
import FoundationEssentials
import Identity
import Market
import NodeCore
import Testing

@testable import Dashboard
@testable import talea

func ask(
    _ world: World, _ who: String, _ verb: String, _ options: [String: [String]] = [:],
    dryRun: Bool = false
) async -> Result<JSON, DoorRefusal> {
    await world.commands(who).run(.init(verb: verb, options: options, dryRun: dryRun))
}

func refusal(_ result: Result<JSON, DoorRefusal>) -> DoorRefusal? {
    if case .failure(let refusal) = result { refusal } else { nil }
}

/// Alice's line of 300 and her offer on 200 of it.
func offered(_ template: String = studioHours) async throws -> (World, offer: String) {
    let world = try World(["alice", "bob", "carol"], templates: [template])
    _ = try await ask(
        world, "alice", "line declare",
        [
            "resource": ["work/studio"], "start": ["+10d"], "end": ["+17d"], "unit": ["HUR"],
            "total": ["300"],
        ]
    ).get()
    let lines = try await ask(world, "alice", "line show").get()["lines"]?.array ?? []
    let line = try #require(lines.first?["id"]?.string)
    let offer = try await ask(
        world, "alice", "offer publish",
        [
            "template": ["studio-hours"], "line": [String(line.prefix(6))], "max-units": ["200"],
            "lot": ["10"], "until": ["+5d"], "premium": ["5.00"], "expiry": ["+20d"],
        ]
    ).get()
    return (world, try #require(offer["id"]?.string))
}

/// In force: the premium is due.
func inForce(_ template: String = studioHours) async throws -> (World, contract: String) {
    let (world, offer) = try await offered(template)
    let proposed = try await ask(
        world, "bob", "hours buy", ["offer": [offer], "units": ["100"], "arbiter": ["carol"]]
    ).get()
    let contract = try #require(proposed["id"]?.string)
    for who in ["alice", "carol"] {
        _ = try await ask(world, who, "contract accept", ["contract": [contract]]).get()
    }
    return (world, contract)
}

/// Hours that their giver may show once more, with other evidence.
let correctedHours = studioHours.replacing(
    "  confirm:\n",
    with: """
          correct:
            at: main.shown
            by: issuer
            verb: hours correct
            args: {evidence: hash}
            to: shown
            says: {en: See this instead., zh: 请以此为准。}
          confirm:

        """)

/// Alice has shown bob's hours, and bob has only to confirm.
func shownHours() async throws -> (World, contract: String) {
    let (world, contract) = try await inForce(correctedHours)
    for (who, verb, more) in [
        ("bob", "pay state", ["channel": ["bank"], "reference": ["1"]]),
        ("alice", "pay receive", [:]),
        (
            "alice", "hours show",
            ["units": ["100"], "evidence": [String(repeating: "a", count: 64)]]
        ),
    ] {
        _ = try await ask(
            world, who, verb, ["contract": [contract]].merging(more) { one, _ in one }
        ).get()
    }
    return (world, contract)
}

@Suite struct CommandTests {
    @Test func `a declared line is shown with what is left of it`() async throws {
        let (world, _) = try await offered()
        let lines = try await ask(world, "bob", "line show", ["issuer": ["alice"]]).get()
        let line = try #require(lines["lines"]?.array.first)
        #expect(line["total"]?.number == 300)
        #expect(line["remaining"]?.number == 300)
        #expect(line["unit"]?.string == "HUR")
    }

    @Test func `bad input names field, value and what would be right, and signs nothing`()
        async throws
    {
        let (world, offer) = try await offered()
        let cases: [(String, [String: [String]], code: String, field: String)] = [
            ("line declare", ["resource": ["x"]], "option_missing", "start"),
            (
                "line declare",
                ["resource": ["X y"], "start": ["+1d"], "end": ["+2d"], "total": ["1"]],
                "resource_malformed", "resource"
            ),
            (
                "line declare",
                ["resource": ["x"], "start": ["soon"], "end": ["+2d"], "total": ["1"]],
                "value_unreadable", "start"
            ),
            (
                "line declare",
                ["resource": ["x"], "start": ["+2d"], "end": ["+1d"], "total": ["1"]],
                "window_empty", "end"
            ),
            (
                "line declare",
                ["resource": ["x"], "start": ["+1d"], "end": ["+2d"], "total": ["-1"]],
                "value_unreadable", "total"
            ),
            ("line show", ["isuer": ["alice"]], "option_unknown", "isuer"),
            ("line show", ["issuer": ["nobody"]], "name_unknown", "issuer"),
            ("offer show", ["offer": ["abc"]], "value_unreadable", "offer"),
            ("offer show", ["offer": ["abcdef123456"]], "offer_unknown", "offer"),
            ("hours buy", ["offer": [offer], "units": ["100"]], "role_missing", "arbiter"),
            (
                "hours buy", ["offer": [offer], "units": ["105"], "arbiter": ["carol"]],
                "value_unreadable", "units"
            ),
            (
                "hours buy", ["offer": [offer], "units": ["310"], "arbiter": ["carol"]],
                "line_exceeded", "units"
            ),
            (
                "hours buy", ["offer": [offer], "arbiter": ["carol"]], "parameter_missing", "units"
            ),
            ("hours burn", [:], "verb_unknown", "verb"),
            ("contract show", ["contract": ["123456"]], "contract_unknown", "contract"),
            ("ledger export", ["format": ["xls"]], "value_unreadable", "format"),
            ("peer add", ["address": ["nowhere"]], "value_unreadable", "address"),
        ]
        for (verb, options, code, field) in cases {
            let refused = refusal(await ask(world, "bob", verb, options))
            #expect(refused?.code == code, "\(verb) \(options): \(String(describing: refused))")
            #expect(refused?.field == field, "\(verb) \(options)")
            #expect(refused?.message.en != refused?.message.zh)
        }
        let list = try await ask(world, "bob", "contract list").get()
        #expect(list["contracts"]?.array.isEmpty == true)
    }

    @Test(arguments: [
        ("contract show", "contract"), ("line show", "issuer"), ("offer list", "template"),
        ("ledger export", "format"), ("line declare", "resource"), ("nothing", "nothing"),
    ])
    func `a refusal repeats no more than the beginning of what is too long`(
        _ verb: String, _ option: String
    ) async throws {
        let world = try World(["alice"], templates: [studioHours])
        let long = String(repeating: "x", count: 10_000)
        for (verb, option, value) in [(verb, option, long), (verb, long, "1"), (long, option, "1")]
        {
            let refused = try #require(
                refusal(await ask(world, "alice", verb, [option: [value]])))
            for words in [refused.message.en, refused.message.zh] {
                #expect(words.count < 500, "\(words)")
            }
            #expect(refused.value.count <= 81 && refused.field.count <= 81)
        }
    }

    @Test func `a dry run says what would move and keeps nothing`() async throws {
        let (world, offer) = try await offered()
        let preview = try await ask(
            world, "bob", "hours buy", ["offer": [offer], "units": ["100"], "arbiter": ["carol"]],
            dryRun: true
        ).get()
        let moves = preview["would_move"]?.array ?? []
        #expect(moves.count == 2)
        #expect(moves.contains { $0["amount"]?.number == 500 && $0["commodity"]?.string == "CNY" })
        #expect(moves.contains { $0["amount"]?.number == 100 })
        #expect(preview["worst"]?["en"]?.string == "You lose 5.00 CNY.")
        let list = try await ask(world, "bob", "contract list").get()
        #expect(list["contracts"]?.array.isEmpty == true)
    }

    @Test func `a template's own verbs carry a contract to its end`() async throws {
        let (world, contract) = try await inForce()
        let shown = try await ask(world, "bob", "contract show", ["contract": [contract]]).get()
        #expect(shown["grade"]?.string == "sequenced")
        #expect(shown["choices"]?.array.map { $0["verb"]?.string } == ["pay state"])
        #expect(shown["parameters"]?["premium"]?["value"]?.number == 500)

        let early = refusal(
            await ask(world, "bob", "hours confirm", ["contract": [contract]]))
        #expect(early?.code == "wrong_state")
        let notMine = refusal(
            await ask(world, "alice", "pay state", ["contract": [contract]]))
        #expect(notMine?.code == "nothing_to_do")
        #expect(notMine?.message.en.contains("bob") == true)

        let missing = refusal(
            await ask(world, "bob", "pay state", ["contract": [contract], "channel": ["bank"]]))
        #expect(missing?.field == "reference")
        let asked = try await ask(
            world, "bob", "pay state",
            ["contract": [contract], "channel": ["bank"], "reference": ["R1"]]
        ).get()
        #expect(asked["asked"]?.string == "requested")
        _ = try await ask(world, "alice", "pay receive", ["contract": [contract]]).get()

        let (good, bad) = (SHA256.hash([1]).hex, SHA256.hash([2]).hex)
        let few = refusal(
            await ask(
                world, "alice", "hours show",
                ["contract": [contract], "units": ["70"], "evidence": [good]]))
        #expect(few?.code == "not_met")
        let done = try await ask(
            world, "alice", "hours show",
            ["contract": [contract], "units": ["100"], "evidence": [good]]
        ).get()
        #expect(done["asked"]?.string == "sequenced")
        let other = refusal(
            await ask(
                world, "bob", "hours confirm", ["contract": [contract], "evidence": [bad]]))
        #expect(other?.code == "evidence_differs")
        _ = try await ask(
            world, "bob", "hours confirm", ["contract": [contract], "evidence": [good]]
        ).get()

        var digests: Set<String> = []
        for who in ["alice", "bob", "carol"] {
            let json = try await ask(world, who, "contract show", ["contract": [contract]]).get()
            #expect(json["grade"]?.string == "settled")
            #expect(json["outcome"]?.string == "fulfilled")
            if let digest = json["state_digest"]?.string { digests.insert(digest) }
        }
        #expect(digests.count == 1)
        let balance = try await ask(world, "bob", "ledger balance").get()
        #expect(balance["net_paid"]?["CNY"]?.number == 500)
        let statement = try await ask(world, "alice", "ledger statement").get()
        #expect(statement["rows"]?.array.count == 2)
        for format in ["hledger", "beancount", "csv"] {
            let export = try await ask(world, "bob", "ledger export", ["format": [format]]).get()
            #expect(export["text"]?.string?.isEmpty == false)
        }
    }

    @Test func `a withdrawn offer and a declined proposal are over`() async throws {
        let (world, offer) = try await offered()
        let proposed = try await ask(
            world, "bob", "hours buy", ["offer": [offer], "units": ["10"], "arbiter": ["carol"]]
        ).get()
        let contract = try #require(proposed["id"]?.string)
        #expect(
            refusal(await ask(world, "alice", "contract cancel", ["contract": [contract]]))?.code
                == "not_your_proposal")
        let declined = try await ask(
            world, "alice", "contract decline", ["contract": [contract], "reason": ["no room"]]
        ).get()
        #expect(declined["outcome"]?.string == "declined")
        #expect(
            refusal(await ask(world, "bob", "offer withdraw", ["offer": [offer]]))?.code
                == "not_your_offer")
        _ = try await ask(world, "alice", "offer withdraw", ["offer": [offer]]).get()
        #expect(
            refusal(
                await ask(
                    world, "bob", "hours buy",
                    ["offer": [offer], "units": ["10"], "arbiter": ["carol"]]))?.code
                == "offer_withdrawn")
    }

    @Test func `names, peers, identity and status answer`() async throws {
        let world = try World(["alice", "bob"], templates: [])
        let bob = await world.did("bob").did
        _ = try await ask(world, "alice", "name", ["did": [bob], "name": ["小包"]]).get()
        let lines = try await ask(world, "alice", "line show", ["issuer": ["小包"]]).get()
        #expect(lines["lines"]?.array.isEmpty == true)
        let added = try await ask(world, "alice", "peer add", ["address": ["127.0.0.1:7002"]]).get()
        #expect(added["peers"]?.array.first?["address"]?.string == "127.0.0.1:7002")
        _ = try await ask(world, "alice", "peer remove", ["address": ["127.0.0.1:7002"]]).get()
        let identity = try await ask(world, "bob", "id").get()
        let code = try #require(identity["invitation"]?.string)
        #expect(Invitation(code: code) != nil)
        #expect(Invitation(code: code + "A") == nil)
        #expect(
            try await ask(world, "bob", "status").get()["listening"]?.string == "127.0.0.1:7001")
        let check = try await ask(world, "bob", "ledger rebuild", ["check": []]).get()
        #expect(check["equal"]?.bool == false)
    }

    @Test func `a partner's name neither hides nor turns what stands beside it`() async throws {
        let world = try World(["alice", "bob"], templates: [])
        for name in ["abc\u{202e}", "\u{200b}", "\u{2800}", ""] {
            let refused = refusal(await ask(world, "bob", "profile set", ["name": [name]]))
            #expect(refused?.field == "name", "\(name.debugDescription)")
        }
        // Whose program does not ask says it all the same.
        let bob = await world.did("bob")
        var shown: [String] = []
        for name in [
            "abc\u{202e}\u{1b}[2J", "\u{2800}\u{200b}", "zhi (…8xcLFu6n)", "אבג", "אבג (…x", "…א",
            "张　三",
        ] {
            _ = try await world.perform("bob", dryRun: false) {
                try $0.publish(Profile(name: name))
            }
            shown.append(try await world.read("alice") { $0.displayName(bob) })
        }
        let short = bob.shortDID
        #expect(
            shown == [
                "abc[2J (\(short))", short, "zhi (\(short))", "\u{2068}אבג\u{2069} (\(short))",
                "\u{2068}אבג\u{2069} (\(short))", short, "张 三 (\(short))",
            ])
    }

    @Test func `what changed since its preview is not signed, and nothing else hinders it`()
        async throws
    {
        let (world, contract) = try await shownHours()
        func preview() async throws -> CommandRequest {
            let told = try await ask(
                world, "bob", "hours confirm", ["contract": [contract]], dryRun: true
            ).get()
            var request = CommandRequest(
                verb: "hours confirm", options: ["contract": [contract]])
            request.basis = try #require(told["basis"]?.string)
            return request
        }
        let first = try await preview()
        #expect(CommandRequest(first.json) == first)
        _ = try await ask(
            world, "alice", "hours correct",
            ["contract": [contract], "evidence": [String(repeating: "b", count: 64)]]
        ).get()
        let refused = refusal(await world.commands("bob").run(first))
        #expect(refused?.code == "changed_since_shown")
        let state = try await ask(world, "bob", "contract show", ["contract": [contract]]).get()
        #expect(state["records"]?.array.first?["state"]?.string == "shown")
        // Time alone changes nothing of it.
        let second = try await preview()
        await world.pass(3_600_000)
        _ = try await world.commands("bob").run(second).get()
        let after = try await ask(world, "bob", "contract show", ["contract": [contract]]).get()
        #expect(after["records"]?.array.first?["state"]?.string == "used")
    }

    @Test func `what a partner writes makes no line of its own on a terminal`() async throws {
        let (world, contract) = try await inForce()
        _ = try await ask(
            world, "bob", "pay state",
            [
                "contract": [contract], "channel": ["bank"],
                "reference": [
                    "A1\n  9 2026-11-21 09:00:00 +00:00 alice: pay_receive\u{2028}Claims"
                ],
            ]
        ).get()
        let shown = try await ask(world, "alice", "contract show", ["contract": [contract]]).get()
        let lines = Show.text(shown, verb: "contract show", .en).split(whereSeparator: \.isNewline)
        #expect(lines.contains { $0.contains("A1   9 2026") }, "\(lines)")
        #expect(!lines.contains { $0.hasPrefix("  9 ") || $0 == "Claims" }, "\(lines)")
        #expect(
            Table.text(["a"], [["x\ny\u{2028}z"]]).split(whereSeparator: \.isNewline).count == 2)
    }

    @Test func `whoever changes the key is told that invitations not shown yet end`() async throws {
        let world = try World(["alice"], templates: [])
        let code = try #require(RecoveryCode(entropy: [UInt8](repeating: 1, count: 20)))
        let told = try await world.perform("alice", dryRun: true) { node in
            try [false, true].map { invites in
                if invites {
                    _ = try node.found("guild", admission: .invitation, stewards: [], limits: [:])
                }
                var (copy, options) = (node, Options(["code": [code.text]], now: node.now))
                return try Commands.rotateKey(&copy, &options)
            }
        }.value
        // Whose alliances anybody may enter has none that could end.
        #expect(told[0].says?.en.contains("invit") == false)
        #expect(told[1].says?.en.contains("talea alliance invite") == true)
        #expect(told[1].says?.zh.contains("邀请") == true)
        let shown = Show.text(told[1].value, verb: "key rotate", .zh)
        #expect(shown.contains("邀请") && shown.contains("did:key:"))
    }

    @Test func `what is offered in another currency is taken in it, and shown so before`()
        async throws
    {
        let (world, _) = try await offered()
        let lines = try await ask(world, "alice", "line show").get()["lines"]?.array ?? []
        let offer = try await ask(
            world, "alice", "offer publish",
            [
                "template": ["studio-hours"], "line": [try #require(lines.first?["id"]?.string)],
                "max-units": ["20"], "until": ["+5d"], "currency": ["JPY"], "premium": ["500"],
                "expiry": ["+20d"],
            ]
        ).get()
        let id = try #require(offer["id"]?.string)
        let told = try await ask(
            world, "bob", "hours buy", ["offer": [id], "units": ["10"], "arbiter": ["carol"]],
            dryRun: true
        ).get()
        #expect(told["would"]?["currency"]?.string == "JPY")
        #expect(told["says"]?["en"]?.string?.contains("for 500 JPY.") == true, "\(told)")
        // What is typed into its form, too.
        let given = try await world.read("bob") { node in
            Rooms(node, .en, now: World.clock).given(
                "contract propose", [("o.offer", id), ("m.price", "500")])
        }
        #expect(given.last?["value"]?.string == "JPY 500")
    }

    @Test func `whoever calls himself like another's short did is not taken for him`() async throws
    {
        let world = try World(["alice", "bob", "carol"], templates: [])
        let carol = await world.did("carol")
        for name in [carol.shortDID, String(carol.shortDID.dropFirst())] {
            _ = try await world.perform("bob", dryRun: false) {
                try $0.publish(Profile(name: name))
            }
            for typed in [carol.shortDID, String(carol.shortDID.dropFirst())] {
                let answer = await ask(
                    world, "alice", "name", ["did": [typed], "name": ["my judge"]], dryRun: true)
                let said = "\(name) \(typed): \(answer)"
                // Carol, or a question back; never bob.
                guard case .success = answer else {
                    #expect(refusal(answer)?.code == "name_ambiguous", "\(said)")
                    continue
                }
                let who = try await world.read("alice") { try $0.party(typed, field: "did") }
                #expect(who == carol, "\(said)")
            }
        }
        // A petname is the reader's own word.
        let bob = await world.did("bob")
        _ = try await ask(
            world, "alice", "name", ["did": [bob.did], "name": [carol.shortDID]]
        ).get()
        #expect(try await world.read("alice") { try $0.party(carol.shortDID, field: "did") } == bob)
    }

    /// The shipped option, where its file stands beside this package.
    @Test(.enabled(if: shipped("capacity-option") != nil))
    func `a part of an option is passed on and both parts are exercised`() async throws {
        let file = try #require(shipped("capacity-option"))
        let world = try World(["printer", "maker", "partner", "judge"], templates: [file])
        _ = try await ask(
            world, "printer", "line declare",
            [
                "resource": ["print/notebook/a5"], "start": ["+60d"], "end": ["+67d"],
                "total": ["300"],
            ]
        ).get()
        let lines = try await ask(world, "printer", "line show").get()
        let offer = try await ask(
            world, "printer", "offer publish",
            [
                "template": ["capacity-option"], "max-units": ["200"], "lot": ["10"],
                "line": [try #require(lines["lines"]?.array.first?["id"]?.string)],
                "until": ["+5d"], "premium": ["500.00"], "strike": ["18.00"], "remedy": ["9.00"],
                "expiry": ["+40d"], "deliver-by": ["+70d"],
            ]
        ).get()
        let bought = try await ask(
            world, "maker", "option buy",
            [
                "offer": [try #require(offer["id"]?.string)], "units": ["100"],
                "arbiter": ["judge"], "grant-by": ["+1s"], "accept-by": ["+1s"],
            ]
        ).get()
        let contract = try #require(bought["id"]?.string)
        let preview1 = try await ask(
            world, "judge", "contract accept", ["contract": [contract]], dryRun: true
        ).get()
        let week = try #require(preview1["about"]?.array.first?["zh"]?.string)
        #expect(week.contains("print/notebook/a5，自 "), "\(week)")
        for who in ["printer", "judge"] {
            _ = try await ask(world, who, "contract accept", ["contract": [contract]]).get()
        }
        await world.pass(2000)
        _ = try await ask(
            world, "maker", "pay state",
            ["contract": [contract], "channel": ["bank"], "reference": ["1"]]
        ).get()
        _ = try await ask(world, "printer", "pay receive", ["contract": [contract]]).get()
        func transfer(_ units: String, dryRun: Bool = false) async -> Result<JSON, DoorRefusal> {
            await ask(
                world, "maker", "option transfer",
                [
                    "contract": [contract], "units": [units], "newcomer": ["partner"],
                    "price": ["240.00"],
                ], dryRun: dryRun)
        }
        let preview = try await transfer("40", dryRun: true).get()
        #expect(preview["would_move"]?.array.isEmpty == false)
        let passed = try await transfer("40").get()
        #expect(passed["asked"]?.string == "transfer_proposed")
        let child = try #require(passed["child"]?.string)
        for who in ["partner", "printer", "judge"] {
            _ = await ask(world, who, "contract accept", ["contract": [child]])
        }
        let shown = try await ask(world, "partner", "contract show", ["contract": [child]]).get()
        #expect(shown["grade"]?.string == "sequenced", "\(shown.text(pretty: true))")
        #expect(shown["parent"]?.string == contract)
        let more = refusal(await transfer("70"))
        #expect(more?.code == "not_met")
        #expect(more?.message.en.contains("60") == true, "\(more?.message.en ?? "")")
        let exercised = try await ask(
            world, "maker", "option exercise", ["contract": [contract], "units": ["60"]]
        ).get()
        #expect(exercised["asked"]?.string == "requested")
        let opened = try await ask(
            world, "printer", "delivery state",
            [
                "contract": [contract], "units": ["60"],
                "evidence": [String(repeating: "ab", count: 32)],
            ], dryRun: true
        ).get()
        // Of several exercises this one: it is named by the step that asked for it.
        let about = try #require(opened["about"]?.array.first?["en"]?.string)
        #expect(about.contains("About step") && about.contains("60"), "\(about)")
        let stated = try await ask(
            world, "printer", "delivery state",
            [
                "contract": [contract], "units": ["60"],
                "evidence": [String(repeating: "ab", count: 32)],
            ]
        ).get()
        #expect(stated["asked"]?.string == "sequenced")
        _ = try await ask(world, "maker", "delivery confirm", ["contract": [contract]]).get()
        let family = try await ask(world, "printer", "contract list").get()["contracts"]?.array
        #expect(
            family?.first { $0["id"]?.string == contract }?["children"]?.array == [.string(child)])
    }
}

func shipped(_ name: String) -> String? {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return try? String(
        contentsOf: root.appending(path: "contracts/\(name).yaml"), encoding: .utf8)
}
