/// What is to happen when: a binary heap of events by virtual time. Equal times come in the order in
/// which they were put, so that nothing depends on the heap's shape.
struct Agenda<Event> {
    private struct Item {
        let time: Int64
        let order: UInt64
        let event: Event

        func comesBefore(_ other: Item) -> Bool {
            time != other.time ? time < other.time : order < other.order
        }
    }

    private var items: [Item] = []
    private var puts: UInt64 = 0

    var count: Int { items.count }
    var nextTime: Int64? { items.first?.time }

    mutating func put(_ event: Event, at time: Int64) {
        items.append(Item(time: time, order: puts, event: event))
        puts += 1
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard items[child].comesBefore(items[parent]) else { break }
            items.swapAt(child, parent)
            child = parent
        }
    }

    mutating func take() -> (time: Int64, event: Event)? {
        guard let first = items.first else { return nil }
        let last = items.removeLast()
        guard !items.isEmpty else { return (first.time, first.event) }
        items[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < items.count {
                if items[child].comesBefore(items[least]) { least = child }
            }
            guard least != parent else { break }
            items.swapAt(parent, least)
            parent = least
        }
        return (first.time, first.event)
    }
}
