/// What may stand where an unknown name does: the nearest spelling first.
enum Suggestion {
    /// More would not be read.
    static let most = 12
    /// Names are 32 long at most; beyond this nothing is near.
    private static let longest = 48

    /// The end of a refusal's sentence; empty where nothing is known.
    static func words(
        _ name: String, _ known: some Sequence<String>, _ language: Language, most: Int = most
    ) -> String {
        let ranked = nearest(known, to: name)
        guard let first = ranked.first else { return "" }
        let near = distance(first, name) <= max(1, name.count / 3)
        let rest = ranked.dropFirst(near ? 1 : 0)
        let list =
            rest.prefix(most).joined(separator: language == .en ? ", " : "、")
            + (rest.count > most ? " …" : "")
        switch (language, near) {
        case (.en, true):
            return "; did you mean “\(first)”?" + (list.isEmpty ? "" : " Also known here: \(list)")
        case (.en, false): return "; known here: \(list)"
        case (.zh, true): return "；是否指 “\(first)”？" + (list.isEmpty ? "" : "此处另有：\(list)")
        case (.zh, false): return "；此处可用：\(list)"
        }
    }

    static func nearest(_ known: some Sequence<String>, to name: String) -> [String] {
        known.map { ($0, distance($0, name)) }.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map(\.0)
    }

    /// Letters to add, to drop or to change.
    static func distance(_ one: String, _ other: String) -> Int {
        let left = Array(one.utf8)
        let right = Array(other.utf8)
        guard left.count <= longest, right.count <= longest else {
            return max(left.count, right.count)
        }
        var row = Array(0...right.count)
        for (index, letter) in left.enumerated() {
            var corner = index
            var before = index + 1
            var next = [before]
            for (place, above) in row.dropFirst().enumerated() {
                let kept = corner + (right[place] == letter ? 0 : 1)
                corner = above
                before = min(kept, above + 1, before + 1)
                next.append(before)
            }
            row = next
        }
        return row.last ?? 0
    }
}
