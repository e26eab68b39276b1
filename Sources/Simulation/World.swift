internal import Capacity
internal import Entries
internal import Identity
internal import Market
package import NodeCore
internal import Replication

/// A simulated world: whole nodes that trade for hours of virtual time while things go wrong.
///
///     phase 1  everything that the plan has strikes; what must always hold is asserted
///     phase 2  all is healed, the honest go on; they converge, and no contract is stuck
///
/// One thread, one agenda, one seed. Node values are those of the daemon, and so is the order in which
/// they are run: decide, commit, sync the sidecar, perform the directives; a process may end between
/// any two of these.
public final class World {
    public let seed: UInt64
    public let setting: Setting
    public let plan: FaultPlan
    /// Milliseconds since the beginning.
    var now: Int64 = 0
    var agenda = Agenda<Event>()
    var machines: [Machine] = []
    var links: [Link] = []
    /// The open connection between two machines, by `pair`.
    var linkOf: [Int?] = []
    /// Frames of one direction stand still until then, by `pair`.
    var stalledUntil: [Int64] = []
    /// Frames kept to be sent once more over a later connection.
    var stash: [(from: Int, to: Int, frame: Frame, print: UInt64)] = []
    /// Chances of the network and of faults; of trade; of adversaries.
    var weather: Chance
    var trade: Chance
    /// For what people rarely do, so that the rest of a world goes as without it.
    var whims: Chance
    var malice: Chance
    var oracle = Oracle()
    var trace = Trace()
    var tally = Tally()
    let shelf: Shelf
    let checker = SignatureChecker()
    var isHealed = false
    let tickMilliseconds: Int64
    /// The mean pause between two things that one trader does.
    let patience: Int64
    /// The shortest duration that contracts of this world know.
    let beat: Int64

    public struct Setting: Sendable {
        public var nodes: Int
        /// Of trade with faults.
        public var minutes: Int
        public var without: Set<FaultFamily>
        /// Template files, as bytes.
        public var templates: [[UInt8]]
        /// Every other machine is in a second alliance as well.
        public var hasGuild = false
        /// Breaks an invariant on purpose.
        public var isCanary = false
        /// Makes what lies under a machine; `nil`: the model in memory.
        package var makeDisk: (@Sendable (Own, FaultPlan, Chance) throws -> any Disk)?

        public init(
            nodes: Int, hours: Int, templates: [[UInt8]], without: Set<FaultFamily> = []
        ) {
            self.nodes = nodes
            minutes = hours * 60
            self.templates = templates
            self.without = without
        }
    }

    static let beginning: Int64 = 1_795_000_000_000

    public init(seed: UInt64, _ setting: Setting) throws {
        self.seed = seed
        self.setting = setting
        var chance = Chance(seed: seed)
        var plan = FaultPlan(
            drawnFrom: &chance, without: setting.without, minutes: setting.minutes)
        if setting.makeDisk != nil { plan.strainDisks(without: setting.without) }
        self.plan = plan
        weather = Chance(seed: chance.next())
        trade = Chance(seed: chance.next())
        malice = Chance(seed: chance.next())
        whims = Chance(seed: ~seed)
        shelf = Shelf(setting.templates)
        tickMilliseconds = chance.within(10_000...60_000)
        patience = chance.within(60_000...400_000)
        // In a short world contracts are short.
        beat = chance.within(5...30) * min(60_000, Int64(setting.minutes) * 500)
        try settle(&chance)
    }

    // MARK: - The beginning

    private func settle(_ chance: inout Chance) throws {
        let count = setting.nodes
        linkOf = [Int?](repeating: nil, count: count * count)
        stalledUntil = [Int64](repeating: 0, count: count * count)
        var tricks = plan.families.filter(\.isAdversary)
        if count < 4 { tricks = [] }
        var alliance: Alliance?
        for index in 0..<count {
            guard let key = SigningKey(seed: SecretBytes(chance.bytes(32))),
                let code = RecoveryCode(entropy: chance.bytes(20))
            else { continue }
            let name = "n\(index)"
            let genesis = try Genesis(
                key: key, nextKey: code.nextKey(index: 2).publicKey, nodeSecret: code.nodeSecret,
                profile: Profile(name: name), joining: alliance, founding: "simulation",
                at: moment(0), seed: chance.hash())
            alliance = genesis.alliance
            // Adversaries come last: the founder is honest.
            let place = count - 1 - index
            let disks = Chance(seed: seed ^ UInt64(index + 1) << 32)
            let machine = Machine(
                name: name, code: code,
                trick: tricks.indices.contains(place) ? tricks[place] : nil,
                disk: try setting.makeDisk?(genesis.own, plan, disks)
                    ?? ModelDisk(own: genesis.own))
            machines.append(machine)
            oracle.welcome(machine)
            self.alliance = genesis.alliance
            observe(genesis.entries.map { Change.entry($0, own: true) }, at: index)
            try machines[index].disk.create(genesis, templates: setting.templates)
        }
        for index in machines.indices {
            if plan.has(.skew), chance.below(3) == 0 {
                // As often by minutes as by days.
                let most = Int64(plan.rate(.skew)) >> Int64(chance.below(12))
                machines[index].clockError = chance.within(-most...most)
                tally.hit(.skew)
            }
            start(index)
            // Whoever has not said so beforehand is asked each time.
            if chance.below(4) > 0 { command(index) { $0.set(.witness, true) } }
            agenda.put(.trade(index), at: chance.within(1_000...patience))
            if machines[index].trick != nil {
                agenda.put(.trick(index), at: chance.within(60_000...600_000))
            }
        }
        if setting.hasGuild { foundGuild() }
        for family in plan.families { plan.schedule(family, from: 0, &chance, &agenda) }
        agenda.put(.look, at: Self.lookMilliseconds)
    }

    var alliance: Alliance?

    // MARK: - Running

    /// Runs both phases, or until something breaks.
    public func run() -> Fate {
        run(until: Int64(setting.minutes) * 60_000)
        if oracle.violation == nil { lookAtAll() }
        if oracle.violation == nil { heal() }
        for machine in machines { tally.befell(machine.disk.befell) }
        return Fate(
            seed: seed, families: plan.families, milliseconds: now, tally: tally,
            trace: trace.value, violation: oracle.violation)
    }

    func run(until end: Int64) {
        while oracle.violation == nil, let next = agenda.nextTime, next <= end,
            let (time, event) = agenda.take()
        {
            now = max(now, time)
            tally.events += 1
            handle(event)
        }
        now = max(now, end)
    }

    private func handle(_ event: Event) {
        switch event {
        case .frame(let parcel): deliver(parcel)
        case .tick(let index, let life): tick(index, life)
        case .trade(let index): doTrade(index)
        case .dial(let one, let other): dial(one, other)
        case .ended(let index, let peer, let life):
            guard machines[index].life == life else { return }
            turn(index) { $0.disconnected(peer) }
        case .wake(let index): start(index)
        case .flush(let index, let life):
            guard machines[index].life == life, machines[index].flushIsDue else { return }
            machines[index].flushIsDue = false
            speak(index)
        case .strike(let family): strike(family)
        case .trick(let index): play(index)
        case .look: look()
        }
    }

    func moment(_ time: Int64) -> Instant {
        Instant.earliest.advanced(by: Self.beginning + time - 1)
    }
    func clock(_ index: Int) -> Instant { moment(now).advanced(by: machines[index].clockError) }

    private func tick(_ index: Int, _ life: Int) {
        guard machines[index].life == life, machines[index].node != nil else { return }
        guard machines[index].pausedUntil <= now else {
            return agenda.put(.tick(index, life: life), at: machines[index].pausedUntil)
        }
        agenda.put(
            .tick(index, life: life),
            at: now + (isHealed ? 300_000 : tickMilliseconds))
        turn(index) { $0.tick() }
    }

    // MARK: - Turns

    /// One input to one node, and what follows from it.
    func turn(_ index: Int, _ body: (inout Node) -> Void) {
        guard machines[index].node != nil else { return }
        let (moment, seed) = (clock(index), weather.hash())
        machines[index].node!.begin(at: moment, seed: seed)
        body(&machines[index].node!)
        finish(index)
    }

    /// One command, on a copy as at the door: a refusal leaves nothing behind.
    @discardableResult
    func command<T>(_ index: Int, _ body: (inout Node) throws -> T) -> T? {
        guard var trial = machines[index].node, machines[index].pausedUntil <= now else {
            return nil
        }
        trial.begin(at: clock(index), seed: weather.hash())
        do {
            let value = try body(&trial)
            machines[index].node = trial
            tally.commands += 1
            finish(index)
            return value
        } catch {
            tally.refusals += 1
            return nil
        }
    }

    private func finish(_ index: Int) {
        guard !machines[index].flushIsDue else { return }
        if plan.has(.batches), !isHealed, weather.happens(plan.rate(.batches)) {
            machines[index].flushIsDue = true
            tally.hit(.batches)
            let life = machines[index].life
            return agenda.put(.flush(index, life: life), at: now + weather.within(1...200))
        }
        speak(index)
    }

    /// Commit, sync, then perform: a process may end between any two of these.
    func speak(_ index: Int) {
        guard let changes = machines[index].node?.takeChanges(),
            let directives = machines[index].node?.takeDirectives()
        else { return }
        let end = crashPoint(index, changes: changes.count, directives: directives.count)
        // A value that is to be read anew is not what it will start as.
        let isWhole =
            machines[index].node?.isToBeReadAnew != true
            && !directives.contains { if case .reload = $0 { true } else { false } }
        if end == .beforeCommit { return crash(index) }
        if planted(.announceBeforeCommit) {
            for directive in directives { _ = perform(directive, index) }
        }
        if !changes.isEmpty {
            let fault = diskFault(index, end)
            switch (commit(changes, at: index, under: fault), fault) {
            case (.refused(let why), _):
                // Its books are written anew.
                if machines[index].isHonest, machines[index].node?.mayHaveLostSteps == false {
                    fail(.refused, index, why)
                }
                return reload(index)
            case (let outcome, .stops):
                return crash(index, isWhole: isWhole && outcome != .lost)
            case (.kept, _): machines[index].failures = 0
            case (.untold, _), (.lost, _): return failCommit(index)
            }
        }
        if end == .beforeDirectives { return crash(index, isWhole: isWhole) }
        for (number, directive) in directives.enumerated() {
            if case .betweenDirectives(let last) = end, number > last {
                return crash(index, isWhole: isWhole)
            }
            guard perform(directive, index) else { return reload(index) }
        }
    }

    private func diskFault(_ index: Int, _ end: CrashPoint) -> DiskFault? {
        if machines[index].diskFullUntil > now {
            tally.hit(.fullDisk)
            return .full
        }
        if plan.has(.ioErrors), !isHealed, weather.happens(plan.rate(.ioErrors)) {
            tally.hit(.ioErrors)
            // Whether it is there, only the next reading tells.
            return .fails(keeping: weather.below(2) == 0)
        }
        return end == .beforeSync ? .stops : nil
    }

    private func commit(
        _ changes: [Change], at index: Int, under fault: DiskFault?
    ) -> CommitOutcome {
        // What a fault may undo is unsaid as well.
        let before = fault == nil ? nil : (oracle, tally)
        observe(changes, at: index)
        let outcome = machines[index].disk.commit(
            changes, own: machines[index].node?.own, under: fault)
        let print = machines[index].disk.print
        if print != 0 { trace.add(print) }
        switch outcome {
        case .lost: if let before { (oracle, tally) = before }
        case .refused: forgetHeads(index)
        case .kept, .untold:
            observeBooks(index)
            for change in changes {
                if case .entry(let valid, _) = change, let log = valid.header.log?.log {
                    keepState(log, at: index)
                }
            }
        }
        return outcome
    }

    /// False: the value is to be loaded again.
    private func perform(_ directive: Directive, _ index: Int) -> Bool {
        observe(directive, at: index)
        if case .close(let peer, let reason) = directive {
            let (link, isLeft) = Link.of(peer)
            noteClosed(by: index, link: link, reason)
            drop(link, by: isLeft)
        }
        if case .reload = directive { return false }
        for (peer, frame) in machines[index].disk.frames(for: directive) {
            var print = Trace.hash(frame.payload)
            // A sealed box differs each time.
            if case .deliver(_, let sealed, _) = directive { print = Trace.hash(sealed.wire) }
            if case .deposit(_, _, let sealed, _) = directive { print = Trace.hash(sealed.wire) }
            send(frame, by: index, over: peer, print: print)
        }
        return true
    }

    /// The first machine founds it, every second one joins.
    private func foundGuild() {
        command(0) { try $0.found("guild", admission: .anyone) }
        guard let body = machines[0].node?.alliances.last?.foundingBody else { return }
        for index in stride(from: 2, to: machines.count, by: 2) {
            command(index) { try $0.join(Invitation(foundingBody: body)) }
        }
    }

    // MARK: - Processes

    /// Loads the node from what its disk holds.
    func start(_ index: Int, after before: Node? = nil) {
        guard machines[index].node == nil, !machines[index].isGone, let alliance else { return }
        let contents: Loaded.Contents
        switch machines[index].disk.load(isFull: machines[index].diskFullUntil > now) {
        case .whole(let found): contents = found
        case .failing: return wakeLater(index)
        case .damaged(let unprovoked):
            if let unprovoked { fail(.acknowledgedLost, index, unprovoked) }
            machines[index].isGone = true
            tally.halts += 1
            return
        }
        observe(contents, at: index)
        let snapshot = contents.snapshot
        var node = Node(
            own: machines[index].own, alliance: alliance, snapshot: snapshot, agent: "simulation",
            checker: checker, known: shelf.byHash)
        if let before { node.follow(before) }
        node.begin(at: clock(index), seed: weather.hash())
        machines[index].node = node
        // As the daemon does: a process that ended before it started over left rows of steps that fell.
        if before != nil || node.mayHaveLostSteps { repairBooks(index, node.ledger) }
        machines[index].life += 1
        machines[index].flushIsDue = false
        machines[index].over = []
        tally.starts += 1
        observeStart(index)
        if machines[index].isUnnoticed, snapshot.readOnly == nil {
            fail(.unnoticed, index, "old copy")
        }
        machines[index].isUnnoticed = false
        let life = machines[index].life
        agenda.put(.tick(index, life: life), at: now + weather.within(1...tickMilliseconds))
        for other in machines.indices where other != index {
            agenda.put(
                .dial(min(index, other), max(index, other)), at: now + weather.within(10...8_000))
        }
    }

    /// The process ends: connections drop, what was not committed is gone.
    /// `isWhole`: all that the value knows was committed, so that it must come back the same.
    func crash(_ index: Int, isWhole: Bool = false) {
        guard machines[index].node != nil else { return }
        tally.hit(.crashes)
        if isWhole { observeEnd(index) }
        end(index)
        machines[index].disk.crash()
        agenda.put(.wake(index), at: now + weather.within(500...600_000))
    }

    /// As after a failed commit: the value is dropped and loaded again. Entries that lost their effect took
    /// ledger rows with them.
    func reload(_ index: Int) {
        let before = machines[index].node
        end(index)
        start(index, after: before)
    }

    /// Read anew as after any failed commit; after the third in a row the process ends, and its owner looks
    /// after the disk.
    private func failCommit(_ index: Int) {
        machines[index].failures += 1
        guard machines[index].failures > 2 else { return reload(index) }
        machines[index].failures = 0
        end(index)
        machines[index].disk.close()
        wakeLater(index)
    }

    private func wakeLater(_ index: Int) {
        agenda.put(
            .wake(index),
            at: max(now, machines[index].diskFullUntil) + weather.within(1_000...600_000))
    }

    func end(_ index: Int) {
        machines[index].node = nil
        machines[index].life += 1
        machines[index].flushIsDue = false
        for other in machines.indices where other != index {
            if let link = linkOf[pair(index, other)] { drop(link, by: links[link].left == index) }
        }
    }
}
