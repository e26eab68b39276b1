public import Entries
public import Identity

/// Why entries were not taken into a log.
public enum LogRefusal: Error, Hashable, Sendable {
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
    /// Entries below this are missing here.
    case gap(log: LogID, held: Int64, offered: Int64)
    case logIdWrong(LogID)
}
