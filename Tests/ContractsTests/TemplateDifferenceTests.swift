import Contracts
import Testing

struct TemplateDifferenceTests {
    @Test func `two files that differ in layout and comments alone say the same`() throws {
        let text = """
            name: one
            title: {en: One, zh: 一}
            check: [{that: a < b}]
            """
        let other = """
            # Another hand wrote this.
            title:
              zh: 一
              en: "One"
            name: one

            check:
              - that: a < b   # as before
            """
        #expect(try differences(text, other) == [])
    }

    @Test func `what changed, went and came is named by its path and line`() throws {
        let old = """
            name: one
            verb: order
            parameters: {lot: {type: quantity, default: 10}}
            check: [{that: a < b}, {that: b < c}]
            notes: none
            """
        let new = """
            name: two
            parameters:
              lot: {type: quantity, default: 20}
            check: [{that: a < b}]
            notes: {en: none}
            worst: [1, x]
            """
        #expect(
            try differences(old, new) == [
                "name 1: one → two", "verb 2: order → -", "parameters.lot.default 3: 10 → 20",
                "check.1 4: {that: b < c} → -", "notes 5: none → {en: none}",
                "worst 6: - → [1, x]",
            ])
    }

    private func differences(_ old: String, _ new: String) throws -> [String] {
        try TemplateDifference.between(Array(old.utf8), Array(new.utf8)).map {
            "\($0.path) \($0.line): \($0.old ?? "-") → \($0.new ?? "-")"
        }
    }
}
