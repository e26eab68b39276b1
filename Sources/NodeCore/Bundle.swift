public import Contracts
public import Entries
public import Identity
public import Logs

/// Everything of one contract that its story rests on: whoever holds it folds the contract again, with no
/// home, no node and no network.
public struct Bundle: Hashable, Sendable {
    public var key: ContractKey
    public var template: [UInt8]
    /// Of everyone who signed anything here, each key log from its first entry on.
    public var keys: [Entry]
    /// The proposal first, then what was answered to it.
    public var statements: [Entry]
    /// Log by log, each from its first entry on.
    public var entries: [Entry]
    /// Of these logs, where one is known to part.
    public var forks: [ForkProof]

    public init(
        key: ContractKey, template: [UInt8], keys: [Entry], statements: [Entry],
        entries: [Entry], forks: [ForkProof]
    ) {
        self.key = key
        self.template = template
        self.keys = keys
        self.statements = statements
        self.entries = entries
        self.forks = forks
    }
}

/// Why what somebody exported of a contract does not hold.
public enum BundleRefusal: Error, Hashable, Sendable {
    case entry(EntryRefusal)
    case log(LogRefusal)
    case fold(FoldRefusal)
    case template(TemplateRefusal)
    /// It has no place in this contract.
    case foreign(EntryID)
    case keyUnknown(DID)
    case proposalMissing
    /// The fold cannot go on, for something that the bundle lacks or only a newer program reads.
    case halted(Fold.Halt)
    case stepUnknown(Int64)
    /// A body without its key, a key without its body, or a body withheld that nobody may withhold.
    case bodyAndKey(EntryID)
}

/// Logs that came all at once, each from its first entry on, checked as a node checks what it is sent.
struct CheckedLogs {
    private(set) var keyLogs = KeyLogs()
    private(set) var entries: [ValidEntry] = []
    private let checker: SignatureChecker

    init(
        keys: [Entry], entries all: [Entry], forks: [ForkProof] = [], checker: SignatureChecker
    ) throws(BundleRefusal) {
        self.checker = checker
        do throws(LogRefusal) {
            for entry in keys {
                let valid = try keyLogs.decide(entry, checker: checker)
                keyLogs.apply(valid)
                entries.append(valid)
            }
            for fork in forks where fork.one.entry.kind == .key {
                try fork.check(keys: keyLogs, checker: checker)
                for entry in [fork.one.entry, fork.two.entry] {
                    keyLogs.note(parted: ValidEntry(stored: entry, ownSignatureChecked: true))
                }
            }
            var chains = Chains()
            var rest = all[...]
            while let first = rest.first {
                let log = first.header.log?.log
                let run = rest.prefix { $0.header.log?.log == log }
                rest = rest.dropFirst(run.count)
                // An ended log need not go on under a newer key.
                let admission = try chains.decide(
                    Array(run), keys: keyLogs, checker: checker, adopting: true)
                guard case .extends(let valid) = admission else {
                    throw LogRefusal.foreign(first.id)
                }
                for one in valid { chains.apply(one) }
                entries += valid
            }
        } catch {
            throw .log(error)
        }
    }

    /// A statement, or an entry that a step embeds, by its own signature.
    func valid(_ entry: Entry) throws(BundleRefusal) -> ValidEntry {
        let author = entry.header.author
        guard let id = entry.header.key, let key = keyLogs.keyOfSigner(author, id) else {
            throw .keyUnknown(author)
        }
        do { return try ValidEntry(entry, byCheckedKey: key, checker: checker) } catch {
            throw .entry(error)
        }
    }

    func check(_ fork: ForkProof) throws(BundleRefusal) {
        do { try fork.check(keys: keyLogs, checker: checker) } catch { throw .log(error) }
    }
}

extension HeldContract {
    /// What this node holds of the proposal and of the answers to it.
    var said: [Entry] {
        [proposalEntry] + acceptances.values.sorted { $0.id < $1.id }
            + [declined?.entry].compactMap(\.self)
    }
}
