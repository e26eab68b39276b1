internal import Capacity
public import Contracts
internal import Dashboard
internal import Foundation
internal import Glibc
internal import Identity
internal import Storage

/// Looks at a home and its machine as a patient neighbour would, and says what to do.
public enum Doctor {
    public struct Finding: Sendable {
        public let about: Subject
        public let grade: Grade
        public let says: Localized
        /// Where there is something to do.
        public let advice: Localized?
    }

    public enum Subject: String, Sendable {
        case home, key, disk, ledger, mark, versions, backup, node, port, clock, recovery, notify
    }

    /// `act`: something is or will be lost, or does not work, until the owner does something.
    public enum Grade: String, Comparable, Sendable {
        case ok, attention, act

        public static func < (left: Self, right: Self) -> Bool {
            [.ok, .attention, .act].firstIndex(of: left) ?? 0
                < [.ok, .attention, .act].firstIndex(of: right) ?? 0
        }
    }

    /// Changes nothing; asks the node where it runs.
    public static func look(at path: String, version: String) async -> [Finding] {
        let home = Home(path)
        guard FileManager.default.fileExists(atPath: home.keyFile) else {
            return [
                Finding(
                    .home, .act, "\(home.path) holds no identity", "\(home.path) 没有身份",
                    "make one with talea init, or bring yours back with talea restore or talea recover",
                    "用 talea init 创建，或用 talea restore 或 talea recover 找回")
            ]
        }
        var findings = [permissions(home), key(home), disk(home)]
        findings += ledger(home, version)
        findings.append(backup(home))
        if home.notifySettings?.desktop == true, !Tool.isHere(NotifySettings.desktopTool) {
            findings.append(
                Finding(
                    .notify, .attention, NotifySettings.desktopMissing.en,
                    NotifySettings.desktopMissing.zh, NotifySettings.desktopAdvice.en,
                    NotifySettings.desktopAdvice.zh))
        }
        findings += await node(home)
        return findings
    }

    // MARK: - Files

    private static func permissions(_ home: Home) -> Finding {
        for name in ["", "/key", "/ledger.sqlite", "/high-water"] {
            var found = stat()
            let path = home.path + name
            guard stat(path, &found) == 0 else { continue }
            let mode = found.st_mode & 0o777
            if mode & 0o077 != 0 {
                let command = "chmod \(name.isEmpty ? "700" : "600") \(path)"
                return Finding(
                    .home, .act, "others can read \(path) (mode \(String(mode, radix: 8)))",
                    "他人可读取 \(path)（权限 \(String(mode, radix: 8))）", "run: \(command)",
                    "请运行：\(command)")
            }
            if found.st_uid != getuid() {
                return Finding(
                    .home, .act, "\(path) belongs to user \(found.st_uid), not to you",
                    "\(path) 属于用户 \(found.st_uid) 而不是您", "run: sudo chown -R $USER \(home.path)",
                    "请运行：sudo chown -R $USER \(home.path)")
            }
        }
        return Finding(.home, .ok, "\(home.path), closed to others", "\(home.path)，他人无法读取")
    }

    private static func key(_ home: Home) -> Finding {
        do {
            let isSealed = try home.needsPassphrase
            return isSealed
                ? Finding(.key, .ok, "encrypted by your passphrase", "已用口令加密")
                : Finding(
                    .key, .ok, "not encrypted, as you chose: whoever copies it is you",
                    "未加密（您的选择）：复制它的人即可代您签署")
        } catch {
            let words = Daemon.words(for: error) ?? Localized(en: "\(error)", zh: "\(error)")
            return Finding(.key, .act, words.en, words.zh)
        }
    }

    /// Free bytes under which a commit may soon fail, and under which one should look.
    private static let freeBytesLeast: UInt64 = 64 << 20
    private static let freeBytesCalm: UInt64 = 1 << 30
    /// Filesystems over a network: locks and syncs of another machine.
    private static let remote = ["nfs", "nfs4", "cifs", "smb3", "9p", "afs", "fuse.sshfs", "davfs"]

    private static func disk(_ home: Home) -> Finding {
        var found = statvfs()
        guard statvfs(home.path, &found) == 0 else {
            return Finding(
                .disk, .act, "the disk does not answer (error \(errno))", "磁盘无应答（错误 \(errno)）",
                "check its cable and its health", "请检查磁盘连接与健康状况")
        }
        let free = UInt64(found.f_bavail) * UInt64(found.f_frsize)
        let kind = filesystem(of: home.path)
        let says = ("\(free >> 20) MiB free on \(kind)", "\(kind) 剩余 \(free >> 20) MiB")
        if free < freeBytesCalm {
            return Finding(
                .disk, free < freeBytesLeast ? .act : .attention, says.0, says.1,
                "free some space: a node on a full disk stops", "请腾出空间：磁盘写满后节点会停止")
        }
        if remote.contains(kind) {
            return Finding(
                .disk, .attention, "\(says.0), over the network", "\(says.1)，网络文件系统",
                "keep the home on a disk of this computer: a server may forget what it called written",
                "请将主目录放在本机磁盘上：服务器可能丢失它声称已写入的内容")
        }
        return Finding(.disk, .ok, says.0, says.1)
    }

    /// As the kernel's list of mounts names it; the longest mount point that the path lies under.
    private static func filesystem(of path: String) -> String {
        let real = URL(filePath: path).resolvingSymlinksInPath().path
        let mounts = (try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)) ?? ""
        var best = (point: "", kind: "?")
        for line in mounts.split(separator: "\n") {
            let halves = line.split(separator: " - ", maxSplits: 1, omittingEmptySubsequences: true)
            let fields = halves.first?.split(separator: " ") ?? []
            guard fields.count > 4, halves.count == 2,
                let kind = halves[1].split(separator: " ").first
            else { continue }
            let point = String(fields[4])
            let lies = real == point || real.hasPrefix(point == "/" ? "/" : point + "/")
            if lies, point.count >= best.point.count { best = (point, String(kind)) }
        }
        return best.kind
    }

    private static func ledger(_ home: Home, _ version: String) -> [Finding] {
        let checkup: Checkup
        do { checkup = try Checkup(home: home.path) } catch {
            return [
                Finding(
                    .ledger, .act, error.words.en, error.words.zh,
                    "stop the node, keep the folder, and bring the node back: talea restore FILE",
                    "停止节点，保留文件夹，并恢复：talea restore 文件")
            ]
        }
        var findings: [Finding] = []
        if let damage = checkup.damage {
            findings.append(
                Finding(
                    .ledger, .act, "damaged: \(damage)", "已损坏：\(damage)",
                    "stop the node, keep the folder, check the disk, and bring the node back: talea restore FILE",
                    "停止节点，保留文件夹，检查磁盘，并恢复：talea restore 文件"))
        } else {
            findings.append(Finding(.ledger, .ok, "its pages hold", "页面完好"))
        }
        let (schema, known) = (checkup.schema, Checkup.schemaKnown)
        let says = (
            "talea \(version), ledger of schema \(schema)", "talea \(version)，账本结构 \(schema)"
        )
        if schema > known {
            findings.append(
                Finding(
                    .versions, .act, "\(says.0), this program knows \(known)",
                    "\(says.1)，本程序只识 \(known)", "install the newer talea", "请安装更新的 talea"))
        } else if schema < known {
            findings.append(
                Finding(
                    .versions, .ok, "\(says.0); the next start brings it to \(known)",
                    "\(says.1)；下次启动升级到 \(known)"))
        } else {
            findings.append(Finding(.versions, .ok, says.0, says.1))
        }
        findings.append(mark(checkup.mark))
        return findings
    }

    private static func mark(_ mark: Checkup.Mark) -> Finding {
        // What follows from each of these the node does by itself; see `recovery` for what is waited for.
        switch mark {
        case .agrees:
            Finding(.mark, .ok, "the mark beside the ledger agrees", "账本旁的水位标记一致")
        case .missing:
            Finding(
                .mark, .attention, "no mark beside the ledger: taken for an old copy",
                "账本旁没有水位标记：按旧副本处理",
                "start the node and leave it on; it asks those who would know more",
                "启动节点并保持运行；它会询问可能知道更多的各方")
        case .foreign:
            Finding(
                .mark, .attention, "the mark beside the ledger is another file's or machine's",
                "账本旁的水位标记属于另一文件或另一台电脑",
                "never run the same home on two computers; start this one and leave it on",
                "切勿在两台电脑上运行同一主目录；启动本机节点并保持运行")
        case .ahead(let sidecar, let ledger):
            Finding(
                .mark, .attention,
                "the ledger is an old copy: \(ledger) own entries, and \(sidecar) were signed",
                "账本是旧副本：自己的条目有 \(ledger) 条，而已签署 \(sidecar) 条",
                "start the node and leave it on; it takes over what partners hold",
                "启动节点并保持运行；它会接收伙伴持有的内容")
        }
    }

    /// Days after which one should think of it. Whether it matters the node says where something is open.
    private static let backupDaysCalm: Int64 = 30

    private static func backup(_ home: Home) -> Finding {
        guard let last = home.lastBackup else {
            return Finding(
                .backup, .attention, "none yet", "尚无", "make one with: talea backup FILE",
                "请运行：talea backup 文件")
        }
        let days = (Clock.now().milliseconds - last.made.milliseconds) / 86_400_000
        let says = ("\(days) days old, \(last.file)", "\(days) 天前，\(last.file)")
        return days > backupDaysCalm
            ? Finding(
                .backup, .attention, says.0, says.1, "make one with: talea backup FILE",
                "请运行：talea backup 文件")
            : Finding(.backup, .ok, says.0, says.1)
    }

    // MARK: - The running node

    private static func node(_ home: Home) async -> [Finding] {
        let status: JSON
        do {
            let client = try DoorClient(home: home.path)
            status = try await client.run(CommandRequest(verb: "status")).get()
        } catch {
            return [
                Finding(
                    .node, .attention, "does not run", "未在运行",
                    "start it: talea run --home \(home.path)",
                    "请启动：talea run --home \(home.path)"),
                clock([]),
            ]
        }
        let peers = status["peers"]?.array ?? []
        var findings = [
            Finding(.node, .ok, "runs, \(peers.count) connected", "正在运行，已连接 \(peers.count) 个")
        ]
        if let listening = status["listening"]?.string { findings.append(port(listening)) }
        findings.append(clock(peers.compactMap { $0["skew_ms"]?.number }))
        for name in ["read_only", "ledger_fault"] {
            if let message = status[name]?["message"], let en = message["en"]?.string {
                findings.append(Finding(.recovery, .act, en, message["zh"]?.string ?? en))
            }
        }
        for one in status["untold"]?.array ?? [] {
            guard let en = one["message"]?["en"]?.string else { continue }
            findings.append(
                Finding(
                    .notify, .attention, en, one["message"]?["zh"]?.string ?? en,
                    "it is tried again as long as something waits; look at: talea notify show",
                    "只要仍有事项就会再试；请看：talea notify show"))
        }
        let waiting = status["recovery"]?["logs"]?.array.count ?? 0
        if waiting > 0 {
            findings.append(
                Finding(
                    .recovery, .attention,
                    "\(waiting) of your logs wait for answers before you sign there",
                    "您有 \(waiting) 份日志在等答复，之后才能签署",
                    "leave the node on; talea status says whose", "保持节点运行；talea status 会列出在等谁"))
        }
        return findings
    }

    private static func port(_ listening: String) -> Finding {
        guard let colon = listening.lastIndex(of: ":"),
            let port = UInt16(listening[listening.index(after: colon)...])
        else { return Finding(.port, .act, "no port in “\(listening)”", "“\(listening)”中没有端口") }
        let host = listening[..<colon].filter { $0 != "[" && $0 != "]" }
        let isLocal = host == "127.0.0.1" || host == "localhost"
        guard answers(isLocal || host == "0.0.0.0" ? "127.0.0.1" : host, port) else {
            return Finding(
                .port, .act, "\(listening) does not answer on this computer", "\(listening) 在本机无应答",
                "a firewall of this computer stands before it; allow TCP port \(port)",
                "本机防火墙拦截了它；请放行 TCP 端口 \(port)")
        }
        return isLocal
            ? Finding(
                .port, .ok, "\(listening): this computer alone; you connect to others",
                "\(listening)：仅本机；由您连接他人",
                "for others to connect to you: talea run --listen 0.0.0.0:7001",
                "若要让他人连接您：talea run --listen 0.0.0.0:7001")
            : Finding(.port, .ok, "\(listening) answers", "\(listening) 有应答")
    }

    private static func answers(_ host: String, _ port: UInt16) -> Bool {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &found) == 0, let first = found else {
            return false
        }
        defer { freeaddrinfo(first) }
        let file = socket(first.pointee.ai_family, hints.ai_socktype, 0)
        guard file >= 0 else { return false }
        defer { close(file) }
        return connect(file, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0
    }

    // MARK: - The clock

    /// As a node judges: more than this from most peers, and nothing is signed.
    private static let skewMax: Int64 = 600_000

    private static func clock(_ skews: [Int64]) -> Finding {
        let off = skews.filter { $0.magnitude > UInt64(skewMax) }
        if off.count * 2 > skews.count {
            let seconds = off.sorted()[off.count / 2] / 1000
            return Finding(
                .clock, .act,
                "\(seconds) s from \(off.count) of \(skews.count) peers; nothing is signed",
                "与 \(skews.count) 个连接中的 \(off.count) 个相差 \(seconds) 秒；不会签署",
                "set the clock: timedatectl set-ntp true",
                "请校准时钟：timedatectl set-ntp true")
        }
        switch isSynchronised {
        case false?:
            return Finding(
                .clock, .attention, "this computer does not set its clock by the network",
                "本机未通过网络校时", "run: timedatectl set-ntp true", "请运行：timedatectl set-ntp true")
        case true?:
            return Finding(
                .clock, .ok, "set by the network, and \(skews.count) peers agree",
                "已通过网络校时，与 \(skews.count) 个连接一致")
        case nil:
            return Finding(.clock, .ok, "\(skews.count) peers agree", "与 \(skews.count) 个连接一致")
        }
    }

    /// What systemd says; `nil` where it is not here.
    private static var isSynchronised: Bool? {
        guard let pipe = popen("timedatectl show -p NTPSynchronized --value 2>/dev/null", "r")
        else {
            return nil
        }
        defer { pclose(pipe) }
        var line = [CChar](repeating: 0, count: 16)
        guard fgets(&line, Int32(line.count), pipe) != nil else { return nil }
        switch line.first {
        case CChar(UInt8(ascii: "y")): return true
        case CChar(UInt8(ascii: "n")): return false
        default: return nil
        }
    }
}

extension Doctor.Finding {
    init(
        _ about: Doctor.Subject, _ grade: Doctor.Grade, _ en: String, _ zh: String,
        _ advice: String? = nil, _ adviceZh: String? = nil
    ) {
        self.about = about
        self.grade = grade
        says = Localized(en: en, zh: zh)
        self.advice = advice.map { Localized(en: $0, zh: adviceZh ?? $0) }
    }
}
