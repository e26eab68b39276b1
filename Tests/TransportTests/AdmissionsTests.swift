import Identity
import NIOCore
import Testing

@testable import Transport

@Suite struct `Places` {
    private func taken(_ body: () throws -> Void) -> Admissions.Refusal? {
        do { try body() } catch { return error as? Admissions.Refusal }
        return nil
    }

    @Test func `are given up to each limit and no further`() throws {
        var limits = TransportLimits()
        limits.inboundConnections = 6
        limits.dialedConnections = 1
        var places = Admissions(limits: limits)
        let ids = (0..<20).map { ConnectionID(number: UInt64($0)) }
        let group = NetGroup.prefix([10, 0, 0])
        let key = try #require(PublicKey([UInt8](repeating: 1, count: 32)))
        for index in 0..<4 { #expect(taken { try places.accept(ids[index], from: group) } == nil) }
        #expect(taken { try places.accept(ids[4], from: group) } == .netGroup)
        for index in 4..<6 {
            #expect(taken { try places.accept(ids[index], from: .loopback) } == nil)
        }
        #expect(taken { try places.accept(ids[6], from: .loopback) } == .places)
        #expect(taken { try places.dial(ids[7]) } == nil)
        #expect(taken { try places.dial(ids[8]) } == .places)
        for index in 0..<2 { #expect(taken { try places.identify(ids[index], by: key) } == nil) }
        #expect(taken { try places.identify(ids[2], by: key) } == .identity)
        places.disconnect(ids[0])
        #expect(taken { try places.identify(ids[2], by: key) } == nil)
        #expect(taken { try places.accept(ids[9], from: group) } == .places)
        places.leave(ids[0])
        #expect(taken { try places.accept(ids[9], from: group) } == nil)
    }

    @Test func `are counted by the network an address comes from`() throws {
        func group(_ address: String) throws -> NetGroup {
            NetGroup(try SocketAddress(ipAddress: address, port: 7))
        }
        #expect(try group("192.0.2.1") == group("192.0.2.254"))
        #expect(try group("192.0.2.1") != group("192.0.3.1"))
        #expect(try group("192.0.2.1") == .prefix([192, 0, 2]))
        #expect(try group("::ffff:192.0.2.9") == group("192.0.2.1"))
        #expect(try group("2001:db8:1:2::1") == group("2001:db8:1:3::1"))
        #expect(try group("2001:db8:1::1") != group("2001:db8:2::1"))
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            #expect(try group(address) == .loopback)
        }
        #expect(try group("::") != .loopback)
    }
}
