internal import Dashboard
internal import Entries
internal import Foundation
internal import Identity
internal import NodeCore

/// Beside the loop: a look at what waits, now and then, on a copy.
extension Runtime {
    /// Seconds between two looks at whether anything changed, and at most between two at deadlines.
    private static let glanceSeconds = 2
    private static let lookSeconds = 60

    /// Never ends but with the process.
    func notify() async {
        var notifier = Notifier(home: home, logger: logger) { self.sign($0) }
        var seen: (events: String, settings: NotifySettings?)?
        var seconds = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(Self.glanceSeconds))
            seconds += Self.glanceSeconds
            let settings = home.notifySettings
            let now = (events: feed.newest, settings: settings)
            let isNew = seen.map { $0.events != now.events || $0.settings != now.settings } ?? true
            guard isNew || seconds % Self.lookSeconds == 0 || notifier.isDue(at: Clock.now()) else {
                continue
            }
            seen = now
            guard let settings else {
                note(untold: [])
                continue
            }
            guard let node = await watch(seconds: 5, { Optional($0) }) else { continue }
            let time = Clock.now()
            let notices = Notice.all(
                of: node, at: time, hours: settings.hours, settings.language)
            await notifier.tell(notices, settings, of: node.own.did, at: time)
            note(untold: notifier.untold)
        }
    }
}
