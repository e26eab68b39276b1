import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Testing

@testable import Dashboard

@Suite struct WordsTests {
    static let did = DID.zero
    static let entry = EntryID.zero
    static let log = LogID.zero
    static let contract = ContractID.zero
    static let time = Instant.earliest

    static let capacity: [CapacityRefusal] = [
        .numberOutOfBounds(-1), .overflow, .currencyMalformed("x"), .unitMalformed("x"),
        .resourceMalformed("X"), .windowEmpty(start: time, end: time), .windowOffset(minutes: 9999),
        .unitsMixed("C62", "HUR"), .lineNotDeclared, .lineAlreadyDeclared(total: 3),
        .unitsNotPositive(0), .lineExceeded(remaining: 200, requested: 210),
        .totalBelowGranted(granted: 100, total: 50), .grantUnknown, .grantRepeated,
        .grantExceeded(held: 60, requested: 70), .firmShortened(until: time, requested: time),
        .releaseTooEarly(until: time, now: time), .remainingMisstated(stated: -10, computed: 0),
    ]

    static let entries: [EntryRefusal] = [
        .tooLarge(what: "body", bytes: 2, limit: 1), .wireTruncated, .wireVarint,
        .wireType(field: 1),
        .wireField(field: 1, after: 2), .wireDefaultSpelledOut(field: 1), .wireMissing(field: 1),
        .wireText(field: 1), .wireLength(field: 1, bytes: 3), .wireOrder(field: 1),
        .wireTooMany(field: 1, limit: 2), .value(field: 1, .overflow), .newerVersion(2),
        .headerShape("a rule"), .bodySize(stated: 1, found: 2), .bodyHash, .bodyMissing,
        .kindMismatch(expected: .step, found: 1), .keyNotPrimeOrder, .signatureWrong(entry),
        .runBroken(at: entry), .privateBodyClosed, .commitmentWrong,
    ]

    static let contracts: [ContractRefusal] = [
        .parameterMissing("p"), .parameterUnknown("p"), .parameterKind("p", wanted: .int),
        .parameterBounds("p", value: "1", minimum: "2", maximum: nil),
        .listCount("p", found: 1, wanted: "2"), .listOrder("p", item: 1),
        .scheduleSum("p", found: "180 %", wanted: "100 %"), .roleMissing("r"), .roleUnknown("r"),
        .roleCount("r", found: 1, wanted: "2"), .rolesNotDistinct("a", "b", did),
        .childRolesNotDistinct("a", "b", did),
        .lineCount(found: 1, wanted: 2), .notAChild, .check(Localized(en: "no", zh: "否")), .ended,
        .notOpened, .opened, .recordUnknown(3), .transitionUnknown("t"),
        .wrongState(record: 1, state: "open", transition: "t"),
        .notYours(transition: "t", awaited: ["a"]), .argumentMissing("n"), .argumentUnknown("n"),
        .argumentKind("n", wanted: .int), .tooEarly(transition: "t", at: time, earliest: time),
        .tooLate(transition: "t", at: time, until: time),
        .notMet(transition: "t", rule: "n <= held", values: Localized(en: "60", zh: "60")),
        .consentMissing(transition: "t", did), .recordsFull(family: "f", limit: 1),
        .holdExceeded(hold: "held", held: 60, asked: 70), .transfersTooMany(limit: 1),
        .chainTooLong(limit: 1), .pendingAtEnd(count: 1), .claimUnknown(step: 1, index: 0),
        .claimExceeded(open: 1, asked: 2),
    ]

    static let folds: [FoldRefusal] = [
        .entry(.bodyHash), .contract(.ended), .contractKeyWrong, .templateWrong(.zero),
        .notAboutThisContract, .witnessesUnfit(count: 2, threshold: 1), .witnessTermsWrong,
        .receiptsMissing(of: entry, found: 1, needed: 2),
        .closingsMissing(record: 1, found: 1, needed: 2),
        .listedMissing(entry), .listedAdmissible(entry), .rulingBelow(stated: 1, highest: 2),
        .claimMissing, .deadlinesCrossed, .notNamed(did), .openingMissing,
        .proposalMisplaced, .late(deadline: time, time: time), .notAccepted(by: did),
        .keyUnknown(did), .keySuperseded(did), .keyEntryMisplaced(entry), .releaseKeyMissing(did),
        .lineMissing(.grant), .holderSignatureWrong,
        .parentRequestMissing, .childMissing, .childNotAccepted(entry, by: did), .basisUnknown,
        .alreadyAdmitted(entry), .stale(record: 1, named: 2, current: 3),
        .clockUnacknowledged(step: entry, by: did), .digestWrong(stated: .zero, computed: .zero),
    ]

    static let lines: [LineLog.Reason] = [
        .capacity(.grantUnknown), .holderSignature, .releaseKeyNotPrimeOrder,
        .unreadable(.bodyHash), .kindMisplaced(99),
    ]

    static let nodes: [NodeRefusal] =
        [
            .readOnly(.sidecarAhead(sidecar: 2, database: 1)), .readOnly(.sidecarMissing),
            .readOnly(.sidecarForeign), .readOnly(.peerAhead(log, sequence: 3)),
            .readOnly(.keyReplaced), .recoveryCodeWrong(rotations: 2), .logUnknown("x"),
            .readOnly(.homeLost),
            .recovering(
                .init(
                    log: log, reason: nil, missing: [], behind: [], oneIsEnough: true, patience: nil
                )),
            .clockOff(peers: 3, milliseconds: 700_000), .lineUnknown("abc"),
            .notYourLine(log), .lineClash(with: log), .tooManyStatements(contract, 256),
            .lineForked(log), .offerUnknown(entry), .notYourOffer(entry), .templateUnknown("t"),
            .parameterMissing("p"), .parameterUnknown("p"),
            .valueUnreadable(field: "f", value: "v", expected: "1"), .roleMissing("r"),
            .roleUnknown("r"), .nameUnknown("n"), .contractUnknown("c"),
            .contractNotSequenced(contract), .contractOver(contract), .contractHalted(contract),
            .alreadyAccepted, .acceptanceLate(deadline: time), .notYourProposal,
            .nothingToAccept(entry), .alreadyAsked(entry), .transitionUnknown("t"),
            .recordUnknown(1),
            .recordAmbiguous([1, 2]), .nothingToDo(transition: "t"), .stepUnknown(1),
            .keyOfPeerUnknown(did),
        ] + capacity.map { .capacity(field: "units", $0) } + entries.map { .entry($0) }
        + lines.map { .line($0) } + folds.map { .fold($0) } + contracts.map { .contract($0) }

    @Test func `every refusal has a code and words in both languages`() {
        for refusal in Self.nodes {
            let put = DoorRefusal(refusal)
            #expect(!put.code.isEmpty)
            #expect(!put.message.en.isEmpty && !put.message.zh.isEmpty)
            #expect(put.message.en != put.message.zh, "\(refusal)")
            #expect(!put.message.en.contains("Optional("), "\(put.message.en)")
            #expect(DoorRefusal(put.json) == put)
        }
    }

    @Test func `refusals carry their numbers`() {
        let held = DoorRefusal(.grantExceeded(held: 60, requested: 70), field: "units")
        #expect(held.message.en == "units: held 60, you asked 70")
        let line = DoorRefusal(
            NodeRefusal.capacity(field: "units", .lineExceeded(remaining: 200, requested: 210)))
        #expect(line.message.en.contains("200") && line.message.en.contains("210"))
    }

    @Test func `words name an option as it is typed, programs get its bare name`() {
        let rows: [(ContractRefusal, field: String, says: String)] = [
            (.parameterKind("deliver_by", wanted: .instant), "deliver_by", "--deliver-by must be"),
            (.argumentMissing("channel"), "channel", "--channel is missing"),
            (.argumentKind("n", wanted: .int), "n", "--units must be"),
            (.roleMissing("arbiter"), "arbiter", "give --arbiter NAME"),
        ]
        for (refusal, field, says) in rows {
            let put = DoorRefusal(NodeRefusal.contract(refusal))
            #expect(put.field == field)
            #expect(put.message.en.contains(says), "\(put.message.en)")
        }
        let total = DoorRefusal(NodeRefusal.capacity(field: "total", .overflow))
        #expect(total.field == "total" && total.message.en.hasPrefix("--total: "))
        let named = DoorRefusal(
            NodeRefusal.contract(.rolesNotDistinct("issuer", "arbiter", Self.did))
        ) { _ in "press" }
        #expect(named.message.en.contains("--issuer and --arbiter are the same identity, press"))
    }

    @Test func `reasons to sign nothing have words of their own`() {
        let words = [
            ReadOnlyReason.sidecarAhead(sidecar: 2, database: 1), .sidecarMissing, .sidecarForeign,
            .peerAhead(Self.log, sequence: 3),
        ].map { $0.wording.en }
        #expect(Set(words).count == 4)
    }

    @Test(arguments: [
        (1, "an answer of 1", "等待 1 答复"), (4, "of 1 or 2 or 3 or 4", "1或2或3或4"),
        (5, "of 1 or 2 or 3 or 2 others", "1或2或3或另外 2 位"),
        (9_999, "of 1 or 2 or 3 or 9996 others", "1或2或3或另外 9996 位"),
    ])
    func `of many who are waited for the first three are named`(
        count: Int, english: String, chinese: String
    ) throws {
        let people = try (1...count).map { number in
            try #require(
                DID([UInt8(number >> 8), UInt8(number & 255)] + Array(repeating: 0, count: 30)))
        }
        let waiting = Recovery.Waiting(
            log: Self.log, reason: nil, missing: people, behind: [], oneIsEnough: true,
            patience: nil)
        let said = waiting.whom { "\((Int($0.bytes[0]) << 8) + Int($0.bytes[1]))" }
        #expect(said.en.hasSuffix(english))
        #expect(said.zh.contains(chinese))
        #expect(said.en.utf8.count < 200)
    }
}
