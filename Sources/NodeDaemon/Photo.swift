internal import Dashboard
internal import Dispatch
internal import Foundation

/// The QR codes in a photograph, read by `zbarimg` as a program of its own: pictures come from anyone, and what
/// goes wrong in their decoders then ends there.
public enum Photo {
    public static let bytesMax = 32 << 20

    /// What its codes say. Refused: what is no picture, and where the program is missing.
    public static func codes(inFile file: String) throws -> [String] {
        guard let values = try? FileManager.default.attributesOfItem(atPath: file),
            values[.type] as? FileAttributeType == .typeRegular,
            let bytes = values[.size] as? Int, bytes <= bytesMax,
            // What only looks like a picture may make its decoder fetch or run things.
            let handle = FileHandle(forReadingAtPath: file),
            let start = try? handle.read(upToCount: 16), ProofPage.Photo([UInt8](start)) != nil
        else {
            throw DoorRefusal(
                "file_unreadable", field: "image", value: file,
                en: "“\(file)”: wanted a JPEG, PNG, GIF or WebP of at most 32 MiB",
                zh: "“\(file)”：应为不超过 32 MiB 的 JPEG、PNG、GIF 或 WebP 图片")
        }
        let (status, output) = try Tool.run([
            "zbarimg", "-q", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", "--",
            URL(filePath: file).path,
        ])
        guard status != 127 else {
            throw DoorRefusal(
                "zbar_missing", field: "image",
                en:
                    "pictures are read by the program zbarimg, which is missing: apt-get install zbar-tools; or read the code with a telephone and give its text",
                zh: "读取图片需要 zbarimg 程序，本机没有：apt-get install zbar-tools；或用手机扫码后给出文字")
        }
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// The same of a picture in memory; waits on a thread that is there for it.
    public static func codes(in picture: [UInt8]) async throws -> [String] {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result {
                        try Tool.withFolder { folder in
                            let file = folder.appending(path: "picture")
                            try Data(picture).write(to: file)
                            return try codes(inFile: file.path)
                        }
                    })
            }
        }
    }
}
