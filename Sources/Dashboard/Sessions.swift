import Identity
import Synchronization

/// Who looks at the pages: a browser that came by a link made for it, once.
///
/// Kept in memory alone: a restart of the node ends every session, and with it every form that still
/// stands open somewhere.
final class Sessions: Sendable {
    struct Session: Hashable, Sendable {
        let id: Hash32
        /// May look, and do nothing.
        let isReader: Bool
        /// What every form of this session carries.
        var token: String { SHA256.hash(Array("talea.form".utf8) + id.bytes).hex }
    }

    /// A link waits so long for its one use: time to find the browser.
    static let linkSeconds: Int64 = 600
    /// A session that nobody used for so long is over.
    static let idleSeconds: Int64 = 12 * 3600
    /// Browsers at a time, and links not used yet; the oldest makes room.
    static let sessionsMax = 16

    private struct Open {
        let session: Session
        var used: ContinuousClock.Instant
        var notice: JSON?
    }

    private struct Link {
        let code: Hash32
        let isReader: Bool
        let made: ContinuousClock.Instant
    }

    private struct State {
        var links: [Link] = []
        var open: [Open] = []
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> ContinuousClock.Instant

    init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) { self.now = now }

    /// The code of a new link. Only its hash is kept.
    func makeLink(isReader: Bool) -> String {
        let code = Entropy.bytes(32).hex
        let made = now()
        state.withLock { state in
            if state.links.count == Self.sessionsMax { state.links.removeFirst() }
            state.links.append(Link(code: Self.hash(code), isReader: isReader, made: made))
        }
        return code
    }

    /// The secret of a new session, for the browser's cookie; `nil` where the link was used or is over.
    func open(_ code: String) -> String? {
        let (wanted, time) = (Self.hash(code), now())
        return state.withLock { state in
            guard let index = state.links.firstIndex(where: { $0.code == wanted }) else {
                return nil
            }
            let link = state.links.remove(at: index)
            guard link.made.duration(to: time) <= .seconds(Self.linkSeconds) else { return nil }
            let secret = Entropy.bytes(32).hex
            if state.open.count == Self.sessionsMax {
                let oldest = state.open.indices.min { state.open[$0].used < state.open[$1].used }
                if let oldest { state.open.remove(at: oldest) }
            }
            state.open.append(
                Open(
                    session: Session(id: Self.hash(secret), isReader: link.isReader), used: time))
            return secret
        }
    }

    /// The session of a cookie.
    func find(_ secret: some StringProtocol) -> Session? {
        let (wanted, time) = (Self.hash(String(secret)), now())
        return state.withLock { state in
            state.open.removeAll { $0.used.duration(to: time) > .seconds(Self.idleSeconds) }
            guard let index = state.open.firstIndex(where: { $0.session.id == wanted }) else {
                return nil
            }
            state.open[index].used = time
            return state.open[index].session
        }
    }

    /// Browsers that came and whose session is not over.
    var count: Int {
        let time = now()
        return state.withLock { state in
            state.open.count { $0.used.duration(to: time) <= .seconds(Self.idleSeconds) }
        }
    }

    func end(_ session: Session) {
        state.withLock { $0.open.removeAll { $0.session == session } }
    }

    /// Said on the next page, once.
    func leave(_ notice: JSON, for session: Session) {
        state.withLock { state in
            guard let index = state.open.firstIndex(where: { $0.session == session }) else {
                return
            }
            state.open[index].notice = notice
        }
    }

    func takeNotice(of session: Session) -> JSON? {
        state.withLock { state in
            guard let index = state.open.firstIndex(where: { $0.session == session }) else {
                return nil
            }
            defer { state.open[index].notice = nil }
            return state.open[index].notice
        }
    }

    /// Looked up by hash, so that no comparison tells how much of a guess was right.
    private static func hash(_ text: String) -> Hash32 { SHA256.hash(Array(text.utf8)) }
}
