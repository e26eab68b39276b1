public import Entries

/// One move asked for: a transition on a record, with its arguments.
public struct Act: Hashable, Sendable {
    public var transition: String
    /// The record's number; main is 1.
    public var record: Int64
    public var arguments: [String: Value]

    public init(transition: String, record: Int64, arguments: [String: Value] = [:]) {
        self.transition = transition
        self.record = record
        self.arguments = arguments
    }
}

/// What one identity may do now.
public struct Choice: Hashable, Sendable {
    /// Arguments are filled in where only one value is possible.
    public let act: Act
    /// The command line's words: `option exercise`, `pay state`.
    public let verb: String
    public let arguments: [Parameter]
    public let isDefault: Bool
}
