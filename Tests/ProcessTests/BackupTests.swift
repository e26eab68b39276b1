import Foundation
import Testing

extension ProcessTests {
    @Suite struct BackupTests {
        @Test(.timeLimit(.minutes(5)))
        func `a backup taken while trading brings a wiped node back, with one history`()
            async throws
        {
            let trade = try await Trade.open()
            let (press, maker) = (trade.press, trade.maker)
            try await trade.publish()
            // Taken again and again, beside the node, until the option is paid for.
            let file = trade.folder.path + "/press.backup"
            let home = press.home
            let copying = Task {
                var count = 0
                while !Task.isCancelled {
                    let ended = try await Programs.run(
                        Programs.talea, ["--home", home, "backup", file])
                    if Task.isCancelled { break }
                    guard ended.status == 0 else { throw Broken("backup ended: \(ended.error)") }
                    count += 1
                }
                return count
            }
            try await trade.buy()
            copying.cancel()
            #expect(try await copying.value > 0)
            // Then something that the backup does not have.
            let stated = try await trade.deliver(units: "40")
            let before = try await trade.press("ledger balance")
            let heads = try await trade.press.show(trade.option)["steps"].items.count
            try await press.stop(SIGKILL)
            try FileManager.default.removeItem(atPath: press.home)

            let restored = try await press.run(["restore", file, "--json"])
            #expect(restored.status == 0, "\(restored.error)")
            #expect(try restored.json["did"].text == press.did)
            try await press.start()
            #expect(try await press("status")["last_backup"]["file"].text == file)
            try await until("the press is whole") {
                let status = try await press("status")
                return status["recovery"]["logs"].items.isEmpty
            }
            try await until("the press holds what it had lost") {
                let steps = try await press.show(trade.option)["steps"].items.count
                let balance = try await press("ledger balance")
                return steps == heads && balance == before
            }
            // It goes on where it was.
            try await maker("delivery confirm", ["contract": trade.option, "record": stated])
            try await until("the press sees it accepted") {
                let records = try await press.show(trade.option)["records"].items
                return records.contains {
                    $0["number"].text == stated && $0["state"].text != "stated"
                }
            }
            for studio in trade.all {
                #expect(try await studio("status")["forks"].items.isEmpty)
                #expect(try await studio("ledger rebuild", [:], ["--check"])["equal"].isTrue)
            }
        }

        @Test func `a better copy is never replaced by an emptier one`() async throws {
            let folder = try Folder()
            let (anna, berta) = (Studio("anna", in: folder), Studio("berta", in: folder))
            try await anna.make()
            try await berta.make()
            let (old, new) = (folder.path + "/old", folder.path + "/new")
            HomeTests.expectDone(try await anna.run(["backup", old]))
            try await anna.start()
            try await anna("line declare", HomeTests.window("print/a"))
            HomeTests.expectDone(try await anna.run(["backup", new]))
            try await anna.stop()
            // A home that knows more is left alone, also by its own older copy.
            let kept = ["key", "ledger.sqlite", "high-water"]
            let before = try anna.bytes().filter { kept.contains($0.key) }
            HomeTests.expectOneLine(
                try await anna.run(["restore", old]), "stays as it is", "it holds ",
                "take its place ")
            #expect(try anna.bytes().filter { kept.contains($0.key) } == before)
            HomeTests.expectOneLine(try await berta.run(["restore", new]), berta.did)
            HomeTests.expectOneLine(try await berta.run(["backup", new]), anna.did)
            // The older copy comes back elsewhere; what it can back up replaces nothing better.
            let again = Studio("again", in: folder)
            HomeTests.expectDone(try await again.run(["restore", old]))
            let good = try Data(contentsOf: URL(filePath: new))
            HomeTests.expectOneLine(try await again.run(["backup", new]), "stays as it is")
            #expect(try Data(contentsOf: URL(filePath: new)) == good)
            // A newer copy may take its place; what stood there is kept.
            let restored = try await again.run(["restore", new, "--json"])
            #expect(restored.status == 0, "\(restored.error)")
            let aside = try restored.json["aside"].text
            #expect(FileManager.default.fileExists(atPath: aside + "/key"))
            // A folder gets a file of the day.
            let day = try await anna.run(["backup", folder.path, "--json"])
            #expect(try day.json["file"].text.hasSuffix(".backup"))
            let plain = try folder.write("notes.txt", "mine")
            HomeTests.expectOneLine(try await anna.run(["backup", plain]), "no whole backup")
            #expect(try String(contentsOfFile: plain, encoding: .utf8) == "mine")
        }

        @Test func `a backup leaves what lies beside it alone`() async throws {
            let folder = try Folder()
            let anna = Studio("anna", in: folder)
            try await anna.make()
            // What an owner may have there: an export, a letter, a folder.
            let ledger = try folder.write("studio.ledger", "2026-01-01 rent")
            let draft = try folder.write("studio.draft", "Dear Ben")
            let files = FileManager.default
            try files.createDirectory(
                atPath: folder.path + "/press.ledger", withIntermediateDirectories: false)
            _ = try folder.write("press.ledger/book", "mine")
            for name in ["studio", "press"] {
                HomeTests.expectDone(try await anna.run(["backup", folder.path + "/" + name]))
            }
            #expect(try String(contentsOfFile: ledger, encoding: .utf8) == "2026-01-01 rent")
            #expect(try String(contentsOfFile: draft, encoding: .utf8) == "Dear Ben")
            #expect(files.fileExists(atPath: folder.path + "/press.ledger/book"))
            // And nothing of its own.
            let names = try files.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(
                names == [
                    "anna", "press", "press.ledger", "studio", "studio.draft", "studio.ledger",
                ])
        }

        @Test func `a restore leaves what lies beside it alone`() async throws {
            let folder = try Folder()
            let anna = Studio("anna", in: folder)
            try await anna.make()
            let file = folder.path + "/backup"
            HomeTests.expectDone(try await anna.run(["backup", file]))
            let files = FileManager.default
            let mine = folder.path + "/again.restoring"
            try files.createDirectory(atPath: mine, withIntermediateDirectories: false)
            _ = try folder.write("again.restoring/notes", "mine")
            let again = Studio("again", in: folder)
            HomeTests.expectDone(try await again.run(["restore", file]))
            #expect(files.fileExists(atPath: mine + "/notes"))
            // And nothing of its own.
            let names = try files.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(names == ["again", "again.restoring", "anna", "backup"])
        }

        @Test func `a restore that is killed leaves a home, and nothing of the old one is lost`()
            async throws
        {
            let strace = try #require(Programs.find("strace"), "apt-get install strace")
            let folder = try Folder()
            let anna = Studio("anna", in: folder)
            try await anna.make()
            let file = folder.path + "/backup"
            HomeTests.expectDone(try await anna.run(["backup", file]))
            let calls = "rename,renameat,renameat2"
            let files = FileManager.default
            var isDone = false
            var kills = 0
            while !isDone, kills < 40 {
                kills += 1
                _ = try folder.write("anna/mark", "\(kills)")
                let restoring = try await Programs.run(
                    strace,
                    ["-f", "-qq", "-o", "/dev/null", "-e", "trace=\(calls)"]
                        + ["-e", "inject=\(calls):signal=KILL:when=\(kills)", Programs.talea]
                        + ["--home", anna.home, "restore", file])
                isDone = restoring.status == 0
                #expect(files.fileExists(atPath: anna.home + "/key"), "\(kills)")
                #expect(files.fileExists(atPath: anna.home + "/ledger.sqlite"), "\(kills)")
                // Done again it is done, and what stood there before the kill is kept somewhere.
                HomeTests.expectDone(try await anna.run(["restore", file]))
                let marks = try files.contentsOfDirectory(atPath: folder.path).compactMap {
                    try? String(contentsOfFile: "\(folder.path)/\($0)/mark", encoding: .utf8)
                }
                #expect(marks.contains("\(kills)"), "\(kills)")
            }
            #expect(isDone)
            #expect(kills > 3)
        }

        @Test func `a full home is backed up all the same`() async throws {
            let folder = try Folder()
            let anna = Studio("anna", in: folder)
            try await anna.make()
            // No room for the note of when it was backed up last.
            try FileManager.default.createDirectory(
                atPath: anna.home + "/backup.json.draft", withIntermediateDirectories: false)
            let file = folder.path + "/backup"
            HomeTests.expectDone(try await anna.run(["backup", file]))
            let again = Studio("again", in: folder)
            HomeTests.expectDone(try await again.run(["restore", file]))
        }

        @Test func `what a killed download left in the home goes at the next start`() async throws {
            let folder = try Folder()
            let anna = Studio("anna", in: folder)
            try await anna.make()
            let files = FileManager.default
            for name in [
                "download-1.backup", ".download-1.backup.talea-draft",
                ".download-1.backup.talea-ledger/ledger.sqlite",
            ] {
                let place = URL(filePath: anna.home + "/" + name)
                try files.createDirectory(
                    at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data("secret".utf8).write(to: place)
            }
            try await anna.start()
            let left = try files.contentsOfDirectory(atPath: anna.home)
            #expect(left.filter { $0.contains("download-") } == [])
            #expect(left.contains("key"))
            #expect(try await anna.stop() == 0)
        }

        @Test func `a browser downloads a whole backup, by the owner's form alone`() async throws {
            let folder = try Folder()
            let anna = Studio("anna", in: folder)
            try await anna.make()
            try await anna.start()
            func curl(_ reader: Bool, _ arguments: [String]) async throws -> Ended {
                let jar = folder.path + "/cookies-\(reader)"
                return try await Programs.run(
                    "/usr/bin/env", ["curl", "-qsS", "-b", jar, "-c", jar] + arguments)
            }
            let file = folder.path + "/downloaded"
            for reader in [true, false] {
                let link = try await anna("open", [:], reader ? ["--reader"] : [])["link"].text
                let base = link.split(separator: "/open/")[0]
                _ = try await curl(reader, [link])
                let page = try await curl(reader, [base + "/node"]).out
                let token = page.firstMatch(of: /form-token" content="([0-9a-f]+)"/)?.1 ?? ""
                let origin = ["-H", "Origin: \(base)"]
                func take(_ extra: [String], _ token: some StringProtocol) async throws -> String {
                    try await curl(
                        reader,
                        extra + [
                            "-d", "form-token=\(token)", "-o", file, "-w", "%{http_code}",
                            String(base) + "/backup",
                        ]
                    ).out
                }
                #expect(try await take([], token) == "403")
                #expect(try await take(origin, "00") == "403")
                #expect(try await take(origin, token) == (reader ? "403" : "200"))
            }
            let again = Studio("again", in: folder)
            HomeTests.expectDone(try await again.run(["restore", file]))
            try await until("the download is noted") {
                try await anna("status")["last_backup"]["file"].text.hasSuffix(".backup")
            }
            #expect(!FileManager.default.fileExists(atPath: anna.home + "/download.backup"))
            // A folder of other things is left as it is.
            let other = try Folder()
            _ = try other.write("notes.txt", "mine")
            let refused = try await Programs.run(
                Programs.talea, ["restore", file, "--home", other.path])
            HomeTests.expectOneLine(refused, "no node")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: other.path) == ["notes.txt"])
        }

        @Test func `a backup with any byte changed or missing makes no home`() async throws {
            let folder = try Folder()
            let anna = Studio("anna", in: folder)
            try await anna.make()
            let file = folder.path + "/backup"
            HomeTests.expectDone(try await anna.run(["backup", file]))
            let whole = try Data(contentsOf: URL(filePath: file))
            // In the text, in the key and templates, and in the ledger.
            let places = [0, 20, 300, 2_000, whole.count / 2, whole.count - 1]
            var broken = places.map { place in
                var bytes = whole
                bytes[place] ^= 1
                return bytes
            }
            broken += [whole.dropLast(), whole + [0], Data()].map { Data($0) }
            for bytes in broken {
                try bytes.write(to: URL(filePath: file))
                let other = Studio("other", in: folder)
                HomeTests.expectOneLine(
                    try await other.run(["restore", file]), "no whole backup", "nothing was changed"
                )
                #expect(!FileManager.default.fileExists(atPath: other.home))
            }
        }
    }
}
