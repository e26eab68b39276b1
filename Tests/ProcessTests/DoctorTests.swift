import Foundation
import Testing

extension ProcessTests {
    @Suite struct DoctorTests {
        /// Grades by subject, and the exit status.
        private func look(_ studio: Studio) async throws -> (grades: [String: String], Int32) {
            let ended = try await studio.run("doctor", [:], ["--json"])
            var grades: [String: String] = [:]
            for finding in try ended.json["findings"].items {
                grades[finding["about"].text] = finding["grade"].text
                for language in ["en", "zh"] {
                    #expect(!finding["says"][language].text.isEmpty)
                }
                // Whoever must act is told what to do.
                if finding["grade"].text == "act", finding["about"].text != "key" {
                    #expect(!finding["advice"]["zh"].text.isEmpty, "\(finding)")
                }
            }
            return (grades, ended.status)
        }

        @Test func `a healthy node has nothing to act on, running or not`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            let stopped = try await look(studio)
            #expect(stopped.1 == 0)
            #expect(stopped.grades["node"] == "attention")
            #expect(stopped.grades["backup"] == "attention")
            HomeTests.expectDone(try await studio.run(["backup", folder.path]))
            try await studio.start()
            let running = try await look(studio)
            #expect(running.1 == 0)
            for about in ["home", "key", "ledger", "mark", "versions", "backup", "node", "port"] {
                #expect(running.grades[about] == "ok", "\(about)")
            }
            let chinese = try await studio.run("doctor", [:], [], lang: "zh")
            #expect(chinese.out.contains("✓ 备份"))
        }

        @Test func `what is wrong is named, and the status says so`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            let missing = try await look(studio)
            #expect(missing.grades == ["home": "act"] && missing.1 == 1)
            try await studio.make()
            try FileManager.default.removeItem(atPath: studio.home + "/high-water")
            #expect(try await look(studio).grades["mark"] == "attention")
            chmod(studio.home + "/key", 0o644)
            let open = try await look(studio)
            #expect(open.grades["home"] == "act" && open.grades["key"] == "act" && open.1 == 1)
            chmod(studio.home + "/key", 0o600)
            let ledger = URL(filePath: studio.home + "/ledger.sqlite")
            var bytes = try Data(contentsOf: ledger)
            // A page of the middle, gone.
            bytes.replaceSubrange(8_192..<12_288, with: Data(count: 4_096))
            try bytes.write(to: ledger)
            chmod(ledger.path, 0o600)
            let damaged = try await look(studio)
            #expect(damaged.grades["ledger"] == "act" && damaged.1 == 1)
        }
    }
}
