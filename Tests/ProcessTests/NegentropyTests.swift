import Foundation
import Testing

extension ProcessTests {
    /// Our line program and a Rust implementation from PyPI, over a web socket.
    @Suite struct NegentropyTests {
        @Test func `an implementation that is not ours reconciles with ours, in both roles`()
            async throws
        {
            let harness = URL(fileURLWithPath: Programs.talea).deletingLastPathComponent()
                .appendingPathComponent("talea-negentropy-harness").path
            let script = Programs.checkout + "/scripts/nostr_peer.py"
            let played = try await Programs.python([script, harness])
            #expect(played.status == 0, "\(played.error)")
            // Both roles, both policies, both storages.
            #expect(played.out.split(separator: "\n").count { $0.hasPrefix("ok ") } == 8)
        }
    }
}
