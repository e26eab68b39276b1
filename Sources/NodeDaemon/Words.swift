public import Contracts
internal import Foundation
internal import Identity
internal import Storage
internal import Transport

extension Daemon {
    /// What went wrong with a home, its database or its sockets, in words that say what to do next;
    /// `nil` where the error is of another room.
    public static func words(for error: any Error) -> Localized? {
        switch error {
        case let refusal as Home.Refusal: refusal.words
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
        case .templatesMissing(let places):
            Localized(
                en:
                    "no templates found; give --contracts FOLDER (looked in \(places.joined(separator: ", ")))",
                zh: "找不到模板；请给 --contracts 文件夹（已找过 \(places.joined(separator: "、"))）")
        case .unwritable(let path):
            Localized(
                en: "“\(path)” cannot be written; check the disk and the folder's owner",
                zh: "“\(path)”无法写入；请检查磁盘与文件夹权限")
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
                en: "the disk is full; nothing was signed. Free some space and start again",
                zh: "磁盘已满；没有签署任何内容。请腾出空间后重新启动")
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
