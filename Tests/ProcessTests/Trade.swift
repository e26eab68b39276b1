import Foundation

/// A press that gives an option on its capacity, the studio that buys it, and their arbiter: three
/// processes, connected.
final class Trade {
    let folder: Folder
    let press: Studio
    let maker: Studio
    let judge: Studio
    let evidence: String
    var line = ""
    var offer = ""
    var option = ""

    var all: [Studio] { [press, maker, judge] }

    init() throws {
        folder = try Folder()
        press = Studio("press", in: folder)
        maker = Studio("maker", in: folder)
        judge = Studio("judge", in: folder)
        evidence = try folder.write("photo.jpg", "a photograph of what was made")
    }

    static func open() async throws -> Trade {
        let trade = try Trade()
        for studio in trade.all {
            try await studio.make(joining: studio === trade.press ? nil : trade.press)
            try await studio.start()
        }
        try await connect(trade.all)
        return trade
    }

    static func connect(_ all: [Studio]) async throws {
        for (index, studio) in all.enumerated() {
            for other in all[..<index] {
                try await studio("peer add", ["address": other.address ?? "", "did": other.did])
            }
        }
        for studio in all {
            try await until("\(studio.name) knows everybody") {
                for other in all {
                    let known = try await studio.run("line show", ["issuer": other.name])
                    guard known.status == 0 else { return false }
                }
                return true
            }
        }
    }

    /// 300 pieces declared and offered up to 200 in lots of 10.
    func publish(
        _ template: String = "capacity-option", premium: String = "500.00"
    ) async throws {
        line = try await press(
            "line declare",
            ["resource": "print/notebook/a5", "start": "+20d", "end": "+27d", "total": "300"])["id"]
            .text
        offer = try await press(
            "offer publish",
            [
                "template": template, "line": line, "max-units": "200", "lot": "10",
                "until": "+10d", "premium": premium, "strike": "18.00", "remedy": "9.00",
                "expiry": "+30d", "deliver-by": "+60d",
            ])["id"].text
        try await until("the offer is seen") {
            let seen = try await self.maker("offer list")["offers"].items
            return seen.contains { $0["id"].text == self.offer }
        }
    }

    /// 100 bought, the premium paid.
    func buy() async throws {
        option = try await maker(
            "option buy", ["offer": offer, "units": "100", "arbiter": "judge"])["id"].text
        try await agree(option)
        try await pay(maker, press, record: "1")
    }

    func agree(_ contract: String) async throws {
        for studio in [press, judge] {
            try await studio.reaches(contract, "proposed", "agreed")
            try await studio("contract accept", ["contract": contract])
        }
        for studio in all { try await studio.reaches(contract, "sequenced") }
    }

    func pay(_ payer: Studio, _ payee: Studio, record: String) async throws {
        let number: KeyValuePairs = ["contract": option, "record": record]
        try await until("\(payer.name) may pay") {
            try await payer.run(
                "pay state",
                [
                    "contract": option, "record": record, "channel": "bank",
                    "reference": "T\(record)",
                ], ["--yes"]
            ).status == 0
        }
        try await until("\(payee.name) may receive") {
            try await payee.run("pay receive", number, ["--yes"]).status == 0
        }
        for studio in [payer, payee] {
            try await until("\(studio.name) sees the receipt") {
                let records = try await studio.show(option)["records"].items
                let one = records.first { $0["number"].text == record }
                return one?["pay"] == Found.none
            }
        }
    }

    /// Exercised by the maker and stated as delivered by the press; the number of the delivery.
    func deliver(units: String) async throws -> String {
        // Waiting shows the step that the request became.
        let asked = try await maker(
            "option exercise", ["contract": option, "units": units, "wait": "60"])
        let steps = try await maker.show(option)["steps"].items
        guard let step = steps.first(where: { $0["request"].text == asked["request"].text }),
            asked["step"].text == step["sequence"].text, !asked["void"].isTrue
        else { throw Broken("waited for the step and was shown \(asked)") }
        let taken = try await press.record(option, "exercise", "open")
        try await press(
            "delivery state",
            ["contract": option, "record": taken, "units": units, "evidence": evidence])
        return try await maker.record(option, "delivery", "stated")
    }

    /// Nothing is under way any more.
    func settle() async throws {
        for studio in all {
            var left: Found = .none
            do {
                try await until("\(studio.name) has delivered everything") {
                    left = try await studio("status")["outbox"]
                    return left.items.isEmpty
                }
            } catch { throw Broken("\(error): \(left)") }
        }
    }
}
