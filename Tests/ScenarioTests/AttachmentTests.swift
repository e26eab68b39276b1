import Capacity
import Contracts
import Entries
import Foundation
import Identity
import NodeCore
import Replication
import Simulation
import Testing

/// Photos that steps name, on their way between those who share the contract.
@Suite struct AttachmentTests {
    /// Five chunks, the last a short one.
    static let photo = (0..<(4 * 65_536 + 1_000)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    static let name = SHA256.hash(photo)

    /// An option between alice and bob, and eve who is in the alliance alone. Bob holds the photo.
    static func market() throws -> (Market, ContractID) {
        var market = try Market("alice", "bob", "judge", "eve", only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try OptionTests.option(&market, line)
        try add(&market, "bob", id, photo)
        return (market, id)
    }

    static func add(
        _ market: inout Market, _ who: String, _ id: ContractID, _ file: [UInt8],
        as name: Hash32? = nil
    ) throws {
        let named = name ?? SHA256.hash(file)
        for (index, start) in stride(from: 0, to: file.count, by: 65_536).enumerated() {
            let chunk = Array(file[start..<min(start + 65_536, file.count)])
            try market.network.command(who) {
                try $0.attach(chunk, at: index, of: named, size: file.count, to: id)
            }
        }
    }

    static func fetch(_ market: inout Market, _ who: String, _ id: ContractID) throws {
        try market.network.command(who) { try $0.fetch(name, of: id) }
    }

    /// What `who` holds of the photo, opened.
    static func file(_ market: Market, _ who: String, _ id: ContractID) throws -> [UInt8] {
        let key = try market.held(who, id).key.attachment(name)
        let one = try #require(market.network[who].attachments[key.blob])
        let chunks = try #require(market.network.stores[who]?.chunks[key.blob])
        return try chunks.enumerated().flatMap { index, sealed in
            try #require(key.open(sealed, at: index, of: one.size))
        }
    }

    @Test func `a partner gets the very file, and only when it asks`() throws {
        var (market, id) = try Self.market()
        #expect(market.network["alice"].attachments(of: id).isEmpty)
        try Self.fetch(&market, "alice", id)
        market.network.settle()
        #expect(market.network["alice"].attachments(of: id).map(\.isWhole) == [true])
        #expect(try Self.file(market, "alice", id) == Self.photo)
        // From alice it goes on to the arbiter, though bob is off.
        market.network.stop("bob")
        try Self.fetch(&market, "judge", id)
        market.network.settle()
        #expect(try Self.file(market, "judge", id) == Self.photo)
    }

    @Test(arguments: 0...9)
    func `a fetch that breaks off goes on where it stopped`(_ frames: Int) throws {
        var (market, id) = try Self.market()
        try Self.fetch(&market, "alice", id)
        market.network.settle(limit: frames)
        let before = market.network["alice"].attachments(of: id).first?.held ?? 0
        market.restart("alice")
        let kept = market.network["alice"].attachments(of: id).first?.held ?? 0
        #expect(kept == before)
        let sent = market.network.recorded.count
        try Self.fetch(&market, "alice", id)
        market.network.settle()
        #expect(try Self.file(market, "alice", id) == Self.photo)
        let chunks = market.network.recorded[sent...].filter { $0.frame.type == 41 }
        #expect(chunks.count == 5 - kept)
    }

    @Test func `who does not share the contract is told that there is nothing`() throws {
        var (market, id) = try Self.market()
        let blob = try market.held("bob", id).key.attachment(Self.name).blob
        market.network.inject(
            Message.fetch(blob: blob, index: 0).frame, from: "eve", to: "bob")
        market.network.settle()
        let answers = market.network.recorded.filter { $0.to == "eve" && $0.frame.type == 41 }
        #expect(
            answers.map(\.frame) == [
                Message.chunk(blob: blob, index: 0, size: 0, sealed: []).frame
            ])
    }

    @Test func `nothing of a photo is on a wire or a disk in clear`() throws {
        var (market, id) = try Self.market()
        try Self.fetch(&market, "alice", id)
        market.network.settle()
        let piece = Array(Self.photo[70_000..<70_032])
        func shows(_ bytes: [UInt8]) -> Bool { Data(bytes).range(of: Data(piece)) != nil }
        #expect(shows(Self.photo))
        #expect(!market.network.recorded.contains { shows($0.frame.payload) })
        for name in ["alice", "bob"] {
            let chunks = try #require(market.network.stores[name]?.chunks.values.joined())
            #expect(!chunks.contains(where: shows))
        }
    }

    @Test func `chunks that nobody asked for, or that are false, are not kept`() throws {
        var (market, id) = try Self.market()
        let key = try market.held("bob", id).key.attachment(Self.name)
        let true0 = key.seal(Array(Self.photo[..<65_536]), at: 0, of: Self.photo.count)
        func send(_ sealed: [UInt8], _ index: UInt32, size: Int = Self.photo.count) {
            market.network.inject(
                Message.chunk(
                    blob: key.blob, index: index, size: UInt32(size), sealed: sealed
                ).frame, from: "bob", to: "alice")
        }
        send(true0, 0)
        #expect(market.network["alice"].attachments(of: id).isEmpty, "unasked")
        try Self.fetch(&market, "alice", id)
        // Judge holds nothing, and bob's line is slow: alice asks on while lies come first.
        var bent = true0
        bent[9] ^= 1
        for (sealed, index, size) in [
            (bent, UInt32(0), Self.photo.count), (true0, 1, Self.photo.count),
            (true0, 0, Self.photo.count + 1), (true0, 0, 9_000_000),
        ] {
            send(sealed, index, size: size)
            #expect(market.network["alice"].attachments(of: id).first?.held == 0)
        }
    }

    @Test func `a file too large, or out of order, is refused with the numbers`() throws {
        var (market, id) = try Self.market()
        #expect {
            try market.network.command("bob") {
                try $0.attach([1], at: 0, of: .zero, size: 8 * 1024 * 1024 + 1, to: id)
            }
        } throws: { error in
            guard case .attachmentTooLarge(8_388_609, 8_388_608) = error as? NodeRefusal else {
                return false
            }
            return true
        }
        #expect {
            try market.network.command("bob") {
                try $0.attach([1], at: 1, of: .zero, size: 65_537, to: id)
            }
        } throws: { error in
            guard case .attachmentOutOfOrder(0) = error as? NodeRefusal else { return false }
            return true
        }
    }

    @Test func `a partner who lies about the whole file is found out, and forgotten`() throws {
        var (market, id) = try Self.market()
        // Judge passes another picture off under the photo's name; bob is away.
        let other = [UInt8](repeating: 9, count: 100)
        try Self.add(&market, "judge", id, other, as: Self.name)
        market.network.stop("bob")
        try Self.fetch(&market, "alice", id)
        market.network.settle()
        let got = try Self.file(market, "alice", id)
        #expect(SHA256.hash(got) != Self.name)
        let blob = try market.held("alice", id).key.attachment(Self.name).blob
        try market.network.command("alice") { $0.forget(attachment: blob) }
        #expect(market.network.stores["alice"]?.chunks[blob] == nil)
    }

    @Test func `who begins a file and lies about its size keeps nobody from the true one`() throws {
        var (market, id) = try Self.market()
        // Alice, who is asked first, holds one chunk of something larger under the photo's name.
        let chunk = [UInt8](repeating: 9, count: 65_536)
        try market.network.command("alice") {
            try $0.attach(chunk, at: 0, of: Self.name, size: 8_000_000, to: id)
        }
        try Self.fetch(&market, "judge", id)
        market.network.settle()
        #expect(try Self.file(market, "judge", id) == Self.photo)
    }

    @Test func `who is asked and says nothing is not waited for`() throws {
        var (market, id) = try Self.market()
        try Self.fetch(&market, "judge", id)
        // What goes to alice is on its way for longer than half a minute.
        market.network.pass(milliseconds: 31_000)
        let mark = market.network.recorded.count
        market.network.tick()
        market.network.settle()
        let asked = market.network.recorded.dropFirst(mark).filter { $0.frame.type == 40 }
        #expect(asked.first?.to == "alice")
        #expect(asked.contains { $0.to == "bob" })
        #expect(try Self.file(market, "judge", id) == Self.photo)
    }

    @Test func `the only one who has a file is asked again after a silence, for what is missing`()
        throws
    {
        var (market, id) = try Self.market()
        market.network.stop("judge")
        try Self.fetch(&market, "alice", id)
        market.network.settle(limit: 4)
        let held = market.network["alice"].attachments(of: id).first?.held ?? 0
        #expect((1..<5).contains(held))
        // Alice's computer sleeps for a night, and what was on its way is gone.
        market.network.cut("alice", "bob")
        for _ in 0..<3 {
            market.network.pass(milliseconds: 8 * 3_600_000)
            market.network.tick()
            market.network.settle()
        }
        market.network.notice()
        market.network.connect("alice", "bob")
        let sent = market.network.recorded.count
        LivePushTests.rest(&market, seconds: 310)
        #expect(market.network["alice"].attachments(of: id).map(\.isWhole) == [true])
        let chunks = market.network.recorded.dropFirst(sent).filter { $0.frame.type == 41 }
        #expect(chunks.count <= 5 - held + 1)
    }

    @Test func `who did not have a file yet is asked again later`() throws {
        var (market, id) = try Self.market()
        let key = try market.held("bob", id).key.attachment(Self.name)
        try market.network.command("bob") { $0.forget(attachment: key.blob) }
        try Self.fetch(&market, "alice", id)
        LivePushTests.rest(&market, seconds: 5)
        let asked = market.network.recorded.count { $0.frame.type == 40 }
        #expect(asked <= 4)
        try Self.add(&market, "bob", id, Self.photo)
        LivePushTests.rest(&market, seconds: 310)
        #expect(market.network["alice"].attachments(of: id).map(\.isWhole) == [true])
    }

    @Test func `of many files that are asked for at once no more is on its way than goes through`()
        throws
    {
        var (market, id) = try Self.market()
        let files = (0..<12).map { number in Self.photo.dropLast(number).map { $0 ^ 0x55 } }
        for file in files { try Self.add(&market, "bob", id, file) }
        let sent = market.network.recorded.count
        for file in files {
            try market.network.command("alice") { try $0.fetch(SHA256.hash(file), of: id) }
        }
        market.network.settle()
        let whole = market.network["alice"].attachments(of: id).filter(\.isWhole)
        #expect(whole.count == files.count)
        var (now, most) = (0, 0)
        for flight in market.network.recorded.dropFirst(sent) {
            if flight.frame.type == 40, flight.to == "bob" { now += Self.chunk }
            if flight.frame.type == 41, flight.to == "alice" { now -= Self.chunk }
            most = max(most, now)
        }
        // A connection on which more than 2 MiB wait is let go.
        #expect(most <= 1024 * 1024)
    }

    static let chunk = 65_536
}
