public import Contracts
internal import Foundation
internal import Identity
internal import Dashboard
internal import Storage
internal import Transport

extension Daemon {
    /// What went wrong with a home, its database or its sockets, in words that say what to do next;
    /// `nil` where the error is of another room.
    public static func words(for error: any Error) -> Localized? {
        switch error {
        case let refusal as Home.Refusal: refusal.words
        case let refusal as Backup.Refusal: refusal.words
        case let refusal as Daemon.Refusal: refusal.words
        case let refusal as StorageRefusal: refusal.words
        case let refusal as TransportRefusal: refusal.words
        default: nil
        }
    }
}

extension Home.Refusal {
    var words: Localized {
        switch self {
        case .exists(let path):
            Localized(
                en: "--home “\(path)” holds an identity already; choose another folder",
                zh: "--home“\(path)”已有身份；请换一个文件夹")
        case .missing(let path):
            Localized(
                en: "--home “\(path)” holds no identity; make one with: talea init --home \(path)",
                zh: "--home“\(path)”没有身份；请先运行 talea init --home \(path)")
        case .keyFileOpenToOthers(let path, let mode):
            Localized(
                en:
                    "\(path) can be read by others (mode \(String(mode, radix: 8))); run: chmod 600 \(path)",
                zh: "\(path) 可被他人读取（权限 \(String(mode, radix: 8))）；请运行 chmod 600 \(path)")
        case .keyFile(.passphraseNeeded):
            Localized(
                en: "the key file is encrypted; give --passphrase-file FILE",
                zh: "密钥文件已加密；请给 --passphrase-file 文件")
        case .keyFile(.passphraseWrong):
            Localized(
                en: "the passphrase does not open the key file; try again",
                zh: "口令不正确，无法打开密钥文件；请重试")
        case .keyFile(.memoryShort):
            Localized(
                en: "64 MiB of memory are needed to open the key file; close other programs",
                zh: "打开密钥文件需要 64 MiB 内存；请关闭其他程序")
        case .keyFile(.malformed(let line)):
            Localized(
                en:
                    "the key file is damaged at line \(line); bring the identity back from the recovery code",
                zh: "密钥文件第 \(line) 行损坏；请用恢复码找回身份")
        case .invitation:
            Localized(
                en: "--invitation: wanted the whole code that talea id prints (talea-invite:…)",
                zh: "--invitation：应为 talea id 打印的完整邀请码（talea-invite:…）")
        case .templateBroken(let fault):
            Localized(
                en: "\(fault.file): \(fault.says.en)", zh: "\(fault.file)：\(fault.says.zh)")
        case .templatesMissing(let places):
            Localized(
                en:
                    "no templates found; give --contracts FOLDER (looked in \(places.joined(separator: ", ")))",
                zh: "找不到模板；请给 --contracts 文件夹（已找过 \(places.joined(separator: "、"))）")
        case .keyNotInForce(let path):
            Localized(
                en:
                    "the key file of “\(path)” is not the key in force: the key was changed elsewhere; bring "
                    + "the identity here with: talea recover",
                zh: "“\(path)”的密钥文件不是现行密钥：密钥已在别处更换；请用 talea recover 在此恢复身份")
        case .nobodyAnswers(let peers):
            Localized(
                en:
                    "nobody answers at \(peers.joined(separator: ", ")); give --peer HOST:PORT of a partner whose node runs",
                zh: "\(peers.joined(separator: "、")) 无人应答；请给 --peer 主机:端口，且对方节点在运行")
        case .codeUnknown(let identities):
            Localized(
                en:
                    "none of the \(identities) identities that these peers know belongs to this recovery code; "
                    + "check the code, the invitation, and ask another partner",
                zh: "这些节点所知的 \(identities) 个身份都不属于此恢复码；请核对恢复码与邀请码，或换一个伙伴")
        case .unwritable(let path):
            Localized(
                en: "“\(path)” cannot be written; check the disk and the folder's owner",
                zh: "“\(path)”无法写入；请检查磁盘与文件夹权限")
        }
    }
}

extension Backup.Refusal {
    var words: Localized {
        switch self {
        case .unreadable(let file, let part):
            Localized(
                en:
                    "“\(file)” is no whole backup (its \(part) does not hold); nothing was changed. "
                    + "Take another copy of it, or another backup",
                zh: "“\(file)”不是完整的备份（\(part) 不符）；未作任何更改。请换一份副本或另一个备份")
        case .unwritable(let path):
            Localized(
                en: "“\(path)” cannot be written; wanted a folder that exists and is yours",
                zh: "“\(path)”无法写入；应为已有且属于您的文件夹")
        case .foreign(let path, let did):
            Localized(
                en: "“\(path)” belongs to \(did.did); choose another place",
                zh: "“\(path)”属于 \(did.did)；请换一个位置")
        case .emptier(let path, let here, let there, let log):
            Localized(
                en: "“\(path)” stays as it is: it holds \(there) entries"
                    + (log.map { " of your log \($0.short)" } ?? "")
                    + ", and what would take its place \(here). Choose another place",
                zh: "“\(path)”保持不变：其中"
                    + (log.map { "您的日志 \($0.short) " } ?? "")
                    + "有 \(there) 条，而要替换它的只有 \(here) 条。请换一个位置")
        case .occupied(let path):
            Localized(
                en: "“\(path)” holds other things and no node; choose another folder",
                zh: "“\(path)”中有其他内容而不是节点；请换一个文件夹")
        case .keyChanging:
            Localized(
                en: "the key is being changed; make the backup again",
                zh: "密钥正在更换；请重新备份")
        }
    }
}

extension Daemon.Refusal {
    var words: Localized {
        switch self {
        case .cryptography:
            Localized(en: "libsodium does not start on this machine", zh: "本机无法启动 libsodium")
        case .address(let text):
            Localized(
                en: "--listen “\(text)”: wanted HOST:PORT, such as 0.0.0.0:7001",
                zh: "--listen“\(text)”：应为 主机:端口，如 0.0.0.0:7001")
        case .announced(let text):
            Localized(
                en: "--announce “\(text)”: wanted HOST:PORT, such as 203.0.113.7:7001, or none",
                zh: "--announce“\(text)”：应为 主机:端口，如 203.0.113.7:7001，或 none")
        case .portBusy(let host, let port):
            Localized(
                en:
                    "--listen \(host):\(port): another program listens there; choose another port, or 0",
                zh: "--listen \(host):\(port)：端口已被占用；请换一个端口，或用 0")
        }
    }
}

extension StorageRefusal {
    var words: Localized {
        switch self {
        case .homeMissing(let path):
            Localized(
                en: "--home “\(path)” holds no ledger; make a node with: talea init --home \(path)",
                zh: "--home“\(path)”没有账本；请先运行 talea init --home \(path)")
        case .homeExists(let path):
            Localized(
                en: "“\(path)” is there already; choose another folder",
                zh: "“\(path)”已存在；请换一个文件夹")
        case .homeLocked(let path, let pid):
            Localized(
                en: "--home “\(path)” is in use by another talea"
                    + (pid.map { " (process \($0))" } ?? "") + "; stop it first",
                zh: "--home“\(path)”正被另一个 talea 使用"
                    + (pid.map { "（进程 \($0)）" } ?? "") + "；请先停止它")
        case .modeTooWide(let path, let mode):
            Localized(
                en:
                    "\(path) can be read by others (mode \(String(mode, radix: 8))); run: chmod 600 \(path)",
                zh: "\(path) 可被他人读取（权限 \(String(mode, radix: 8))）；请运行 chmod 600 \(path)")
        case .diskFull:
            Localized(
                en:
                    "the disk is full; what was acknowledged is kept. Free some space and start again",
                zh: "磁盘已满；已确认的内容都在。请腾出空间后重新启动")
        case .ioError(let code):
            Localized(
                en:
                    "the disk failed (SQLite \(code)); what was acknowledged is kept. Check the disk "
                    + "and start again",
                zh: "磁盘出错（SQLite \(code)）；已确认的内容都在。请检查磁盘后重新启动")
        case .fileError(let path, let code):
            Localized(
                en:
                    "\(path) cannot be read or written (error \(code)); check the disk and the file's "
                    + "owner, and start again",
                zh: "\(path) 无法读写（错误 \(code)）；请检查磁盘与文件权限后重新启动")
        case .damaged(let damage):
            Localized(
                en:
                    "the ledger is damaged (\(damage)) and is not used, so that nothing wrong is shown "
                    + "or signed; keep the folder as it is and restore a backup",
                zh: "账本已损坏（\(damage)），为免显示或签署错误内容而停用；请保留文件夹原样并恢复备份")
        case .newerSchema(let found, let known):
            Localized(
                en:
                    "the ledger was written by a newer talea (schema \(found), this one knows \(known)); "
                    + "install the newer version",
                zh: "账本由更新的 talea 写成（结构版本 \(found)，本版为 \(known)）；请安装新版本")
        default:
            Localized(
                en:
                    "the ledger cannot be used: \(self); keep the folder as it is and restore a backup",
                zh: "账本无法使用：\(self)；请保留文件夹原样并恢复备份")
        }
    }
}

extension TransportRefusal {
    var words: Localized {
        switch self {
        case .portBusy(let host, let port): Daemon.Refusal.portBusy(host, port).words
        case .addressUnavailable(let host, let port, _):
            Localized(
                en: "--listen \(host):\(port): this machine has no such address",
                zh: "--listen \(host):\(port)：本机没有此地址")
        case .certificateNotMade, .shutDown:
            Localized(en: "the network could not be opened: \(self)", zh: "无法打开网络：\(self)")
        }
    }
}
