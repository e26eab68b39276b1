import ArgumentParser
import Contracts
import Dashboard

/// What a shell offers after `talea` and a tab: the verbs and options of the manual. A template's own verbs only
/// its node knows; they are left out.
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

    /// Verbs of one or two words, and the options of each.
    private static let pages: [(verb: String, options: [String], says: Localized)] = {
        let everywhere = ["home", "json", "lang", "yes"]
        var found: [(verb: String, options: [String], says: Localized)] = []
        for page in Manual.groups.flatMap(\.1) where page.verb != Manual.anyTemplateVerb {
            let options = page.options.matches(of: /--([a-z-]+)/).map { String($0.1) } + everywhere
            if let index = found.firstIndex(where: { $0.verb == page.verb }) {
                found[index].options += options.filter { !found[index].options.contains($0) }
            } else {
                found.append((page.verb, options, page.says))
            }
        }
        return found
    }()

    private static var firstWords: [String] { seconds.map(\.first) }

    /// The first words, each with the second ones that may follow.
    private static let seconds: [(first: String, seconds: [String])] = {
        var found: [(first: String, seconds: [String])] = []
        for page in pages {
            let words = page.verb.split(separator: " ").map(String.init)
            if !found.contains(where: { $0.first == words[0] }) { found.append((words[0], [])) }
            if words.count > 1, let index = found.firstIndex(where: { $0.first == words[0] }) {
                found[index].seconds.append(words[1])
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
        return """
            _talea_words() {
                local word="${COMP_WORDS[COMP_CWORD]}" words="" options="" verb=""
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
                lines.append("complete -c talea -n '\(seen)' -l \(option)")
            }
        }
        return lines.joined(separator: "\n")
    }
}
