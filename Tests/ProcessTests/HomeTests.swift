import Foundation
import Testing

extension ProcessTests {
    @Suite struct HomeTests {
        /// One line on standard error that says all of `texts`.
        static func expectOneLine(_ ended: Ended, status: Int32 = 2, _ texts: String...) {
            #expect(ended.status == status, "\(ended)")
            #expect(ended.lines.count == 1, "\(ended)")
            for text in texts { #expect(ended.error.contains(text), "\(text): \(ended.error)") }
        }

        static func expectDone(_ ended: Ended) { #expect(ended.status == 0, "\(ended)") }

        @Test func `a node says in its owner's language where it is reached`() async throws {
            for (language, words) in [("en", ["peers ", "pages "]), ("zh", ["节点 ", "页面 "])] {
                let studio = Studio("anna", in: try Folder())
                try await studio.make()
                try await studio.start(["--lang", language])
                let said = try String(contentsOfFile: studio.home + ".log", encoding: .utf8)
                for word in words { #expect(said.contains("\n" + word), "\(said)") }
                try await studio.stop()
            }
        }

        @Test func `one home, one process: the second is refused and told the first`() async throws
        {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            try await studio.start()
            let pid = try #require(studio.node?.pid)
            let second = try await studio.run("run")
            Self.expectOneLine(second, studio.home, "process \(pid)", "stop it first")
            Self.expectOneLine(try await studio.run("status", [:], ["--offline"]), "process \(pid)")
            #expect(try await studio("status")["did"].text == studio.did)
        }

        @Test func `init refuses a home that holds an identity and leaves it alone`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            let before = try studio.bytes()
            let again = try await studio.run(
                "init", ["name": "anna", "alliance": "other"], ["--no-passphrase"])
            Self.expectOneLine(again, studio.home, "identity already")
            #expect(try studio.bytes() == before)
        }

        @Test func `an init that was cut off is done again, a lost key loses no ledger`()
            async throws
        {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            let first = studio.did
            // As a power cut leaves it just before the key takes its name.
            let key = studio.home + "/key"
            try FileManager.default.moveItem(atPath: key, toPath: key + ".begun")
            try await studio.make()
            #expect(studio.did != first)
            #expect(!FileManager.default.fileExists(atPath: key + ".begun"))
            try await studio.start()
            #expect(try await studio("id")["did"].text == studio.did)
            try await studio.stop()
            // As a careless hand leaves it.
            try FileManager.default.removeItem(atPath: key)
            let before = try studio.bytes()
            for _ in 0..<2 {
                let again = try await studio.run(
                    "init", ["name": "anna", "alliance": "x"], ["--no-passphrase"])
                Self.expectOneLine(again, "ledger.sqlite", "there already")
            }
            #expect(try studio.bytes()["ledger.sqlite"] == before["ledger.sqlite"])
        }

        @Test func `without a node, a missing home is told init and a stopped one run`()
            async throws
        {
            let folder = try Folder()
            let studio = Studio("nobody", in: folder)
            Self.expectOneLine(try await studio.run("run"), studio.home, "talea init")
            for verb in ["status", "line declare --yes"] {
                let ended = try await studio.run(verb)
                Self.expectOneLine(ended, status: 3, studio.home, "talea init")
                #expect(!ended.error.contains("talea run"))
            }
            let unknown = try await studio.run("frobnicate")
            Self.expectOneLine(unknown, "frobnicate", "--help", studio.home, "talea init")
            let offline = try await studio.run("status", [:], ["--offline"])
            Self.expectOneLine(offline, studio.home, "talea init")
            #expect(!FileManager.default.fileExists(atPath: studio.home))
            try FileManager.default.createDirectory(
                atPath: studio.home, withIntermediateDirectories: false)
            Self.expectOneLine(try await studio.run("id"), status: 3, studio.home, "talea init")
            try await studio.make()
            let stopped = try await studio.run("status", [:], ["--offline", "--json"])
            #expect(stopped.out.contains("\"read_only\": null"), "\(stopped.out)")
            for verb in ["status", "option buy --yes"] {
                let ended = try await studio.run(verb)
                Self.expectOneLine(ended, status: 3, studio.home, "talea run")
                #expect(!ended.error.contains("talea init"))
            }
            Self.expectOneLine(try await studio.run("lien show"), "lien show", "line show")
            let read = try await studio.run("status", [:], ["--json"])
            Self.expectOneLine(read, status: 3, "talea run")
            #expect(try read.json["refusal"]["code"].text == "not_running")
        }

        @Test func `a misspelt option is named before what is missing for it`() async throws {
            let studio = Studio("anna", in: try Folder())
            let ended = try await studio.run("init", ["nme": "anna"], ["--json"])
            Self.expectOneLine(ended, "--nme", "--name")
            #expect(try ended.json["refusal"]["field"].text == "nme")
        }

        @Test func `a busy port is one clear line`() async throws {
            let folder = try Folder()
            let (anna, berta) = (Studio("anna", in: folder), Studio("berta", in: folder))
            try await anna.make()
            try await berta.make()
            try await anna.start()
            let listening = try #require(anna.address)
            let peers = try await berta.run("run", ["listen": listening])
            Self.expectOneLine(peers, "--listen \(listening)", "another port")
            let key = try JSONDecoder().decode(
                Found.self, from: Data(contentsOf: URL(fileURLWithPath: anna.home + "/api.json")))
            let door = key["port"].text
            let http = try await berta.run("run", ["http": door])
            Self.expectOneLine(http, "--http \(door)", "another port")
            #expect(!FileManager.default.fileExists(atPath: berta.home + "/api.json"))
            Self.expectOneLine(
                try await berta.run("run", ["listen": "here"]), "--listen", "here", "HOST:PORT")
            Self.expectOneLine(
                try await berta.run("run", ["http": "65536"]), "--http", "65536", "65535")
            try await berta.start()
        }

        @Test func `an address in brackets is listened at, dialed and asked for a lost home`()
            async throws
        {
            let folder = try Folder()
            let (anna, berta) = (Studio("anna", in: folder), Studio("berta", in: folder))
            try await anna.make()
            anna.address = "[::1]:0"
            try await anna.start()
            let address = try #require(anna.address)
            #expect(address.hasPrefix("[::1]:"))
            try await berta.make(joining: anna)
            try await berta.start()
            try await berta("peer add", ["address": address])
            #expect(try await berta("peer list")["peers"].items[0]["address"].text == address)
            try await until("they are connected") {
                try await !berta("status")["peers"].items.isEmpty
            }
            let doctor = try await anna.run(["doctor"])
            #expect(doctor.out.contains("\(address) answers"), "\(doctor.out)")
            // Whoever is asked there answers: that he knows of no such identity.
            let lost = Studio("lost", in: folder)
            try await lost.make()
            let code = try folder.write("code", lost.recoveryCode + "\n")
            let ended = try await Studio("found", in: folder).run([
                "recover", "--no-passphrase", "--invitation", anna.invitation, "--peer", address,
                "--code-file", code,
            ])
            Self.expectOneLine(ended, "recovery code", "another partner")
        }

        @Test func `a key file that others can read is refused`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            let key = studio.home + "/key"
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
            Self.expectOneLine(try await studio.run("run"), "644", "chmod 600 \(key)")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
            try await studio.start()
        }

        @Test func `the passphrase opens the key file, another one does not`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            let right = try folder.write("right", "correct horse\n")
            let wrong = try folder.write("wrong", "correct house\n")
            let empty = try folder.write("empty", "\n")
            let unchosen = try await studio.run("init", ["name": "anna", "alliance": "x"])
            Self.expectOneLine(unchosen, "--passphrase-file", "--no-passphrase")
            #expect(!FileManager.default.fileExists(atPath: studio.home))
            try await studio.make(flags: ["--passphrase-file", right])
            let text = try String(contentsOfFile: studio.home + "/key", encoding: .utf8)
            #expect(text.contains("argon2id") || text.contains("Argon2id"), "\(text)")
            Self.expectOneLine(
                try await studio.run("run", ["passphrase-file": wrong]), "passphrase")
            Self.expectOneLine(
                try await studio.run("run", ["passphrase-file": empty]), "--passphrase-file", empty)
            Self.expectOneLine(try await studio.run("run"), "--passphrase-file")
            try await studio.start(["--passphrase-file", right])
            #expect(try await studio("id")["did"].text == studio.did)
        }

        @Test func `SIGTERM ends with 0, after SIGKILL the home starts again`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            let key = studio.home + "/api.json"
            try await studio.start()
            let mode = try FileManager.default.attributesOfItem(atPath: key)[.posixPermissions]
            #expect((mode as? NSNumber)?.intValue == 0o600)
            #expect(try await studio.stop() == 0)
            #expect(!FileManager.default.fileExists(atPath: key))
            Self.expectOneLine(try await studio.run("id"), status: 3, "talea run")
            try await studio.start()
            #expect(try await studio.stop(SIGINT) == 0)
            try await studio.start()
            try await studio.stop(SIGKILL)
            Self.expectOneLine(try await studio.run("id"), status: 3, "talea run")
            try await studio.start()
            #expect(try await studio("id")["did"].text == studio.did)
            #expect(try await studio("status")["read_only"] == .none)
            #expect(try await studio.stop() == 0)
        }

        @Test func `an old ledger put back signs nothing and says why`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            let ledger = studio.home + "/ledger.sqlite"
            try await studio.start()
            try await studio("line declare", Self.window("print/a"))
            try await studio.stop()
            var files = [String: Data]()
            for tail in ["", "-wal"] {
                files[tail] = FileManager.default.contents(atPath: ledger + tail)
            }
            try await studio.start()
            try await studio("line declare", Self.window("print/b"))
            try await studio("line declare", Self.window("print/c"))
            try await studio.stop()
            for tail in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: ledger + tail)
                guard let data = files[tail] else { continue }
                try data.write(to: URL(fileURLWithPath: ledger + tail))
            }
            let open = try await studio.run("run")
            Self.expectOneLine(open, "644", "chmod 600 \(ledger)")
            for tail in files.keys {
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o600], ofItemAtPath: ledger + tail)
            }
            try await studio.start()
            let status = try await studio("status")
            let why = status["recovery"]["message"]["en"].text
            let numbers = why.split { !$0.isNumber }.compactMap { Int($0) }
            #expect(numbers.count >= 2, "\(why)")
            #expect((numbers.max() ?? 0) > (numbers.min() ?? 0), "\(why)")
            let human = try await studio.run("status")
            #expect(human.out.contains(why), "\(human.out)")
            let refused = try await studio.run("line declare", Self.window("print/d"), ["--yes"])
            Self.expectOneLine(refused, "--accept-risk")
            let lines = try await studio("line show")["lines"].items
            #expect(lines.map { $0["resource"].text } == ["print/a"])
            try await studio("ledger balance")
            #expect(try await studio.run("ledger rebuild", [:], ["--check"]).status == 0)
            // Nobody else ever was there: the owner answers for it.
            try await studio("recover", ["accept-risk": "all"])
            #expect(try await studio("status")["recovery"]["logs"].items.isEmpty)
            try await studio("line declare", Self.window("print/d"))
            #expect(try await studio.stop() == 0)
            try await studio.start()
            #expect(try await studio("status")["recovery"]["logs"].items.isEmpty)
            #expect(try await studio.stop() == 0)
        }

        static func window(_ resource: String) -> KeyValuePairs<String, String> {
            ["resource": resource, "start": "+1d", "end": "+2d", "total": "5"]
        }
    }
}
