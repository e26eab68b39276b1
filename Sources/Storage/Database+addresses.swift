internal import Foundation
internal import GRDB
internal import Identity
internal import NodeCore
internal import Replication

// What the address book knows again after a start.

extension GRDB.Database {
    func set(_ address: AddressBook.Address, good: Int64?) throws {
        let key: StatementArguments = [address.did.data, address.host, address.port]
        guard let good else {
            return try run("DELETE FROM triedAddress WHERE did = ? AND host = ? AND port = ?", key)
        }
        try run(
            """
            INSERT INTO triedAddress (did, host, port, good) VALUES (?, ?, ?, ?)
            ON CONFLICT (did, host, port) DO UPDATE SET good = excluded.good
            """, key + [good])
    }

    func set(anchors: [AddressBook.Address]) throws {
        try run("DELETE FROM anchor", [])
        for address in anchors {
            try run(
                "INSERT INTO anchor (did, host, port) VALUES (?, ?, ?)",
                [address.did.data, address.host, address.port])
        }
    }

    func tried() throws -> [(address: AddressBook.Address, good: Int64)] {
        try all("SELECT * FROM triedAddress ORDER BY did, host, port") { row in
            (try row.address(), try row.number("good"))
        }
    }

    func anchors() throws -> [AddressBook.Address] {
        try all("SELECT * FROM anchor ORDER BY position") { try $0.address() }
    }
}

extension Row {
    fileprivate func address() throws -> AddressBook.Address {
        .init(did: try fixed("did"), host: try text("host"), port: Int(try number("port")))
    }
}
