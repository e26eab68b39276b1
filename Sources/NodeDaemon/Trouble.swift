internal import Dashboard
internal import Storage

/// What the disk did to the loop, and when enough is enough.
struct Trouble {
    /// Commits that failed because of the disk since the last one that returned.
    var failures = 0
    /// Why the process is to end.
    var end: (any Error)?
    /// Something was let go of: the node is to be read anew.
    var isStale = false

    /// Once is an accident that opening anew may heal; three in a row are a disk that is full or
    /// broken, and every further try would cost all connections and a reading of everything.
    static let failuresMax = 3

    mutating func takeStale() -> Bool {
        defer { isStale = false }
        return isStale
    }

    /// Notes a failed commit. False: it was one too many.
    mutating func goesOn(after error: any Error) -> Bool {
        guard let refusal = error as? StorageRefusal, refusal.isOfTheDisk else { return true }
        failures += 1
        guard failures >= Self.failuresMax else { return true }
        end = refusal
        return false
    }

    /// What the owner of a command is told. Whether a commit that failed was kept, the files say once
    /// they are opened anew: no promise either way.
    static func refusal(_ error: any Error) -> DoorRefusal {
        switch error as? StorageRefusal {
        case .diskFull:
            DoorRefusal(
                "disk_full",
                en:
                    "the disk is full, and whether this was kept is not sure; free some space, look "
                    + "whether it is there, and ask again if not",
                zh: "磁盘已满，此项是否已保存尚不确定；请腾出空间，查看是否已在，若无则重试")
        case let refusal? where refusal.isOfTheDisk:
            DoorRefusal(
                "disk_error",
                en: "the disk failed, and whether this was kept is not sure; look whether it is "
                    + "there, and ask again if not. If it happens again, stop the node and check "
                    + "the disk (\(refusal))",
                zh: "磁盘出错，此项是否已保存尚不确定；请查看是否已在，若无则重试。若再次发生，"
                    + "请停止节点并检查磁盘（\(refusal)）")
        default:
            DoorRefusal(
                "not_kept",
                en: "the database refused it, and nothing was kept: \(error)",
                zh: "数据库拒绝写入，没有保存任何内容：\(error)")
        }
    }
}
