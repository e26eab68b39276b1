import Fuzzing
import Identity

@main struct Main {
    static func main() {
        _ = Sodium.start()
        runFuzzers(wire + texts + replication + logs + contracts + nodes)
    }
}
