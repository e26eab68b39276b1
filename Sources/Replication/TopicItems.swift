internal import HashTreeCollections
public import Identity

/// What stands for the logs of one topic, kept as they change and never made anew.
public struct TopicItems: Sendable {
    public private(set) var tree = ItemTree()
    // Trees: readers hold copies of the node, and after each of them a whole table would be copied.
    private var logs: TreeDictionary<LogID, Place> = [:]
    private var owners: TreeDictionary<ItemID, LogID> = [:]

    private struct Place: Sendable {
        /// How many logs came before this one.
        let order: Int
        var items: [Item]
    }

    public init() {}

    /// `items` stand for `log` from now on, and nothing else does.
    public mutating func set(_ log: LogID, to items: [Item]) {
        var place = logs[log] ?? Place(order: logs.count, items: [])
        for item in place.items where !items.contains(item) {
            tree.remove(item)
            owners[item.id] = nil
        }
        for item in items where tree.insert(item) { owners[item.id] = log }
        place.items = items
        logs[log] = place
    }

    /// These items with their logs, in the order in which the logs came.
    public func owners(of items: [ItemID]) -> [(item: ItemID, log: LogID)] {
        let known = items.compactMap { item in
            owners[item].map { (item: item, log: $0, order: logs[$0]?.order ?? 0) }
        }
        return known.sorted { ($0.order, $0.item) < ($1.order, $1.item) }
            .map { (item: $0.item, log: $0.log) }
    }
}
