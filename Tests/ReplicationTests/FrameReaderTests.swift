import Replication
import Testing

@Suite struct `A frame reader` {
    static let frames = [
        Frame(type: 1, payload: []), Frame(type: 2, payload: [9]),
        Frame(type: 255, payload: [UInt8](repeating: 3, count: 4095)),
        Frame(type: 4, payload: Array(0..<200)), Frame(type: 0, payload: [0, 0, 0, 0, 0]),
    ]

    @Test(arguments: [1, 2, 3, 4, 5, 7, 64, 4096, 100_000])
    func `any chunking gives the same frames`(chunk: Int) throws {
        let stream = Self.frames.flatMap(\.bytes)
        var reader = FrameReader()
        var read: [Frame] = []
        for start in stride(from: 0, to: stream.count, by: chunk) {
            reader.feed(Array(stream[start..<min(start + chunk, stream.count)]))
            while let frame = try reader.next() { read.append(frame) }
        }
        #expect(read == Self.frames)
        #expect(reader.waitingBytes == 0)
    }

    @Test func `taking frames late or early makes no difference`() throws {
        let stream = Self.frames.flatMap(\.bytes)
        for cut in 0...stream.count {
            var reader = FrameReader()
            reader.feed(Array(stream[..<cut]))
            var read: [Frame] = []
            if let first = try reader.next() { read.append(first) }
            reader.feed(Array(stream[cut...]))
            while let frame = try reader.next() { read.append(frame) }
            try #require(read == Self.frames)
        }
    }

    @Test func `the length is judged before the payload is there`() throws {
        for (header, limit, refusal) in [
            ([0, 0, 0, 0], 4096, FrameRefusal.empty),
            ([0, 0, 16, 1], 4096, .tooLarge(length: 4097, limit: 4096)),
            ([255, 255, 255, 255], 262_144, .tooLarge(length: 4_294_967_295, limit: 262_144)),
            ([0, 4, 0, 1], 262_144, .tooLarge(length: 262_145, limit: 262_144)),
        ] as [([UInt8], Int, FrameRefusal)] {
            var reader = FrameReader(limit: limit)
            reader.feed(header)
            #expect(throws: refusal) { try reader.next() }
            #expect(throws: refusal) { try reader.next() }
        }
    }

    @Test func `a refusal takes nothing, so that the limit can be raised`() throws {
        let large = Frame(type: 8, payload: [UInt8](repeating: 1, count: 5000))
        var reader = FrameReader()
        reader.feed(large.bytes)
        #expect(throws: FrameRefusal.tooLarge(length: 5001, limit: 4096)) { try reader.next() }
        reader.limit = FrameLimit.afterHello
        #expect(try reader.next() == large)
    }

    @Test func `a header alone is no frame yet`() throws {
        var reader = FrameReader()
        #expect(try reader.next() == nil)
        reader.feed([0, 0, 16])
        #expect(try reader.next() == nil)
        reader.feed([0])
        #expect(try reader.next() == nil)
        #expect(reader.waitingBytes == 4)
    }
}
