internal import Foundation
internal import GRDB
public import Identity
public import Ledger

/// Every no of this room. After a refused commit the caller drops its value and loads again.
public indirect enum StorageRefusal: Error, Hashable, Sendable {
    case homeMissing(path: String)
    /// There is a node here already; the path is the file that says so.
    case homeExists(path: String)
    /// Another process, or this one, holds the home; the number it wrote, if it can be read.
    case homeLocked(path: String, pid: Int32?)
    /// Others than the owner may read or write it. Found: permission bits.
    case modeTooWide(path: String, found: UInt32)
    /// Written by a newer program.
    case newerSchema(found: Int, known: Int)
    /// SQLite did not take a setting without which an acknowledged commit can be lost.
    case notDurable(pragma: String, found: String)
    case diskFull
    /// SQLite's extended result code.
    case ioError(code: Int32)
    case fileError(path: String, errno: Int32)
    /// The file is no ledger of ours, or its pages are broken.
    case corrupt(detail: String)
    /// One stored thing is not what its own hash says.
    case damaged(Damage)
    /// The schema refused: the caller asked for what may not be.
    case lawBroken(detail: String)
    case ledger(LedgerRefusal)
    /// Books alone do not tell which deposit of this contract came first; give the events.
    case postingOrderUnknown(ContractID)
    case busy
    case sqlite(code: Int32, detail: String)

    /// A stored thing whose bytes changed under us.
    public enum Damage: Hashable, Sendable {
        case entry(EntryID, log: LogID, sequence: Int64)
        case statement(EntryID)
        case template(Hash32)
        /// A row that is not even readable: table and row number.
        case row(table: String, number: Int64)
        /// What SQLite says of its own pages.
        case pages(String)
    }

    /// Whether the disk or its files are at fault, not what was to be written.
    public var isOfTheDisk: Bool {
        switch self {
        case .diskFull, .ioError, .fileError, .corrupt, .damaged, .sqlite, .notDurable: true
        case .homeMissing, .homeExists, .homeLocked, .modeTooWide, .newerSchema, .lawBroken,
            .ledger, .postingOrderUnknown, .busy:
            false
        }
    }

    init(_ error: any Error) {
        if let refusal = error as? StorageRefusal {
            self = refusal
        } else if let refusal = error as? LedgerRefusal {
            self = .ledger(refusal)
        } else if let error = error as? DatabaseError {
            let detail = error.message ?? ""
            switch error.resultCode {
            case .SQLITE_FULL: self = .diskFull
            case .SQLITE_IOERR: self = .ioError(code: error.extendedResultCode.rawValue)
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(detail: detail)
            case .SQLITE_CONSTRAINT: self = .lawBroken(detail: detail)
            case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy
            default: self = .sqlite(code: error.extendedResultCode.rawValue, detail: detail)
            }
        } else {
            self = .corrupt(detail: "\(error)")
        }
    }

    /// For a system call that failed just now.
    init(errno code: Int32, _ path: String) {
        self = code == ENOSPC || code == EDQUOT ? .diskFull : .fileError(path: path, errno: code)
    }
}
