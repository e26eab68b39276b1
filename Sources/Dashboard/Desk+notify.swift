import Contracts
import HTTPTypes
import Hummingbird

// How the owner is told of what waits while no page is open, chosen on the room Node.

extension Desk {
    static let notifyVerb = "notify set"

    func setNotify(_ visit: Visit, _ form: [(String, String)], back: String) async -> Response {
        guard !visit.isPhone else {
            return await refused(
                visit, Self.words("at_the_computer", "at_the_computer"), back: back, again: nil,
                status: .forbidden)
        }
        var options: [String: String] = [:]
        for (name, value) in form where Self.isOption(name) {
            options[String(name.dropFirst(2))] = value
        }
        do throws(DoorRefusal) {
            try await commands.door.setNotify(options, visit.language)
        } catch {
            // What was typed stays on the page below; a password goes into none.
            return await refused(visit, error, back: back, again: nil)
        }
        sessions.leave(["tone": "good", "what": "kept"], for: visit.session)
        return Self.redirect(back)
    }
}

extension Rooms {
    /// The form of these settings; `null` where there are none.
    func notifyForm(_ settings: JSON) -> JSON {
        guard settings != .null else { return .null }
        func choices(_ words: [String], _ name: String, _ value: String) -> JSON {
            var field = DeskField(name: "o." + name, label: word("field_" + name), value: value)
            field.choices = words.map { ($0, word("notify_" + $0)) }
            return field.json
        }
        func text(
            _ name: String, _ value: String?, help: String = "", type: String = "text"
        ) -> JSON {
            DeskField(
                name: "e." + name, label: word("field_" + name.replacing("-", with: "_")),
                type: type, value: value ?? "", help: help, isRequired: false
            ).json
        }
        let mail = settings["mail"]
        let isOn = settings["desktop"]?.bool == true
        return [
            "act": DeskAct(
                verb: Desk.notifyVerb, button: word("save"),
                fields: [
                    choices(["on", "off"], "desktop", isOn ? "on" : "off"),
                    choices(
                        ["brief", "full"], "detail",
                        settings["full"]?.bool == true ? "full" : "brief"),
                    text("quiet", settings["quiet"]?.string, help: "22:00-07:00"),
                    text("hours", "\(settings["hours"]?.number ?? 24)"),
                    text("email", mail?["to"]?.string, help: "you@example.org"),
                    text("smtp", mail?["server"]?.string, help: "smtps://smtp.example.org:465"),
                    text("smtp-user", mail?["user"]?.string),
                    text("smtp-password", nil, help: word("password_help"), type: "password"),
                    text("webhook", settings["webhook"]?.string, help: "https://…"),
                ], back: "/node"
            ).json
        ]
    }
}
