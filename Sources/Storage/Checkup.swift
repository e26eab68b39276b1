internal import Foundation
internal import GRDB
internal import Identity
internal import Synchronization

/// How the ledger of a home is, looked at from outside: nothing is written, and its node may run meanwhile.
public struct Checkup: Hashable, Sendable {
    public let schema: Int
    /// What SQLite says of the pages; `nil`: they hold.
    public let damage: String?
    public let mark: Mark
    /// The newest schema that this program knows.
    public static let schemaKnown = Schema.known

    /// The sidecar beside the ledger.
    public enum Mark: Hashable, Sendable {
        case agrees, missing, foreign
        case ahead(sidecar: Int64, ledger: Int64)
    }

    public init(home path: String) throws(StorageRefusal) {
        let home = Home(path: path)
        guard Home.exists(home.ledger) else { throw .homeMissing(path: path) }
        // Before the ledger: it is never ahead of what is read later.
        var sidecar = Sidecar(path: home.sidecar)
        defer { sidecar.close() }
        let known = try sidecar.read()
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            configuration.readonly = true
            let queue = try DatabaseQueue(path: home.ledger, configuration: configuration)
            (schema, damage, mark) = try queue.read { db in
                let answer = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? ""
                guard let file = try Data.fetchOne(db, sql: "SELECT file FROM node") else {
                    throw StorageRefusal.corrupt(detail: "whose node this is, is not told")
                }
                let held =
                    try Int64.fetchOne(db, sql: "SELECT coalesce(max(ownNumber), 0) FROM entry")
                    ?? 0
                let there = try known.flatMap { try db.ownEntry(number: $0.count) }
                let said = try known.flatMap { try db.statement(at: $0.statement) }
                let last = try db.lastStatement()
                return (
                    try Schema.version(db), answer == "ok" ? nil : answer,
                    Mark(
                        known, file: file, held: held, there: there,
                        statements: last, said: said)
                )
            }
            try queue.close()
        } catch {
            throw StorageRefusal(error)
        }
    }
}

extension Checkup.Mark {
    fileprivate init(
        _ known: HighWater?, file: Data, held: Int64, there: EntryID?, statements: Int64,
        said: EntryID?
    ) {
        guard let known else {
            self = .missing
            return
        }
        if known.file.data != file || known.machine != Machine.hash() {
            self = .foreign
        } else if known.count > held {
            self = .ahead(sidecar: known.count, ledger: held)
        } else if known.statement > 0, said == nil {
            self = .ahead(sidecar: known.statement, ledger: statements)
        } else if known.statement > 0, said != known.newestStatement {
            self = .foreign
        } else {
            self = there == known.newest ? .agrees : .foreign
        }
    }
}
