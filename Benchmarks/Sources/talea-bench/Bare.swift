import CSQLite
import Entries
import Foundation
import Identity

/// What the hardware and the libraries below us do by themselves: the raw limits.
enum Bare {
    /// Signatures that libsodium checks in a second, on so many threads at once.
    static func verifications(of entries: [Entry], by keys: [DID: PublicKey], threads: Int)
        throws -> Double
    {
        let checker = SignatureChecker()
        let signed = try entries.map { entry in
            guard let key = keys[entry.header.author] else { throw BenchRefusal.setUp("key") }
            return (entry.signature, entry.signedBytes, key)
        }
        let begun = seconds()
        let group = DispatchGroup()
        for part in 0..<threads {
            DispatchQueue.global().async(group: group) {
                for index in stride(from: part, to: signed.count, by: threads) {
                    let (signature, message, key) = signed[index]
                    precondition(checker.verifies(signature, of: message, byCheckedKey: key))
                }
            }
        }
        group.wait()
        return Double(signed.count) / (seconds() - begun)
    }
}

/// A database with nothing of ours around it.
final class BareDatabase {
    private let handle: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]

    enum Field {
        case none
        case number(Int64)
        case text(String)
        case bytes([UInt8])
    }

    /// The settings that a node's own ledger has.
    init(_ path: String) throws {
        var handle: OpaquePointer?
        guard sqlite3_open(path, &handle) == SQLITE_OK, let handle else {
            throw BenchRefusal.setUp(path)
        }
        self.handle = handle
        try run(
            """
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
            PRAGMA wal_autocheckpoint = 8192; PRAGMA cache_size = -512; PRAGMA trusted_schema = OFF
            """)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close(handle)
    }

    func run(_ sql: String) throws {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw fault }
    }

    func run(_ sql: String, _ fields: [Field]) throws {
        let statement = try prepared(sql)
        try bind(fields, to: statement)
        guard sqlite3_step(statement) == SQLITE_DONE else { throw fault }
        sqlite3_reset(statement)
    }

    /// How many rows come.
    func rows(_ sql: String, _ fields: [Field]) throws -> Int {
        let statement = try prepared(sql)
        try bind(fields, to: statement)
        var count = 0
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW:
                for column in 0..<sqlite3_column_count(statement) {
                    _ = sqlite3_column_bytes(statement, column)
                }
                count += 1
            case SQLITE_DONE:
                sqlite3_reset(statement)
                return count
            default: throw fault
            }
        }
    }

    private func bind(_ fields: [Field], to statement: OpaquePointer) throws {
        for (index, field) in fields.enumerated() {
            let place = Int32(index + 1)
            let status =
                switch field {
                case .none: sqlite3_bind_null(statement, place)
                case .number(let number): sqlite3_bind_int64(statement, place, number)
                case .text(let text): sqlite3_bind_text(statement, place, text, -1, transient)
                case .bytes(let bytes):
                    sqlite3_bind_blob(statement, place, bytes, Int32(bytes.count), transient)
                }
            guard status == SQLITE_OK else { throw fault }
        }
    }

    private func prepared(_ sql: String) throws -> OpaquePointer {
        if let known = statements[sql] { return known }
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK, let statement
        else { throw fault }
        statements[sql] = statement
        return statement
    }

    private var fault: BenchRefusal { .setUp(String(cString: sqlite3_errmsg(handle))) }
    private let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
}

extension BareDatabase {
    /// The row of a log entry, as a node keeps it; its own are numbered.
    func insert(_ valid: ValidEntry, own: Bool = false) throws {
        guard let place = valid.header.log else { return }
        let entry = valid.entry
        let number = own ? "(SELECT max(ownNumber) + 1 FROM entry)" : "NULL"
        try run(
            """
            INSERT INTO entry (id, log, sequence, previous, author, kind, header, signature, body,
                isRival, ownSignatureChecked, ownNumber)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, \(number))
            """,
            [
                .bytes(entry.id.bytes), .bytes(place.log.bytes), .number(place.sequence),
                place.previous.map { .bytes($0.bytes) } ?? .none,
                .bytes(entry.header.author.bytes), .number(entry.header.kind),
                .bytes(entry.headerBytes), .bytes(entry.signature.bytes),
                entry.body.map { .bytes($0) } ?? .none,
                .number(valid.ownSignatureChecked ? 1 : 0),
            ])
    }
}

/// Seconds by a clock that only goes forward.
func seconds() -> Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

/// A folder that is gone afterwards; on the same disk as all others.
func inFolder<T>(_ body: (String) async throws -> T) async throws -> T {
    let base = ProcessInfo.processInfo.environment["TALEA_BENCH_FOLDER"] ?? NSTemporaryDirectory()
    let path = base + "/talea-bench-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
