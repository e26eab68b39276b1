internal import Entries
internal import Identity

extension Fold {
    /// Whether `entry` stands in the log of `line`, or in one that goes on after a cut of it. The step then
    /// holds the cut too: whoever signed both is bound by both.
    func stands(
        _ entry: Entry, in line: LogID, of issuer: DID, among lines: [Entry], keys: KeyLookup,
        checker: SignatureChecker
    ) throws(FoldRefusal) -> Bool {
        guard entry.header.author == issuer, entry.kind != .cut, let place = entry.header.log else {
            return false
        }
        var log = line
        for _ in 0...lines.count {
            if place.log == log { return true }
            let next = lines.first { other in
                guard other.header.author == issuer, let cut = try? other.read(Cut.self) else {
                    return false
                }
                return cut.log == log
                    && other.header.log?.log == .successor(of: cut, author: issuer)
            }
            guard let next, let goesOn = next.header.log?.log else { return false }
            try check(next, keys: keys, checker: checker)
            log = goesOn
        }
        return false
    }
}
