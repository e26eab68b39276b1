import Dashboard
import Foundation

/// The QR code in a photograph, read by `zbarimg` as a program of its own: pictures come from anyone, and what
/// goes wrong in their decoders then ends there.
enum Photo {
    static let bytesMax = 32 << 20
    private static let patience: TimeInterval = 30
    private static let answerMax = 256 << 10

    static func text(of file: String) throws -> String {
        guard let values = try? FileManager.default.attributesOfItem(atPath: file),
            values[.type] as? FileAttributeType == .typeRegular,
            let bytes = values[.size] as? Int, bytes <= bytesMax
        else {
            throw DoorRefusal(
                "file_unreadable", field: "image", value: file,
                en: "--image “\(file)”: wanted a picture of at most 32 MiB",
                zh: "--image “\(file)”：应为不超过 32 MiB 的图片")
        }
        let (status, output) = try run(URL(filePath: file).path)
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

    private static func run(_ path: String) throws -> (status: Int32, output: Data) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "zbarimg", "-q", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", "--", path,
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let child = process
        DispatchQueue.global().asyncAfter(deadline: .now() + patience) {
            if child.isRunning { child.terminate() }
        }
        var output = Data()
        while output.count < answerMax,
            let more = try pipe.fileHandleForReading.read(upToCount: answerMax), !more.isEmpty
        {
            output += more
        }
        if output.count >= answerMax { process.terminate() }
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }
}
