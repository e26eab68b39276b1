import Contracts
import Dashboard
import Glibc

/// The person at the keyboard, where there is one.
enum Terminal {
    static var isPresent: Bool { isatty(STDIN_FILENO) == 1 }

    /// One line on standard error.
    static func complain(_ text: String) {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        put("talea: " + line + "\n")
    }

    /// The one line of a refusal, and for programs all of it; the exit status.
    static func refuse(
        _ refusal: DoorRefusal, json: Bool, _ language: Language,
        status: Int32 = Main.Exit.refused
    ) -> Int32 {
        if json { print((["refusal": refusal.json] as JSON).text(pretty: true)) }
        complain(refusal.message[language])
        return status
    }

    /// Prints what a program may parse to standard output, all else goes to standard error.
    static func tell(_ text: String) { put(text + "\n") }

    private static func put(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    static func confirms(_ question: String) -> Bool {
        put(question + " [y/N] ")
        let answer = readLine(strippingNewline: true)?.lowercased() ?? ""
        return ["y", "yes", "是"].contains(answer)
    }

    /// A line typed without echo; `nil` where standard input ends.
    static func secret(_ question: String) -> String? {
        put(question)
        var before = termios()
        tcgetattr(STDIN_FILENO, &before)
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            put("\n")
        }
        return readLine(strippingNewline: true)
    }
}

/// Columns that line up, Chinese letters counted as two.
enum Table {
    static func text(_ head: [String], _ rows: [[String]], rightAligned: Set<Int> = []) -> String {
        // What others wrote makes no line of its own.
        let all = ([head] + rows).map { $0.map(\.oneLine) }
        let widths = head.indices.map { column in
            all.map { $0.indices.contains(column) ? width($0[column]) : 0 }.max() ?? 0
        }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let blank = String(repeating: " ", count: max(0, widths[column] - width(cell)))
                line += rightAligned.contains(column) ? blank + cell : cell + blank
                if column < row.count - 1 { line += "  " }
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { sum, scalar in
            switch scalar.value {
            case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
                0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD:
                sum + 2
            case 0x300...0x36F, 0x200B...0x200F: sum
            default: sum + 1
            }
        }
    }
}
