/// A hierarchical name of what is made, most general part first: `print/letterpress/a5`.
public struct Resource: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let path: String

    /// Refused unless 1 … 8 parts of `a-z 0-9 -`, at most 128 bytes in all.
    public init(_ path: String) throws(CapacityRefusal) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let lawful = parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy {
                    (97...122).contains($0) || (48...57).contains($0) || $0 == 45
                }
        }
        guard (1...8).contains(parts.count), path.utf8.count <= 128, lawful else {
            throw .resourceMalformed(path)
        }
        self.path = path
    }

    /// Equal, or one the beginning of the other: selling both sells the same machine twice.
    public func overlaps(_ other: Resource) -> Bool {
        path == other.path || path.hasPrefix(other.path + "/") || other.path.hasPrefix(path + "/")
    }

    public static func < (left: Resource, right: Resource) -> Bool { left.path < right.path }
    public var description: String { path }
}

/// Half-open: from `start` up to but not including `end`. The offset is how the issuer reads it.
public struct Window: Hashable, Sendable {
    public let start: Instant
    public let end: Instant
    public let offsetMinutes: Int

    public init(start: Instant, end: Instant, offsetMinutes: Int) throws(CapacityRefusal) {
        guard start < end else { throw .windowEmpty(start: start, end: end) }
        guard (-1080...1080).contains(offsetMinutes) else {
            throw .windowOffset(minutes: offsetMinutes)
        }
        self.start = start
        self.end = end
        self.offsetMinutes = offsetMinutes
    }

    public func overlaps(_ other: Window) -> Bool { start < other.end && other.start < end }
}

/// What a line counts: units of a resource inside a window.
public struct LineTerms: Hashable, Sendable {
    public let resource: Resource
    public let window: Window
    public let unit: UnitCode

    public init(resource: Resource, window: Window, unit: UnitCode) {
        self.resource = resource
        self.window = window
        self.unit = unit
    }

    /// Lines of one issuer that overlap sell the same capacity twice.
    public func overlaps(_ other: LineTerms) -> Bool {
        resource.overlaps(other.resource) && window.overlaps(other.window)
    }
}
