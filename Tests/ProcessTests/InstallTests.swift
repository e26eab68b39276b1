import Foundation
import Testing

extension ProcessTests {
    @Suite struct InstallTests {
        private func script(_ folder: Folder, _ arguments: [String]) async throws -> Ended {
            try await Programs.run(
                "/usr/bin/env",
                [
                    "-u", "XDG_DATA_HOME", "-u", "XDG_CONFIG_HOME", "-u",
                    "DBUS_SESSION_BUS_ADDRESS",
                    "XDG_RUNTIME_DIR=\(folder.path)", "HOME=\(folder.path)",
                    Programs.checkout + "/scripts/install",
                ] + arguments)
        }

        private func files(_ folder: Folder) -> Set<String> {
            let names = FileManager.default.enumerator(atPath: folder.path)
            return Set((names?.compactMap { $0 as? String } ?? []).filter { $0.contains(".") })
        }

        @Test func `a program, its templates, a service and words for the shell, and away again`()
            async throws
        {
            let folder = try Folder()
            let first = try await script(folder, ["--binary", Programs.talea])
            #expect(first.status == 0, "\(first)")
            let installed = files(folder)
            let program = folder.path + "/.local/bin/talea"
            // The templates beside it are found, wherever it is called from.
            let home = folder.path + "/.talea"
            let made = try await Programs.run(
                "/usr/bin/env",
                [
                    "-C", "/", program, "init", "--home", home, "--name", "Anna", "--alliance", "A",
                    "--no-passphrase",
                ])
            #expect(made.status == 0, "\(made)")
            let unit = folder.path + "/.config/systemd/user/talea.service"
            if let systemd = Programs.find("systemd-analyze") {
                let verified = try await Programs.run(
                    "/usr/bin/env",
                    [
                        "HOME=\(folder.path)", "XDG_RUNTIME_DIR=\(folder.path)", systemd, "--user",
                        "verify", unit,
                    ])
                #expect(verified.status == 0 && !verified.error.contains("talea"), "\(verified)")
            }
            let words = folder.path + "/.local/share/bash-completion/completions/talea"
            for (typed, offered) in [
                ("li", "line"), ("line de", "declare"), ("line declare --tot", "--total"),
                ("backup some.file --ho", "--home"), ("line declare --dry", "--dry-run"),
                ("ledger export --format ", "hledger beancount csv"),
                ("notify set --detail f", "full"),
                ("contract list --grade se", "sequenced settled"),
                ("option exer", "exercise"), ("option exercise --uni", "--units"),
                ("pay st", "state"), ("option buy --style ame", "american"),
                ("pay state --chan", "--channel"), ("status --lang z", "zh"),
            ] {
                let all =
                    ["talea"] + typed.split(separator: " ").map(String.init)
                    + (typed.hasSuffix(" ") ? ["''"] : [])
                let found = try await Programs.run(
                    "/bin/bash",
                    [
                        "-c",
                        "source \(words); COMP_WORDS=(\(all.joined(separator: " "))); "
                            + "COMP_CWORD=\(all.count - 1); _talea_words; echo ${COMPREPLY[@]}",
                    ])
                #expect(found.out == offered + "\n", "\(typed): \(found)")
            }
            let again = try await script(folder, ["--binary", Programs.talea])
            #expect(again.status == 0 && installed.isSubset(of: files(folder)), "\(again)")

            let gone = try await script(folder, ["--uninstall"])
            #expect(gone.status == 0, "\(gone)")
            #expect(!FileManager.default.fileExists(atPath: program))
            #expect(!FileManager.default.fileExists(atPath: unit))
            #expect(FileManager.default.fileExists(atPath: home + "/key"))
        }

        @Test func `what is no program, or no option, installs nothing`() async throws {
            let folder = try Folder()
            #expect(try await script(folder, ["--binary", "/nowhere"]).status == 1)
            #expect(try await script(folder, ["--frob"]).status == 2)
            #expect(files(folder).isEmpty)
        }
    }
}
