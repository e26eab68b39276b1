public import Contracts

/// The one table of verbs: the command line's manual, the paths of the API and their description come from
/// it. One page per verb; which options a template's own verbs take, the template says.
public enum Manual {
    public struct Page: Sendable {
        public let verb: String
        /// As the manual shows them, and `Usage` reads them.
        public let options: String
        public let says: Localized

        init(_ verb: String, _ options: String, _ en: String, _ zh: String) {
            self.verb = verb
            self.options =
                Manual.paged.contains(verb) ? options + " [--limit N] [--after CURSOR]" : options
            says = Localized(en: en, zh: zh)
        }
    }

    /// Verbs of the node that sign nothing and so ask nothing; every other one confirms.
    public static let unsigned: Set<String> = [
        "id", "status", "key show", "peer add", "peer list", "peer remove", "name", "name list",
        "line show",
        "offer list", "offer show", "wish list", "template list", "template show", "contract show",
        "contract list", "contract paper", "ledger balance", "ledger statement", "ledger export",
        "ledger rebuild",
        "proof", "proof page", "proof export", "witness list", "hub list", "attachment list",
        "attachment put", "attachment fetch", "attachment read", "attachment forget",
        "reputation show",
        "alliance list",
    ]

    /// Of these, the ones that change what this home keeps for itself.
    static let changing: Set<String> = [
        "peer add", "peer remove", "name", "ledger rebuild", "attachment put", "attachment fetch",
        "attachment forget",
    ]

    /// Verbs that no phone does: they take the recovery code, or decide which history is ours.
    static let atTheComputer: Set<String> = ["key rotate", "recover", "cut"]

    /// Lists that can be read a part at a time: `[--limit N] [--after CURSOR]`.
    static let paged: Set<String> = [
        "contract list", "offer list", "wish list", "line show", "name list",
        "ledger statement",
    ]

    /// Verbs of the program that ask no node.
    static let alone: Set<String> = [
        "init", "run", "open", "backup", "restore", "doctor", "completions", "notify set",
        "notify show", "verify",
        "template check",
        "template new",
        "template diff",
        "simulate market", "simulate canary", "simulate gossip",
        // These read or write a file here, and ask the node in parts.
        "sync", "attachment add", "attachment get",
    ]

    /// The page of words that are no verb: whatever the templates add.
    public static let anyTemplateVerb = "TWO WORDS"

    public static let groups: [(Localized, [Page])] = [
        (
            Localized(en: "Node", zh: "节点"),
            [
                Page(
                    "init",
                    "--name TEXT [--role TEXT] [--place TEXT] (--invitation CODE | --alliance NAME) [--passphrase-file F | --no-passphrase] [--contracts DIR]",
                    "make an identity", "创建身份"),
                Page(
                    "run",
                    "[--listen HOST:PORT] [--announce HOST:PORT | none] [--http PORT] [--passphrase-file F] [--hub] [--lan]",
                    "run the node of a home", "运行主目录的节点"),
                Page(
                    "open",
                    "[--reader] [--wake] [--listen HOST:PORT] [--http PORT] | --phone [--sign] [--address HOST]",
                    "a link that opens your pages in a browser, once; --reader: to look only. With no home yet, pages that make one and its node; --wake: also start a node that is asleep. --phone: a code for your phone, in this network alone; --sign: it may also sign",
                    "打开您的页面的一次性链接；--reader：只读。尚无主目录时，在页面上创建身份并启动节点；--wake：节点未运行时一并启动。--phone：供同一网络中的手机扫描的码；--sign：手机也可签署"
                ),
                Page("id", "", "who you are, and the invitation code", "您的身份与邀请码"),
                Page(
                    "key show", "[--of WHO]", "a key and when it changed", "密钥及其更换时间"),
                Page(
                    "key rotate", "[--code-file F] [--reason TEXT]",
                    "replace your key by the next one, with the recovery code", "用恢复码更换密钥"),
                Page(
                    "recover",
                    "--invitation CODE --peer HOST:PORT … [--code-file F] [--passphrase-file F | --no-passphrase]",
                    "bring a lost identity back with its recovery code", "用恢复码找回身份"),
                Page(
                    "recover", "--accept-risk key|public|RESOURCE|ID|all",
                    "sign in a log although not everyone could be asked", "在未能问及各方时仍签署某份日志"),
                Page(
                    "backup", "FILE|FOLDER",
                    "copy this home into one file, while its node runs or not",
                    "将主目录复制为一个文件，节点运行与否均可"),
                Page(
                    "restore", "FILE",
                    "make --home anew from a backup; it asks partners before it signs again",
                    "从备份重建 --home；问过伙伴后才恢复签署"),
                Page(
                    "doctor", "", "whether home, machine and node are well, and what to do",
                    "主目录、电脑与节点是否正常，以及该做什么"),
                Page(
                    "notify set",
                    "[--desktop on|off] [--webhook URL|off] [--email ADDRESS|off --smtp URL [--email-from ADDRESS] [--smtp-user U --smtp-password-file F]] [--quiet 22:00-07:00|off] [--hours N] [--detail brief|full]",
                    "be told of what waits while no page is open", "未打开页面时如何提醒您"),
                Page("notify show", "", "how you are told", "当前的提醒方式"),
                Page(
                    "completions", "--shell bash|zsh|fish", "words for the tab key of a shell",
                    "供命令行补全的脚本"),
                Page("status", "", "peers, outbox, contracts by grade", "连接、发件箱、合同等级"),
            ]
        ),
        (
            Localized(en: "People", zh: "人"),
            [
                Page("peer add", "--address HOST:PORT [--did DID]", "connect to a node", "连接节点"),
                Page("peer list", "", "nodes you fixed and nodes found", "固定的节点与自动发现的节点"),
                Page("peer remove", "--address HOST:PORT", "forget one", "移除节点"),
                Page("name", "--did DID --name TEXT", "your own name for someone", "给某人起备注名"),
                Page("name list", "", "everyone known", "已知的人"),
                Page(
                    "profile set", "[--name TEXT] [--role TEXT] [--place TEXT] [--terms TEXT]",
                    "what everyone reads of you", "所有人看到的您的资料"),
            ]
        ),
        (
            Localized(en: "Alliances", zh: "联盟"),
            [
                Page(
                    "alliance found",
                    "--name TEXT [--admission anyone|invitation|steward] [--steward WHO …] [--entries-per-day N] [--open-offers N] [--expelled-by N]",
                    "begin one; its rules are for ever", "创建联盟；规则不可更改"),
                Page("alliance join", "--code CODE", "take part in another one", "加入另一个联盟"),
                Page("alliance list", "", "yours, their rules and people", "您的联盟及其规则与成员"),
                Page("alliance leave", "--alliance NAME", "take part no more", "离开联盟"),
                Page(
                    "alliance invite",
                    "[--alliance NAME] [--days N] [--address HOST:PORT] [--qr]",
                    "a code for one newcomer, as text or picture", "给一位新成员的邀请码，文字或二维码"),
                Page("alliance admit", "--did WHO [--alliance NAME]", "let someone in", "接纳某人"),
                Page(
                    "alliance expel", "--did WHO [--alliance NAME] [--reason T]",
                    "end someone's log in it; contracts go on", "将某人除名；合同照常履行"),
            ]
        ),
        (
            Localized(en: "Capacity and offers", zh: "产能与报价"),
            [
                Page(
                    "line declare",
                    "--resource R --start I --end I [--unit C62] --total N [--source LINE] [--alliance NAME]",
                    "declare capacity", "申报产能"),
                Page("cut", "--log ID", "close a forked log of yours", "封存您的分叉日志"),
                Page("line adjust", "--line ID --total N --reason T", "change a total", "调整总量"),
                Page(
                    "line show", "[--issuer WHO] [--resource R] [--line ID] [--alliance NAME]",
                    "lines and what is left",
                    "产能线与余量"),
                Page(
                    "offer publish",
                    "--template NAME --line ID --max-units N [--lot N] --until I [--currency C] [--alliance NAME] [--PARAM V …]",
                    "offer a contract", "发布报价"),
                Page("offer withdraw", "--offer ID", "take it back", "撤回报价"),
                Page(
                    "offer list",
                    "[--resource R] [--issuer WHO] [--template NAME] [--place TEXT] [--alliance NAME]",
                    "standing offers",
                    "有效报价"),
                Page("offer show", "--offer ID", "one in full", "查看报价"),
                Page(
                    "wish publish",
                    "--resource R --start I --end I [--unit C62] --units N [--most PRICE] [--currency C] --until I [--alliance NAME]",
                    "say what you look for", "发布求购"),
                Page("wish withdraw", "--wish ID", "take it back", "撤回求购"),
                Page(
                    "wish list", "[--resource R] [--by WHO] [--place TEXT] [--alliance NAME]",
                    "what others look for", "他人的求购"),
            ]
        ),
        (
            Localized(en: "Contracts", zh: "合同"),
            [
                Page(
                    "contract propose",
                    "(--template NAME | --offer ID) [--ROLE WHO …] [--PARAM V …] [--line ID …] [--currency C] [--accept-by I] [--grant-by I] [--witness WHO … --threshold N]",
                    "propose", "提议"),
                Page(
                    "contract accept", "--contract ID [--request ID] [--despite-fork yes]",
                    "accept, or consent", "接受或同意"
                ),
                Page("contract decline", "--contract ID [--reason T]", "say no", "谢绝"),
                Page("contract cancel", "--contract ID [--reason T]", "take yours back", "撤回提议"),
                Page(
                    "contract request",
                    "--contract ID --transition T [--record N] [--ARG V …] [--evidence FILE] [--wait SECONDS]",
                    "ask for one step", "请求一步"),
                Page(
                    "contract takeover", "--contract ID",
                    "arbiter: go on where the sequencer fell silent", "仲裁方：在排序方失联处接续"),
                Page(
                    "contract settle",
                    "--contract ID [--without-sequencer yes] [--post STEP/INDEX,AMOUNT …] [--owe FROM,TO,AMOUNT …]",
                    "end it by the word of all, or of all but a silent sequencer",
                    "由各方（或除失联排序方外的各方）了结"),
                Page("contract show", "--contract ID", "one in full", "查看合同"),
                Page(
                    "contract paper", "--contract ID [-o FILE]",
                    "to print: prose, terms, signatures, a code to check; FILE.html, or FILE.pdf by way of chromium",
                    "供打印：正文、参数、签名与可验证的二维码；FILE.html，或经 chromium 写 FILE.pdf"),
                Page(
                    "contract list",
                    "[--template NAME] [--grade proposed|agreed|sequenced|witnessed|settled]",
                    "all of yours", "全部合同"),
                Page("template list", "", "templates here", "此处的模板"),
                Page("template show", "--template NAME", "one in full", "查看模板"),
                Page(
                    "template check", "FILE", "read and explore a file as a node does", "检查并探查模板文件"),
                Page(
                    "template new", "--from NAME --name NEW [--out FILE]", "begin one of your own",
                    "新建自己的模板"),
                Page("template diff", "OLD NEW", "in what two differ", "比较两个模板"),
                Page(
                    anyTemplateVerb,
                    "--contract ID … [--record N] [--units N] [--ARG V …] [--evidence FILE] [--wait SECONDS]",
                    "a template's own verb, as option exercise; pay state|receive|deny, rule, agree, discharge, default are everywhere; several contracts share --units by what each still holds",
                    "模板自带的命令，如 option exercise；pay state|receive|deny、rule、agree、discharge、default 通用；多个合同按各自剩余量分摊 --units"
                ),
            ]
        ),
        (
            Localized(en: "Being a witness", zh: "作见证"),
            [
                Page(
                    "witness on", "", "witness whatever members of the alliance ask for",
                    "见证联盟成员提出的一切合同"),
                Page("witness off", "", "take on nothing further", "不再承接"),
                Page("witness accept", "--contract ID", "take one on", "承接一份"),
                Page("witness list", "", "what this node witnesses", "本节点见证的合同"),
            ]
        ),
        (
            Localized(en: "Hubs and sticks", zh: "枢纽与介质"),
            [
                Page(
                    "hub use", "--who WHO", "leave mail for people who are away with this hub",
                    "将发给离线者的内容存于此枢纽"),
                Page("hub leave", "--who WHO", "do so no longer", "不再使用"),
                Page(
                    "hub on", "", "keep mail and contract logs, unread, for the alliance",
                    "为联盟保存（无法阅读的）邮件与合同日志"),
                Page("hub off", "", "take no further mail", "不再接收"),
                Page(
                    "sync", "(--to FILE [--for WHO …] | --from FILE)",
                    "carry entries and sealed letters on a stick", "用存储介质搬运条目与加密信件"),
                Page("hub list", "", "your hubs; as a hub, its members", "您的枢纽；作为枢纽时的成员"),
            ]
        ),
        (
            Localized(en: "Files of a contract", zh: "合同附件"),
            [
                Page(
                    "attachment add", "--contract ID --file FILE",
                    "keep a photo for those who share the contract", "为合同各方存放照片"),
                Page(
                    "attachment get", "--contract ID --hash SHA256 [--out FILE] [--wait SECONDS]",
                    "fetch one that a step names, and check it", "获取步骤所指的文件并核对"),
                Page("attachment list", "--contract ID", "what is held, and how far", "已有文件与进度"),
                Page(
                    "attachment put",
                    "--contract ID --hash SHA256 --size N --index N --chunk BASE64",
                    "for programs: part N of a file, each but the last of 65,536 bytes, in order",
                    "供程序使用：文件的第 N 部分，除末部分外各 65,536 字节，按序存放"),
                Page(
                    "attachment fetch", "--contract ID --hash SHA256",
                    "for programs: ask the others in the contract for a file, until it is whole",
                    "供程序使用：向合同各方索取文件，直至完整"),
                Page(
                    "attachment read", "--contract ID --hash SHA256 --index N",
                    "for programs: part N of a file, as base64", "供程序使用：以 base64 读取文件的第 N 部分"),
                Page(
                    "attachment forget", "--contract ID --hash SHA256",
                    "let go of a file; its hash stays signed", "删除文件；其哈希仍在签署之中"),
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
                    "reputation show", "[--of WHO] [--at-least N]",
                    "what your own contracts say of others, entry by entry",
                    "您自己的合同如何说明他人，逐条可查"),
                Page(
                    "proof export", "--contract ID [--steps N,N… | --step N] [-o FILE]",
                    "a whole contract; or these steps and the rest hidden; or one step alone",
                    "导出整份合同；或披露若干步而隐去其余；或单独一步"),
                Page(
                    "proof",
                    "--contract ID [--step N] [--what step|request] [--page URL] [--at URL] [--qr] [-o FILE]",
                    "one step small enough for a QR code; of the last step where none is named; request: without what it changed; FILE.svg or .png holds the code, .txt the text",
                    "一步的证明，小到可放入二维码；不指明则为末步；request：不含其结果；FILE.svg 或 .png 为二维码，.txt 为文字"),
                Page(
                    "proof page",
                    "[--contract ID --steps N,N… [--what request|step] [--title T]] [-o FILE]",
                    "a page that checks proofs in any browser; with chosen steps and their photos in it, for customers; step: with what each changed",
                    "可在任何浏览器中验证证明的网页；可含所选步骤及其照片，供客户查看；step：含各步结果"),
                Page(
                    "verify", "[FILE] [--text TEXT] [--image PHOTO]",
                    "check what was exported or stands in a QR code, and tell it, offline",
                    "离线验证并讲述导出的内容或二维码"),
            ]
        ),
        (
            Localized(en: "Testing", zh: "测试"),
            [
                Page(
                    "simulate market",
                    "[--seeds A..B] [--hours H] [--nodes N] [--without FAULT,…] [--disk model|files|drawn] [--contracts DIR] [--commit ID]",
                    "whole nodes in memory, every twentieth seed on real files, with faults and cheats",
                    "整机模拟，含故障与欺诈；每二十个种子用真实文件"),
                Page(
                    "simulate gossip", "[--nodes N] [--seed S] [--fail PERCENT] [--drawn] [--late]",
                    "live push among thousands of nodes, and after a crash of many",
                    "数千节点的实时推送，及大规模崩溃之后"),
                Page("simulate canary", "", "must fail: tests the tester", "必须失败：检验测试本身"),
            ]
        ),
    ]

    /// The pages that `words` begins; all, where none does.
    public static func text(_ words: String, version: String, _ language: Language) -> String {
        let english = language == .en
        var lines = [
            english
                ? "talea \(version): trade production capacity, peer to peer."
                : "talea \(version)：点对点交换产能。"
        ]
        func fits(_ page: Page) -> Bool { (page.verb + " ").hasPrefix(words + " ") }
        let fitting = groups.contains { $0.1.contains(where: fits) }
        for (title, pages) in groups {
            let shown = fitting ? pages.filter(fits) : pages
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
