import Capacity
import Entries
import Foundation
import Identity
import NodeCore

/// People who say something in public: a key, a profile, then offers and their withdrawals in turn.
struct Author {
    let did: DID
    let keyEntry: ValidEntry
    let publicEntries: [ValidEntry]

    var entries: [ValidEntry] { [keyEntry] + publicEntries }

    /// `count` entries in the public log.
    init(number: Int, in alliance: Alliance, count: Int, from start: Instant) throws {
        var dice = Dice(seed: SHA256.hash(tag: "talea.bench.v1", Array("\(number)".utf8)))
        guard let key = SigningKey(seed: SecretBytes(dice.roll().bytes)),
            let next = SigningKey(seed: SecretBytes(dice.roll().bytes))
        else { throw BenchRefusal.setUp("key") }
        let genesis = try Genesis(
            key: key, nextKey: next.publicKey, nodeSecret: SecretBytes(dice.roll().bytes),
            profile: Profile(name: "author \(number)"), joining: alliance, founding: "",
            at: start, seed: dice.roll())
        did = genesis.own.did
        keyEntry = genesis.entries[0]
        var said = Array(genesis.entries.dropFirst())
        let log = LogID.publicLog(author: did, alliance: alliance.topic)
        let until = start.advanced(by: 30 * 86_400_000)
        while said.count < count {
            let sequence = Int64(said.count) + 1
            let body: [UInt8]
            let kind: Kind
            if sequence % 2 == 0 {
                kind = .offer
                body =
                    Offer(
                        template: dice.roll(), line: nil, arguments: [], maxUnits: 100, lot: 10,
                        until: until
                    ).wire
            } else {
                kind = .withdrawal
                body = Withdrawal(offer: said[said.count - 1].id).wire
            }
            said.append(
                try ValidEntry(
                    signing: Header(
                        kind: kind.rawValue, author: did, key: keyEntry.id, topic: alliance.topic,
                        time: start.advanced(by: sequence), bodyHash: SHA256.hash(body),
                        bodySize: Int64(body.count),
                        place: .log(
                            .init(log: log, sequence: sequence, previous: said.last?.id))),
                    body: body, by: key))
        }
        publicEntries = said
    }

    static func many(_ count: Int, each: Int, in alliance: Alliance, from start: Instant) throws
        -> [Author]
    {
        var all: [Author] = []
        for number in 0..<count {
            all.append(try Author(number: number, in: alliance, count: each, from: start))
        }
        return all
    }
}

/// Rows of the table `entry`, for a database and for the bare loop that it is compared to.
enum Rows {
    /// Each field after its length in four bytes, big-endian: id, log, sequence, previous, author, kind,
    /// header, signature, body, and whether the own signature was checked.
    static func write(founding: [UInt8], _ authors: Int, _ each: Int) throws {
        let alliance = try Alliance(foundingBody: founding)
        // A day old: nothing of it waits for its time.
        let start = try Instant(
            milliseconds: Int64(Date().timeIntervalSince1970 * 1000) - 86_400_000)
        for number in 0..<authors {
            let author = try Author(number: number, in: alliance, count: each, from: start)
            var out = Data()
            for valid in author.entries {
                guard let place = valid.header.log else { continue }
                let entry = valid.entry
                for field in [
                    entry.id.bytes, place.log.bytes, Array("\(place.sequence)".utf8),
                    place.previous?.bytes ?? [], entry.header.author.bytes,
                    Array("\(entry.header.kind)".utf8), entry.headerBytes, entry.signature.bytes,
                    entry.body ?? [], Array(valid.ownSignatureChecked ? "1".utf8 : "0".utf8),
                ] {
                    withUnsafeBytes(of: UInt32(field.count).bigEndian) {
                        out.append(contentsOf: $0)
                    }
                    out.append(contentsOf: field)
                }
            }
            FileHandle.standardOutput.write(out)
        }
    }
}
