internal import Contracts
internal import Dashboard
internal import Identity
internal import Transport

/// What the shell saw of its peers, for the owner to look at: bytes of frames, and why connections ended.
struct PeerNotes {
    /// Whoever went longest ago is forgotten first.
    static let farewellsMax = 64

    private(set) var traffic: [ConnectionID: (did: DID, traffic: DoorStatus.Traffic)] = [:]
    private(set) var farewells: [DoorStatus.Farewell] = []
    private var addresses: [ConnectionID: String] = [:]
    /// What the node said when it ended a connection that is not gone yet.
    private var reasons: [ConnectionID: String] = [:]

    mutating func came(_ id: ConnectionID, _ did: DID, at address: String) {
        traffic[id] = (did, DoorStatus.Traffic())
        addresses[id] = address
    }

    mutating func received(_ bytes: Int, from id: ConnectionID) {
        traffic[id]?.traffic.received += UInt64(bytes)
    }
    mutating func sent(_ bytes: Int, to id: ConnectionID) {
        traffic[id]?.traffic.sent += UInt64(bytes)
    }

    mutating func closing(_ id: ConnectionID, because reason: String) {
        if addresses[id] != nil, reasons[id] == nil { reasons[id] = reason }
    }

    mutating func went(_ id: ConnectionID, _ reason: CloseReason) {
        let (did, own) = (traffic.removeValue(forKey: id)?.did, reasons.removeValue(forKey: id))
        guard let address = addresses.removeValue(forKey: id), reason.isTold else { return }
        note(
            .init(
                address: address, did: did, code: reason.code, says: reason.words(own),
                time: Clock.now()))
    }

    mutating func notReached(_ address: String, _ did: DID?, _ reason: DialRefusal) {
        guard reason != .shutDown else { return }
        note(
            .init(
                address: address, did: did, code: reason.code, says: reason.words,
                time: Clock.now()))
    }

    /// One for each identity, or address where none is known.
    private mutating func note(_ farewell: DoorStatus.Farewell) {
        var farewell = farewell
        let index = farewells.firstIndex { other in
            farewell.did.map { other.did == $0 } ?? (other.address == farewell.address)
        }
        if let index {
            let before = farewells.remove(at: index)
            if before.code == farewell.code { farewell.times += before.times }
        }
        farewells.insert(farewell, at: 0)
        farewells = Array(farewells.prefix(Self.farewellsMax))
    }
}

extension CloseReason {
    /// Two that dialed each other at once, and our own end, are nothing to tell.
    fileprivate var isTold: Bool { self != .byNode(code: 1) && self != .shutdown }

    var code: String {
        switch self {
        case .byPeer: "by_peer"
        case .lost: "lost"
        case .byNode: "by_node"
        case .shutdown: "shutdown"
        case .tooSlow: "too_slow"
        case .frameOverdue: "frame_overdue"
        case .idle: "idle"
        case .frameRefused: "frame_refused"
        case .ownFrameTooLarge: "own_frame_too_large"
        case .tlsBroken: "tls_broken"
        }
    }

    fileprivate func words(_ own: String?) -> Localized {
        switch self {
        case .byPeer: Localized(en: "the peer hung up", zh: "对端断开")
        case .lost: Localized(en: "the connection broke", zh: "连接中断")
        case .byNode:
            own.map { Localized(en: "this node hung up: \($0)", zh: "本节点断开：\($0)") }
                ?? Localized(en: "this node hung up to read its data anew", zh: "本节点为重读数据而断开")
        case .shutdown: Localized(en: "this node is stopping", zh: "本节点正在停止")
        case .tooSlow:
            Localized(
                en: "the peer read too slowly: too much waited for it",
                zh: "对端读取过慢：积压过多")
        case .frameOverdue:
            Localized(en: "the peer did not finish a frame in time", zh: "对端未及时发完一帧")
        case .idle: Localized(en: "nothing came from the peer for too long", zh: "对端长时间无消息")
        case .frameRefused(let refusal):
            Localized(
                en: "the peer sent what is no frame: \(refusal)", zh: "对端发来无效的帧：\(refusal)")
        case .ownFrameTooLarge(let length):
            Localized(
                en: "a frame of \(length) bytes was too long to send", zh: "待发的帧过长（\(length) 字节）")
        case .tlsBroken:
            Localized(
                en: "encryption failed, or the peer refused our certificate",
                zh: "加密失败，或对端拒绝了我们的证书")
        }
    }
}

extension DialRefusal {
    var code: String {
        switch self {
        case .shutDown: "shutdown"
        case .tooManyConnections: "too_many_connections"
        case .tooManyOfIdentity: "too_many_of_identity"
        case .unreachable: "unreachable"
        case .overdue: "overdue"
        case .certificate: "certificate"
        case .handshakeFailed: "handshake_failed"
        }
    }

    fileprivate var words: Localized {
        switch self {
        case .shutDown: Localized(en: "this node is stopping", zh: "本节点正在停止")
        case .tooManyConnections:
            Localized(en: "this node has too many connections", zh: "本节点连接过多")
        case .tooManyOfIdentity:
            Localized(en: "connected with it already", zh: "已与其连接")
        case .unreachable: Localized(en: "nobody answers there", zh: "该地址无人应答")
        case .overdue: Localized(en: "no answer in time", zh: "未及时应答")
        case .certificate(let refusal):
            Localized(
                en: "whoever answers is not who was expected: \(refusal)",
                zh: "应答者不是所期望的对端：\(refusal)")
        case .handshakeFailed:
            Localized(en: "it hung up, or speaks no TLS 1.3", zh: "对端挂断，或不支持 TLS 1.3")
        }
    }
}
