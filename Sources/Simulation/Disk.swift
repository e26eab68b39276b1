package import Entries
package import Identity
package import Ledger
package import NodeCore
package import Replication

/// What lies under a simulated machine and outlives its processes: a node's home.
///
/// `ModelDisk` says in memory what a home would hold. Another conformer may keep real files.
package protocol Disk {
    /// The key file: whose node this is, and the key that it signs with.
    var own: Own { get }
    /// Makes the home of a new node.
    mutating func create(_ genesis: Genesis, templates: [[UInt8]]) throws

    // What the process does

    /// What a node starts from: the home is opened, if it is not open yet, and read. `isFull`: nothing can
    /// be written just now.
    mutating func load(isFull: Bool) -> Loaded
    /// One transaction, and the high-water sidecar.
    mutating func commit(
        _ changes: [Change], own: Own?, under fault: DiskFault?
    ) -> CommitOutcome
    /// The stored books do not add up, and wait to be written anew.
    var isBookless: Bool { get }
    /// Writes the stored books anew.
    mutating func repair(_ books: Books) throws
    /// The frames that a directive puts on their way, and to whom.
    mutating func frames(for directive: Directive) -> [(peer: PeerID, frame: Frame)]
    /// The process ends in order.
    mutating func close()

    // What befalls it

    /// The process ends at once, and maybe the power goes with it.
    mutating func crash()
    /// A bit turns over before the next start: in this entry, or wherever chance has it.
    mutating func damage(_ entry: EntryID)
    /// Keeps the whole home as it is now, to be put back one day.
    mutating func copy()
    /// Puts back the oldest copy that is kept, if it lacks something of our own; the sidecar stays. The
    /// process has ended.
    mutating func putBack() -> Bool
    /// From now on nothing goes wrong any more.
    mutating func heal()

    // What the oracle sees

    /// Whether a commit holds this entry or statement.
    func holds(_ id: EntryID) -> Bool
    /// All entries that stand, in the order they were kept.
    var entries: [ValidEntry] { get }
    func entries(of log: LogID) -> [Entry]
    func entry(of log: LogID, at sequence: Int64) -> Entry?
    /// All that a node would start from now; `nil` where it cannot be read.
    var snapshot: Snapshot? { get }
    /// Where the stored books are not these.
    func difference(to books: Books) -> String?
    /// How often what befell it, by name.
    var befell: [String: Int] { get }
    /// Different wherever two runs of one seed did something else to the disk.
    var print: UInt64 { get }
}

/// What a commit meets.
package enum DiskFault: Hashable, Sendable {
    /// No room for anything.
    case full
    /// A call fails. The model alone heeds whether the commit is kept all the same.
    case fails(keeping: Bool)
    /// The process ends on the way.
    case stops
}

package enum CommitOutcome: Hashable, Sendable {
    /// It returned: what follows from it may be said.
    case kept
    /// It did not return, and all of it is there.
    case untold
    /// It did not return, and nothing of it is there.
    case lost
    /// The laws of the tables refused it: nothing of it is there.
    case refused(String)
}

package enum Loaded {
    case whole(Contents)
    /// Something stored is damaged: it never starts again. `unprovoked`: how, where nothing befell the disk
    /// that it does not promise to survive.
    case damaged(unprovoked: String?)
    /// The disk fails: the process ends, and may be started again.
    case failing

    package struct Contents {
        package var snapshot: Snapshot
        /// What a commit had kept, and is not there any more.
        package var lost: EntryID?
        /// A bit turned over since the last start: what is missing went with it, or was let go of.
        package var isWorn = false

        package init(snapshot: Snapshot, lost: EntryID? = nil, isWorn: Bool = false) {
            self.snapshot = snapshot
            self.lost = lost
            self.isWorn = isWorn
        }
    }
}
