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
        "41694cd304522deac987dd1849065241d6d0051bd110adbb762140696ffff6e9",
        // idle-slots.yaml
        "f63e2ab5bf1dfa037074a02a091715ab33f704fbe1def0403b78dc34ed645621",
        // joint-purchase.yaml
        "ec8ec54484c00c88d241fc62160b2eff7c843b4dad2229d94ddd7f9ba6f08302",
        // material-call.yaml
        "dec807786298a61058608913f2a68620c25070517945f78634d8652e7b44edc6",
        // material-put.yaml
        "580e2868d7b7df12c1975699aeeb84c8b9f91861a4cfd7069ec3a97a14b05996",
        // milestone-production.yaml
        "23edf3087ccfefd5dd94edca4f7b9044653b0c4bc6be9bdbec73ef901cc0be0f",
        // mutual-assistance.yaml
        "e01f7506c073501659ba174d7c2d67262c7b8743a119c7bde9fb7e0a601b029d",
        // presale-cover.yaml
        "b4858d03df6f00c5331200825d098e97ca8237e3d8a9bb4018f6a13e81f869eb",
        // receivable-advance.yaml
        "a81e8ac7872668f20bce1a435e7305c9347c75ff1aa7d3e6402548a6deaa8ee9",
        // revenue-share.yaml
        "05cd7621d444dc6f2432ddee68f22648d01c84c453c67a778c6d5b0b75dfcf6d",
        // tiered-presale.yaml
        "e395d07bd90f9b24cbe48148035f9fec2c091855224466b7608f1ab7636a2074",
        // vendor-managed-stock.yaml
        "d46db3f8cdd1541ddf28e340fad1f6ce69ce52a53bf51aedc387a56b3487c00d",
        // virtual-stock.yaml
        "3354511d0ddb5f591df62744b7fd8623e09d248d58cc89234b4040f545a0dda3",
    ]
}
