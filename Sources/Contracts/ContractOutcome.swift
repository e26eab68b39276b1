/// What a contract has come to, shown beside its grade. `open`, `declined`, `cancelled` and `disputed`
/// are never written in a template's `final` or `outcome`.
public enum ContractOutcome: String, Hashable, Sendable, CaseIterable {
    case open, fulfilled, lapsed, declined, cancelled, disputed, defaulted

    /// Those that a final state may name.
    static let final: [ContractOutcome] = [.fulfilled, .lapsed, .cancelled, .defaulted]

    public func words(_ language: Language) -> String {
        switch language {
        case .en: rawValue
        case .zh:
            switch self {
            case .open: "进行中"
            case .fulfilled: "已履行"
            case .lapsed: "已失效"
            case .declined: "已谢绝"
            case .cancelled: "已取消"
            case .disputed: "争议中"
            case .defaulted: "违约"
            }
        }
    }
}
