public import Capacity
public import Entries
public import Identity
internal import Ledger

// What changes of key do inside a contract. A `continue` takes a place in its sequencer's log and nothing
// else. A step that embeds a key entry ends the older keys of that author: from the next step on, what
// they signed as statements is not admissible here.

extension Fold {
    /// The sequencer's log goes on under a newer key.
    mutating func goOn(_ entry: Entry, _ place: Header.LogPlace) -> [TransferEvent] {
        steps.append(
            StepOutline(
                sequence: head.sequence + 1, id: entry.id, log: place.log,
                logSequence: place.sequence, time: entry.header.time, act: Self.continued,
                actor: entry.header.author, request: nil,
                // A log that begins so was never opened.
                void: head.sequence == 0 ? .openingMissing : nil, changed: []))
        beginEpochIfReached()
        return []
    }

    /// Key entries of participants, each the next of its author: its predecessor is the first one or was
    /// embedded before it.
    func checkEmbedded(_ entries: [Entry], keys: KeyLookup, checker: SignatureChecker)
        throws(FoldRefusal)
    {
        var embedded = embeddedKeys
        for entry in entries {
            let author = entry.header.author
            guard participants.contains(author), let place = entry.header.log,
                place.log == .key(author: author), let previous = place.previous,
                place.sequence == 2 || embedded.contains(previous),
                embedded.insert(entry.id).inserted
            else { throw .keyEntryMisplaced(entry.id) }
            guard let key = keys(author, entry.id) else { throw .keyUnknown(author) }
            do {
                guard try entry.read(KeyBody.self).publicKey == key else {
                    throw FoldRefusal.keyEntryMisplaced(entry.id)
                }
                _ = try ValidEntry(entry, byCheckedKey: key, checker: checker)
            } catch {
                throw .keyEntryMisplaced(entry.id)
            }
        }
    }

    /// That somebody other than the sequencer knows of a step.
    public struct Word: Hashable, Sendable {
        let step: EntryID
        let by: DID
        /// Its purpose is to say that the step is held.
        let isDelivered: Bool
    }

    /// Acknowledgements in `step` that were signed by whom they name, under a key that is not replaced here
    /// yet. What is in it beside that was put into somebody's mouth, and counts for nothing.
    public func words(
        in step: Step, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> Set<Word> {
        var words: Set<Word> = []
        for entry in step.consents
        where entry.header.author != proposal.sequencer
            && participants.contains(entry.header.author)
        {
            guard let body = try? entry.read(Acknowledgement.self) else { continue }
            do { try check(entry, keys: keys, checker: checker) } catch {
                // The order in which logs arrive must not decide what counts.
                if case .keyUnknown = error { throw error }
                continue
            }
            words.insert(
                Word(
                    step: body.entry, by: entry.header.author,
                    isDelivered: body.purpose == .delivered))
        }
        return words
    }

    /// Remembers which steps somebody other than the sequencer built on, and who knows of which.
    mutating func rely(on step: Step, _ words: Set<Word>) {
        if let request = step.request, request.header.author != proposal.sequencer,
            let basis = request.header.statement?.basis
        {
            bases.insert(basis)
        }
        for word in words { bases.insert(word.step) }
        self.words.formUnion(words)
    }

    mutating func embed(_ entries: [Entry]) {
        for entry in entries {
            embeddedKeys.insert(entry.id)
            guard let previous = entry.header.log?.previous,
                let body = try? entry.read(KeyBody.self)
            else { continue }
            let time = body.replacesFrom(entry.header.time)
            supersededKeys[previous] = min(supersededKeys[previous] ?? time, time)
        }
    }

    /// Whether a step put this key out of force: statements under it are not admissible any more. With
    /// witnesses, what they had before the change was signed before it, and stands: `time` is when M of
    /// them had it.
    public func isSuperseded(_ key: EntryID?, at time: Instant? = nil) -> Bool {
        guard let since = key.flatMap({ supersededKeys[$0] }) else { return false }
        guard isWitnessed, let time else { return true }
        return time >= since
    }

    public static let continued = SignedAct(transition: "continue", record: 0, arguments: [])
}
