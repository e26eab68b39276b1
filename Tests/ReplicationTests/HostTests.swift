import Replication
import Testing

@Suite struct HostTests {
    @Test(
        arguments: [
            ("8.8.4.4", Host.Reach.global, [4, 8, 8]),
            ("127.9.0.1", .loopback, [4, 127, 9]),
            ("10.1.2.3", .local, [4, 10, 1]),
            ("172.31.0.1", .local, [4, 172, 31]),
            ("172.32.0.1", .global, [4, 172, 32]),
            ("192.168.0.1", .local, [4, 192, 168]),
            ("100.64.0.1", .local, [4, 100, 64]),
            ("2a01:4f8:1::7", .global, [6, 0x2a, 0x01, 0x04, 0xf8]),
            ("2A01:04F8:0001:0:0:0:0:7", .global, [6, 0x2a, 0x01, 0x04, 0xf8]),
            ("::1", .loopback, [6, 0, 0, 0, 0]),
            ("fe80::1", .local, [6, 0xfe, 0x80, 0, 0]),
            ("fd00::", .local, [6, 0xfd, 0, 0, 0]),
            // The same owner in another notation.
            ("::ffff:8.8.4.4", .global, [4, 8, 8]),
            ("::ffff:7f00:1", .loopback, [4, 127, 0]),
            ("print.example", .global, [0]),
            ("Other.Example.", .global, [0]),
            ("localhost", .loopback, [0]),
        ] as [(String, Host.Reach, [UInt8])])
    func `a host has one group and one reach`(
        text: String, reach: Host.Reach, group: [UInt8]
    ) throws {
        let host = try #require(Host(text))
        #expect(host.reach == reach)
        #expect(host.group == group)
    }

    @Test(arguments: ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"])
    func `nobody listens there`(text: String) throws {
        #expect(try #require(Host(text)).reach == nil)
    }

    @Test(arguments: [
        "", ".", "..", "127.1", "0x7f.1", "2130706433", "0x7f000001", "1.2.3.4.5", "01.2.3.4",
        "+1.2.3.4", "1.2.3.256", "a..b", "a b", "a/b", "münchen.example", "a:b", ":::", "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::12345", "::1%lo", "[::1]", "1:2:3:4:5:6:7:8::",
        "1.2.3.4::", "::+1",
    ])
    func `what a resolver may read in its own way is no host`(text: String) {
        #expect(Host(text) == nil)
    }
}
