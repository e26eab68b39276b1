import Foundation

/// Something that takes bytes from outside, and the law that it keeps whatever they are.
public struct FuzzTarget: Sendable {
    public let name: String
    /// What is asserted, in words for `--list`.
    public let law: String
    /// Inputs beyond this many bytes are not tried.
    public let bytesMax: Int
    /// Lawful inputs to begin with.
    public let seeds: @Sendable () -> [[UInt8]]
    public let run: @Sendable ([UInt8]) -> Void

    public init(
        _ name: String, law: String, bytesMax: Int = 4096,
        seeds: @escaping @Sendable () -> [[UInt8]], run: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.name = name
        self.law = law
        self.bytesMax = bytesMax
        self.seeds = seeds
        self.run = run
    }
}

/// Ends the process where a law does not hold, with the numbers that tell why.
public func law(
    _ holds: Bool, _ what: @autoclosure () -> String, file: StaticString = #fileID,
    line: UInt = #line
) {
    guard !holds else { return }
    complain("law broken: \(what())")
    preconditionFailure("law broken", file: file, line: line)
}

/// To standard error, where libFuzzer speaks too.
func complain(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

/// Choices drawn from bytes, so that a mutated byte is another choice. At the end of the bytes
/// everything is the first choice.
public struct Choices: RandomNumberGenerator {
    private var rest: ArraySlice<UInt8>

    public init(_ bytes: [UInt8]) { rest = bytes[...] }

    public var isAtEnd: Bool { rest.isEmpty }
    public var left: Int { rest.count }

    public mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// 0 ..< bound; one byte for bounds up to 256, else two.
    public mutating func below(_ bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        if bound <= 256 { return Int(byte()) % bound }
        return (Int(byte()) << 8 | Int(byte())) % bound
    }

    public mutating func number() -> UInt64 {
        (0..<8).reduce(0) { value, _ in value << 8 | UInt64(byte()) }
    }

    public mutating func next() -> UInt64 { number() }

    /// Up to `count` of the bytes that are left.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    public mutating func all() -> [UInt8] { bytes(rest.count) }
}
