import Contracts
import HTTPTypes
import Hummingbird

// The phone's door, as the computer's pages show it.

extension Desk {
    /// Of the room Node; `nil` at the phone's own door.
    func phoneSection(_ language: Language) async -> JSON? {
        guard let phone else { return nil }
        let standing = await phone.standing
        let addresses = Phone.addresses
        // What others than those at home may reach is not taken without a look.
        let isPlain = addresses.count == 1 && addresses.allSatisfy(Phone.isPrivate)
        return [
            "open": standing.map { open in
                [
                    "address": .string(open.address), "browsers": .number(open.browsers),
                ]
            } ?? .null,
            "any_network": .bool(!addresses.isEmpty), "choice": .bool(!isPlain),
            "addresses": .array(addresses.map { ["text": .string($0)] }),
        ]
    }

    /// A code for one phone, or the door closed again.
    func pair(_ visit: Visit, _ form: [(String, String)]) async -> Response {
        func one(_ name: String) -> String { form.last { $0.0 == name }?.1 ?? "" }
        if let no = await stranger(visit, one("form-token"), back: "/node") { return no }
        guard let phone else { return await lost(visit) }
        if one("close") == "yes" {
            await phone.close()
            sessions.leave(["tone": "good", "what": "phone_closed"], for: visit.session)
            return Self.redirect("/node")
        }
        do {
            let made = try await phone.pair(
                host: one("address").isEmpty ? nil : one("address"),
                isReader: one("sign") != "yes")
            func words(_ key: String) -> String { DeskWords.all[key]?[visit.language] ?? key }
            return await page(
                visit, "phone", room: "node", heading: words("phone_pair"),
                [
                    "link": .string(made.link), "fingerprint": .string(made.fingerprint),
                    "qr": .string(QR(made.link)?.svg(says: words("phone_pair")) ?? ""),
                    "steps": .array(
                        ["phone_step1", "phone_step2", "phone_step3"].map {
                            .string(words($0))
                        }),
                ])
        } catch {
            return await refused(
                visit, DoorRefusal(any: error), back: "/node", again: nil,
                status: .unprocessableContent)
        }
    }
}
