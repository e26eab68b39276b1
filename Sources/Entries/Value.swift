public import Capacity
public import Identity

/// One typed value as it stands in proposals, requests and records.
public indirect enum Value: Hashable, Sendable {
    /// Plain numbers: counts, basis points, durations in milliseconds.
    case integer(Int64)
    case money(Money)
    case quantity(Quantity)
    case instant(Instant)
    case hash(Hash32)
    case text(String)
    case identity(DID)
    case list([Value])
}

/// A value with its name; lists of arguments are sorted by the name's bytes and hold each name once.
public struct Argument: Hashable, Sendable {
    public let name: String
    public let value: Value

    public init(name: String, value: Value) {
        self.name = name
        self.value = value
    }
}

extension [Argument] {
    /// In the one order they are written in.
    public init(_ values: [String: Value]) {
        self = values.map { Argument(name: $0.key, value: $0.value) }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    public var byName: [String: Value] {
        Dictionary(map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
}
