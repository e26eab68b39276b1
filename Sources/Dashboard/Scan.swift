import Contracts
import Hummingbird
import NIOCore
import Synchronization

/// The codes in a picture that a page's camera took, or that its owner chose: an invitation comes as one.
///
///     POST /scan   a JPEG, PNG, GIF or WebP → 200 {"texts"} | 422, where none is seen
public final class Scan: Sendable {
    static let path = "/scan"
    /// Pages make pictures smaller before they send them.
    static let bytesMax = 2 << 20

    private let read: @Sendable ([UInt8]) async throws -> [String]
    private let isBusy = Atomic(false)

    /// `read` gets what begins as a picture and tells the codes it sees; it may throw a `DoorRefusal`.
    public init(_ read: @escaping @Sendable ([UInt8]) async throws -> [String]) {
        self.read = read
    }

    /// Of a session of ours, with the token of its pages.
    func respond(to request: Request, token: String, _ language: Language) async -> Response {
        let tokens = request.all("x-form-token")
        guard !request.all("origin").isEmpty, tokens.count == 1, DoorKey.same(tokens[0], token)
        else { return Problem.response(.forbidden, "form_token", language) }
        guard request.all("content-type").allSatisfy({ $0.hasPrefix("image/") }) else {
            return Problem.response(.unsupportedMediaType, "picture_type", language)
        }
        guard let body = try? await request.body.collect(upTo: Self.bytesMax) else {
            return Problem.response(.contentTooLarge, "picture_size", language)
        }
        guard ProofPage.Photo(Array(body.readableBytesView.prefix(16))) != nil else {
            return Problem.response(.unsupportedMediaType, "picture_type", language)
        }
        // A camera sends the next before the last is read; one reader at a time is enough.
        guard isBusy.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged
        else { return Problem.response(.tooManyRequests, "picture_busy", language) }
        defer { isBusy.store(false, ordering: .relaxed) }
        do {
            let texts = try await read(Array(body.readableBytesView))
            guard !texts.isEmpty else {
                return Problem.response(.unprocessableContent, "code_unseen", language)
            }
            return .json(.ok, ["texts": .array(texts.map { .string($0) })])
        } catch {
            return Problem.response(error as? DoorRefusal ?? DoorRefusal(any: error), language)
        }
    }
}
