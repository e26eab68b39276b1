internal import Capacity
internal import Foundation
internal import GRDB
internal import Identity
internal import NodeCore

// What a hub keeps for others, and which hubs are ours.

extension Database {
    /// The sealed bytes of a letter that is still here.
    public func letter(_ number: UInt64) throws(StorageRefusal) -> [UInt8]? {
        try read { db in
            try Data.fetchOne(
                db, sql: "SELECT sealed FROM letter WHERE number = ?",
                arguments: [Int64(clamping: number)]
            ).map { [UInt8]($0) }
        }
    }
}

extension GRDB.Database {
    func apply(hub change: Change) throws {
        switch change {
        case .hub(let did, true): try run("INSERT OR IGNORE INTO hub (did) VALUES (?)", [did.data])
        case .hub(let did, false): try run("DELETE FROM hub WHERE did = ?", [did.data])
        case .entrusted(let member, nil):
            try run("DELETE FROM entrusted WHERE member = ?", [member.data])
        case .entrusted(let member, let topics?):
            try run(
                """
                INSERT INTO entrusted (member, topics) VALUES (?, ?)
                ON CONFLICT (member) DO UPDATE SET topics = excluded.topics
                """, [member.data, Data(topics.flatMap(\.bytes))])
        case .letter(let letter, let sealed):
            try run(
                """
                INSERT INTO letter (number, recipient, sender, tag, expires, sealed)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                [
                    Int64(clamping: letter.number), letter.recipient.data, letter.sender.data,
                    letter.tag.data, letter.expires.milliseconds, Data(sealed),
                ])
        case .letterGone(let number):
            try run("DELETE FROM letter WHERE number = ?", [Int64(clamping: number)])
        default: break
        }
    }

    func entrusted() throws -> [(member: DID, topics: [TopicID])] {
        try all("SELECT member, topics FROM entrusted ORDER BY member") { row in
            let bytes = try row.bytes("topics")
            return (
                member: try row.fixed("member"),
                topics: stride(from: 0, to: bytes.count - bytes.count % 32, by: 32).compactMap {
                    TopicID(bytes[$0..<$0 + 32])
                }
            )
        }
    }

    func letters() throws -> [Letter] {
        try all(
            """
            SELECT number, recipient, sender, tag, expires, length(sealed) AS size
            FROM letter ORDER BY number
            """
        ) { row in
            Letter(
                number: UInt64(clamping: try row.number("number")),
                recipient: try row.fixed("recipient"), sender: try row.fixed("sender"),
                tag: try row.fixed("tag"),
                expires: try Instant(milliseconds: try row.number("expires")),
                size: Int(clamping: try row.number("size")))
        }
    }
}
