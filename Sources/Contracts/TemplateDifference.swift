/// One place in which two template files say different things. Layout and comments do not count.
public struct TemplateDifference: Hashable, Sendable {
    /// Keys and positions from the top: `parameters.lot.default`, `check.0.that`.
    public let path: String
    /// `nil`: it stands in one of them alone.
    public let old: String?
    public let new: String?
    /// Line in the new file, or in the old one where it is gone.
    public let line: Int

    /// In the order of the old file, then what only the new one has.
    public static func between(
        _ old: [UInt8], _ new: [UInt8]
    ) throws(TemplateRefusal) -> [TemplateDifference] {
        var found: [TemplateDifference] = []
        compare(try Source.read(old), try Source.read(new), "", &found)
        return found
    }

    private static func compare(
        _ old: Source, _ new: Source, _ path: String, _ found: inout [TemplateDifference]
    ) {
        func inner(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
        switch (old, new) {
        case (.map(let before, _), .map(let after, _)):
            for pair in before {
                if let other = after.first(where: { $0.key == pair.key }) {
                    compare(pair.value, other.value, inner(pair.key), &found)
                } else {
                    found.append(one(inner(pair.key), pair.value, nil))
                }
            }
            for pair in after where !before.contains(where: { $0.key == pair.key }) {
                found.append(one(inner(pair.key), nil, pair.value))
            }
        case (.list(let before, _), .list(let after, _)):
            for index in 0..<max(before.count, after.count) {
                switch (before[safe: index], after[safe: index]) {
                case (let old?, let new?): compare(old, new, inner("\(index)"), &found)
                case (let old, let new): found.append(one(inner("\(index)"), old, new))
                }
            }
        default:
            if old.written != new.written { found.append(one(path, old, new)) }
        }
    }

    private static func one(_ path: String, _ old: Source?, _ new: Source?) -> TemplateDifference {
        TemplateDifference(
            path: path, old: old?.written, new: new?.written,
            line: (new ?? old)?.place.line ?? 1)
    }
}

extension Source {
    /// On one line, as a person might have written it.
    var written: String {
        switch self {
        case .text(let text, _): text
        case .list(let items, _): "[" + items.map(\.written).joined(separator: ", ") + "]"
        case .map(let pairs, _):
            "{" + pairs.map { "\($0.key): \($0.value.written)" }.joined(separator: ", ") + "}"
        }
    }
}
