internal import Foundation
internal import GRDB
internal import Identity

/// Hands a statement its values one by one, in the order of its marks. What is left out is NULL.
///
/// `StatementArguments` boxes each value in a list first, which costs more than SQLite's own work on a
/// row of fifteen. The statement must be a cached one, and of this connection.
struct Binding: ~Copyable {
    private let statement: Statement
    private var place: CInt = 0

    init(_ statement: Statement) {
        self.statement = statement
        // From here on GRDB takes the bindings as they are.
        statement.setUncheckedArguments(StatementArguments())
    }

    mutating func add(_ value: (some StatementBinding)?) throws {
        place += 1
        guard let value else { return }
        let code = value.bind(to: statement.sqliteStatement, at: place)
        guard code == 0 else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }

    mutating func add<K>(_ value: Fixed32<K>?) throws {
        guard let (a, b, c, d) = value?.words else { return try skip() }
        try withUnsafeBytes(of: (a.bigEndian, b.bigEndian, c.bigEndian, d.bigEndian)) { bytes in
            try add(bytes)
        }
    }

    mutating func add(_ value: [UInt8]?) throws {
        guard let value else { return try skip() }
        try value.withUnsafeBytes { try add($0) }
    }

    /// Without a copy on the way: SQLite makes its own.
    private mutating func add(_ bytes: UnsafeRawBufferPointer) throws {
        guard let base = bytes.baseAddress else { return try add(Data()) }
        try add(
            Data(
                bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: bytes.count,
                deallocator: .none))
    }

    private mutating func skip() throws { try add(Int64?.none) }

    consuming func execute() throws { try statement.execute() }

    consuming func row() throws -> Row? { try Row.fetchOne(statement) }

    consuming func number() throws -> Int64? { try Int64.fetchOne(statement) }

    /// Read them before the statement is used again.
    consuming func rows() throws -> RowCursor { try Row.fetchCursor(statement) }
}

extension GRDB.Database {
    func binding(_ sql: String) throws -> Binding { Binding(try cachedStatement(sql: sql)) }
}
