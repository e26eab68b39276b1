internal import Identity

extension Template {
    /// Whether this very file ships with the program: then the tests explored it.
    public var isExplored: Bool { Self.explored.contains(hash.hex) }

    /// SHA-256 of the files in `contracts/`; a test holds the list to them.
    static let explored: Set<String> = [
        // capacity-option.yaml
        "78d022ac54fec816ab8ccf9bd5f1bc86379c8f9e5c0ca9cb9a57468c01ac55dd",
        // capacity-swap.yaml
        "2d07ea803a85577753f7d49741cbea1779f2c92ab3c0dca821ff8df2df397aae",
        // flexible-volume.yaml
        "650b5e5d0d4be0ab5b0cd5ce8f983523e24d193a8e507da4730d994d383b3125",
        // idle-slots.yaml
        "3683da31c3dc9e3179375d7ecf0f94bd8218a0bbaf11ac253471638aff9d68cc",
        // joint-purchase.yaml
        "fbae4f362c64a936b35bd5fc14aab7b1ba07625fc5319b9f9e9ce3fe87934d43",
        // material-call.yaml
        "dec807786298a61058608913f2a68620c25070517945f78634d8652e7b44edc6",
        // material-put.yaml
        "ada695d25abb8415f6b487392ca5a54d5167f45797313dcc7735cd92e6682175",
        // milestone-production.yaml
        "d5f633e1094a446867d3c6bd04a33e388d5ffd9ecc01c032c97b973736b1a314",
        // mutual-assistance.yaml
        "e01f7506c073501659ba174d7c2d67262c7b8743a119c7bde9fb7e0a601b029d",
        // presale-cover.yaml
        "79f4925d97789a41f6e5116a98e0f6ed01c3543b6a77a541517770898119489d",
        // receivable-advance.yaml
        "f56dd114c56cd49fd29594fc021066d93b05e53e7395f81f54b70344b493aabc",
        // revenue-share.yaml
        "73e579565762b76a5d7e67f780f33590233c48cbf51f743317ba9f1a4b17cfed",
        // tiered-presale.yaml
        "892d335c94ecb64ab175e8b8ad4c86f1c2d740094bdc7c5b8a750163a53cd607",
        // vendor-managed-stock.yaml
        "cc399b00fe49f4f7bb2fec1b0e14885c4b2456c34880d66d3035e5c02ed10b01",
        // virtual-stock.yaml
        "c48ade6d2d1d7adfa84e934ea4b5eb02e27e071b737eddf845f1715068a77bd1",
    ]
}
