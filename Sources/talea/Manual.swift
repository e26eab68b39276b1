import Contracts
import Dashboard

/// What `--help` shows, in both languages. One line per verb; which options a template's own verbs take,
/// the template says (`talea template show`).
enum Manual {
    struct Page {
        let verb: String
        let options: String
        let says: Localized

        init(_ verb: String, _ options: String, _ en: String, _ zh: String) {
            self.verb = verb
            self.options = options
            says = Localized(en: en, zh: zh)
        }
    }

    /// Verbs of the node that sign nothing and so ask nothing; every other one confirms.
    static let unsigned: Set<String> = [
        "id", "status", "peer add", "peer list", "peer remove", "name", "name list", "line show",
        "offer list", "offer show", "template list", "template show", "contract show",
        "contract list", "ledger balance", "ledger statement", "ledger export", "ledger rebuild",
        "proof", "proof export",
    ]

    static let groups: [(Localized, [Page])] = [
        (
            Localized(en: "Node", zh: "节点"),
            [
                Page(
                    "init",
                    "--name N [--role TEXT] (--invitation CODE | --alliance NAME) [--passphrase-file F | --no-passphrase] [--contracts DIR]",
                    "make an identity", "创建身份"),
                Page(
                    "run", "[--listen HOST:PORT] [--http PORT] [--passphrase-file F]",
                    "run the node of a home", "运行主目录的节点"),
                Page("id", "", "who you are, and the invitation code", "您的身份与邀请码"),
                Page("status", "", "peers, outbox, contracts by grade", "连接、发件箱、合同等级"),
            ]
        ),
        (
            Localized(en: "People", zh: "人"),
            [
                Page("peer add", "--address HOST:PORT [--did DID]", "connect to a node", "连接节点"),
                Page("peer list", "", "nodes to connect to", "要连接的节点"),
                Page("peer remove", "--address HOST:PORT", "forget one", "移除节点"),
                Page("name", "--did DID --name N", "your own name for someone", "给某人起备注名"),
                Page("name list", "", "everyone known", "已知的人"),
            ]
        ),
        (
            Localized(en: "Capacity and offers", zh: "产能与报价"),
            [
                Page(
                    "line declare", "--resource R --start I --end I [--unit C62] --total N",
                    "declare capacity", "申报产能"),
                Page("line adjust", "--line ID --total N --reason T", "change a total", "调整总量"),
                Page(
                    "line show", "[--issuer WHO] [--resource R] [--line ID]",
                    "lines and what is left",
                    "产能线与余量"),
                Page(
                    "offer publish",
                    "--template NAME --line ID --max-units N [--lot N] --until I [--currency C] [--PARAM V …]",
                    "offer a contract", "发布报价"),
                Page("offer withdraw", "--offer ID", "take it back", "撤回报价"),
                Page(
                    "offer list", "[--resource R] [--issuer WHO] [--template NAME]",
                    "standing offers",
                    "有效报价"),
                Page("offer show", "--offer ID", "one in full", "查看报价"),
            ]
        ),
        (
            Localized(en: "Contracts", zh: "合同"),
            [
                Page(
                    "contract propose",
                    "(--template NAME | --offer ID) [--ROLE WHO …] [--PARAM V …] [--line ID …] [--currency C] [--accept-by I] [--grant-by I]",
                    "propose", "提议"),
                Page(
                    "contract accept", "--contract ID [--request ID]", "accept, or consent", "接受或同意"
                ),
                Page("contract decline", "--contract ID [--reason T]", "say no", "谢绝"),
                Page("contract cancel", "--contract ID [--reason T]", "take yours back", "撤回提议"),
                Page(
                    "contract request",
                    "--contract ID --transition T [--record N] [--ARG V …] [--evidence FILE]",
                    "ask for one step", "请求一步"),
                Page("contract show", "--contract ID", "one in full", "查看合同"),
                Page("contract list", "[--template NAME] [--grade G]", "all of yours", "全部合同"),
                Page("template list", "", "templates here", "此处的模板"),
                Page("template show", "--template NAME", "one in full", "查看模板"),
                Page("template check", "FILE", "read a file as a node would", "检查模板文件"),
                Page(
                    "TWO WORDS",
                    "--contract ID [--record N] [--units N] [--ARG V …] [--evidence FILE]",
                    "a template's own verb, as option exercise; pay state|receive|deny, rule, agree, discharge, default are everywhere",
                    "模板自带的命令，如 option exercise；pay state|receive|deny、rule、agree、discharge、default 通用"
                ),
            ]
        ),
        (
            Localized(en: "Ledger and proof", zh: "账本与证明"),
            [
                Page("ledger balance", "[--owner WHO]", "positions and net paid", "头寸与净付"),
                Page("ledger statement", "[--contract ID]", "every movement", "流水"),
                Page(
                    "ledger export", "--format hledger|beancount|csv [-o FILE]",
                    "for other programs",
                    "导出"),
                Page("ledger rebuild", "[--check]", "rebuild from entries, compare", "重建并核对"),
                Page(
                    "proof export", "--contract ID --step N [-o FILE]", "one step for anyone",
                    "导出一步的证明"),
                Page("verify", "FILE", "check a proof offline", "离线验证证明"),
            ]
        ),
    ]

    /// All pages, or those that `words` begins.
    static func text(_ words: String, _ language: Language) -> String {
        let english = language == .en
        var lines = [
            english
                ? "talea \(Main.version): trade production capacity, peer to peer."
                : "talea \(Main.version)：点对点交换产能。"
        ]
        for (title, pages) in groups {
            let shown = pages.filter {
                words.isEmpty || $0.verb == words || $0.verb.hasPrefix(words + " ")
            }
            if shown.isEmpty { continue }
            lines.append("\n\(title[language])")
            for page in shown {
                lines.append("  talea \(page.verb) \(page.options)")
                lines.append("      \(page.says[language])")
            }
        }
        lines.append("")
        lines.append(
            english
                ? "Everywhere: --home PATH (~/.talea) · --json · --lang en|zh · --dry-run (show what it would move) · --yes (ask nothing) · --version"
                : "通用：--home 路径（~/.talea）· --json · --lang en|zh · --dry-run（只看会移动什么）· --yes（不询问）· --version"
        )
        lines.append(
            english
                ? "I: 2026-11-21T09:00+08:00 or +5d, +2h, +30m, +90s · ID: its first 6 or more digits · WHO: petname, profile name, did, me"
                : "I：2026-11-21T09:00+08:00 或 +5d、+2h、+30m、+90s · ID：前 6 位以上 · WHO：备注名、档案名、did、me")
        lines.append(
            english
                ? "Exit status: 0 done · 1 a check failed · 2 bad input or refused · 3 no node answers"
                : "退出码：0 完成 · 1 检查未通过 · 2 输入有误或被拒 · 3 节点未应答")
        return lines.joined(separator: "\n")
    }
}
