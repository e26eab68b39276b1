public import Entries
import FoundationEssentials
import Identity
public import NodeCore

/// What `proof export` writes of a contract: the very bytes that were signed in base64, nothing in words.
public enum BundleFile {
    case whole(Bundle)
    case steps(Disclosure)

    public static let bytesMax = 32 << 20
    private static let version: Int64 = 1

    /// `nil` where the bytes have not the shape; refused where what they hold is not strictly well-formed.
    public init?(_ bytes: [UInt8]) throws(EntryRefusal) {
        guard bytes.count <= Self.bytesMax, let json = try? JSON(reading: bytes),
            json["bundle"]?.number == Self.version
        else { return nil }
        if json["contract_key"] != nil {
            let names = [
                "bundle", "contract_key", "template", "keys", "statements", "entries", "forks",
            ]
            guard json.has(exactly: names),
                let key = json["contract_key"]?.base64.flatMap({ ContractKey($0) }),
                let template = json["template"]?.base64, let keys = json["keys"]?.base64s,
                let statements = json["statements"]?.base64s,
                let entries = json["entries"]?.base64s, let forks = json["forks"]?.base64s
            else { return nil }
            self = .whole(
                Bundle(
                    key: key, template: template, keys: try Self.read(keys),
                    statements: try Self.read(statements), entries: try Self.read(entries),
                    forks: try Self.read(forks)))
        } else {
            guard json.has(exactly: ["bundle", "contract", "keys", "entries"]),
                let contract = json["contract"]?.base64.flatMap({ ContractID($0) }),
                let keys = json["keys"]?.base64s, case .array(let items) = json["entries"]
            else { return nil }
            var parts: [Disclosure.Part] = []
            for item in items {
                guard item.has(exactly: ["entry", "body_key", "request_key"]),
                    let entry = item["entry"]?.base64, let bodyKey = item["body_key"],
                    let requestKey = item["request_key"],
                    bodyKey == .null || bodyKey.base64?.count == 32,
                    requestKey == .null || requestKey.base64?.count == 32
                else { return nil }
                parts.append(
                    .init(
                        entry: try Entry(strict: entry), bodyKey: bodyKey.base64,
                        requestKey: requestKey.base64))
            }
            self = .steps(
                Disclosure(contract: contract, keys: try Self.read(keys), parts: parts))
        }
    }

    private static func read<Message: WireMessage>(_ all: [[UInt8]]) throws(EntryRefusal)
        -> [Message]
    {
        var read: [Message] = []
        for bytes in all { read.append(try Message(strict: bytes)) }
        return read
    }

    public var isWhole: Bool { if case .whole = self { true } else { false } }

    /// The contract as every node that holds these entries tells it, or what a stranger learns of the
    /// steps shown.
    public func told() throws(BundleRefusal) -> JSON {
        switch self {
        case .whole(let bundle): try bundle.told()
        case .steps(let disclosure): try disclosure.told()
        }
    }

    public var json: JSON {
        switch self {
        case .whole(let bundle):
            [
                "bundle": .number(Self.version), "contract_key": .base64(bundle.key.bytes),
                "template": .base64(bundle.template),
                "keys": .array(bundle.keys.map { .base64($0.wire) }),
                "statements": .array(bundle.statements.map { .base64($0.wire) }),
                "entries": .array(bundle.entries.map { .base64($0.wire) }),
                "forks": .array(bundle.forks.map { .base64($0.wire) }),
            ]
        case .steps(let disclosure):
            [
                "bundle": .number(Self.version), "contract": .base64(disclosure.contract.bytes),
                "keys": .array(disclosure.keys.map { .base64($0.wire) }),
                "entries": .array(
                    disclosure.parts.map { part in
                        [
                            "entry": .base64(part.entry.wire),
                            "body_key": part.bodyKey.map { .base64($0) } ?? .null,
                            "request_key": part.requestKey.map { .base64($0) } ?? .null,
                        ]
                    }),
            ]
        }
    }
}

extension JSON {
    public static func base64(_ bytes: [UInt8]) -> JSON {
        .string(Data(bytes).base64EncodedString())
    }

    /// Standard base64 in its one form.
    public var base64: [UInt8]? {
        guard let string, let data = Data(base64Encoded: string),
            data.base64EncodedString() == string
        else { return nil }
        return [UInt8](data)
    }

    var base64s: [[UInt8]]? {
        guard case .array(let items) = self else { return nil }
        let all = items.compactMap(\.base64)
        return all.count == items.count ? all : nil
    }

    func has(exactly names: [String]) -> Bool { Set(fields.map(\.name)) == Set(names) }
}
