internal import Dashboard
internal import Logging
internal import NodeCore
internal import Storage
internal import Synchronization

/// The disk is not trusted to keep what it was given: everything is hashed again now and then, in the
/// background and beside the loop.
extension Runtime {
    /// Rows of one slice, and seconds between slices: a few milliseconds of work a second, and a million
    /// entries in an hour.
    private static let sliceRows = 256
    private static let sliceSeconds = 1
    /// Seconds between two scrubs, and before the first: starting has the disk for itself.
    private static let restSeconds = 86_400
    private static let startSeconds = 5

    /// Never ends but with the process.
    func scrub() async {
        var wait = Self.startSeconds
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(wait))
            var mark: ScrubMark? = ScrubMark()
            var (rows, bad) = (Int64(0), Int64(0))
            while let now = mark, !Task.isCancelled {
                guard let found = try? database.scrub(after: now, rows: Self.sliceRows) else {
                    break
                }
                (rows, mark) = (now.rows, found.next)
                bad += Int64(found.damages.count)
                if !found.damages.isEmpty { mend(found.damages) }
                try? await Task.sleep(for: .seconds(Self.sliceSeconds))
            }
            if mark == nil { note(scrub: .init(finished: Clock.now(), entries: rows, bad: bad)) }
            wait = Self.restSeconds
        }
    }

    /// Others' public entries come again from peers; anything else ends the process before it is used.
    private func mend(_ damages: [StorageRefusal.Damage]) {
        do {
            try database.forget(damages)
            for damage in damages { tell(mended: damage) }
            readAnew()
        } catch {
            halt(error)
        }
    }

    /// A process that ended between the commit of a fork or a ruling and its reload left rows of steps in the
    /// ledger that no longer stand. They go before anyone reads them.
    func mendLedger() {
        guard let start = start.withLock({ $0 }), start.mayHaveLostSteps else { return }
        do {
            let found = try database.compare(to: start.ledger, repair: true)
            if !found.isEmpty { logger.notice("the ledger was written anew from what stands") }
        } catch {
            logger.error("the ledger cannot be compared with what stands: \(error)")
        }
    }
}
