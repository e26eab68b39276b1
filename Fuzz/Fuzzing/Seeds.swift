import Foundation

/// What the repository holds already, to begin with.
public enum Kept {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    public static func bytes(_ path: String) -> [UInt8] {
        (try? Data(contentsOf: root.appending(path: path))).map { [UInt8]($0) } ?? []
    }

    /// The names of the files in a folder, sorted.
    public static func files(in folder: String) -> [String] {
        let path = root.appending(path: folder).path
        return (try? FileManager.default.contentsOfDirectory(atPath: path))?.sorted() ?? []
    }

    /// Every text in the golden vectors.
    public static let vectorTexts: [String] = {
        var texts: [String] = []
        for name in files(in: "Tests/Vectors") where name.hasSuffix(".json") {
            let data = Data(bytes("Tests/Vectors/\(name)"))
            collect(try? JSONSerialization.jsonObject(with: data), into: &texts)
        }
        return texts
    }()

    private static func collect(_ value: Any?, into texts: inout [String]) {
        switch value {
        case let text as String: texts.append(text)
        case let list as [Any]: for one in list { collect(one, into: &texts) }
        case let map as [String: Any]:
            for (_, one) in map.sorted(by: { $0.key < $1.key }) { collect(one, into: &texts) }
        default: break
        }
    }
}
