/// What is to happen when, for worlds with millions of events that all lie near: one list for each
/// millisecond of the next minute. Equal times come in the order in which they were put.
struct Wheel<Event> {
    private static var span: Int64 { 65_536 }

    private var lists: [[Event]] = Array(repeating: [], count: Int(span))
    private var now: Int64 = 0
    private var taken = 0
    private(set) var count = 0

    /// Never before what was taken last; what lies further off than a minute comes after a minute.
    mutating func put(_ event: Event, at time: Int64) {
        let time = min(max(time, now), now + Self.span - 1)
        lists[Int(time % Self.span)].append(event)
        count += 1
    }

    /// The next one up to and including `end`.
    mutating func take(until end: Int64) -> (time: Int64, event: Event)? {
        while now <= end {
            let list = Int(now % Self.span)
            if taken < lists[list].count {
                taken += 1
                count -= 1
                return (now, lists[list][taken - 1])
            }
            lists[list].removeAll(keepingCapacity: false)
            taken = 0
            guard now < end else { return nil }
            guard count > 0 else {
                now = end
                return nil
            }
            now += 1
        }
        return nil
    }
}
