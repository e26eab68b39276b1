import Capacity

/// A part of a list: `--limit` items after the cursor of the part before.
///
/// The cursor names the last item that was shown, so that nothing is shown twice or left out while the
/// list grows; its place counts only where that item is gone.
struct Page: Sendable {
    let limit: Int?
    let place: Int
    let id: String

    static let limitDefault = 100
    static let limitMax: Int64 = 1000
    static let placeMax = Int(wholeNumberMax)

    /// The items of this part, and the cursor of the next; `null` where nothing follows.
    func cut<Item>(_ all: [Item], id: (Item) -> String) -> (shown: [Item], next: JSON) {
        var start = min(place, all.count)
        if place > 0, !all.indices.contains(place - 1) || id(all[place - 1]) != self.id,
            let found = all.firstIndex(where: { id($0) == self.id })
        {
            start = found + 1
        }
        let end = limit.map { min(start + $0, all.count) } ?? all.count
        let shown = Array(all[start..<end])
        guard end < all.count, let last = shown.last else { return (shown, .null) }
        return (shown, .string("\(end).\(id(last))"))
    }

    /// The same of what is made as it is asked for: no more of it than this part needs, unless its cursor
    /// has moved and is to be found.
    func cut<Item>(lazily items: some Sequence<Item>, id: (Item) -> String) -> (
        shown: [Item], next: JSON
    ) {
        var all: [Item] = []
        var rest = items.makeIterator()
        while let limit, all.count <= place + limit, let item = rest.next() { all.append(item) }
        if limit == nil || place > 0 && (all.count < place || id(all[place - 1]) != self.id) {
            while let item = rest.next() { all.append(item) }
        }
        return cut(all, id: id)
    }
}

extension Options {
    mutating func page() throws(DoorRefusal) -> Page {
        let limit = try number("limit", atLeast: 1)
        if let limit, limit > Page.limitMax {
            throw Self.wrong(
                "limit", "\(limit)", "at most \(Page.limitMax)", "至多 \(Page.limitMax)")
        }
        guard let cursor = try one("after") else {
            return Page(limit: limit.map(Int.init), place: 0, id: "")
        }
        let parts = cursor.split(separator: ".", maxSplits: 1)
        // No list is longer; what is added to a place must not run over.
        guard parts.count == 2, let place = Int(parts[0]), (1...Page.placeMax).contains(place)
        else {
            throw Self.wrong(
                "after", cursor, "what an answer calls “next”", "上一次回答中的 next")
        }
        return Page(limit: limit.map(Int.init), place: place, id: String(parts[1]))
    }
}
