import Testing
import Transport

/// Lines of avahi-browse, and what others in the network may make it write.
@Suite struct AnnouncementTests {
    static let line = #"=;eth0;IPv4;00ff00ff00ff00ff;_talea._tcp;local;den.local;10.0.0.7;7001;"#

    @Test func `a service that was resolved is read with its strings`() throws {
        guard case .came(let one) = Announcement.read(Self.line + #""h=01" "v=a b" "h=02""#) else {
            Issue.record("not read")
            return
        }
        #expect(one.name.instance == "00ff00ff00ff00ff")
        #expect(one.host == "10.0.0.7")
        #expect(one.port == 7001)
        #expect(one.texts == ["h=01", "v=a b", "h=02"])
        // It goes under the name under which it came.
        let end = "-;eth0;IPv4;00ff00ff00ff00ff;_talea._tcp;local"
        #expect(Announcement.read(end) == .went(one.name))
        let elsewhere = "-;wlan0;IPv4;00ff00ff00ff00ff;_talea._tcp;local"
        #expect(Announcement.read(elsewhere) != .went(one.name))
    }

    @Test(arguments: [
        "", "=", "+;eth0;IPv4;00ff;_talea._tcp;local", "=;eth0;IPv4;00ff;_talea._tcp;local",
        #"=;eth0;IPv4;x;_http._tcp;local;den.local;10.0.0.7;7001;"""#,
        #"=;eth0;IPv4;x;_talea._tcp;local;den.local;10.0.0.7;0;"""#,
        #"=;eth0;IPv4;x;_talea._tcp;local;den.local;10.0.0.7;70001;"""#,
        #"=;eth0;IPv4;x;_talea._tcp;local;den.local;10.0.0.7;;"""#,
        #"=;eth0;IPv6;x;_talea._tcp;local;den.local;fe80::1;7001;"""#,
        line + String(repeating: "a", count: 5_000),
    ])
    func `what is no service of ours, or none yet, is passed over`(_ line: String) {
        #expect(Announcement.read(line) == nil)
    }
}
