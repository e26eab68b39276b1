import ArgumentParser
import Contracts
import Dashboard
import FoundationEssentials
import Glibc
import Hardware
import Identity
import Simulation

/// Worlds by their seeds: whole nodes that trade while everything goes wrong. No home is needed.
struct SimulateWorlds: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "simulate")

    @Argument(help: "market, or canary, which must fail.") var world = "market"
    @Option(help: "A seed, or a first and a last one: 1..200.") var seeds = "1..20"
    @Option(help: "Virtual hours of trade with faults; then all is healed.") var hours = 24
    @Option(help: "How many nodes trade.") var nodes = 12
    @Option(help: "Fault families to leave out, with commas.") var without = ""
    @Option(
        help: "What lies under the nodes: model, files, or drawn: files for every 20th seed.")
    var disk = Disk.drawn
    @Option(help: "The folder of template files.") var contracts = "contracts"
    @Option(help: "Named in the report of a failure.") var commit = "unknown"
    @OptionGroup var common: Common

    enum Disk: String, ExpressibleByArgument {
        case model, files, drawn

        func isFiles(_ seed: UInt64) -> Bool { self == .files || self == .drawn && seed % 20 == 0 }
    }

    func act(_ line: Line) throws -> Int32 {
        guard Sodium.start() else { return Main.Exit.refused }
        guard ["market", "canary"].contains(world), (2...64).contains(nodes),
            (1...8_760).contains(hours)
        else {
            throw DoorRefusal(
                "value_unreadable", field: "simulate", value: world,
                en: "simulate “\(world)”: wanted market or canary, 2 to 64 nodes, 1 to 8760 hours",
                zh: "simulate“\(world)”：应为 market 或 canary，节点 2 至 64，小时 1 至 8760")
        }
        var setting = World.Setting(
            nodes: nodes, hours: hours, templates: try templates(), without: try families())
        setting.isCanary = world == "canary"
        let range = try range()
        let started = Self.processorSeconds
        var report = Report(command: self, first: range.lowerBound, last: range.upperBound)
        for seed in range {
            setting.makeDisk = nil
            if disk.isFiles(seed) { setting.lieOnFiles() }
            let outcome = try World(seed: seed, setting).run()
            report.take(outcome)
            guard outcome.violation != nil else { continue }
            let smaller = try World.shrink(outcome, setting)
            report.failed(outcome, smaller)
            break
        }
        report.seconds = Self.processorSeconds - started
        print(common.json ? report.json().text(pretty: true) : report.text(line.language))
        return report.failure == nil ? 0 : Main.Exit.checkFailed
    }

    private func templates() throws -> [[UInt8]] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: contracts)) ?? []
        let files = names.filter { $0.hasSuffix(".yaml") }.sorted()
        guard !files.isEmpty else {
            throw DoorRefusal(
                "file_unreadable", field: "--contracts", value: contracts,
                en:
                    "--contracts “\(contracts)”: no templates there; wanted a folder of .yaml files",
                zh: "--contracts“\(contracts)”：其中没有模板；应为含 .yaml 文件的目录")
        }
        return try files.map { try Local.read(contracts + "/" + $0, field: "--contracts") }
    }

    private func families() throws -> Set<FaultFamily> {
        var found: Set<FaultFamily> = []
        for name in without.split(separator: ",") {
            guard let family = FaultFamily(rawValue: String(name)) else {
                let all = FaultFamily.allCases.map(\.rawValue).joined(separator: ", ")
                throw DoorRefusal(
                    "value_unreadable", field: "--without", value: String(name),
                    en: "--without “\(name)”: wanted some of \(all)",
                    zh: "--without“\(name)”：应取自 \(all)")
            }
            found.insert(family)
        }
        return found
    }

    private func range() throws -> ClosedRange<UInt64> {
        let ends = seeds.split(separator: ".", omittingEmptySubsequences: true).map { UInt64($0) }
        guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2,
            first <= last
        else {
            throw DoorRefusal(
                "value_unreadable", field: "--seeds", value: seeds,
                en: "--seeds “\(seeds)”: wanted a seed, or a first and a last one: 1..200",
                zh: "--seeds“\(seeds)”：应为一个种子或起止种子，如 1..200")
        }
        return first...last
    }

    /// What this process used of its processor: load of others does not count.
    private static var processorSeconds: Double {
        var used = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &used)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(used.ru_utime) + seconds(used.ru_stime)
    }

    /// The line that plays one seed again.
    func replay(_ seed: UInt64, _ setting: World.Setting) -> String {
        var words = [
            "talea simulate \(world) --seeds \(seed)..\(seed)", "--hours \(setting.minutes / 60)",
            "--nodes \(setting.nodes)",
        ]
        if disk != .drawn { words.append("--disk \(disk.rawValue)") }
        if !setting.without.isEmpty {
            let names = setting.without.map(\.rawValue).sorted().joined(separator: ",")
            words.append("--without \(names)")
        }
        return words.joined(separator: " ")
    }
}

/// What a row of seeds came to, for people and for programs.
struct Report {
    let command: SimulateWorlds
    let first: UInt64
    let last: UInt64
    var seconds = 0.0
    private(set) var runs = 0
    private(set) var milliseconds: Int64 = 0
    private(set) var tally = Tally()
    private(set) var trace: UInt64 = 0
    private(set) var failure: (outcome: Fate, smaller: World.Setting)?

    init(command: SimulateWorlds, first: UInt64, last: UInt64) {
        self.command = command
        self.first = first
        self.last = last
    }

    mutating func take(_ outcome: Fate) {
        runs += 1
        milliseconds += outcome.milliseconds
        tally.add(outcome.tally)
        trace = (trace &* 31) ^ outcome.trace
    }

    mutating func failed(_ outcome: Fate, _ smaller: World.Setting) {
        failure = (outcome, smaller)
    }

    private var ratio: Int64 { seconds > 0 ? Int64(Double(milliseconds) / 1_000 / seconds) : 0 }
    private var hours: Int64 { milliseconds / 3_600_000 }

    func text(_ language: Language) -> String {
        let english = language == .en
        var lines = [
            english
                ? "\(runs) seeds from \(first), \(command.nodes) nodes, \(hours) virtual hours in \(Int(seconds)) s of processor: \(ratio) × real time"
                : "自种子 \(first) 起共 \(runs) 个，\(command.nodes) 个节点，虚拟 \(hours) 小时，处理器 \(Int(seconds)) 秒：实时的 \(ratio) 倍",
            english
                ? "\(tally.frames) frames, \(tally.proposals) proposals, \(tally.sequenced) contracts, \(tally.steps) steps, \(tally.settled) settled, \(tally.forks) forks seen, \(tally.starts) starts"
                : "帧 \(tally.frames)，提案 \(tally.proposals)，合同 \(tally.sequenced)，步骤 \(tally.steps)，了结 \(tally.settled)，所见分叉 \(tally.forks)，启动 \(tally.starts)",
            "",
        ]
        lines.append(
            Table.text(
                [english ? "fault" : "故障", english ? "times" : "次数"],
                FaultFamily.allCases.map { [$0.rawValue, "\(tally.faults[$0] ?? 0)"] },
                rightAligned: [1]))
        lines.append("")
        if !tally.disks.isEmpty {
            lines.append(
                Table.text(
                    [english ? "real files" : "真实文件", english ? "times" : "次数"],
                    tally.disks.sorted { $0.key < $1.key }.map { [$0.key, "\($0.value)"] },
                    rightAligned: [1]))
            lines.append("")
        }
        lines.append((english ? "trace " : "轨迹 ") + String(trace, radix: 16))
        guard let failure, let violation = failure.outcome.violation else {
            lines.append(english ? "no invariant was broken" : "没有不变式被破坏")
            return lines.joined(separator: "\n")
        }
        lines.append(
            english
                ? "BROKEN: \(violation.words(.en))" : "被破坏：\(violation.words(.zh))")
        lines.append((english ? "seed     " : "种子    ") + "\(failure.outcome.seed)")
        lines.append((english ? "commit   " : "提交    ") + command.commit)
        let whole = World.Setting(
            nodes: command.nodes, hours: command.hours, templates: [],
            without: Set(
                command.without.split(separator: ",").compactMap {
                    FaultFamily(rawValue: String($0))
                }))
        lines.append(
            (english ? "again    " : "重放    ") + command.replay(failure.outcome.seed, whole))
        lines.append(
            (english ? "smaller  " : "缩小    ")
                + command.replay(failure.outcome.seed, failure.smaller))
        return lines.joined(separator: "\n")
    }

    func json() -> JSON {
        func count(_ number: Int) -> JSON { .number(Int64(number)) }
        func named(_ counts: [String: Int]) -> JSON {
            .object(counts.sorted { $0.key < $1.key }.map { .init($0.key, count($0.value)) })
        }
        var fields: [JSON.Field] = [
            .init("seeds", count(runs)), .init("first", .number(Int64(clamping: first))),
            .init("nodes", count(command.nodes)), .init("hours", .number(hours)),
            .init("seconds", .number(Int64(seconds))), .init("ratio", .number(ratio)),
            .init("frames", count(tally.frames)), .init("contracts", count(tally.sequenced)),
            .init("steps", count(tally.steps)), .init("settled", count(tally.settled)),
            .init("forks", count(tally.forks)), .init("trace", .string(String(trace, radix: 16))),
            .init(
                "faults",
                named(
                    Dictionary(
                        uniqueKeysWithValues: tally.faults.map { ($0.key.rawValue, $0.value) })
                )),
            .init("disks", named(tally.disks)), .init("transitions", named(tally.transitions)),
            .init("outcomes", named(tally.outcomes)), .init("closed", named(tally.closed)),
        ]
        if let failure, let violation = failure.outcome.violation {
            fields.append(
                .init(
                    "violation",
                    [
                        "check": .string(violation.check.rawValue),
                        "seed": .number(Int64(clamping: failure.outcome.seed)),
                        "commit": .string(command.commit), "node": .string(violation.node),
                        "milliseconds": .number(violation.time),
                        "about": .string(violation.about), "found": .number(violation.found),
                        "wanted": .number(violation.wanted),
                        "smaller": .string(command.replay(failure.outcome.seed, failure.smaller)),
                    ]))
        }
        return .object(fields)
    }
}

extension Violation {
    func words(_ language: Language) -> String {
        let seconds = time / 1_000
        let what = check.words[language]
        return language == .en
            ? "\(what) [\(check.rawValue)] at \(node) after \(seconds) s: \(about), found \(found), wanted \(wanted)"
            : "\(what) [\(check.rawValue)]，节点 \(node)，第 \(seconds) 秒：\(about)，实为 \(found)，应为 \(wanted)"
    }
}

extension Check {
    var words: Localized {
        switch self {
        case .sentBeforeCommitted: Localized(en: "sent before it was committed", zh: "提交前已发送")
        case .acknowledgedLost: Localized(en: "acknowledged and not kept", zh: "已确认却未保存")
        case .secondHistory: Localized(en: "a second entry at an own place", zh: "同一位置出现第二条目")
        case .forged: Localized(en: "in an honest name, never signed by it", zh: "冒名条目被接受")
        case .altered: Localized(en: "kept otherwise than signed", zh: "保存内容与签名不符")
        case .forkOfHonest: Localized(en: "a fork shown of an honest node", zh: "诚实节点被指分叉")
        case .unproven: Localized(en: "a fork that nobody can be shown", zh: "分叉无可出示的证明")
        case .overGranted: Localized(en: "a line does not add up", zh: "产能线不平")
        case .overlap: Localized(en: "own lines overlap", zh: "自有产能线重叠")
        case .oversold: Localized(en: "contracts hold more than was granted", zh: "合同占用超过授予")
        case .consentMissing: Localized(en: "a step without the consent it needs", zh: "步骤缺少所需同意")
        case .early: Localized(en: "a step out of its time", zh: "步骤不在其时限内")
        case .secondReceipt: Localized(en: "receipted twice, or after the end", zh: "重复或在终结后签收")
        case .unlisted: Localized(en: "a closing that leaves out or adds", zh: "截止清单有遗漏或多余")
        case .unreceipted: Localized(en: "too few witnesses spoke", zh: "见证人不足")
        case .passedOver: Localized(en: "a default over a request in time", zh: "及时请求被默认步骤越过")
        case .belowWitnessed: Localized(en: "a ruling below a witnessed step", zh: "裁定低于已见证步骤")
        case .timeFell: Localized(en: "times fall within a log", zh: "日志时间倒退")
        case .oldKey: Localized(en: "a replaced key still binds", zh: "已更换的密钥仍然有效")
        case .stale: Localized(en: "a request admitted on old versions", zh: "按旧版本采纳请求")
        case .imbalance: Localized(en: "books that do not balance", zh: "账目不平")
        case .booksDiffer: Localized(en: "stored books differ from the entries", zh: "账本与条目不符")
        case .statesDiffer: Localized(en: "two states of the same entries", zh: "相同条目得出不同状态")
        case .refused: Localized(en: "a commit that the tables refuse", zh: "提交被数据库拒绝")
        case .restartDiffers: Localized(en: "another value after a restart", zh: "重启后状态不同")
        case .privacy: Localized(en: "a contract shown to an outsider", zh: "合同泄露给外人")
        case .unbounded: Localized(en: "held without a bound", zh: "占用无上限")
        case .repeated: Localized(en: "kept twice", zh: "重复保存")
        case .unnoticed: Localized(en: "old copy not noticed", zh: "旧副本未被察觉")
        case .mistaken: Localized(en: "a sound home taken for an old copy", zh: "完好数据被误作旧副本")
        case .signedReadOnly: Localized(en: "signed while read-only", zh: "只读时签名")
        case .voidStep: Localized(en: "an honest step without effect", zh: "诚实步骤无效")
        case .diverged: Localized(en: "honest nodes differ after healing", zh: "恢复后诚实节点不一致")
        case .stuck: Localized(en: "a contract waits for ever", zh: "合同永久停滞")
        case .undelivered: Localized(en: "a statement never arrived", zh: "陈述始终未送达")
        case .canary: Localized(en: "the deliberate fault", zh: "有意的故障")
        }
    }
}
