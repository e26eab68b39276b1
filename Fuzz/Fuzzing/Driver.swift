import Foundation

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ one: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The target of this process; libFuzzer's callback carries no context.
nonisolated(unsafe) private var chosen: FuzzTarget?

/// Under the name that libFuzzer's own entry point asks for where it is linked in.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    chosen?.run(Array(UnsafeBufferPointer(start: bytes, count: size)))
    return 0
}

/// `--list` · `--seeds FOLDER` · `TARGET [libFuzzer's arguments]`
public func runFuzzers(_ targets: [FuzzTarget]) -> Never {
    let words = CommandLine.arguments
    switch words.dropFirst().first {
    case "--list":
        for target in targets { print("\(target.name)\t\(target.law)") }
        exit(0)
    case "--seeds" where words.count == 3:
        for target in targets { write(target.seeds(), to: words[2] + "/" + target.name) }
        exit(0)
    case let name?:
        guard let target = targets.first(where: { $0.name == name }) else {
            complain("no such target: \(name)")
            exit(2)
        }
        chosen = target
        let rest = [words[0], "-max_len=\(target.bytesMax)"] + words.dropFirst(2)
        var count = CInt(rest.count)
        let array = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
            capacity: rest.count + 1)
        for (index, word) in rest.enumerated() { array[index] = strdup(word) }
        array[rest.count] = nil
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = array
        exit(
            runDriver(&count, &arguments, fuzzOne))
    case nil:
        print("usage: --list | --seeds FOLDER | TARGET [libFuzzer's arguments]")
        exit(2)
    }
}

/// A file for each seed, named by its place in the list.
private func write(_ seeds: [[UInt8]], to folder: String) {
    do {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        for (index, seed) in seeds.enumerated() {
            try Data(seed).write(to: URL(filePath: "\(folder)/seed-\(index)"))
        }
    } catch {
        print("cannot write seeds: \(error)")
        exit(1)
    }
}
