import Contracts
import Dashboard
import FoundationEssentials

/// `talea sync`: the node hands out pages, or takes them; the file is read and written here.
extension Remote {
    func carry() async -> Int32 {
        await answering {
            guard line.words.count == 1 else { throw Self.neither }
            switch (line.options["to"]?.last, line.options["from"]?.last) {
            case (let file?, nil): return try await export(to: file)
            case (nil, let file?): return try await take(from: file)
            default: throw Self.neither
            }
        }
    }

    private static let neither = DoorRefusal(
        "option_missing", field: "to",
        en: "sync wants --to FILE to write what others lack, or --from FILE to take it in",
        zh: "sync 需要 --to 文件（写出他人所缺）或 --from 文件（读入）")

    private func export(to file: String) async throws -> Int32 {
        let client = try DoorClient(home: line.home)
        var options: [String: [String]] = [:]
        options["for"] = line.options["for"]
        var bytes = SyncFile.head
        var (entries, letters): (Int64, Int64) = (0, 0)
        repeat {
            let page = try await client.run(
                CommandRequest(verb: "sync export", options: options, dryRun: false)
            ).get()
            bytes += page["frames"]?.string.flatMap { Data(base64Encoded: $0) } ?? Data()
            entries += page["entries"]?.number ?? 0
            letters += page["letters"]?.number ?? 0
            options["after"] = page["next"]?.string.map { [$0] }
        } while options["after"] != nil
        do { try Data(bytes).write(to: URL(filePath: file), options: .atomic) } catch {
            throw DoorRefusal(
                "file_unwritable", field: "to", value: file,
                en: "--to “\(file)”: cannot be written; wanted a file in a folder that exists",
                zh: "--to “\(file)”：无法写入；应为已有文件夹中的文件")
        }
        say(
            ["file": .string(file), "entries": .number(entries), "letters": .number(letters)],
            en: "\(file): \(entries) entries, \(letters) sealed letters. "
                + "On the other side: talea sync --from \(file)",
            zh: "\(file)：\(entries) 条条目、\(letters) 封加密信件。对方请运行：talea sync --from \(file)")
        return 0
    }

    private func take(from file: String) async throws -> Int32 {
        let bytes = try Local.read(file, field: "from")
        guard bytes.starts(with: SyncFile.head),
            let pages = SyncFile.pages(Array(bytes.dropFirst(SyncFile.head.count)))
        else {
            throw DoorRefusal(
                "file_unreadable", field: "from", value: file,
                en: "--from “\(file)”: not a file that talea sync --to wrote, or cut short; "
                    + "nothing was taken, ask for it again",
                zh: "--from “\(file)”：不是 talea sync --to 写出的文件，或已残缺；未采用任何内容，请重新索取")
        }
        let client = try DoorClient(home: line.home)
        var (entries, statements): (Int64, Int64) = (0, 0)
        // What waits for somebody's admission further down comes with the next pass. Each brings news, or is
        // the last.
        var (news, waiting): (Int64, Int64) = (0, 0)
        repeat {
            (news, waiting) = (0, 0)
            for page in pages {
                let answer = try await client.run(
                    CommandRequest(
                        verb: "sync import",
                        options: ["frames": [Data(page).base64EncodedString()]], dryRun: false)
                ).get()
                entries += answer["entries"]?.number ?? 0
                statements += answer["statements"]?.number ?? 0
                news += answer["entries"]?.number ?? 0
                waiting += answer["waiting"]?.number ?? 0
            }
        } while news > 0 && waiting > 0
        say(
            [
                "file": .string(file), "entries": .number(entries),
                "statements": .number(statements),
            ],
            en: "\(entries) entries and \(statements) statements were news here.",
            zh: "新收到 \(entries) 条条目、\(statements) 份声明。")
        return 0
    }

    private func say(_ answer: JSON, en: String, zh: String) {
        print(line.has("json") ? answer.text(pretty: true) : line.language == .en ? en : zh)
    }
}
