import FoundationEssentials
import Glibc
import Identity

/// Port and bearer token of one running node, as they lie in `api.json` of its home, mode 0600: whoever
/// can read that file is the owner.
public struct DoorKey: Hashable, Sendable {
    public let port: Int
    /// 32 random bytes in hexadecimal.
    public let token: String

    public init(port: Int, token: String) {
        self.port = port
        self.token = token
    }

    public static let fileName = "api.json"

    /// A fresh token for every start.
    public static func freshToken() -> String { Entropy.bytes(32).hex }

    /// `nil` where there is no such file or it is not one of ours.
    public static func read(home: String) -> DoorKey? {
        guard let data = try? Data(contentsOf: URL(filePath: home + "/" + fileName)),
            let json = try? JSON(reading: data), let port = json["port"]?.number,
            (1...65_535).contains(port), let token = json["token"]?.string
        else { return nil }
        return DoorKey(port: Int(port), token: token)
    }

    /// Replaces the file in one step; nobody else can read it at any moment.
    public func write(home: String) throws {
        try Self.write(
            ["port": .number(port), "token": .string(token)], to: home + "/" + Self.fileName)
    }

    private static func write(_ json: JSON, to path: String) throws {
        let draft = path + ".new"
        unlink(draft)
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure(path: draft, code: errno) }
        defer { close(file) }
        let bytes = json.bytes()
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else {
            throw Failure(path: draft, code: errno)
        }
        guard rename(draft, path) == 0 else { throw Failure(path: path, code: errno) }
    }

    /// The token of whoever may look and do nothing: an accountant's program. Made at the first start and
    /// kept in `reader.json`, so that what was set up once goes on; another is made where the file is gone.
    /// On a full disk it is good for this run alone: a node does not stay away for want of a reader.
    public static func readerToken(home: String) -> String {
        let path = home + "/reader.json"
        if let data = try? Data(contentsOf: URL(filePath: path)),
            let token = (try? JSON(reading: data))?["token"]?.string, token.utf8.count == 64
        {
            return token
        }
        let token = freshToken()
        try? write(["token": .string(token)], to: path)
        return token
    }

    public static func remove(home: String) { unlink(home + "/" + fileName) }

    public struct Failure: Error, Hashable, Sendable {
        public let path: String
        public let code: Int32
    }

    /// Takes as long for a wrong first byte as for a wrong last one.
    static func same(_ left: some StringProtocol, _ right: String) -> Bool {
        let (one, other) = (Array(left.utf8), Array(right.utf8))
        guard one.count == other.count else { return false }
        var difference: UInt8 = 0
        for index in one.indices { difference |= one[index] ^ other[index] }
        return difference == 0
    }
}
