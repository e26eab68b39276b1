public import Entries
public import Identity

/// Why entries were not taken into a log.
public indirect enum LogRefusal: Error, Hashable, Sendable {
    case entry(EntryRefusal)
    case notALogEntry(EntryID)
    /// Author, log and topic of a log never change; this entry says otherwise.
    case foreign(EntryID)
    /// No run of entries is empty, jumps or mixes logs.
    case runUneven(at: Int64)
    /// The key entry that signed is not known here: wait for the author's key log.
    case keyUnknown(author: DID, key: EntryID)
    case keyLogBroken(author: DID, sequence: Int64)
    /// `previous` does not name the entry held before it.
    case chainBroken(at: EntryID)
    case timeFell(at: EntryID)
    /// A log's keys never get older, and get newer at a `continue` alone.
    case keyFell(at: EntryID)
    case keyRose(at: EntryID)
    /// Entries below this are missing here.
    case gap(log: LogID, held: Int64, offered: Int64)
    case logIdWrong(LogID)
    /// Two keys at one place are a matter of the key log, and no fork by themselves.
    case keysDiffer(EntryID, EntryID)
    /// Held below the fork that is claimed: another entry stands under the two.
    case forkElsewhere(log: LogID, sequence: Int64)
}
