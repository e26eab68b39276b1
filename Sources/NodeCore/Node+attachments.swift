internal import Capacity
internal import Entries
public import Identity
internal import Logs
public import Replication

// Files of contracts: photos that steps name by their hash. They stay with whoever added them until another
// participant asks.

/// What is held of one file.
public struct Attachment: Hashable, Sendable {
    public let contract: ContractID
    /// SHA-256 of the file.
    public let file: Hash32
    public let blob: Hash32
    /// Bytes; 0 until the first chunk has said it.
    public var size: Int
    /// Chunks held, from the first on.
    public var held: Int

    public init(contract: ContractID, file: Hash32, blob: Hash32, size: Int, held: Int) {
        self.contract = contract
        self.file = file
        self.blob = blob
        self.size = size
        self.held = held
    }

    /// The answer to whoever asked for a chunk of it; `nil` where storage lost it.
    public func frame(_ sealed: [UInt8]?, _ index: Int) -> Frame {
        Message.chunk(
            blob: blob, index: UInt32(clamping: index),
            size: sealed == nil ? 0 : UInt32(clamping: size), sealed: sealed ?? []
        ).frame
    }

    public var chunks: Int { AttachmentKey.chunks(of: size) }
    public var isWhole: Bool { size > 0 && held == chunks }
}

/// A file on its way to us.
struct Fetching: Sendable {
    /// Whom it is asked of, and up to which chunk.
    var from: PeerID?
    var asked = 0
    /// Since when nothing came.
    var since: Instant = .earliest
    /// Those who do not hold it, sent what it is not, or are silent. They may hold it later.
    var without: Set<DID> = []
    /// When they are asked once more.
    var again = Repetition(first: AttachmentLimit.patienceMilliseconds)
    /// Those who said how large it is. What they began, others may not be able to go on with.
    var began: Set<DID> = []
    /// A participant holds another file under this name than the one that was begun.
    var isDoubted = false
}

/// How many files of one contract are held, and how many chunks are asked for ahead.
enum AttachmentLimit {
    static let perContract = 256
    static let window = 4
    /// Of all files that are asked of one peer together: a part of what may wait for a connection.
    static let windowOfPeer = 8
    static let fetching = 16
    /// How long one who was asked may be silent before somebody else is.
    static let patienceMilliseconds: Int64 = 30_000
}

extension Node {
    public func attachments(of contract: ContractID) -> [Attachment] {
        attachments.values.filter { $0.contract == contract }.sorted { $0.file < $1.file }
    }

    /// Somebody is asked for it, or will be once one who may hold it is there.
    public func isFetching(_ one: Attachment) -> Bool { fetching[one.blob] != nil }

    /// Keeps one chunk of a file of ours, in order: the first makes it known. `size` is the whole file's.
    public mutating func attach(
        _ chunk: [UInt8], at index: Int, of file: Hash32, size: Int, to contract: ContractID
    ) throws(NodeRefusal) {
        let (key, one) = try known(file, size: size, in: contract)
        guard index == one.held, index < one.chunks,
            chunk.count == min(AttachmentKey.chunkBytes, size - index * AttachmentKey.chunkBytes)
        else { throw .attachmentOutOfOrder(next: one.held) }
        keep(key.seal(chunk, at: index, of: size), of: one)
    }

    /// Asks those who share the contract for a file, until it is whole.
    public mutating func fetch(_ file: Hash32, of contract: ContractID) throws(NodeRefusal) {
        let (_, one) = try known(file, size: 0, in: contract)
        guard !one.isWhole else { return }
        guard fetching.count < AttachmentLimit.fetching || fetching[one.blob] != nil else {
            throw .tooManyAttachments(AttachmentLimit.fetching)
        }
        fetching[one.blob] = Fetching()
        goOnFetching()
    }

    /// What came is not the file that its name says: it is forgotten, to be asked for again.
    public mutating func forget(attachment blob: Hash32) {
        guard attachments.removeValue(forKey: blob) != nil else { return }
        fetching[blob] = nil
        changes.append(.attachmentGone(blob))
    }

    private mutating func known(_ file: Hash32, size: Int, in contract: ContractID)
        throws(NodeRefusal) -> (AttachmentKey, Attachment)
    {
        guard let held = contracts[contract] else { throw .contractUnknown(contract.short) }
        guard (0...AttachmentKey.bytesMax).contains(size) else {
            throw .attachmentTooLarge(bytes: size, limit: AttachmentKey.bytesMax)
        }
        let key = held.key.attachment(file)
        if let one = attachments[key.blob] {
            guard size == 0 || one.size == 0 || one.size == size else {
                throw .attachmentOutOfOrder(next: one.held)
            }
            var one = one
            one.size = max(one.size, size)
            return (key, one)
        }
        guard attachments(of: contract).count < AttachmentLimit.perContract else {
            throw .tooManyAttachments(AttachmentLimit.perContract)
        }
        let one = Attachment(
            contract: contract, file: file, blob: key.blob, size: size, held: 0)
        attachments[key.blob] = one
        return (key, one)
    }

    private mutating func keep(_ sealed: [UInt8], of one: Attachment) {
        var one = one
        changes.append(.chunk(one, index: one.held, sealed: sealed))
        one.held += 1
        attachments[one.blob] = one
        if one.isWhole { fetching[one.blob] = nil }
    }

    // MARK: - Between peers

    /// Asks on where nobody is asked, or whoever was has gone.
    mutating func goOnFetching() {
        for blob in fetching.keys.sorted() {
            guard var one = attachments[blob], let topic = contracts[one.contract]?.key.topic,
                var fetch = fetching[blob]
            else { continue }
            // Who was asked for nothing yet is not silent.
            if fetch.asked > one.held,
                !fetch.since.isRecent(at: now, AttachmentLimit.patienceMilliseconds),
                let silent = fetch.from.flatMap({ connections[$0]?.did })
            {
                fetch.without.insert(silent)
                fetch.from = nil
            }
            if fetch.from.map({ connections[$0] == nil }) ?? true {
                let sharing = connections.keys.sorted().filter { id in
                    connections[id]?.isProven == true
                        && connections[id]?.session.shared.contains(topic) == true
                }
                func isLeft(_ id: PeerID) -> Bool {
                    connections[id].map { !fetch.without.contains($0.did) } ?? false
                }
                let isOver = !sharing.isEmpty && !sharing.contains(where: isLeft)
                // Who began it may have lied about its size: then the others are asked for all of it.
                if isOver, fetch.isDoubted {
                    fetch.isDoubted = false
                    one.size = 0
                    one.held = 0
                    attachments[blob] = one
                    changes.append(.attachmentGone(blob))
                    fetch.without = fetch.began
                } else if isOver, fetch.again.isDue(at: now) {
                    fetch.again.wait(from: now)
                    fetch.without = []
                }
                fetch.from = sharing.first(where: isLeft)
                fetch.asked = one.held
                fetch.since = now
            }
            let end = min(
                one.held + AttachmentLimit.window,
                one.size > 0 ? one.chunks : one.held + 1)
            if let peer = fetch.from {
                if fetch.asked == one.held { fetch.since = now }
                let room = max(AttachmentLimit.windowOfPeer - chunksAsked(of: peer), 0)
                for index in fetch.asked..<max(fetch.asked, min(end, fetch.asked + room)) {
                    let question = Message.fetch(blob: blob, index: UInt32(index))
                    directives.append(.send(peer, question.frame))
                    fetch.asked = index + 1
                }
            }
            fetching[blob] = fetch
        }
    }

    /// What is on its way from one peer, of all files.
    private func chunksAsked(of peer: PeerID) -> Int {
        fetching.reduce(0) { sum, one in
            guard one.value.from == peer else { return sum }
            return sum + max(one.value.asked - (attachments[one.key]?.held ?? 0), 0)
        }
    }

    /// A participant asks for a chunk. Who does not share the contract is told that there is none.
    mutating func asked(for blob: Hash32, _ index: UInt32, by id: PeerID) {
        guard let one = attachments[blob], let topic = contracts[one.contract]?.key.topic,
            connections[id]?.session.shared.contains(topic) == true, Int(index) < one.held
        else {
            let nothing = Message.chunk(blob: blob, index: index, size: 0, sealed: [])
            directives.append(.send(id, nothing.frame))
            return
        }
        directives.append(.sendChunk(id, one, Int(index)))
    }

    mutating func received(
        chunk sealed: [UInt8], _ index: UInt32, of blob: Hash32, size: UInt32, from id: PeerID
    ) {
        guard var one = attachments[blob], let fetch = fetching[blob], fetch.from == id,
            Int(index) == one.held, Int(index) < fetch.asked,
            let held = contracts[one.contract], let did = connections[id]?.did
        else { return }
        let size = Int(size)
        let key = held.key.attachment(one.file)
        let fits =
            size > 0 && size <= AttachmentKey.bytesMax
            && Int(index) < AttachmentKey.chunks(of: size)
        let chunk = fits ? key.open(sealed, at: Int(index), of: size) : nil
        guard let chunk, one.size == 0 || one.size == size,
            chunk.count
                == min(AttachmentKey.chunkBytes, size - Int(index) * AttachmentKey.chunkBytes)
        else {
            // Said by one who has the key, thus not by a hub.
            if chunk != nil { fetching[blob]?.isDoubted = true }
            fetching[blob]?.without.insert(did)
            fetching[blob]?.from = nil
            return goOnFetching()
        }
        if one.held == 0 { fetching[blob]?.began.insert(did) }
        fetching[blob]?.since = now
        fetching[blob]?.again = Repetition(first: AttachmentLimit.patienceMilliseconds)
        one.size = size
        keep(sealed, of: one)
        goOnFetching()
    }

    mutating func restoreAttachments(_ snapshot: Snapshot) {
        for one in snapshot.attachments { attachments[one.blob] = one }
    }
}
