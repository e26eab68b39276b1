import Identity
import Market

extension AllianceRules.Refusal {
    var wording: Wording {
        switch self {
        case .admissionUnknown(let text):
            Wording(
                "rules_newer", "admission", text,
                "this alliance admits by “\(text)”, which this program does not know; use a newer one",
                "此联盟的准入方式“\(text)”本程序不认识；请用更新的程序")
        case .limitUnknown(let name):
            Wording(
                "rules_newer", "limits", name,
                "this alliance has a limit “\(name)” that this program does not know; use a newer one",
                "此联盟有本程序不认识的限额“\(name)”；请用更新的程序")
        case .limitUnreadable(let name):
            Wording(
                "rules_unreadable", "limits", name,
                "the alliance's limit “\(name)” is no number above 0; ask its founder for another code",
                "此联盟的限额“\(name)”不是大于 0 的数；请向创建者另要邀请码")
        case .noStewards:
            Wording(
                "rules_unreadable", "steward", "",
                "the alliance has no steward; ask its founder for another code",
                "此联盟没有管理人；请向创建者另要邀请码")
        case .stewardTwice(let did):
            Wording(
                "rules_unreadable", "steward", did.did,
                "\(did.shortDID) is named as a steward twice; name each once",
                "管理人 \(did.shortDID) 重复；每人只写一次")
        case .tooFewStewards(let have, let needed):
            Wording(
                "rules_unreadable", "expelled-by", "\(needed)",
                "\(needed) stewards must expel together and the alliance has \(have); add --steward or lower "
                    + "--expelled-by",
                "除名需 \(needed) 位管理人而联盟只有 \(have) 位；请加 --steward 或减小 --expelled-by")
        }
    }
}
