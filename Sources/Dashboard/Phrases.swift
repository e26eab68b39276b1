import Capacity
public import Contracts

/// What the pages say, for whoever reads at a terminal: their words for what programs read in code, and
/// amounts and times as they write them, times whole and with their zone.
public struct Phrases: Sendable {
    private let figures: Figures

    /// `zone`: minutes east of Greenwich; this machine's otherwise.
    public init(_ language: Language, zone: Int? = nil) {
        var figures = Figures(language, now: .earliest) { zone ?? Figures.local(at: $0) }
        figures.showsZone = true
        self.figures = figures
    }

    /// The word for `code` where there is one: of a grade, an outcome, a state.
    public func word(_ code: String, of kind: String) -> String {
        DeskWords.all[kind + "_" + code]?[figures.language] ?? code
    }

    /// What an option or argument is called.
    public func field(_ name: String) -> String { word(name, of: "field") }

    /// With nothing that turns the line, or that a terminal would obey.
    public func sentence(_ text: String) -> String { figures.local(text.straight) }

    /// All its texts as sentences.
    public func readable(_ json: JSON) -> JSON {
        switch json {
        case .string(let text): .string(sentence(text))
        case .array(let items): .array(items.map(readable))
        case .object(let fields): .object(fields.map { .init($0.name, readable($0.value)) })
        case .number, .bool, .null: json
        }
    }
}
