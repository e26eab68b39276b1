import Foundation

/// `--list` · `--seeds FOLDER` · `TARGET [libFuzzer's arguments]`. Where libFuzzer is not linked a target,
/// or with no words every one, runs over its seeds and what is kept for it, once each.
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
        run(target, Array(words.dropFirst(2)))
    case nil:
        runAll(targets)
    }
}

#if KEPT
    private func run(_ target: FuzzTarget, _ options: [String]) -> Never {
        replay(target)
        exit(0)
    }

    private func runAll(_ targets: [FuzzTarget]) -> Never {
        for target in targets { replay(target) }
        exit(0)
    }

    private func replay(_ target: FuzzTarget) {
        let folder = "Fuzz/Corpus/\(target.name)"
        let kept = Kept.files(in: folder).map { Kept.bytes("\(folder)/\($0)") }
        let inputs = (target.seeds() + kept).filter { $0.count <= target.bytesMax }
        for input in inputs { target.run(input) }
        print("\(target.name) \(inputs.count) inputs")
    }
#else
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ count: UnsafeMutablePointer<CInt>,
        _ arguments: UnsafeMutablePointer<
            UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        >,
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

    private func run(_ target: FuzzTarget, _ options: [String]) -> Never {
        chosen = target
        let rest = [CommandLine.arguments[0], "-max_len=\(target.bytesMax)"] + options
        var count = CInt(rest.count)
        let array = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
            capacity: rest.count + 1)
        for (index, word) in rest.enumerated() { array[index] = strdup(word) }
        array[rest.count] = nil
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = array
        exit(runDriver(&count, &arguments, fuzzOne))
    }

    private func runAll(_ targets: [FuzzTarget]) -> Never {
        print("usage: --list | --seeds FOLDER | TARGET [libFuzzer's arguments]")
        exit(2)
    }
#endif

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
