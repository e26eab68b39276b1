public import Capacity
internal import Contracts
internal import Entries
public import Identity

extension HeldContract {
    /// Something that others wait for one identity to do.
    public struct Awaited: Hashable, Sendable {
        public enum What: Hashable, Sendable {
            /// To accept the proposal, or decline it.
            case proposal
            case record(Int64)
            /// To agree to somebody's request.
            case request(EntryID)
        }

        public let what: What
        /// `latest` where no deadline runs.
        public let until: Instant

        /// A proposal is over then; anything else may still be done until somebody asks for the default.
        public func waits(at now: Instant) -> Bool { what != .proposal || now <= until }
    }

    /// What waits for `did`: the proposal, or records in their order and then requests by their ids. It
    /// follows from what is held of the contract alone, and changes with nothing else.
    public func awaited(of did: DID) -> [Awaited] {
        guard let fold, fold.isSequenced else {
            let isNamed = (participants + witnesses).contains(did)
            guard declined == nil, isNamed, !hasAccepted(did) else { return [] }
            return [Awaited(what: .proposal, until: proposal.acceptBy)]
        }
        let records = fold.state.records.filter { fold.state.awaited($0.number).contains(did) }
        let asked = requests.values.filter { consentsMissing(to: $0).contains(did) }
            .sorted { $0.entry.id < $1.entry.id }
        return records.map { Awaited(what: .record($0.number), until: $0.until ?? .latest) }
            + asked.map {
                let until = $0.entry.header.statement?.expires ?? .latest
                return Awaited(what: .request($0.entry.id), until: until)
            }
    }

    /// Who has still to agree to `request`, ascending.
    public func consentsMissing(to request: PendingRequest) -> [DID] {
        guard let fold else { return [] }
        let given = Set(request.consents.map(\.header.author))
        return fold.state.consentsNeeded(for: Act(request.act)).subtracting(given)
            .subtracting([request.entry.header.author]).sorted()
    }

    /// Of what others said to a request, what a step has to show: of each who has to agree the word that
    /// holds longest, under a key that no step replaced if there is one. Who may say more, or without being
    /// asked, would else fill the step until it fits nowhere.
    func consents(_ given: [Entry], to act: SignedAct) -> [Entry] {
        guard let fold else { return given }
        func worth(_ entry: Entry) -> (Int, Instant, EntryID) {
            let expires = entry.header.statement?.expires ?? .earliest
            return (fold.isSuperseded(entry.header.key) ? 0 : 1, expires, entry.id)
        }
        return fold.state.consentsNeeded(for: Act(act)).sorted().compactMap { did in
            given.filter { $0.header.author == did }.max { worth($0) < worth($1) }
        }
    }
}
