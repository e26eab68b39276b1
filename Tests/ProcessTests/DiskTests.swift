import Foundation
import Testing

extension ProcessTests {
    /// The real program on a disk that is full, fails, or loses bits.
    @Suite struct DiskTests {
        /// Answers calls on the files of `studio`'s home with an error.
        private func faults(_ studio: Studio, _ call: String, _ error: String) throws -> [String] {
            let strace = try #require(Programs.find("strace"), "apt-get install strace")
            let files = ["ledger.sqlite", "ledger.sqlite-wal", "high-water"]
            return [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)"]
                + ["-e", "inject=\(call):\(error)"] + files.map { "-P\(studio.home)/\($0)" }
        }

        private func declare(_ studio: Studio, _ name: String) async throws -> Ended {
            try await studio.run("line declare", HomeTests.window("print/\(name)"), ["--yes"])
        }

        @Test(.timeLimit(.minutes(2)))
        func `a full disk is told to the asker, and the process ends before it spins`() async throws
        {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            try await studio.start()
            let kept = try await declare(studio, "a")
            #expect(kept.status == 0)
            try await studio.stop()
            // From the second commit's writes on: SQLite writes a header and pages when it opens.
            try await studio.start(
                under: try faults(studio, "pwrite64", "error=ENOSPC:when=30+"))
            var refused = 0
            while studio.node?.isRunning == true, refused < 60 {
                let ended = try await declare(studio, "b\(refused)")
                if ended.status == 0 { continue }
                refused += 1
                if ended.error.contains("disk is full") {
                    #expect(ended.error.contains("free some space"), "\(ended.error)")
                }
            }
            #expect(studio.node?.isRunning == false)
            let log = try String(contentsOfFile: studio.home + ".log", encoding: .utf8)
            #expect(log.contains("Free some space and start again"), "\(log)")
            try await studio.start()
            let lines = try await studio("line show")["lines"].items
            #expect(lines.contains { $0["resource"].text == "print/a" })
            #expect(try await studio("status")["read_only"] == .none)
            #expect(try await declare(studio, "c").status == 0)
        }

        @Test(.timeLimit(.minutes(2)))
        func `one failed sync is told, and the node goes on in the same process`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            try await studio.start(under: try faults(studio, "fdatasync", "error=EIO:when=6"))
            var told: [String] = []
            for number in 0..<6 {
                let ended = try await declare(studio, "\(number)")
                if ended.status != 0 { told.append(ended.error) }
            }
            try #require(told.count == 1, "\(told)")
            #expect(told[0].contains("disk failed") && told[0].contains("look whether"), "\(told)")
            let lines = try await studio("line show")["lines"].items.count
            #expect((5...6).contains(lines))
            try await studio.stop()
            try await studio.start()
            #expect(try await studio("line show")["lines"].items.count == lines)
            #expect(try await studio("status")["read_only"] == .none)
        }

        @Test(.timeLimit(.minutes(2)))
        func `a bit lost in our own entry stops the node, in another's it comes again`()
            async throws
        {
            let folder = try Folder()
            let (anna, berta) = (Studio("anna", in: folder), Studio("berta", in: folder))
            try await anna.make()
            try await berta.make(joining: anna)
            try await anna.start()
            try await berta.start()
            try await Trade.connect([anna, berta])
            let ours = try await declare(anna, "ours")
            let theirs = try await declare(berta, "theirs")
            #expect(ours.status == 0 && theirs.status == 0)
            try await until("anna sees both lines") {
                try await anna("line show")["lines"].items.count == 2
            }
            try await anna.stop()
            let file = anna.home + "/ledger.sqlite"
            let whole = try Data(contentsOf: URL(fileURLWithPath: file))
            func flip(_ text: String) throws {
                var bytes = whole
                var from = bytes.startIndex
                while let range = whole.range(of: Data(text.utf8), in: from..<whole.endIndex) {
                    bytes[range.lowerBound] ^= 1
                    from = range.upperBound
                }
                #expect(bytes != whole)
                let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
                try handle.write(contentsOf: bytes)
                try handle.close()
            }
            try flip("print/ours")
            HomeTests.expectOneLine(
                try await anna.run("run"), "damaged", "keep the folder as it is")
            HomeTests.expectOneLine(try await anna.run("status", [:], ["--offline"]), "damaged")
            try flip("print/theirs")
            try await anna.start()
            try await until("anna has berta's line again") {
                let lines = try await anna("line show")["lines"].items
                return Set(lines.map { $0["resource"].text }) == ["print/ours", "print/theirs"]
            }
            try await until("everything was hashed again") {
                let scrub = try await anna("status")["last_scrub"]
                return scrub != .none && scrub["bad"].number == 0
            }
            #expect(try await anna.run("status").out.contains("scrubbed"))
            #expect(try await anna.run("ledger rebuild", [:], ["--check"]).status == 0)
        }
    }
}
