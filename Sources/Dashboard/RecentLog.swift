public import Capacity
public import Logging
internal import Synchronization

/// The newest lines of the log, for an owner who asks on a page what went on. The log itself goes elsewhere.
public final class RecentLog: Sendable {
    struct Line: Hashable, Sendable {
        let level: Logger.Level
        let text: String
        var time: Instant
        /// In a row.
        var times = 1
    }

    static let linesMax = 50
    /// What peers had a say in may be long.
    static let lettersMax = 400

    private let lines = Mutex<[Line]>([])
    private let clock: @Sendable () -> Instant

    public init(clock: @escaping @Sendable () -> Instant) { self.clock = clock }

    var newestFirst: [Line] { lines.withLock { $0.reversed() } }

    /// One of a logger's handlers. Below `info` is for whoever looks for a fault, not for owners.
    public var handler: some LogHandler { Handler(log: self) }

    fileprivate func add(_ level: Logger.Level, _ text: String) {
        let plain = String(
            text.prefix(Self.lettersMax).unicodeScalars.map { scalar in
                let kind = scalar.properties.generalCategory
                return kind == .control || kind == .format ? " " : Character(scalar)
            })
        lines.withLock { lines in
            var line = Line(level: level, text: plain, time: clock())
            if let last = lines.last, last.level == level, last.text == plain {
                line.times += last.times
                lines.removeLast()
            }
            lines.append(line)
            if lines.count > Self.linesMax { lines.removeFirst() }
        }
    }
}

private struct Handler: LogHandler {
    let log: RecentLog
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let beside = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        log.add(event.level, event.message.description + beside)
    }
}
