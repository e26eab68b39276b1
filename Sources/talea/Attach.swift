import Contracts
import Dashboard
import Entries
import FoundationEssentials
import Identity

/// `talea attachment add` and `get`: the file is read and written here, its chunks go to the node and come
/// from it.
extension Remote {
    func attach() async -> Int32 {
        await answering { line.words[1] == "add" ? try await add() : try await get() }
    }

    private func need(_ name: String, _ wanted: Localized) throws -> String {
        if let value = line.options[name]?.last { return value }
        throw DoorRefusal(
            "option_missing", field: name, en: "--\(name) is missing: \(wanted.en)",
            zh: "缺少 --\(name)：\(wanted.zh)")
    }

    private func ask(_ verb: String, _ options: [String: String]) async throws -> JSON {
        let contract = try need("contract", Localized(en: "its id", zh: "合同编号"))
        let all = options.merging(["contract": contract]) { one, _ in one }
        return try await DoorClient(home: line.home).run(
            CommandRequest(verb: verb, options: all.mapValues { [$0] }, dryRun: false)
        ).get()
    }

    private func add() async throws -> Int32 {
        let path = try need("file", Localized(en: "a file", zh: "文件"))
        let bytes = try Local.read(path, field: "file")
        guard !bytes.isEmpty else {
            throw DoorRefusal(
                "file_empty", field: "file", value: path,
                en: "--file “\(path)” is empty; nothing to keep", zh: "--file “\(path)”为空；无可存放")
        }
        let hash = SHA256.hash(bytes).hex
        // What an interrupted try left goes on from there.
        let known = try await ask("attachment list", [:])["attachments"]?.array ?? []
        let held = known.first { $0["hash"]?.string == hash }?["held"]?.number ?? 0
        for index in Int(held)..<max(AttachmentKey.chunks(of: bytes.count), Int(held)) {
            let start = index * AttachmentKey.chunkBytes
            let chunk = bytes[start..<min(start + AttachmentKey.chunkBytes, bytes.count)]
            _ = try await ask(
                "attachment put",
                [
                    "hash": hash, "size": "\(bytes.count)", "index": "\(index)",
                    "chunk": Data(chunk).base64EncodedString(),
                ])
        }
        print(
            line.has("json")
                ? (["hash": .string(hash), "bytes": .number(Int64(bytes.count))] as JSON)
                    .text(pretty: true)
                : hash)
        return 0
    }

    private func get() async throws -> Int32 {
        let hash = try need(
            "hash", Localized(en: "a SHA-256 in 64 digits", zh: "64 位 SHA-256")
        ).lowercased()
        let seconds = line.options["wait"]?.last.flatMap { Int($0) } ?? 60
        _ = try await ask("attachment fetch", ["hash": hash])
        let whole = try await wait(for: hash, seconds: seconds)
        var bytes: [UInt8] = []
        for index in 0..<whole {
            let answer = try await ask("attachment read", ["hash": hash, "index": "\(index)"])
            bytes += answer["chunk"]?.string.flatMap { Data(base64Encoded: $0) } ?? Data()
        }
        guard SHA256.hash(bytes).hex == hash else {
            _ = try await ask("attachment forget", ["hash": hash])
            throw DoorRefusal(
                "attachment_false", field: "hash", value: hash,
                en:
                    "what a partner sent is not the file that the step names; it was thrown away, ask again",
                zh: "对方发来的不是步骤所指的文件；已丢弃，请重新获取")
        }
        let file = line.options["out"]?.last ?? String(hash.prefix(12))
        do { try Data(bytes).write(to: URL(filePath: file), options: .atomic) } catch {
            throw DoorRefusal(
                "file_unwritable", field: "out", value: file,
                en: "-o “\(file)”: cannot be written; wanted a file in a folder that exists",
                zh: "-o “\(file)”：无法写入；应为已有文件夹中的文件")
        }
        print(
            line.has("json")
                ? (["file": .string(file), "bytes": .number(Int64(bytes.count))] as JSON)
                    .text(pretty: true)
                : file)
        return 0
    }

    /// How many chunks there are, once all are here. Progress goes to the terminal.
    private func wait(for hash: String, seconds: Int) async throws -> Int {
        let end = ContinuousClock.now + .seconds(seconds)
        var told: Int64 = -1
        while true {
            let all = try await ask("attachment list", [:])["attachments"]?.array ?? []
            let one = all.first { $0["hash"]?.string == hash }
            let (held, chunks) = (one?["held"]?.number ?? 0, one?["chunks"]?.number ?? 0)
            if one?["whole"]?.bool == true { return Int(chunks) }
            if held != told, chunks > 0 {
                told = held
                Terminal.tell(
                    line.language == .en
                        ? "\(held) of \(chunks) parts" : "\(chunks) 部分中的 \(held) 部分")
            }
            guard ContinuousClock.now < end else {
                throw DoorRefusal(
                    "attachment_awaited", field: "wait", value: "\(seconds)",
                    en:
                        "\(held) of \(chunks) parts came in \(seconds) seconds; nobody who holds the rest is "
                        + "connected. What came is kept; ask again later",
                    zh: "\(seconds) 秒内收到 \(chunks) 部分中的 \(held) 部分；持有其余部分者未连接。已收部分会保留，请稍后再试")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
