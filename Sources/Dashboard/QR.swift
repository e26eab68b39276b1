import CQrencode
import Identity

/// A QR code (ISO/IEC 18004): dark and light squares, as a picture or as letters of a terminal.
public struct QR: Hashable, Sendable {
    /// Squares along one side, without the light edge that a reader wants around them.
    public let width: Int
    public let version: Int
    private let dark: [Bool]

    private static let edge = 4

    /// With 15 % of it damaged it is still read, or 7 % where only so it fits; `nil` where it fits neither way.
    public init?(_ text: String) {
        guard !text.isEmpty, !text.utf8.contains(0),
            let code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1)
                ?? QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1)
        else { return nil }
        defer { QRcode_free(code) }
        width = Int(code.pointee.width)
        version = Int(code.pointee.version)
        dark = UnsafeBufferPointer(start: code.pointee.data, count: width * width)
            .map { $0 & 1 == 1 }
    }

    private func isDark(_ x: Int, _ y: Int) -> Bool {
        (0..<width).contains(x) && (0..<width).contains(y) && dark[y * width + x]
    }

    private var side: Int { width + 2 * Self.edge }

    /// By itself or inside a page; `says` is for who does not see it.
    public func svg(says: String) -> String {
        var path = ""
        for y in 0..<width {
            var x = 0
            while x < width {
                let start = x
                while isDark(x, y) { x += 1 }
                if x > start {
                    path += "M\(start + Self.edge) \(y + Self.edge)h\(x - start)v1h-\(x - start)z"
                }
                x += 1
            }
        }
        return
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"qr\" viewBox=\"0 0 \(side) \(side)\" role=\"img\" "
            + "aria-label=\"\(Picture.safe(says))\" shape-rendering=\"crispEdges\">"
            + "<path fill=\"#fff\" d=\"M0 0h\(side)v\(side)H0z\"/><path fill=\"#000\" d=\"\(path)\"/></svg>"
    }

    /// Two squares a letter, one above the other; light on the dark ground that terminals have.
    public var blocks: String {
        stride(from: -Self.edge, to: width + Self.edge, by: 2).map { y in
            (-Self.edge..<width + Self.edge).map { x in
                switch (isDark(x, y), isDark(x, y + 1)) {
                case (false, false): "█"
                case (false, true): "▀"
                case (true, false): "▄"
                case (true, true): " "
                }
            }.joined()
        }.joined(separator: "\n")
    }

    /// PNG (RFC 2083), one bit a dot, eight dots a square.
    public var png: [UInt8] {
        let scale = 8
        let dots = side * scale
        var rows: [UInt8] = []
        for y in 0..<side {
            var row = [UInt8](repeating: 0, count: 1 + side)
            for x in 0..<side where !isDark(x - Self.edge, y - Self.edge) { row[1 + x] = 0xff }
            for _ in 0..<scale { rows += row }
        }
        var header: [UInt8] = []
        header.append(bigEndian: UInt32(dots))
        header.append(bigEndian: UInt32(dots))
        header += [1, 0, 0, 0, 0]
        return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + PNG.chunk("IHDR", header)
            + PNG.chunk("IDAT", PNG.stored(rows)) + PNG.chunk("IEND", [])
    }
}

private enum PNG {
    static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
        var chunk: [UInt8] = []
        chunk.append(bigEndian: UInt32(data.count))
        let rest = Array(name.utf8) + data
        chunk += rest
        var sum: UInt32 = .max
        for byte in rest {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xedb8_8320 : sum >> 1 }
        }
        chunk.append(bigEndian: ~sum)
        return chunk
    }

    /// zlib (RFC 1950) without compression: no such library is linked, and a code is small.
    static func stored(_ bytes: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        for start in stride(from: 0, to: bytes.count, by: 65_535) {
            let part = bytes[start..<min(start + 65_535, bytes.count)]
            let count = UInt16(part.count)
            stream.append(part.endIndex == bytes.count ? 1 : 0)
            for half in [count, ~count] { stream += [UInt8(half & 0xff), UInt8(half >> 8)] }
            stream += part
        }
        var (low, high): (UInt32, UInt32) = (1, 0)
        for byte in bytes {
            low = (low + UInt32(byte)) % 65_521
            high = (high + low) % 65_521
        }
        stream.append(bigEndian: high << 16 | low)
        return stream
    }
}
