import Foundation
import Testing

extension ProcessTests {
    /// Keys of the real program: changed, stolen, lost.
    @Suite struct KeyTests {
        private static func pair(_ folder: Folder) async throws -> (anna: Studio, ben: Studio) {
            let (anna, ben) = (Studio("anna", in: folder), Studio("ben", in: folder))
            try await anna.make()
            try await ben.make(joining: anna)
            try await anna.start()
            try await ben.start()
            try await anna("peer add", ["address": #require(ben.address), "did": ben.did])
            try await until("they know each other") {
                let known = try await [
                    ben("name list")["names"].items.count, anna("name list")["names"].items.count,
                ]
                return known == [2, 2]
            }
            return (anna, ben)
        }

        @Test func `a key is changed with the code from paper, and the partner is told`()
            async throws
        {
            let folder = try Folder()
            let (anna, ben) = try await Self.pair(folder)
            try await anna("line declare", HomeTests.window("print/a"))
            let code = try folder.write("code", anna.recoveryCode + "\n")
            let wrong = try folder.write("wrong", ben.recoveryCode + "\n")
            let before = FileManager.default.contents(atPath: anna.home + "/key")
            // Who has today's key file, and not the paper, changes nothing.
            let refused = try await anna.run(
                "key rotate", ["code-file": wrong], ["--yes", "--json"])
            #expect(refused.status == 2)
            #expect(refused.error.contains("recovery code"), "\(refused.error)")
            #expect(FileManager.default.contents(atPath: anna.home + "/key") == before)
            let changed = try await anna(
                "key rotate", ["code-file": code, "reason": "stolen laptop"])
            #expect(changed["keys"].items.count == 2)
            #expect(FileManager.default.contents(atPath: anna.home + "/key") != before)
            try await until("ben sees the change") {
                let keys = try await ben("key show", ["of": anna.did])["keys"].items
                return keys.count == 2 && keys[1]["reason"].text == "stolen laptop"
            }
            let people = try await ben("name list")["names"].items
            #expect(people.contains { $0["did"].text == anna.did && $0["key_changed"] != .none })
            // It signs on, over a restart too, and ben takes it while he was away.
            try await anna("line declare", HomeTests.window("print/b"))
            try await ben.stop()
            try await anna("key rotate", ["code-file": code])
            try await anna.stop()
            try await anna.start()
            try await ben.start()
            try await until("ben has the third key") {
                try await ben("key show", ["of": anna.did])["keys"].items.count == 3
            }
            try await until("anna may sign") {
                try await anna.run(
                    "line declare", HomeTests.window("print/c"), ["--yes", "--json"]
                ).status == 0
            }
            try await until("ben sees the lines") {
                try await ben("line show")["lines"].items.count == 3
            }
            // The old key file, put back, is not the key in force.
            try await anna.stop()
            try #require(before).write(to: URL(fileURLWithPath: anna.home + "/key"))
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: anna.home + "/key")
            let old = try await anna.run("run")
            #expect(old.status == 2)
            #expect(old.error.contains("talea recover"), "\(old.error)")
            #expect(try await ben.stop() == 0)
        }

        @Test func `a lost laptop comes back from paper and a partner's address`() async throws {
            let folder = try Folder()
            let (anna, ben) = try await Self.pair(folder)
            try await anna("line declare", HomeTests.window("print/a"))
            try await until("ben sees the line") {
                try await ben("line show")["lines"].items.count == 1
            }
            try await anna.stop(SIGKILL)
            try FileManager.default.removeItem(atPath: anna.home)
            let code = try folder.write("code", anna.recoveryCode + "\n")
            let wrong = try folder.write("wrong", "0000-" + anna.recoveryCode.dropFirst(5))
            let peer = try #require(ben.address)
            let options = ["--invitation", anna.invitation, "--peer", peer, "--no-passphrase"]
            let mistyped = try await anna.run(["recover", "--code-file", wrong] + options)
            #expect(mistyped.status == 2)
            let back = try await anna.run(["recover", "--json", "--code-file", code] + options)
            #expect(back.status == 0, "\(back.error)")
            #expect(try back.json["did"].text == anna.did)
            let again = try await anna.run(["recover", "--code-file", code] + options)
            #expect(again.status == 2)
            try await anna.start()
            try await until("her line is back and may be signed in") {
                try await anna.run(
                    "line adjust",
                    [
                        "line": anna("line show")["lines"].items.first?["id"].text ?? "none",
                        "total": "9", "reason": "back",
                    ], ["--yes", "--json"]
                ).status == 0
            }
            try await until("ben sees it") {
                try await ben("line show")["lines"].items.first?["total"].text == "9"
            }
            let status = try await anna("status")
            #expect(status["recovery"]["reason"].text == "home_lost")
            let human = try await anna.run("status", lang: "zh")
            #expect(human.out.contains("恢复码"), "\(human.out)")
            #expect(try await ben("key show", ["of": anna.did])["keys"].items.count == 2)
            for studio in [anna, ben] { #expect(try await studio.stop() == 0) }
        }

        @Test func `a key change that a kill cut short leaves a key that opens`() async throws {
            let strace = try #require(Programs.find("strace"), "apt-get install strace")
            let folder = try Folder()
            let (call, names) = ("rename,renameat,renameat2", ["key", "key.next"])
            // As the new key is to take its place; and as the old one is to be erased.
            for (index, calls) in [call, "pwrite64"].enumerated() {
                let anna = Studio("anna\(index)", in: folder)
                let word = try folder.write("word", "correct horse\n")
                try await anna.make(flags: ["--passphrase-file", word])
                let code = try folder.write("code", anna.recoveryCode + "\n")
                try await anna.start(
                    ["--passphrase-file", word],
                    under: [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(calls)"]
                        + ["-e", "inject=\(calls):signal=KILL:when=1"]
                        + names.map { "-P\(anna.home)/\($0)" })
                let cut = try await anna.run("key rotate", ["code-file": code], ["--yes"])
                #expect(cut.status != 0)
                _ = try await anna.stop(SIGKILL)
                // Whatever asks for the passphrase looks into this file.
                let text = try String(contentsOfFile: anna.home + "/key", encoding: .utf8)
                #expect(text.hasPrefix("talea key file 1\n"), "\(calls)")
                try await anna.start(["--passphrase-file", word])
                #expect(try await anna("key show")["keys"].items.count == 2)
                #expect(!FileManager.default.fileExists(atPath: anna.home + "/key.next"))
                try await anna("line declare", HomeTests.window("print/a"))
                #expect(try await anna.stop() == 0)
            }
        }

        @Test func `a node that cannot keep its new key ends as one that is to be started again`()
            async throws
        {
            let folder = try Folder()
            let anna = Studio("anna", in: folder)
            try await anna.make()
            let code = try folder.write("code", anna.recoveryCode + "\n")
            try await anna.start()
            // No room for it.
            let next = anna.home + "/key.next"
            try FileManager.default.createDirectory(
                atPath: next, withIntermediateDirectories: false)
            let refused = try await anna.run("key rotate", ["code-file": code], ["--yes"])
            #expect(refused.status != 0)
            // A service is started again after a failure alone.
            let node = try #require(anna.node)
            #expect(await node.ended() != 0)
            try FileManager.default.removeItem(atPath: next)
            try await anna.start()
            #expect(try await anna("key show")["keys"].items.count == 1)
            try await anna("key rotate", ["code-file": code])
            #expect(try await anna("key show")["keys"].items.count == 2)
            #expect(try await anna.stop() == 0)
        }

        @Test func `a recovery that was cut off is done again, and its key is on the disk`()
            async throws
        {
            let folder = try Folder()
            let (anna, ben) = try await Self.pair(folder)
            try await anna.stop(SIGKILL)
            try FileManager.default.removeItem(atPath: anna.home)
            let code = try folder.write("code", anna.recoveryCode + "\n")
            let words = [
                "--home", anna.home, "recover", "--code-file", code, "--invitation",
                anna.invitation, "--peer", try #require(ben.address), "--no-passphrase",
            ]
            let strace = try #require(Programs.find("strace"), "apt-get install strace")
            let log = folder.path + "/calls"
            let done = try await Programs.run(
                strace,
                ["-f", "-y", "-o", log, "-e", "trace=fsync,rename", Programs.talea] + words)
            #expect(done.status == 0, "\(done.error)")
            let calls = try String(contentsOfFile: log, encoding: .utf8)
            #expect(calls.contains("fsync") && calls.contains(anna.home + "/key."), "\(calls)")
            // As a power cut leaves it just before the key takes its name.
            let key = anna.home + "/key"
            try FileManager.default.moveItem(atPath: key, toPath: key + ".begun")
            let again = try await Programs.run(Programs.talea, words)
            #expect(again.status == 0, "\(again.error)")
            try await anna.start()
            try await until("ben has her new key") {
                try await ben("key show", ["of": anna.did])["keys"].items.count == 2
            }
            // A ledger whose key is lost is left as it is.
            try await anna.stop()
            try FileManager.default.removeItem(atPath: key)
            let before = try anna.bytes()["ledger.sqlite"]
            HomeTests.expectOneLine(
                try await Programs.run(Programs.talea, words), "ledger.sqlite", "there already")
            #expect(try anna.bytes()["ledger.sqlite"] == before)
            try await ben.stop()
        }
    }
}
