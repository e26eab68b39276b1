internal import Entries
internal import Foundation
internal import Identity
public import NodeCore
public import Replication

extension Database {
    /// Hands each frame that `directive` puts on its way to `send`: what it names is read, and sealed where
    /// it is for one reader. Nothing for a directive that sends nothing. `room` is how many bytes an answer
    /// may have.
    ///
    /// What cannot be read is not sent, and of a range no more is: the refusal says so.
    @discardableResult
    public func fetch(
        _ directive: Directive, room: Int, send: (PeerID, Frame) -> Void
    ) -> StorageRefusal? {
        do {
            switch directive {
            case .send(let peer, let frame): send(peer, frame)
            case .serve(let peer, let request): return serve(request, room) { send(peer, $0) }
            case .push(let peer, let request, let push):
                let wire = try wires(
                    log: request.log, from: Int64(clamping: request.from),
                    to: Int64(clamping: request.to), maxBytes: ReplicationLimit.answerBytes
                ).wires.first
                if let wire { send(peer, Message.treePush(push, wire).frame) }
            case .deliver(let peer, let sealed, let key):
                if let box = SealedBox.seal(sealed.wire, to: key) {
                    send(peer, Message.put(box).frame)
                }
            case .deposit(let peer, let head, let sealed, let key):
                if let box = SealedBox.seal(sealed.wire, to: key) {
                    send(peer, head.deposit(box))
                }
            case .sendChunk(let peer, let one, let index):
                return sendChunk(index, of: one) { send(peer, $0) }
            case .letters(let peer, let numbers):
                return sendLetters(numbers) { send(peer, $0) }
            case .giveBack(let peer, let did):
                if let sealed = try keepsake(of: did) { send(peer, Message.kept(sealed).frame) }
            case .raiseFrameLimit, .believe, .close, .dial, .reload: break
            }
            return nil
        } catch {
            return StorageRefusal(error)
        }
    }

    /// Whoever asks is always answered, so that he goes on.
    private func serve(
        _ request: Message.RangeRequest, _ room: Int, send: (Frame) -> Void
    ) -> StorageRefusal? {
        var (wires, last): ([[UInt8]], Int64) = ([], 0)
        var refusal: StorageRefusal?
        do throws(StorageRefusal) {
            (wires, last) = try self.wires(
                log: request.log, from: Int64(clamping: request.from),
                to: Int64(clamping: request.toAtOnce),
                maxBytes: min(room, ReplicationLimit.answerBytes))
        } catch { refusal = error }
        let done = wires.isEmpty || last >= Int64(clamping: request.to)
        send(Message.entries(wires, done: done).frame)
        return refusal
    }

    /// One that cannot be read keeps none of the others back.
    private func sendLetters(_ numbers: [UInt64], send: (Frame) -> Void) -> StorageRefusal? {
        var refusal: StorageRefusal?
        for number in numbers {
            do throws(StorageRefusal) {
                guard let sealed = try letter(number) else { continue }
                send(Message.mail(.letter(number: number, sealed: sealed)).frame)
            } catch { refusal = error }
        }
        return refusal
    }

    private func sendChunk(
        _ index: Int, of one: Attachment, send: (Frame) -> Void
    ) -> StorageRefusal? {
        var (sealed, refusal): ([UInt8]?, StorageRefusal?)
        do throws(StorageRefusal) { sealed = try chunk(index, of: one.blob) } catch {
            refusal = error
        }
        send(one.frame(sealed, index))
        return refusal
    }
}
