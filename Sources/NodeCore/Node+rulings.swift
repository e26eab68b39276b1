internal import HashTreeCollections
internal import Contracts
internal import Entries
internal import Identity
internal import Logs
internal import Replication

// A ruling on a contract's log that parts: the branch that it names stands up to there, whichever this
// node heard first. What a node holds beside its own branch is folded from storage, at a start.

extension Node {
    /// A ruling says which branch stands from the fork on, and how far.
    func isRuled(_ contract: ContractID, forkedAt sequence: Int64) -> Bool {
        guard let takeover = contracts[contract]?.fold?.takeover else { return false }
        return takeover.ruling != nil && takeover.basis >= sequence
    }

    /// Of what witnesses say to a claim, the words that name steps which are held here; else, as where the
    /// log parts, those of one step that M of them name. Any M words do, for one of them is true of whatever
    /// M receipted: what a single witness makes up would be a basis that nobody ever reaches.
    func agreeing(_ receipts: [Entry], _ fold: Fold) -> [Entry] {
        let chain = chains.chain(fold.log)
        let forked = forkedAt[fold.log] ?? 0
        var held: [Entry] = []
        var named: [EntryID: [Entry]] = [:]
        for receipt in receipts {
            guard let word = try? receipt.read(Receipt.self), word.highest >= forked else {
                continue
            }
            guard let step = word.highestStep else {
                if word.highest == 0 { held.append(receipt) }
                continue
            }
            if chain?.id(at: word.highest) == step { held.append(receipt) }
            named[step, default: []].append(receipt)
        }
        let needed = Int(clamping: fold.threshold)
        if held.count >= needed { return held }
        return sorted(named).first { $0.1.count >= needed }?.1 ?? []
    }

    // MARK: - Getting it

    /// The basis of a ruling, while this node does not hold all that leads to it.
    private func awaitedBasis(of contract: ContractID) -> Fold.Takeover? {
        guard let fold = contracts[contract]?.fold, let takeover = fold.takeover,
            takeover.ruling != nil, !takeover.isInForce, let step = takeover.basisStep,
            !reaches(step, fold.log)
        else { return nil }
        return takeover
    }

    /// Whether `step` is held with all that lies below it.
    private func reaches(_ step: EntryID, _ log: LogID) -> Bool {
        guard let chain = chains.chain(log) else { return false }
        var next: EntryID? = step
        while let id = next, let rival = chain.rivals[id] { next = rival.previous }
        return next.map(chain.ids.contains) ?? true
    }

    /// Asks whoever is there for the branch that a ruling goes on from.
    mutating func askForRuled(_ contract: ContractID) {
        guard let takeover = awaitedBasis(of: contract), let log = contracts[contract]?.log else {
            return
        }
        let from = min(forkedAt[log] ?? takeover.basis, takeover.basis)
        for id in connections.keys.sorted() {
            converse(id) { $0.missing(log, from: UInt64(from), to: UInt64(takeover.basis)) }
        }
    }

    mutating func holdRuled(_ rival: [ValidEntry], in log: LogID, forkedAt sequence: Int64) {
        guard let contract = contractOfLog[log], contracts[contract]?.log == log,
            let takeover = awaitedBasis(of: contract)
        else { return }
        for valid in rival {
            guard let place = valid.header.log, let chain = chains.chain(log),
                place.sequence >= sequence, place.sequence <= takeover.basis,
                chain.rivals[valid.id] == nil, chain.rivals.count < branchEntriesMax
            else { continue }
            changes.append(.rival(valid))
            chains.apply(rival: valid)
        }
        if awaitedBasis(of: contract) == nil { directives.append(.reload) }
    }

    // MARK: - At a start

    /// Folds what stands by rulings at or above a fork, once all below it is folded.
    mutating func foldRuled(_ snapshot: Snapshot) {
        for id in contracts.keys.sorted() {
            guard let held = contracts[id], let forked = forkedAt[held.log],
                isRuled(id, forkedAt: forked), var next = held.fold?.takeover?.basisStep
            else { continue }
            let kept = (snapshot.entries + snapshot.rivals)
                .filter { $0.header.log?.log == held.log }
                .map { ($0.id, $0.entry) }
            let byID = Dictionary(kept, uniquingKeysWith: { first, _ in first })
            var path: [Entry] = []
            while let entry = byID[next], let place = entry.header.log,
                place.sequence >= forked
            {
                path.append(entry)
                guard let previous = place.previous else { break }
                next = previous
            }
            guard path.last?.header.log?.sequence == forked else { continue }
            for entry in path.reversed() { foldStep(entry, in: id) }
        }
    }
}
