import Entries
import Fixtures
import Fuzzing
import Identity
import NodeCore

// What people type, scan and keep in files.

let texts: [FuzzTarget] = [did, recoveryCode, keyFile, proofText, base45, proof]

private func text(_ input: [UInt8]) -> String? { String(validating: input, as: UTF8.self) }

private let did = FuzzTarget(
    "did", law: "what reads is written the same: there is one spelling", bytesMax: 96,
    seeds: { [alice, bob, carol].map { Array($0.did.did.utf8) } }
) { input in
    if input.count == 32, let did = DID(input) {
        law(DID(did: did.did) == did, "does not come back")
    }
    guard let text = text(input) else { return }
    if let did = DID(did: text) { law(Array(did.did.utf8) == input, "two spellings: \(text)") }
    if let key = PublicKey(did: text) { law(Array(key.did.utf8) == input, "two spellings") }
}

private let recoveryCode = FuzzTarget(
    "recovery-code",
    law:
        "what reads is written as its canonical form; a canonical form is its own; one wrong letter is noticed",
    bytesMax: 96,
    seeds: {
        [1, 7, 200].compactMap { RecoveryCode(entropy: Array(repeating: $0, count: 20)) }
            .map { Array($0.text.utf8) } + [Array("oool".utf8)]
    }
) { input in
    guard let text = text(input) else { return }
    let canonical = RecoveryCode.canonical(text)
    law(RecoveryCode.canonical(canonical) == canonical, "canonical twice: \(text)")
    guard let code = RecoveryCode(text: text) else { return }
    let printed = code.text
    law(RecoveryCode.canonical(printed) == canonical, "\(text) is printed \(printed)")
    law(RecoveryCode(text: printed)?.text == printed, "\(printed) does not come back")
    for place in printed.indices where printed[place] != "-" {
        var wrong = printed
        wrong.replaceSubrange(place...place, with: printed[place] == "0" ? "1" : "0")
        law(RecoveryCode(text: wrong) == nil, "\(wrong) passes for \(printed)")
    }
}

private let keyFile = FuzzTarget(
    "key-file", law: "a clear file that reads holds the same keys when written again",
    bytesMax: 512,
    seeds: {
        let file = KeyFile(
            key: .repeating(3), nodeSecret: SecretBytes([UInt8](repeating: 4, count: 32)))
        return [Array(must { try file.text(passphrase: nil, salt: [], nonce: []) }.utf8)]
    }
) { input in
    // Argon2id takes a second a try: only clear files here.
    guard let text = text(input), !KeyFile.needsPassphrase(text),
        let file = try? KeyFile.read(text, passphrase: nil)
    else { return }
    let again = file.text(nonce: [])
    guard let second = try? KeyFile.read(again, passphrase: nil) else {
        return law(false, "does not read again")
    }
    law(second.key.publicKey == file.key.publicKey, "another key")
    law(second.nodeSecret.exposed == file.nodeSecret.exposed, "another secret")
}

// MARK: - Proofs

private let proofTexts = Kept.vectorTexts.filter { $0.hasPrefix(ProofText.proofLead) }

private let proofText = FuzzTarget(
    "proof-text", law: "what reads is the same line of text again", bytesMax: 4096,
    seeds: { proofTexts.map { Array($0.utf8) } + [Array("TALEA1-AT:00".utf8)] }
) { input in
    guard let text = text(input), let read = try? ProofText(text) else { return }
    law(Array(read.text.utf8) == input, "two texts of one proof")
}

private let base45 = FuzzTarget(
    "base45",
    law: "any octets as a proof's letters come back, and letters that read are written the same",
    bytesMax: 512, seeds: { [Array("TALEA1-AT:BB8".utf8), [0], [255, 255, 255]] }
) { input in
    // Base45 is inside the two readers; a place is the shorter road to it.
    let place = ProofPlace(
        hash: SHA256.hash(input), bytes: Int64(input.count) + 1,
        address: input.isEmpty ? "a" : input.map { String($0, radix: 36) }.joined())
    let written = ProofText.place(place).text
    law(written.utf8.allSatisfy { letters.contains($0) }, "a letter that QR packs badly")
    law((try? ProofText(written)) == .place(place), "does not come back")
    // The octets as letters: whatever reads is one spelling.
    let all = input.map { letters[Int($0) % letters.count] }
    let text = ProofText.placeLead + String(decoding: all, as: UTF8.self)
    if let read = try? ProofText(text) { law(read.text == text, "two spellings") }
}

private let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".utf8)

private let proof = FuzzTarget(
    "proof",
    law:
        "a proof that checks is of an entry that somebody signed",
    bytesMax: 4096,
    seeds: {
        proofTexts.compactMap { text in
            guard case .proof(let proof)? = try? ProofText(text) else { return nil }
            return proof.wire
        }
    }
) { input in
    guard let proof = try? Proof(strict: input) else { return }
    law(proof.wire == input, "spelled otherwise")
    guard let proven = try? proof.check() else { return }
    law(!proven.signatures.isEmpty, "nobody signed")
    // Only what somebody signed can check: these are all that were ever made here.
    law(signed.contains(proof.entry.id), "a forged proof: \(proof.entry.id.short)")
}

private let signed: Set<EntryID> = Set(
    proofTexts.compactMap { text in
        guard case .proof(let proof)? = try? ProofText(text) else { return nil }
        return proof.entry.id
    })
