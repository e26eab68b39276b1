import FoundationEssentials
import Identity
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct `A certificate` {
    private func judge(
        _ chain: [[UInt8]], ourselves: DID = .zero, expecting: DID? = nil, at now: Date = Date()
    ) -> Result<PeerCertificate, CertificateRefusal> {
        do throws(CertificateRefusal) {
            return .success(
                try PeerCertificate(
                    verifying: chain, at: now, by: SignatureChecker(), ourselves: ourselves,
                    expecting: expecting))
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: Flaw.allCases)
    func `each flaw has its refusal`(flaw: Flaw) throws {
        let key = try Peer.key(5)
        let forgery = try Forgery(flaw, by: key)
        switch judge(forgery.chain) {
        case .success(let certificate):
            #expect(flaw == .none)
            #expect(certificate.did == forgery.did)
            #expect(certificate.key == key.publicKey)
            #expect(certificate.keyIsFirst)
        case .failure(let refusal): #expect(refusal == flaw.refusal)
        }
    }

    @Test func `no byte of a certificate can change`() throws {
        let der = try #require(try Forgery(.none, by: Peer.key(5)).chain.first)
        for index in der.indices {
            var changed = der
            changed[index] ^= 1 << UInt8(index % 8)
            guard case .failure = judge([changed]) else {
                Issue.record("byte \(index)")
                continue
            }
        }
    }

    @Test func `no prefix of a certificate is one`() throws {
        let der = try #require(try Forgery(.none, by: Peer.key(5)).chain.first)
        for count in 0..<der.count {
            #expect(judge([Array(der.prefix(count))]) == .failure(.malformed))
        }
        #expect(judge([der + [0]]) == .failure(.malformed))
        #expect(judge([]) == .failure(.chain(count: 0)))
    }

    @Test func `whoever it is must be expected and not ourselves`() throws {
        let forgery = try Forgery(.none, by: Peer.key(5))
        let other = DID(try Peer.key(6).publicKey)
        #expect(judge(forgery.chain, ourselves: forgery.did) == .failure(.ourselves))
        #expect(
            judge(forgery.chain, expecting: other)
                == .failure(.wrongIdentity(expected: other, found: forgery.did)))
    }

    @Test func `it holds from a day before to a year after`() throws {
        let forgery = try Forgery(.none, by: Peer.key(5))
        let day = 86_400.0
        #expect(
            judge(forgery.chain, at: Date().addingTimeInterval(-1.1 * day))
                == .failure(.notYetValid))
        #expect(
            judge(forgery.chain, at: Date().addingTimeInterval(30.1 * day))
                == .failure(.expired))
    }

    @Test func `the extension has one spelling`() throws {
        let key = try Peer.key(5)
        let proof = CertificateExtension(
            did: DID(key.publicKey), keyEntry: .zero, key: key.publicKey,
            signature: key.sign([]))
        #expect(proof.der.count == CertificateExtension.derBytes)
        #expect(CertificateExtension(der: proof.der) == proof)
        for index in [0, 1, 2, 3, 4, 37, 38, 71, 72, 105, 106] {
            var changed = proof.der
            changed[index] ^= 1
            #expect(CertificateExtension(der: changed) == nil)
        }
    }
}
