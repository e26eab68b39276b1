internal import Foundation
internal import Glibc
internal import Identity
internal import Logging
internal import NodeCore
internal import ServiceLifecycle
internal import Synchronization
internal import Transport

/// Finds members in this network, and is found, by avahi where it is present: two child programs that end with
/// this one. Without avahi nothing happens.
final class Lan: Service {
    private let runtime: Runtime
    /// `nil`: nobody outside this machine could connect.
    private let port: Int?
    private let logger: Logger
    private let seen = Mutex(Seen())

    private struct Seen {
        var sightings: [Announcement.Name: Sighting] = [:]
        var isNews = false
    }

    private static let retry: Duration = .seconds(30)
    /// Then another salt is announced, and alliances that were joined since.
    private static let saltLife: Duration = .seconds(3_600)
    /// An announcement of somebody who was no member may be one's later.
    private static let againSeconds = 15
    /// More than a node looks at, so that not every change makes another pick.
    private static let seenMax = 256

    init(runtime: Runtime, port: Int?, logger: Logger) {
        self.runtime = runtime
        self.port = port
        self.logger = logger
    }

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.browse() }
            if let port { group.addTask { await self.publish(port) } }
            group.addTask { await self.tell() }
            try? await gracefulShutdown()
            group.cancelAll()
        }
    }

    private func publish(_ port: Int) async {
        while !Task.isCancelled {
            let salt = Entropy.bytes(LanLimit.saltBytes)
            let hints = await withCheckedContinuation { continuation in
                runtime.put { node in
                    let hints = node.hints(salt)
                    return { _ in continuation.resume(returning: hints) }
                }
            }
            let words = ["avahi-publish-service", salt.hex, Announcement.service, "\(port)"]
            let texts = hints.map { "h=" + $0.hex }
            guard await keep(words + texts, for: Self.saltLife, { _ in }) else { return }
        }
    }

    private func browse() async {
        let words = [
            "avahi-browse", "--parsable", "--resolve", "--no-db-lookup", Announcement.service,
        ]
        while !Task.isCancelled {
            let goesOn = await keep(words) { line in
                switch Announcement.read(line) {
                case .came(let one): self.came(one)
                case .went(let name): self.went(name)
                case nil: return
                }
            }
            guard goesOn else { return }
            seen.withLock { $0 = Seen(isNews: true) }
        }
    }

    private func came(_ one: Announcement) {
        guard let salt = [UInt8](hex: one.name.instance) else { return }
        let hints = one.texts.filter { $0.hasPrefix("h=") }.prefix(LanLimit.alliances)
            .compactMap { [UInt8](hex: String($0.dropFirst(2))) }
        seen.withLock { seen in
            guard seen.sightings[one.name] != nil || seen.sightings.count < Self.seenMax else {
                return
            }
            seen.sightings[one.name] = Sighting(
                host: one.host, port: one.port, salt: salt, hints: hints)
            seen.isNews = true
        }
    }

    private func went(_ name: Announcement.Name) {
        seen.withLock { seen in
            if seen.sightings.removeValue(forKey: name) != nil { seen.isNews = true }
        }
    }

    /// Once a second at most, however much is announced: the node tries each hint on each member.
    private func tell() async {
        var seconds = 0
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            seconds += 1
            let isDue = seconds % Self.againSeconds == 0
            let all = seen.withLock { seen -> [Sighting]? in
                defer { seen.isNews = false }
                guard seen.isNews || isDue && !seen.sightings.isEmpty else { return nil }
                return seen.sightings.sorted { $0.key.instance < $1.key.instance }.map(\.value)
            }
            guard let all else { continue }
            runtime.put { node in
                node.sighted(all)
                return nil
            }
        }
    }

    /// Runs a program, no longer than `life`, and hands on its lines; where it ended by itself, waits before it
    /// may be run again. False: there is no such program here, or no time left.
    private func keep(
        _ words: [String], for life: Duration? = nil,
        _ line: @escaping @Sendable (String) -> Void
    ) async -> Bool {
        guard let child = Child(words, line) else { return false }
        let began = ContinuousClock.now
        let end = Task {
            guard let life else { return }
            try await Task.sleep(for: life)
            child.end()
        }
        defer { end.cancel() }
        let status = await withTaskCancellationHandler {
            await child.ended()
        } onCancel: {
            child.end()
        }
        if status == Child.notFound {
            logger.notice("\(words[0]) is not here (avahi-utils): --lan goes without")
            return false
        }
        if Task.isCancelled { return false }
        if let life, began.duration(to: .now) >= life { return true }
        logger.debug("\(words[0]) ended with \(status)")
        return (try? await Task.sleep(for: Self.retry)) != nil
    }
}

/// A program that ends when this process does, however that ends: a shell beside it holds the other end of a
/// pipe and stops the program once nobody holds this one.
private final class Child: Sendable {
    static let notFound: Int32 = 127
    private static let guarded = """
        exec 3<&0
        { cat <&3; kill -KILL $$; } >/dev/null 2>&1 &
        exec "$@" 3<&- </dev/null 2>/dev/null
        """
    private static let lineBytesMax = 16_384

    private let process = Process()
    /// The end that is held; `nil` once let go.
    private let life: Mutex<Int32?>
    private let status: AsyncStream<Int32>

    init?(_ words: [String], _ line: @escaping @Sendable (String) -> Void) {
        // A child that held another one's end would keep it alive.
        Self.births.lock()
        defer { Self.births.unlock() }
        guard let lives = Self.pipe() else { return nil }
        guard let outs = Self.pipe() else {
            for file in lives { close(file) }
            return nil
        }
        let (status, told) = AsyncStream<Int32>.makeStream()
        self.status = status
        life = Mutex(lives[1])
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", Self.guarded, "sh"] + words
        process.standardInput = FileHandle(fileDescriptor: lives[0], closeOnDealloc: false)
        process.standardOutput = FileHandle(fileDescriptor: outs[1], closeOnDealloc: false)
        process.standardError = FileHandle.nullDevice
        process.terminationHandler = { process in
            told.yield(process.terminationStatus)
            told.finish()
        }
        let isRunning = (try? process.run()) != nil
        close(lives[0])
        close(outs[1])
        guard isRunning else {
            close(lives[1])
            close(outs[0])
            return nil
        }
        let out = outs[0]
        // Until the program ends: then nobody holds the other end.
        Thread.detachNewThread { Self.read(out, line) }
    }

    private static let births = NSLock()

    /// Its two ends, of which no child knows but those given to it.
    private static func pipe() -> [Int32]? {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return ends
    }

    private static func read(_ file: Int32, _ line: (String) -> Void) {
        var rest: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = Glibc.read(file, &bytes, bytes.count)
            guard count > 0 || (count < 0 && errno == EINTR) else { break }
            rest += bytes.prefix(max(count, 0))
            var lines = rest.split(separator: 10, omittingEmptySubsequences: false)
            rest = Array(lines.popLast() ?? [])
            if rest.count > lineBytesMax { rest = [] }
            for one in lines { String(validating: one, as: UTF8.self).map(line) }
        }
        close(file)
    }

    func end() {
        life.withLock { life in
            if let file = life { close(file) }
            life = nil
        }
    }

    func ended() async -> Int32 {
        for await status in status {
            end()
            return status
        }
        return -1
    }
}
