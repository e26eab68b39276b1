/// The two languages that every signed sentence stands in.
public enum Language: String, Hashable, Sendable, CaseIterable {
    case en, zh
}

/// One text in both languages.
public struct Localized: Hashable, Sendable {
    public let en: String
    public let zh: String

    public init(en: String, zh: String) {
        self.en = en
        self.zh = zh
    }

    public subscript(_ language: Language) -> String {
        switch language {
        case .en: en
        case .zh: zh
        }
    }
}
