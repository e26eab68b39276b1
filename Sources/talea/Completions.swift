import ArgumentParser
import Contracts
import Dashboard
import NodeDaemon

/// What a shell offers after `talea` and a tab: the verbs, options and choices of the manual, and those of the
/// templates that the program ships.
struct Completions: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Words for the tab key of a shell.")

    @OptionGroup var common: Common
    @Option(help: "bash, zsh or fish.") var shell: Shell

    enum Shell: String, ExpressibleByArgument { case bash, zsh, fish }

    func act() {
        switch shell {
        case .bash: print(Self.bash)
        case .zsh:
            print("#compdef talea\nautoload -U +X bashcompinit && bashcompinit\n" + Self.bash)
        case .fish: print(Self.fish)
        }
    }

    private static let pages: [Manual.Offered] = {
        let files = (try? Home.shippedTemplates()) ?? []
        return Manual.offered(with: files.compactMap { try? Template.read($0) })
    }()

    private static var firstWords: [String] { seconds.map(\.first) }

    /// The first words, each with the second ones that may follow.
    private static let seconds: [(first: String, seconds: [String])] = {
        var found: [(first: String, seconds: [String])] = []
        for page in pages {
            let words = page.verb.split(separator: " ").map(String.init)
            if !found.contains(where: { $0.first == words[0] }) { found.append((words[0], [])) }
            if words.count > 1, let index = found.firstIndex(where: { $0.first == words[0] }) {
                if !found[index].seconds.contains(words[1]) {
                    found[index].seconds.append(words[1])
                }
            }
        }
        return found
    }()

    private static var bash: String {
        let cases = seconds.filter { !$0.seconds.isEmpty }.map {
            "            \($0.first)) words=\"\($0.seconds.joined(separator: " "))\" ;;"
        }
        let options = pages.map { page in
            "        \"\(page.verb)\") options=\"\(page.options.map { "--" + $0 }.joined(separator: " "))\" ;;"
        }
        let choices = pages.flatMap { page in
            page.choices.sorted { $0.key < $1.key }.map {
                "        \"\(page.verb) --\($0.key)\") words=\"\($0.value.joined(separator: " "))\" ;;"
            }
        }
        return """
            _talea_words() {
                local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
                local words="" options="" verb=""
                local first="${COMP_WORDS[1]}" second="${COMP_WORDS[2]}"
                if [ "$COMP_CWORD" -eq 1 ]; then
                    words="\(firstWords.joined(separator: " "))"
                elif [ "$COMP_CWORD" -eq 2 ]; then
                    case "$first" in
            \(cases.joined(separator: "\n"))
                    esac
                fi
                for verb in "$first $second" "$first"; do
                case "$verb" in
            \(options.joined(separator: "\n"))
                esac
                case "$verb $before" in
            \(choices.joined(separator: "\n"))
                *" --lang") words="en zh" ;;
                esac
                [ -z "$options" ] || break
                done
                case "$word" in
                    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
                    *) COMPREPLY=($(compgen -W "$words" -- "$word"))
                       [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word")) ;;
                esac
            }
            complete -o filenames -F _talea_words talea
            """
    }

    private static var fish: String {
        var lines = firstWords.map {
            "complete -c talea -n __fish_use_subcommand -f -a \($0)"
        }
        for (first, seconds) in seconds where !seconds.isEmpty {
            lines.append(
                "complete -c talea -n '__fish_seen_subcommand_from \(first)' -f -a '\(seconds.joined(separator: " "))'"
            )
        }
        for page in pages {
            let words = page.verb.split(separator: " ")
            let seen = words.map { "__fish_seen_subcommand_from \($0)" }.joined(separator: "; and ")
            for option in page.options {
                let choices = page.choices[option] ?? (option == "lang" ? ["en", "zh"] : [])
                let values = choices.isEmpty ? "" : " -x -a '\(choices.joined(separator: " "))'"
                lines.append("complete -c talea -n '\(seen)' -l \(option)\(values)")
            }
        }
        return lines.joined(separator: "\n")
    }
}
