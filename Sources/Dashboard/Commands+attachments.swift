import Contracts
import Entries
import FoundationEssentials
import Identity
import NodeCore

/// Files of contracts. Their bytes come and go in chunks of base64; the program that asks reads and writes the
/// file.
extension Commands {
    static func addChunk(_ node: inout Node, _ options: inout Options) throws -> Done {
        let held = try contract(node, &options)
        let file = try options.hash("hash")
        let size = Int(clamping: try options.needNumber("size", atLeast: 1))
        let index = Int(clamping: try options.needNumber("index"))
        let text = try options.need("chunk", Localized(en: "base64", zh: "base64"))
        try options.finish()
        guard let data = Data(base64Encoded: text) else {
            throw Options.wrong("chunk", String(text.prefix(20)), "base64", "base64")
        }
        try node.attach([UInt8](data), at: index, of: file, size: size, to: held.id)
        return Done(value: View(node: node, now: node.now).attachments(of: held.id))
    }

    static func fetchAttachment(_ node: inout Node, _ options: inout Options) throws -> Done {
        let held = try contract(node, &options)
        let file = try options.hash("hash")
        try options.finish()
        try node.fetch(file, of: held.id)
        return Done(value: View(node: node, now: node.now).attachments(of: held.id))
    }

    static func listAttachments(_ view: View, _ options: inout Options) throws -> JSON {
        let held = try contract(view.node, &options)
        try options.finish()
        return view.attachments(of: held.id)
    }

    /// One chunk in clear.
    func readChunk(_ request: CommandRequest) async throws -> JSON {
        let now = clock()
        let wanted = try await door.read { node in
            var options = Options(request.options, now: now)
            let held = try Self.contract(node, &options)
            let file = try options.hash("hash")
            let index = Int(clamping: try options.needNumber("index"))
            try options.finish()
            let key = held.key.attachment(file)
            return (key: key, index: index, one: node.attachments[key.blob])
        }
        let sealed = try await door.chunk(wanted.index, of: wanted.key.blob)
        let chunk = wanted.one.flatMap { one in
            sealed.flatMap { wanted.key.open($0, at: wanted.index, of: one.size) }
        }
        guard let chunk else {
            throw DoorRefusal(
                "attachment_missing", field: "hash", value: wanted.key.blob.short,
                en: "this part of the file is not here; ask for it: talea attachment get",
                zh: "此处没有文件的这一部分；请用 talea attachment get 获取")
        }
        return ["chunk": .string(Data(chunk).base64EncodedString())]
    }

    static func forgetAttachment(_ node: inout Node, _ options: inout Options) throws -> Done {
        let held = try contract(node, &options)
        let file = try options.hash("hash")
        try options.finish()
        node.forget(attachment: held.key.attachment(file).blob)
        return Done(value: View(node: node, now: node.now).attachments(of: held.id))
    }
}

extension Options {
    mutating func hash(_ name: String) throws -> Hash32 {
        let text = try need(
            name, Localized(en: "a SHA-256 in 64 digits", zh: "64 位 SHA-256"))
        guard let hash = Hash32(hex: text.lowercased()) else {
            throw Self.wrong(name, text, "a SHA-256 in 64 hexadecimal digits", "64 位十六进制 SHA-256")
        }
        return hash
    }
}

extension View {
    func attachments(of contract: ContractID) -> JSON {
        [
            "attachments": .array(
                node.attachments(of: contract).map { one in
                    [
                        "hash": .string(one.file.hex), "bytes": .number(one.size),
                        "chunks": .number(one.chunks), "held": .number(one.held),
                        "whole": .bool(one.isWhole),
                    ]
                })
        ]
    }
}
