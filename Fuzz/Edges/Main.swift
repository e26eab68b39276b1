import Fuzzing
import Identity

@main struct Main {
    static func main() {
        _ = Sodium.start()
        runFuzzers(transport + files + doors)
    }
}
