import CFaultDisk
import Foundation
import NodeCore
import Testing

@testable import Storage

/// Power cuts at every sync of real commits; each home that is left is opened again.
/// `TALEA_POWER_IMAGES` asks for so many images instead of a few hundred.
@Suite struct PowerLossTests {
    private static let ordered =
        ProcessInfo.processInfo.environment["TALEA_POWER_IMAGES"].flatMap { Int($0) }
    private static let images = ordered ?? 210
    /// Every call fails in the long form, every third in the short one.
    private static let stride: Int64 = ordered == nil ? 3 : 1
    private static let modes = [
        FAULT_IMAGE_NONE, FAULT_IMAGE_ALL, FAULT_IMAGE_PREFIX, FAULT_IMAGE_SUBSET, FAULT_IMAGE_TORN,
    ]

    /// Works until `count` images were taken and judged.
    private func cuts(
        _ count: Int, of node: FaultyNode,
        judge: @escaping (Left, _ acknowledged: Int) throws -> Void
    ) throws {
        var taken = 0
        var failure: (any Error)?
        node.atSync = { number in
            for (index, mode) in Self.modes.enumerated() where taken < count && failure == nil {
                do {
                    let seed = UInt64(number) &* 8 &+ UInt64(index)
                    try judge(try Left(node, mode, seed: seed), node.acknowledged)
                    taken += 1
                } catch {
                    failure = error
                    Issue.record("image \(taken), sync \(number), \(mode): \(error)")
                }
            }
        }
        while taken < count, failure == nil {
            for _ in 0..<9 { try node.round() }
            // Pages move from the log to the file, and the log begins anew.
            try node.checkpoint()
        }
        node.atSync = { _ in }
    }

    @Test func `no power cut loses what was acknowledged, and none makes a node read only`() throws
    {
        let node = try FaultyNode()
        try cuts(Self.images, of: node) { left, acknowledged in
            #expect(left.readOnly == nil)
            // What was under way may be there or not.
            #expect((acknowledged...acknowledged + 1).contains(left.rounds))
        }
    }

    @Test func `the rig finds the loss that synchronous NORMAL would bring`() throws {
        let node = try FaultyNode()
        try node.sync("NORMAL")
        var lost = 0
        try cuts(60, of: node) { left, acknowledged in
            if left.rounds < acknowledged { lost += 1 }
        }
        #expect(lost > 0)
    }

    @Test func `a disk that lies about the ledger is found by the sidecar`() throws {
        let node = try FaultyNode()
        try node.round()
        node.lie(about: "ledger.sqlite")
        for _ in 0..<3 { try node.round() }
        let left = try Left(node, FAULT_IMAGE_NONE, seed: 1)
        #expect(left.rounds == 1)
        #expect(left.readOnly == .sidecarAhead(sidecar: 7, database: 4))
    }

    // MARK: - Calls that fail

    private static let faults = [
        (FAULT_WRITE, FAULT_EIO), (FAULT_WRITE, FAULT_ENOSPC), (FAULT_SYNC, FAULT_EIO),
        (FAULT_TRUNCATE, FAULT_EIO), (FAULT_READ, FAULT_EIO),
    ]

    @Test func `whichever call fails, nothing acknowledged is lost and work goes on`() throws {
        var failed = 0
        for (kind, error) in Self.faults {
            let calm = try FaultyNode()
            let before = calm.calls(kind)
            try work(calm)
            let last = max(1, calm.calls(kind) - before)
            for number in Swift.stride(from: 1, through: last, by: Int64.Stride(Self.stride)) {
                let node = try FaultyNode()
                node.fail(kind, after: number, error)
                try work(node)
                guard node.hasFailed else { continue }
                failed += 1
                let mode = Self.modes[Int(number) % Self.modes.count]
                let left = try Left(node, mode, seed: UInt64(number))
                #expect(left.readOnly == nil, "call \(number) of kind \(kind.rawValue)")
                #expect(left.rounds == node.acknowledged)
            }
        }
        #expect(failed > 20)
    }

    /// Three commits, a checkpoint and one commit more.
    private func work(_ node: FaultyNode) throws {
        _ = try node.rounds(3)
        do { try node.checkpoint() } catch {
            node.heal()
            try node.reopen()
        }
        _ = try node.rounds(1)
    }

    /// SQLite's own check takes it for one.
    @Test func `a page that could not be read once is no damage`() throws {
        let node = try FaultyNode()
        _ = try node.rounds(9)
        var failed = 0
        for number: Int64 in 1...400 {
            node.fail(FAULT_READ, after: number, FAULT_EIO)
            let found = refusal { try node.reopen() }
            guard node.hasFailed else { break }
            failed += 1
            switch found {
            case nil, .ioError: break
            case let other?: Issue.record("read \(number): \(other)")
            }
            node.heal()
            try node.reopen()
        }
        #expect(failed > 20)
    }

    @Test func `a ledger that cannot be opened anew is closed in peace`() throws {
        let node = try FaultyNode()
        try node.round()
        for kind in [FAULT_READ, FAULT_WRITE, FAULT_SYNC] {
            node.fail(kind, after: 1, FAULT_EIO, stays: true)
            #expect(refusal { try node.round() } != nil || kind == FAULT_READ)
            _ = refusal { try node.database.reopen() }
            _ = refusal { try node.database.reopen() }
            node.database.close()
            node.heal()
            try node.reopen()
            try node.round()
        }
        let left = try Left(node, FAULT_IMAGE_NONE, seed: 3)
        #expect(left.rounds == node.acknowledged)
        #expect(left.readOnly == nil)
    }

    @Test func `after a failed commit the files are opened anew and work goes on`() throws {
        let node = try FaultyNode()
        node.fail(FAULT_SYNC, after: 1, FAULT_EIO)
        #expect(refusal { try node.round() } != nil)
        try node.database.reopen()
        #expect(try node.database.load().0.readOnly == nil)
        for _ in 0..<3 { try node.round() }
        #expect(try Left(node, FAULT_IMAGE_NONE, seed: 4).rounds == 3)
    }

    @Test func `a disk that stays full refuses with that reason until there is room`() throws {
        let node = try FaultyNode()
        try node.round()
        node.fail(FAULT_WRITE, after: 1, FAULT_ENOSPC, stays: true)
        for _ in 0..<3 { #expect(refusal { try node.round() } == .diskFull) }
        node.heal()
        try node.reopen()
        try node.round()
        #expect(node.acknowledged == 2)
        #expect(try Left(node, FAULT_IMAGE_NONE, seed: 1).rounds == 2)
    }
}
