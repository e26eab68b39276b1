public import Capacity
public import Identity

// Every id that is a hash of a description. The inputs are fixed in docs/PROTOCOL.md, "Hash inputs".

extension LogID {
    public static func key(author: DID) -> LogID {
        LogID(SHA256.hash(tag: "talea.log.key.v1", author.bytes))
    }

    public static func publicLog(author: DID, alliance: TopicID) -> LogID {
        LogID(SHA256.hash(tag: "talea.log.public.v1", author.bytes, alliance.bytes))
    }

    public static func line(author: DID, _ terms: LineTerms) -> LogID {
        var input = author.bytes
        input.append(counted: terms.resource.path.utf8)
        input.append(bigEndian: UInt64(terms.window.start.milliseconds))
        input.append(bigEndian: UInt64(terms.window.end.milliseconds))
        input.append(counted: terms.unit.code.utf8)
        return LogID(SHA256.hash(tag: "talea.log.line.v1", input))
    }

    /// Epoch 0 is the sequencer the proposal names; a takeover adds one.
    public static func contract(_ contract: ContractID, author: DID, epoch: UInt32 = 0) -> LogID {
        var input = contract.bytes + author.bytes
        input.append(bigEndian: epoch)
        return LogID(SHA256.hash(tag: "talea.log.contract.v1", input))
    }

    public static func witness(of contractLog: LogID, author: DID) -> LogID {
        LogID(SHA256.hash(tag: "talea.log.witness.v1", contractLog.bytes, author.bytes))
    }
}

extension TopicID {
    public static func alliance(foundingBody: [UInt8]) -> TopicID {
        TopicID(SHA256.hash(tag: "talea.topic.alliance.v1", SHA256.hash(foundingBody).bytes))
    }

    public static func contract(key: [UInt8]) -> TopicID {
        TopicID(SHA256.hash(tag: "talea.topic.contract.v1", key))
    }
}

extension Hash32 {
    /// What a key entry commits to.
    public static func nextKey(_ key: PublicKey) -> Hash32 {
        SHA256.hash(tag: "talea.nextkey.v1", key.bytes)
    }

    /// Links a grant to its contract for those who hold the contract key.
    public static func grantTag(contractKey: [UInt8], line: LogID, releaseKey: PublicKey) -> Hash32
    {
        HMAC256.authenticate(
            Array("talea.tag.v1".utf8) + line.bytes + releaseKey.bytes, key: contractKey)
    }
}

/// The holder's messages to a line, signed by the grant's release key.
public enum HolderMessage {
    /// `runningTotal`: all units of this grant released under signatures, this release included.
    public static func release(line: LogID, grant: EntryID, units: Int64, runningTotal: Int64)
        -> [UInt8]
    {
        var message = Array("talea.release.v1".utf8) + line.bytes + grant.bytes
        message.append(bigEndian: UInt64(units))
        message.append(bigEndian: UInt64(runningTotal))
        return message
    }

    public static func split(
        line: LogID, grant: EntryID, units: Int64, releaseKey: PublicKey, tag: Hash32
    ) -> [UInt8] {
        var message = Array("talea.split.v1".utf8) + line.bytes + grant.bytes
        message.append(bigEndian: UInt64(units))
        return message + releaseKey.bytes + tag.bytes
    }
}
