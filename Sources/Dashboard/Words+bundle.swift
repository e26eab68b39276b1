import Contracts
import Entries
public import Identity
import Logs
public import NodeCore

extension DoorRefusal {
    public init(_ refusal: BundleRefusal, name: (DID) -> String = \.shortDID) {
        self = refusal.wording(name).refusal
    }
}

extension BundleRefusal {
    func wording(_ name: (DID) -> String) -> Wording {
        switch self {
        case .entry(let refusal): return refusal.wording
        case .log(.entry(let refusal)): return refusal.wording
        case .log(.keyUnknown(let author, _)): return Self.keyUnknown(author)
        case .log(.chainBroken(let entry)), .log(.foreign(let entry)), .log(.timeFell(let entry)),
            .log(.keyFell(let entry)), .log(.keyRose(let entry)), .log(.notALogEntry(let entry)),
            .log(.keysDiffer(let entry, _)):
            return Self.misplaced(entry.short)
        case .log(.runUneven(let sequence)), .log(.gap(_, _, let sequence)),
            .log(.keyLogBroken(_, let sequence)), .log(.forkElsewhere(_, let sequence)):
            return Self.misplaced("\(sequence)")
        case .log(.logIdWrong(let log)): return Self.misplaced(log.short)
        case .fold(let refusal): return refusal.wording(name)
        case .template(let refusal): return refusal.wording
        case .foreign(let entry):
            return Wording(
                "bundle_foreign", "bundle", entry.short,
                "entry \(entry.short) does not belong to this contract",
                "条目 \(entry.short) 不属于此合同")
        case .keyUnknown(let did): return Self.keyUnknown(did)
        case .proposalMissing:
            return Wording(
                "bundle_proposal", "bundle", "", "there is no proposal of this contract in it",
                "其中没有此合同的提案")
        case .halted(let halt): return halt.wording(name)
        case .stepUnknown(let step): return NodeRefusal.stepUnknown(step).wording(name)
        case .bodyAndKey(let entry):
            return Wording(
                "bundle_body", "bundle", entry.short,
                "the body of entry \(entry.short) and its key do not go together",
                "条目 \(entry.short) 的正文与其密钥不成对")
        }
    }

    private static func keyUnknown(_ did: DID) -> Wording {
        Wording(
            "bundle_key", "bundle", did.did, "the key log of \(did.did) is missing in it",
            "其中缺少 \(did.did) 的密钥日志")
    }

    private static func misplaced(_ what: String) -> Wording {
        Wording(
            "bundle_log", "bundle", what, "a log in it is not whole: it breaks at \(what)",
            "其中一份日志不完整：在 \(what) 处断开")
    }
}

extension Fold.Halt {
    func wording(_ name: (DID) -> String) -> Wording {
        func words(_ code: String, _ en: String, _ zh: String) -> Wording {
            Wording(code, "contract", "", en, zh)
        }
        switch self {
        case .newer(let sequence):
            return words(
                "newer", "incomplete: newer; step \(sequence) was written by a newer program",
                "不完整：第 \(sequence) 步由更新的程序写成")
        case .bodyMissing(let sequence):
            return words(
                "body_missing", "incomplete: the body of step \(sequence) is missing",
                "不完整：缺少第 \(sequence) 步的正文")
        case .unreadable(let sequence, let refusal):
            let put = refusal.wording
            return words(
                "unreadable", "step \(sequence) cannot be read: \(put.en)",
                "第 \(sequence) 步无法读取：\(put.zh)")
        case .keyUnknown(let sequence, let did):
            return words(
                "key_unknown",
                "incomplete: step \(sequence) waits for the key log of \(name(did))",
                "不完整：第 \(sequence) 步等待 \(name(did)) 的密钥日志")
        case .forked(let sequence):
            return words(
                "forked",
                "the sequencer signed two different steps \(sequence); nothing after counts",
                "排序方签署了两个不同的第 \(sequence) 步；其后均不算数")
        }
    }
}
