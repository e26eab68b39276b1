/// A door as browsers name it: what Host and Origin have to say there, and which cookies are its own.
struct Site: Hashable, Sendable {
    private let scheme: String
    /// Host and port, exactly.
    private let hosts: [String]
    let port: Int
    /// Nothing of `Manual.atTheComputer` is done here, no backup is taken and no phone paired.
    let isPhone: Bool

    static func loopback(_ port: Int) -> Self {
        Self(
            scheme: "http", hosts: ["127.0.0.1:\(port)", "localhost:\(port)"], port: port,
            isPhone: false)
    }

    static func phone(_ host: String, _ port: Int) -> Self {
        Self(scheme: "https", hosts: ["\(host):\(port)"], port: port, isPhone: true)
    }

    func isHost(_ host: String) -> Bool { hosts.contains(host) }
    func isOrigin(_ origin: String, of host: String) -> Bool { origin == scheme + "://" + host }
    var address: String { scheme + "://" + (hosts.first ?? "") }

    /// `__Host-`: set over TLS alone, and for this host alone (RFC 6265bis §4.1.3).
    var sessionCookie: String { isPhone ? "__Host-talea-\(port)" : "talea-\(port)" }
    var languageCookie: String { "talea-lang-\(port)" }
    var cookieRules: String { "Path=/; HttpOnly; SameSite=Strict" + (isPhone ? "; Secure" : "") }
}
