import ArgumentParser
import Capacity
import Contracts
import Dashboard
import Identity
import NodeDaemon

struct BackUp: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy a home into one file.")

    @OptionGroup var common: Common
    @ArgumentParser.Argument(help: "A file, or a folder to put one into.") var file: String

    func act(_ line: Line) throws {
        let (backup, file) = try Daemon.backUp(home: line.home, to: file)
        let isSealed = try Daemon.needsPassphrase(home: line.home)
        if common.json {
            print(
                ([
                    "file": .string(file), "did": .string(backup.did.did),
                    "made": .number(backup.made.milliseconds),
                    "entries": .number(backup.entries), "encrypted_key": .bool(isSealed),
                ] as JSON).text(pretty: true))
            return
        }
        switch line.language {
        case .en:
            print("\(file): \(backup.entries) entries, read again and whole.")
            print(
                isSealed
                    ? "Its key opens with your passphrase alone; the rest of it can be read by whoever has the file."
                    : "Its key is not encrypted, as in this home: whoever has the file can sign as you. Keep it as you keep money."
            )
        case .zh:
            print("\(file)：\(backup.entries) 条，已重新读取并核对完好。")
            print(
                isSealed
                    ? "其中的密钥只有您的口令能打开；其余内容持有此文件者均可读取。"
                    : "与主目录一样，其中的密钥未加密：持有此文件者即可代您签署。请像保管现金一样保管它。")
        }
    }
}

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a home anew from a backup.")

    @OptionGroup var common: Common
    @ArgumentParser.Argument(help: "What talea backup wrote.") var file: String

    func act(_ line: Line) throws {
        let restored = try Daemon.restore(home: line.home, from: file)
        let backup = restored.backup
        if common.json {
            print(
                ([
                    "did": .string(backup.did.did), "home": .string(line.home),
                    "made": .number(backup.made.milliseconds),
                    "entries": .number(backup.entries),
                    "aside": restored.aside.map { .string($0) } ?? .null,
                ] as JSON).text(pretty: true))
            return
        }
        let made = Phrases(line.language).sentence(backup.made.iso)
        switch line.language {
        case .en:
            print("\(backup.did.did) is back in \(line.home), as it was on \(made).")
            if let aside = restored.aside { print("What stood there lies in \(aside) now.") }
            print(
                """
                Start it with   talea run --home \(line.home)
                It signs nothing in a log before those who would know more of it have answered:
                                talea status --home \(line.home)
                Never run the old home beside it.
                """)
        case .zh:
            print("\(backup.did.did) 已恢复到 \(line.home)，内容截至 \(made)。")
            if let aside = restored.aside { print("原有内容已移至 \(aside)。") }
            print(
                """
                启动：   talea run --home \(line.home)
                在可能知道更多的各方答复之前，节点不会在相应日志签署：
                         talea status --home \(line.home)
                切勿让旧的主目录同时运行。
                """)
        }
    }
}
