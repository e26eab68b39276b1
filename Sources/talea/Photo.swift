import Dashboard
import Foundation

/// The QR code in a photograph, read by `zbarimg` as a program of its own: pictures come from anyone, and what
/// goes wrong in their decoders then ends there.
enum Photo {
    static let bytesMax = 32 << 20

    static func text(of file: String) throws -> String {
        guard let values = try? FileManager.default.attributesOfItem(atPath: file),
            values[.type] as? FileAttributeType == .typeRegular,
            let bytes = values[.size] as? Int, bytes <= bytesMax,
            // What only looks like a picture may make its decoder fetch or run things.
            let data = try? Data(contentsOf: URL(filePath: file)),
            ProofPage.Photo([UInt8](data.prefix(16))) != nil
        else {
            throw DoorRefusal(
                "file_unreadable", field: "image", value: file,
                en: "--image “\(file)”: wanted a JPEG, PNG, GIF or WebP of at most 32 MiB",
                zh: "--image “\(file)”：应为不超过 32 MiB 的 JPEG、PNG、GIF 或 WebP 图片")
        }
        let (status, output) = try Child.run([
            "zbarimg", "-q", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", "--",
            URL(filePath: file).path,
        ])
        guard status != 127 else {
            throw DoorRefusal(
                "zbar_missing", field: "image",
                en:
                    "--image needs the program zbarimg; install it (apt-get install zbar-tools), or scan the code yourself and give its text: talea verify --text TALEA1:…",
                zh:
                    "--image 需要 zbarimg 程序；请安装（apt-get install zbar-tools），或自行扫码并给出文字：talea verify --text TALEA1:…"
            )
        }
        let lines = String(decoding: output, as: UTF8.self).split(separator: "\n")
        guard let line = lines.first(where: { $0.contains("TALEA1") }) else {
            throw DoorRefusal(
                "qr_unseen", field: "image", value: file,
                en:
                    "--image “\(file)”: no code of ours is seen in it; try a sharper picture, straight from above",
                zh: "--image “\(file)”：其中未见本程序的二维码；请从正上方拍得更清晰些")
        }
        return String(line)
    }
}
