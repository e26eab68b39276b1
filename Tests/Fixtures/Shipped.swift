import Foundation

/// The template files of `contracts/`, as the program ships them.
public enum Shipped {
    public static let templates: [String: [UInt8]] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "contracts")
        var found: [String: [UInt8]] = [:]
        for file in try! FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil) where file.pathExtension == "yaml"
        {
            found[file.deletingPathExtension().lastPathComponent] = Array(
                try! Data(contentsOf: file))
        }
        return found
    }()

    /// In the order of their names, as worlds take them.
    public static let ordered = templates.sorted { $0.key < $1.key }.map(\.value)
}
