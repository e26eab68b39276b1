internal import Foundation
internal import GRDB
public import Identity
internal import NodeCore

extension Database {
    /// One sealed chunk of a file, if it is held.
    public func chunk(_ index: Int, of blob: Hash32) throws(StorageRefusal) -> [UInt8]? {
        try read { db in
            try Data.fetchOne(
                db, sql: "SELECT sealed FROM chunk WHERE blob = ? AND idx = ?",
                arguments: [blob.data, index]
            ).map { [UInt8]($0) }
        }
    }
}

extension GRDB.Database {
    func apply(attachment change: Change) throws {
        switch change {
        case .chunk(let one, let index, let sealed):
            try run(
                """
                INSERT INTO attachment (blob, contract, file, size) VALUES (?, ?, ?, ?)
                ON CONFLICT (blob) DO NOTHING
                """, [one.blob.data, one.contract.data, one.file.data, one.size])
            try run(
                "INSERT INTO chunk (blob, idx, sealed) VALUES (?, ?, ?)",
                [one.blob.data, index, Data(sealed)])
        case .attachmentGone(let blob):
            try run("DELETE FROM chunk WHERE blob = ?", [blob.data])
            try run("DELETE FROM attachment WHERE blob = ?", [blob.data])
        default: break
        }
    }

    func attachments() throws -> [Attachment] {
        try all(
            """
            SELECT attachment.*, (SELECT count(*) FROM chunk WHERE chunk.blob = attachment.blob) AS held
            FROM attachment ORDER BY attachment.blob
            """
        ) { row in
            Attachment(
                contract: try row.fixed("contract"), file: try row.fixed("file"),
                blob: try row.fixed("blob"), size: Int(clamping: try row.number("size")),
                held: Int(clamping: try row.number("held")))
        }
    }
}
