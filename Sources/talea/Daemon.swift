import Contracts
import Dashboard
import Entries
import Identity
import NodeDaemon

/// The one place where the command line meets the daemon.
enum Daemon {
    /// What `talea init` was asked for.
    struct Beginning: Sendable {
        var home: String
        var name: String
        var role: String
        var place = ""
        /// To the alliance to join; `nil` founds one called `alliance`.
        var invitation: Invitation?
        var alliance: String
        /// `nil`: knowingly none.
        var passphrase: String?
        /// A folder of templates to copy into the home.
        var contracts: String?
        /// Shown to the owner before the home is made.
        var code: RecoveryCode?
    }

    /// What `talea init` made.
    struct Begun: Sendable {
        var did: String
        var short: String
        /// Shown once, kept nowhere.
        var recoveryCode: String
        var foundingBody: [UInt8]
    }

    /// Why the daemon could not begin or go on, in words; the process ends with `exit`.
    struct Failure: Error, Sendable {
        var message: Localized
        var exit: Int32 = 2
    }

    /// Refuses a home that holds an identity already.
    static func initialise(_ beginning: Beginning) throws -> Begun {
        try inWords {
            let made = try Home.initialise(
                at: beginning.home, name: beginning.name, role: beginning.role,
                place: beginning.place, invitation: beginning.invitation,
                alliance: beginning.alliance,
                passphrase: beginning.passphrase, templatesFrom: beginning.contracts,
                code: beginning.code)
            return Begun(
                did: made.did.did, short: made.did.shortDID, recoveryCode: made.recoveryCode,
                foundingBody: made.foundingBody)
        }
    }

    /// A home made anew from the recovery code and what peers hold.
    static func recover(
        home: String, code: RecoveryCode, invitation: [UInt8], peers: [(host: String, port: Int)],
        passphrase: String?, contracts: String?
    ) async throws -> (did: String, rotations: Int) {
        do {
            let found = try await Home.recover(
                at: home, code: code, invitation: invitation, peers: peers,
                passphrase: passphrase, templatesFrom: contracts)
            return (found.did.did, found.rotations)
        } catch {
            throw failure(error)
        }
    }

    /// A copy of the home, taken beside its running node.
    static func backUp(home: String, to file: String) throws -> (backup: Backup, file: String) {
        try inWords { try Home(home).backUp(to: file) }
    }

    static func restore(home: String, from file: String) throws -> Home.Restored {
        try inWords { try Home(home).restore(from: file) }
    }

    static func notifySettings(home: String) -> NotifySettings? { Home(home).notifySettings }

    static func set(_ settings: NotifySettings, home: String) throws {
        try inWords { try Home(home).set(settings) }
    }

    static func isInhabited(home: String) -> Bool { Home(home).isInhabited }

    static func opens(home: String, with passphrase: String) -> Bool {
        Home(home).opens(with: passphrase)
    }

    /// Whether the key file of this home is encrypted.
    static func needsPassphrase(home: String) throws -> Bool {
        try inWords { try Home(home).needsPassphrase }
    }

    /// Runs until SIGTERM or SIGINT. `http` 0: any free port.
    static func run(
        home: String, listen: String, http: Int, passphrase: String?, asHub: Bool,
        announcing: String? = nil, onLan: Bool = false, welcome: Welcome? = nil,
        language: Language
    ) async throws {
        do {
            try await NodeDaemon.Daemon.run(
                home: home, listen: listen, httpPort: http, passphrase: passphrase, asHub: asHub,
                announcing: announcing, onLan: onLan, verbose: false, welcome: welcome
            ) { did, peers, door in
                Terminal.tell(
                    language == .en
                        ? """
                        \(did)
                        peers    \(peers)
                        door     \(door)
                        pages    http://\(door)/   (talea open --home \(home))
                        """
                        : """
                        \(did)
                        节点     \(peers)
                        命令口   \(door)
                        页面     http://\(door)/   (talea open --home \(home))
                        """)
            }
        } catch {
            throw failure(error)
        }
    }

    /// The door of a home whose node is stopped.
    static func offline(home: String) throws -> any NodeDoor {
        try inWords { try NodeDaemon.Daemon.offline(home: home) }
    }

    private static func inWords<T>(_ body: () throws -> T) throws -> T {
        do { return try body() } catch { throw failure(error) }
    }

    private static func failure(_ error: any Error) -> any Error {
        NodeDaemon.Daemon.words(for: error).map { Failure(message: $0) } ?? error
    }
}
