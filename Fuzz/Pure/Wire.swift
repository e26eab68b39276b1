import Capacity
import Entries
import Fixtures
import Fuzzing
import Identity
import Replication

// Bytes to values: strict forms come back byte for byte.

let wire: [FuzzTarget] = [
    frame, message, hello, mail, header,
    strict("entry", [("Entry", Entry.self)]),
    strict(
        "public-bodies",
        [
            ("Key", KeyBody.self), ("Continue", Continue.self), ("Cut", Cut.self),
            ("Founding", Founding.self), ("Profile", Profile.self),
            ("LineOpening", LineOpening.self), ("Offer", Offer.self),
            ("Withdrawal", Withdrawal.self), ("Wish", Wish.self), ("Admit", Admit.self),
            ("Expel", Expel.self),
        ]),
    strict(
        "line-bodies",
        [
            ("Declare", Declare.self), ("Adjust", Adjust.self), ("Grant", Grant.self),
            ("Firm", Firm.self), ("Split", Split.self), ("Release", Release.self),
        ]),
    strict(
        "contract-bodies",
        [
            ("Step", Step.self), ("Receipt", Receipt.self), ("Closed", Closed.self),
            ("TakeoverClaim", TakeoverClaim.self), ("Ruling", Ruling.self),
            ("Settlement", Settlement.self), ("SignedAct", SignedAct.self),
            ("WitnessTerms", WitnessTerms.self),
        ]),
    strict(
        "statements",
        [
            ("Proposal", Proposal.self), ("Acceptance", Acceptance.self),
            ("Request", Request.self), ("Refusal", Refusal.self),
            ("Acknowledgement", Acknowledgement.self),
            ("ClosingRequest", ClosingRequest.self), ("Joining", Joining.self),
            ("Sealed", Sealed.self),
        ]),
    strict("value", [("Value", Value.self)]),
    strict(
        "carriers",
        [
            ("Vouched", Vouched.self), ("ForkProof", ForkProof.self), ("Proof", Proof.self),
            ("ProofPlace", ProofPlace.self), ("Invitation", Invitation.self),
            ("Keepsake", Keepsake.self),
        ]),
    privateBody,
]

/// The first byte chooses the type. Of each type a seed of chance, and whatever golden bytes are one.
private func strict(_ name: String, _ types: [(String, any WireMessage.Type)]) -> FuzzTarget {
    FuzzTarget(
        name, law: "what decodes encodes to the same bytes",
        seeds: {
            var seeds: [[UInt8]] = []
            var chance = Seeded(7)
            for kind in 0..<Seeded.messageKinds {
                let message = chance.message(kind)
                guard let index = types.firstIndex(where: { $0.0 == message.name }) else {
                    continue
                }
                seeds.append([UInt8(index)] + message.bytes)
            }
            for bytes in golden {
                for (index, type) in types.enumerated() where reads(type.1, bytes) {
                    seeds.append([UInt8(index)] + bytes)
                }
            }
            return seeds
        },
        run: { input in
            guard let first = input.first else { return }
            let (what, type) = types[Int(first) % types.count]
            check(what, type, input.dropFirst())
        })
}

private func reads(_ type: any WireMessage.Type, _ bytes: [UInt8]) -> Bool {
    (try? type.init(strict: bytes)) != nil
}

private func check<M: WireMessage>(_ what: String, _ type: M.Type, _ bytes: ArraySlice<UInt8>) {
    guard let value = try? M(strict: bytes) else { return }
    law(bytes.elementsEqual(value.wire), "\(what) spelled otherwise")
}

/// Every hex in the golden vectors, shorter than what a corpus should hold.
let golden: [[UInt8]] = Kept.vectorTexts.compactMap { [UInt8](hex: $0) }
    .filter { (1...2_000).contains($0.count) }

private let header = FuzzTarget(
    "header", law: "what decodes encodes to the same bytes and keeps the shape of its kind",
    bytesMax: 1024,
    seeds: {
        var chance = Seeded(3)
        return (0..<12).map { _ in chance.header().wire } + golden.filter { reads(Header.self, $0) }
    }
) { input in
    guard let value = try? Header(strict: input) else { return }
    law(value.wire == input, "header spelled otherwise")
    law((value.log != nil) == (value.kind < 40), "kind \(value.kind) in the wrong place")
    if let place = value.log {
        law((place.previous == nil) == (place.sequence == 1), "previous")
    }
    law((value.key == nil) == (value.kind == 1), "key")
}

// MARK: - Frames

private let frame = FuzzTarget(
    "frame", law: "in any pieces the same frames; each frame's bytes are those that came",
    bytesMax: 512,
    seeds: {
        frames.prefix(12).map { [0, 3, 1, 60, 9] + $0.bytes } + [
            [1, 0, 0, 0, 0] + frames.prefix(5).flatMap(\.bytes)
        ]
    }
) { input in
    var choices = Choices(input)
    let limit = choices.below(2) == 0 ? FrameLimit.beforeHello : FrameLimit.afterHello
    let pieces = (0..<4).map { _ in choices.below(64) }
    let stream = choices.all()
    var whole = FrameReader(limit: limit)
    whole.feed(stream)
    let (first, refusal) = read(&whole)
    var taken = 0
    for frame in first {
        let bytes = frame.bytes
        law(bytes.elementsEqual(stream[taken..<taken + bytes.count]), "other bytes at \(taken)")
        taken += bytes.count
    }
    law(whole.waitingBytes == stream.count - taken, "waiting \(whole.waitingBytes)")
    let (again, same) = read(&whole)
    law(again.isEmpty && same == refusal, "a refusal took something")

    var cut = FrameReader(limit: limit)
    var second: [Frame] = []
    var at = 0
    var index = 0
    while at < stream.count {
        let size = min(pieces[index % 4] + 1, stream.count - at)
        cut.feed(Array(stream[at..<at + size]))
        at += size
        index += 1
        second += read(&cut).0
    }
    law(second == first, "\(second.count) frames in pieces, \(first.count) whole")
}

private func read(_ reader: inout FrameReader) -> ([Frame], FrameRefusal?) {
    var all: [Frame] = []
    while true {
        do throws(FrameRefusal) {
            guard let frame = try reader.next() else { return (all, nil) }
            all.append(frame)
        } catch { return (all, error) }
    }
}

/// One frame of each kind of message.
let frames: [Frame] = {
    func hash<K>(_ seed: UInt8) -> Fixed32<K> { Fixed32(SHA256.hash([seed])) }
    let head = Replication.Message.Head(log: hash(1), sequence: 7, id: hash(2))
    let opening = Replication.Message.Opening(topic: hash(1), horizon: 7, isRehashed: true)
    let entry = alice.keyEntry.entry.wire
    let messages: [Replication.Message] = [
        .hello(.init(versions: [1, 2], nonce: hash(1), time: 1_795_000_000_000, agent: "talea")),
        .topics([hash(1), hash(2)]), .moreTopics([hash(3)]), .heads([head]), .ask([hash(1)]),
        .answer([head]), .keys([entry]), .keep([1]), .kept([2, 3]),
        .range(.init(log: hash(1), from: 3, to: .max)), .entries([entry, [3]], done: false),
        .push(entry), .put([2]), .prove(hash(4)), .proof([3]), .branch([[1], [2, 3]]),
        .mail(.serving), .mail(.entrust([hash(1), hash(2)])),
        .mail(.deposit(recipient: hash(1), tag: hash(2), expires: 5, sealed: [1])),
        .mail(.deposited(tag: hash(2), .full)), .mail(.letter(number: 7, sealed: [1, 2])),
        .mail(.collected(number: 7, isKept: true)), .fetch(blob: hash(1), index: 3),
        .chunk(blob: hash(1), index: 3, size: 9, sealed: [1]),
        .reconcile(.init(number: 1, opening: opening, bytes: [0x61, 0])), .resolve(1, [hash(1)]),
        .resolved(1, [head]), .ping(time: 7), .pong(time: .max), .goodbye(code: 1, text: "符契"),
    ]
    return messages.map(\.frame)
}()

private let message = FuzzTarget(
    "message", law: "what is read from a frame goes into the same frame",
    seeds: { frames.map { [$0.type] + $0.payload } }
) { input in
    guard let type = input.first else { return }
    reread(Frame(type: type, payload: Array(input.dropFirst())))
}

private let hello = FuzzTarget(
    "hello", law: "what is read goes into the same frame; before it nothing else is heard",
    bytesMax: 512, seeds: { frames.filter { $0.type == 1 }.map(\.payload) }
) { input in
    let frame = Frame(type: 1, payload: input)
    reread(frame)
    var session = Session(
        me: alice.did, peer: bob.did, isInitiator: true, nonce: .filled(1), now: 0, rehashes: false)
    _ = session.begin(now: 0, agent: "talea")
    let node = Shelf()
    for early in frames where !Replication.Message.mayComeUnproven(early) {
        var copy = session
        let answers = copy.received(early, now: 1, node)
        law(!copy.isEstablished && answers.count <= 2, "\(early.type) was heard before hello")
    }
    _ = session.received(frame, now: 1, node)
    let stands = session.isEstablished
    if stands {
        law((try? Replication.Message(frame)) != nil, "stands on a hello that cannot be read")
        _ = session.received(frame, now: 2, node)
    }
}

private let mail = FuzzTarget(
    "mail", law: "what is read goes into the same frame", bytesMax: 512,
    seeds: {
        frames.filter { (32...37).contains($0.type) }.map { [$0.type - 32] + $0.payload }
    }
) { input in
    guard let first = input.first else { return }
    reread(Frame(type: 32 + first % 8, payload: Array(input.dropFirst())))
}

private func reread(_ frame: Frame) {
    guard let message = try? Replication.Message(frame) else { return }
    law(message.frame == frame, "type \(frame.type) spelled otherwise")
}

// MARK: - Private bodies

private let privateBody = FuzzTarget(
    "private-body",
    law:
        "what is sealed opens to the same; what opens, sealed again, is the same; moved it is closed",
    bytesMax: 2048,
    seeds: {
        let key = [UInt8](repeating: 7, count: 32)
        let sealed = must {
            try PrivateBody.seal(
                [1, 2, 3], key: key, nonce: [UInt8](repeating: 1, count: 24), author: alice.did,
                place: bodyPlace)
        }
        return [
            [0] + Array("some words".utf8), [1] + sealed, [2] + Array(repeating: 0x80, count: 9),
        ]
    }
) { input in
    var choices = Choices(input)
    let way = choices.below(4)
    let key = [UInt8](repeating: 7, count: 32)
    let nonce = [UInt8](repeating: 1, count: 24)
    let bytes = choices.all()
    switch way {
    case 1:
        guard
            let plain = try? PrivateBody.open(
                bytes, key: key, author: alice.did, place: bodyPlace)
        else { return }
        let again = try? PrivateBody.seal(
            plain, key: key, nonce: Array(bytes.prefix(24)), author: alice.did, place: bodyPlace)
        law(again == bytes, "two sealings of one body")
    case 2:
        // Any padding under the right key: only the shortest opens.
        let commitment = SHA256.hash(tag: "talea.body.v1", key).bytes
        var data = alice.did.bytes + bodyPlace.log.bytes
        data.append(bigEndian: UInt64(bodyPlace.sequence))
        data += (bodyPlace.previous ?? .zero).bytes
        let body =
            nonce + commitment
            + XChaCha20Poly1305.seal(bytes, nonce: nonce, key: key, authenticating: data)
        guard
            let plain = try? PrivateBody.open(body, key: key, author: alice.did, place: bodyPlace)
        else { return }
        let again = try? PrivateBody.seal(
            plain, key: key, nonce: nonce, author: alice.did, place: bodyPlace)
        law(again == body, "padded otherwise")
    default:
        guard
            let body = try? PrivateBody.seal(
                bytes, key: key, nonce: nonce, author: alice.did, place: bodyPlace)
        else { return law(false, "\(bytes.count) bytes were not sealed") }
        let plain = try? PrivateBody.open(body, key: key, author: alice.did, place: bodyPlace)
        law(plain == bytes, "opens to something else")
        law(
            (try? PrivateBody.open(body, key: key, author: bob.did, place: bodyPlace)) == nil,
            "opens for another author")
    }
}

private let bodyPlace = Header.LogPlace(log: .filled(3), sequence: 2, previous: .filled(4))
