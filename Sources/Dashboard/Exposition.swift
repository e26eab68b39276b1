internal import Capacity
public import CoreMetrics
internal import Identity
internal import Market
internal import NodeCore
internal import Synchronization

/// Measures as Prometheus reads them, text format 0.0.4, counted through swift-metrics. Each node has its own:
/// nothing is shared by the process.
public final class Exposition: MetricsFactory {
    private let families = Mutex<[String: Family]>([:])

    enum Kind: String { case counter, gauge, summary }

    private struct Family {
        let kind: Kind
        /// By labels as they are written.
        var series: [String: Figure] = [:]
    }

    private struct Figure {
        var value = 0.0
        /// How many values were added up, of a summary.
        var count: Int64 = 0
    }

    public init() {}

    public func counter(_ measure: Measure, _ labels: [(String, String)] = []) -> Counter {
        Counter(label: measure.rawValue, dimensions: labels, factory: self)
    }

    public func timer(_ measure: Measure) -> Timer {
        Timer(label: measure.rawValue, dimensions: [], factory: self)
    }

    func set(_ measure: Measure, _ labels: [(String, String)] = [], to value: some BinaryInteger) {
        Meter(label: measure.rawValue, dimensions: labels, factory: self).set(value)
    }

    // MARK: - The text

    func text() -> String {
        let families = families.withLock { $0 }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            if let measure = Measure(rawValue: name) { text += "# HELP \(name) \(measure.help)\n" }
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, figure) in family.series.sorted(by: { $0.key < $1.key }) {
                if family.kind == .summary {
                    text += "\(name)_sum\(labels) \(Self.number(figure.value))\n"
                    text += "\(name)_count\(labels) \(figure.count)\n"
                } else {
                    text += "\(name)\(labels) \(Self.number(figure.value))\n"
                }
            }
        }
        return text
    }

    private static func number(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return "\(whole)" }
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return "\(value)"
    }

    /// `{a="b"}`; empty where there are none.
    private static func labels(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.sorted { $0.0 < $1.0 }.map { name, value in
            let escaped = value.writing(["\\": "\\\\", "\"": "\\\"", "\n": "\\n"])
            return "\(lawful(name))=\"\(escaped)\""
        }
        return "{" + pairs.joined(separator: ",") + "}"
    }

    private static func lawful(_ name: String) -> String {
        let letters = name.unicodeScalars.map { scalar in
            let isLawful = scalar.isASCII && (scalar.properties.isAlphabetic || scalar == "_")
            return isLawful || ("0"..."9").contains(scalar) ? String(scalar) : "_"
        }
        let text = letters.joined()
        return text.first.map { ("0"..."9").contains($0) } ?? true ? "_" + text : text
    }

    // MARK: - For swift-metrics

    private func series(
        _ label: String, _ dimensions: [(String, String)], _ kind: Kind
    ) -> Series {
        let (name, labels) = (Self.lawful(label), Self.labels(dimensions))
        change(name, labels, kind) { _ in }
        return Series(owner: self, name: name, labels: labels, kind: kind)
    }

    /// A name keeps the kind that it was first made with; whoever takes it for another goes unheard.
    private func change(
        _ name: String, _ labels: String, _ kind: Kind, _ body: (inout Figure) -> Void
    ) {
        families.withLock { families in
            guard families[name, default: Family(kind: kind)].kind == kind else { return }
            body(&families[name, default: Family(kind: kind)].series[labels, default: Figure()])
        }
    }

    private func remove(_ handler: AnyObject) {
        guard let series = handler as? Series else { return }
        families.withLock { families in
            families[series.name]?.series[series.labels] = nil
            if families[series.name]?.series.isEmpty == true { families[series.name] = nil }
        }
    }

    private final class Series: CounterHandler, MeterHandler, RecorderHandler, TimerHandler {
        let owner: Exposition
        let name: String
        let labels: String
        let kind: Kind

        init(owner: Exposition, name: String, labels: String, kind: Kind) {
            self.owner = owner
            self.name = name
            self.labels = labels
            self.kind = kind
        }

        private func add(_ value: Double) {
            owner.change(name, labels, kind) { figure in
                figure.value += value
                figure.count += 1
            }
        }

        func increment(by amount: Int64) { add(Double(amount)) }
        func increment(by amount: Double) { add(amount) }
        func decrement(by amount: Double) { add(-amount) }
        func record(_ value: Int64) { add(Double(value)) }
        func record(_ value: Double) { add(value) }
        func recordNanoseconds(_ duration: Int64) { add(Double(duration) / 1e9) }
        func set(_ value: Int64) { set(Double(value)) }
        func set(_ value: Double) { owner.change(name, labels, kind) { $0.value = value } }
        func reset() { set(0.0) }
    }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter)
    }
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge)
    }
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        series(label, dimensions, .summary)
    }
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .summary)
    }
    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }
}

/// What is measured, and what `# HELP` says of it.
public enum Measure: String, CaseIterable, Sendable {
    case receivedBytes = "talea_received_bytes_total"
    case sentBytes = "talea_sent_bytes_total"
    case receivedFrames = "talea_received_frames_total"
    case sentFrames = "talea_sent_frames_total"
    case ends = "talea_connections_ended_total"
    case commits = "talea_commit_seconds"
    case connections = "talea_connections"
    case peerReceived = "talea_peer_received_bytes"
    case peerSent = "talea_peer_sent_bytes"
    case outbox = "talea_outbox_statements"
    case logsBehind = "talea_topic_logs_behind"
    case entriesBehind = "talea_topic_entries_behind"
    case heldBack = "talea_logs_held_back"
    case contracts = "talea_contracts"
    case people = "talea_known_people"
    case forks = "talea_forked_logs"
    case dataBytes = "talea_data_bytes"
    case started = "talea_start_time_seconds"
    case scrubbedBad = "talea_scrub_bad"
    case isReadOnly = "talea_read_only"

    var help: String {
        switch self {
        case .receivedBytes: "Bytes of frames that peers sent."
        case .sentBytes: "Bytes of frames sent to peers."
        case .receivedFrames: "Frames that peers sent."
        case .sentFrames: "Frames sent to peers."
        case .ends: "Connections that ended and dials that failed, by reason."
        case .commits: "What commits to the database took."
        case .connections: "Connections that stand."
        case .peerReceived: "Bytes of frames that a peer sent over the connection that stands."
        case .peerSent: "Bytes of frames sent to a peer over the connection that stands."
        case .outbox: "Statements on their way to their recipients."
        case .logsBehind: "Logs of a topic of which peers named more than is held here."
        case .entriesBehind: "Entries of a topic that peers named and that are not held here."
        case .heldBack: "Logs that peers offered and that wait, by what for."
        case .contracts: "Contracts, by grade."
        case .people: "Authors whose public logs are held."
        case .forks: "Logs that are known to have two histories."
        case .dataBytes: "Size of the database."
        case .started: "When the node was started, in seconds since 1970."
        case .scrubbedBad: "What the last check of the disk found damaged."
        case .isReadOnly: "1 where the node signs nothing."
        }
    }
}

extension View {
    /// How it stands now, beside what was counted since the start.
    func measures(_ status: DoorStatus) -> Exposition {
        let now = Exposition()
        now.set(.connections, to: node.connections.count)
        for (did, traffic) in status.traffic {
            now.set(.peerReceived, [("peer", did.did)], to: traffic.received)
            now.set(.peerSent, [("peer", did.did)], to: traffic.sent)
        }
        now.set(.outbox, to: node.undelivered.count)
        // Alliances one by one; contracts, which may be many, and what is not known yet, together.
        let alliances = Set(node.alliances.map(\.topic))
        let lags = node.lag()
        for topic in alliances {
            tell(lags.filter { $0.topic == topic }, [("topic", topic.short)])
        }
        tell(lags.filter { !alliances.contains($0.topic ?? .zero) }, [("topic", "others")])
        func tell(_ lags: [Lag], _ labels: [(String, String)]) {
            now.set(.logsBehind, labels, to: lags.reduce(0) { $0 + $1.logs })
            let entries = lags.map { Int64(clamping: $0.entries) }
            now.set(.entriesBehind, labels, to: entries.reduce(0, &+))
        }
        for (why, logs) in node.heldBack() {
            now.set(.heldBack, [("for", why.rawValue)], to: logs)
        }
        for grade in HeldContract.Grade.allCases {
            let count = node.contracts.overview.contracts.count {
                $0.grade == grade && !$0.isDeclined
            }
            now.set(.contracts, [("grade", grade.rawValue)], to: count)
        }
        now.set(.people, to: node.book.authors.count)
        now.set(.forks, to: node.forkStandings.count)
        now.set(.dataBytes, to: status.dataBytes)
        now.set(.started, to: status.started.milliseconds / 1_000)
        if let scrub = status.scrub { now.set(.scrubbedBad, to: scrub.bad) }
        now.set(.isReadOnly, to: node.readOnly == nil ? 0 : 1)
        return now
    }
}
