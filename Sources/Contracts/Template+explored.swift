internal import Identity

extension Template {
    /// Whether this very file ships with the program: then the tests explored it.
    public var isExplored: Bool { Self.explored.contains(hash.hex) }

    /// SHA-256 of the files in `contracts/`; a test holds the list to them.
    static let explored: Set<String> = [
        // capacity-option.yaml
        "e34292e4633f554a4b613cf2b41aaff961431ddb9a0627bde1db5f7054379764",
        // capacity-swap.yaml
        "2d07ea803a85577753f7d49741cbea1779f2c92ab3c0dca821ff8df2df397aae",
        // material-call.yaml
        "dec807786298a61058608913f2a68620c25070517945f78634d8652e7b44edc6",
        // milestone-production.yaml
        "23edf3087ccfefd5dd94edca4f7b9044653b0c4bc6be9bdbec73ef901cc0be0f",
        // mutual-assistance.yaml
        "c28f0eb3fffa066b3467103257b941469c47f841f10a5ad4ff87c04b6eadf7d0",
    ]
}
