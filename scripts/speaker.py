"""A small second implementation of what two nodes say to each other, for programs that attack one.

Written from docs/PROTOCOL.md ("Entries", "Transport", "Frames and sessions"), not from the Swift code."""

import asyncio, base64, datetime, hashlib, os, ssl, tempfile, time
import nacl.bindings as sodium
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

OID = x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
BEFORE_HELLO, AFTER_HELLO, VERSION = 4096, 262_144, 2
HELLO, TOPICS, HEADS, ASK, KEYS, RANGE, ENTRIES, PUSH, PUT, KEEP = 1, 2, 3, 4, 6, 7, 8, 9, 10, 11
PROVE, PROOF, BRANCH, RECONCILE, PING, PONG, RESOLVE, MORE_TOPICS, FETCH = 13, 14, 15, 16, 18, 19, 20, 22, 40


def sha(*parts):
    return hashlib.sha256(b"".join(p.encode() if isinstance(p, str) else p for p in parts)).digest()


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def message(**fields):
    """A protobuf message in its one spelling: `f3=…` is field 3; None, 0 and empty are left out."""
    out = b""
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int) and one:
                out += varint(int(name[1:]) << 3) + varint(one)
            elif one:
                one = one.encode() if isinstance(one, str) else one
                out += varint(int(name[1:]) << 3 | 2) + varint(len(one)) + one
    return out


def topic_of(invitation):
    """The alliance's topic, from the code that is handed to newcomers."""
    text = invitation.removeprefix("talea-invite:")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    size, shift, at = 0, 0, 1
    while True:
        size, shift, at = size | (data[at] & 127) << shift, shift + 7, at + 1
        if data[at - 1] < 128:
            return sha("talea.topic.alliance.v1", sha(data[at:at + size]))


def now():
    return int(time.time() * 1000)


class Person:
    """An identity with its first key, and the TLS key that it vouches for."""

    def __init__(self, seed=None):
        self.did, self.secret = sodium.crypto_sign_seed_keypair(seed or os.urandom(32))
        self.logs = {}
        self.key_entry = self.write(1, message(f1=self.did, f2=sha(os.urandom(8))), sha("talea.log.key.v1", self.did))
        self.key_id = entry_id(self.key_entry)

    def sign(self, data):
        return sodium.crypto_sign(data, self.secret)[:64]

    def entry(self, kind, body, place, topic=None, author=None, spoilt=False):
        """Signed; `place` is (log, sequence, previous) or, of a statement, (expires, about)."""
        where = {"f9": place[0], "f10": place[1], "f11": place[2]} if len(place) == 3 else {"f12": place[0], "f13": place[1]}
        head = message(f1=1, f2=kind, f3=author or self.did, f4=None if kind == 1 else self.key_id, f5=topic, f6=now(),
                       f7=sha(body), f8=len(body), **where)
        signature = self.sign(b"DSSEv1 30 application/vnd.talea.entry.v1 %d " % len(head) + head)
        return message(f1=head, f2=signature[:9] + bytes([signature[9] ^ spoilt]) + signature[10:], f3=body)

    def write(self, kind, body, log, topic=None):
        """The next entry of a log of one's own."""
        sequence, previous = self.logs.get(log, (0, None))
        entry = self.entry(kind, body, (log, sequence + 1, previous), topic)
        self.logs[log] = sequence + 1, entry_id(entry)
        return entry

    def public(self, topic):
        return sha("talea.log.public.v1", self.did, topic)

    def profile(self, name, topic, terms=""):
        return self.write(4, message(f1=name, f4=terms), self.public(topic), topic)

    def certificate(self, key, days=(-1, 365), claims=None, shows=None, oid=OID, critical=True):
        """PEM, over `key` of TLS; `claims` is the identity it says to be, `shows` the key it says to have."""
        claims, shows = claims or self.did, shows or self.did
        info = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        proof = self.sign(b"talea.tls.v1" + claims + self.key_id + sha(info))
        value = b"\x30\x81\xa8\x04\x20" + claims + b"\x04\x20" + self.key_id + b"\x04\x20" + shows + b"\x04\x40" + proof
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "talea")])
        first, last = (datetime.datetime.utcnow() + datetime.timedelta(days=day) for day in days)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(
            x509.random_serial_number()).not_valid_before(first).not_valid_after(last).add_extension(
            x509.UnrecognizedExtension(oid, value), critical).sign(key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)

    def context(self, server=False, chain=1, newest=ssl.TLSVersion.TLSv1_3, bare=False, **options):
        """TLS as this identity speaks it; the node's own certificate is looked at by `Line`."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
        made.minimum_version, made.maximum_version = min(newest, ssl.TLSVersion.TLSv1_2), newest
        if not bare:
            key = ec.generate_private_key(ec.SECP256R1())
            with tempfile.NamedTemporaryFile() as file:
                for _ in range(chain):
                    file.write(self.certificate(key, **options))
                file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                             serialization.NoEncryption()))
                file.flush()
                made.load_cert_chain(file.name)
        return made


def entry_id(entry):
    """SHA-256(header ‖ signature): fields 1 and 2 of an Entry stand first and in this order."""
    at, parts = 0, []
    for _ in range(2):
        size, shift, at = 0, 0, at + 1
        while True:
            byte, at = entry[at], at + 1
            size, shift = size | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        parts.append(entry[at:at + size])
        at += size
    return sha(*parts)


def frame(kind, payload=b""):
    return (len(payload) + 1).to_bytes(4, "big") + bytes([kind]) + payload


def s(data):
    return len(data).to_bytes(4, "big") + data


def head(log, sequence, entry):
    return log + sequence.to_bytes(8, "big") + entry


class Line:
    """One connection, as `person` speaks it."""

    def __init__(self, person, reader, writer, dialed=True, peer=None):
        self.person, self.reader, self.writer, self.dialed = person, reader, writer, dialed
        self.nonce, self.their_nonce, self.peer, self.heard = os.urandom(32), None, peer, 0
        if dialed and not peer:
            shown = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(True))
            found = shown.extensions.get_extension_for_oid(OID)
            if not found.critical or len(found.value.value) != 171:
                raise ValueError("the node's certificate is not as PROTOCOL says")
            self.peer = found.value.value[5:37]

    @classmethod
    async def dial(cls, address, person, context=None):
        host, port = address.rsplit(":", 1)
        pair = await asyncio.open_connection(host, int(port), ssl=context or person.context(), server_hostname="")
        return cls(person, *pair)

    async def send(self, kind, payload=b""):
        await self.raw(frame(kind, payload))

    async def raw(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def frame(self, seconds=60):
        async def whole():
            size = int.from_bytes(await self.reader.readexactly(4), "big")
            return await self.reader.readexactly(size)
        data = await asyncio.wait_for(whole(), seconds)
        self.heard += 4 + len(data)
        return data[0], data[1:]

    async def until(self, *kinds, seconds=60):
        """The next frame of one of these types."""
        while True:
            kind, payload = await self.frame(seconds)
            if kind in kinds:
                return kind, payload

    def hello(self):
        return bytes([1, VERSION]) + self.nonce + now().to_bytes(8, "big") + b"speaker"

    async def greet(self):
        """Both hellos; frames of full size are lawful once the node's `topics` is here."""
        await self.send(HELLO, self.hello())
        _, theirs = await self.until(HELLO)
        self.their_nonce = theirs[1 + theirs[0]:][:32]
        return self

    def name(self, topic, sender=None):
        first, second = (self.nonce, self.their_nonce) if self.dialed else (self.their_nonce, self.nonce)
        sender = sender or self.person.did
        receiver = self.peer if sender == self.person.did else self.person.did
        return sha("talea.topic.session.v2", first, second, sender, receiver, topic)

    async def share(self, *topics):
        """Names them, and hears which the node names."""
        await self.send(TOPICS, b"".join(self.name(topic) for topic in topics))
        _, names = await self.until(TOPICS)
        return [topic for topic in topics if self.name(topic, self.peer) in {names[at:at + 32] for at in range(0, len(names), 32)}]

    async def answers(self):
        """Whether the connection still stands: a ping comes back, after all that went before."""
        stamp = now().to_bytes(8, "big")
        try:
            await self.send(PING, stamp)
            await self.until(PONG)
            return True
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            return False

    async def ended(self, seconds=60):
        """Waits until the node ends it; the octets that came before."""
        count = 0
        try:
            while data := await asyncio.wait_for(self.reader.read(1 << 16), seconds):
                count += len(data)
        except (OSError, ssl.SSLError):
            pass
        return count

    def close(self):
        self.writer.transport.abort()


async def guest(address, person, *topics):
    """A connection that has greeted and shares these topics."""
    line = await (await Line.dial(address, person)).greet()
    line.shared = await line.share(*topics)
    return line
