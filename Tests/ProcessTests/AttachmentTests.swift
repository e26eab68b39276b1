import Foundation
import Testing

extension ProcessTests {
    @Suite struct AttachmentTests {
        @Test func `a photo that a step names comes over on demand, whole and checked`()
            async throws
        {
            let trade = try await Trade.open()
            try await trade.publish()
            try await trade.buy()
            let photo = "\(trade.folder.path)/photo.bin"
            let bytes = Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 17 >> 4) })
            try bytes.write(to: URL(fileURLWithPath: photo))
            let hash = try await trade.press(
                "attachment add", ["contract": trade.option, "file": photo])["hash"].text
            let copy = "\(trade.folder.path)/copy.bin"
            let got = try await trade.maker(
                "attachment get", ["contract": trade.option, "hash": hash, "out": copy])
            #expect(got["bytes"].number == 300_000)
            #expect(try Data(contentsOf: URL(fileURLWithPath: copy)) == bytes)
            let listed = try await trade.maker("attachment list", ["contract": trade.option])
            #expect(listed["attachments"].items.first?["whole"].isTrue == true)
            // After a restart it is still there, and the files of the home do not show it.
            try await trade.maker.stop()
            try await trade.maker.start()
            try await trade.maker(
                "attachment get", ["contract": trade.option, "hash": hash, "out": copy])
            let piece = bytes[70_000..<70_040]
            for (file, content) in try trade.maker.bytes() {
                #expect(content.range(of: piece) == nil, "\(file)")
            }
            let unknown = try await trade.maker.run(
                "attachment get",
                [
                    "contract": trade.option, "hash": String(repeating: "0", count: 64),
                    "wait": "1",
                ])
            #expect(unknown.status == 2)
            #expect(
                unknown.error.contains("nobody who holds the rest is connected"), "\(unknown.error)"
            )
            let large = "\(trade.folder.path)/large.bin"
            try Data(count: 8_388_609).write(to: URL(fileURLWithPath: large))
            let refused = try await trade.press.run(
                "attachment add", ["contract": trade.option, "file": large])
            #expect(refused.status == 2)
            #expect(refused.error.contains("8388608"), "\(refused.error)")
        }
    }
}
