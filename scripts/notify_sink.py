#!/usr/bin/env python3
"""A web server and a mail server on this machine that keep what they are given, for tests:
  scripts/notify_sink.py FOLDER [--fail N]
Ports come as one line of JSON. N.json is a request (headers, body in base64), N.mail a letter; the first N requests
are answered with 503. A third port speaks SMTP with STARTTLS under a certificate that nobody vouches for."""

import argparse, asyncio, base64, json, os, ssl, subprocess

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--fail", type=int, default=0)
given = parser.parse_args()
count = 0


def keep(ending, data):
    global count
    count += 1
    draft = f"{given.folder}/draft"
    with open(draft, "wb") as file:
        file.write(data)
    os.rename(draft, f"{given.folder}/{count:03}.{ending}")


async def web(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = head.split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if ": " in line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    given.fail -= 1
    if given.fail >= 0:
        answer = "503 Service Unavailable"
    else:
        keep("json", json.dumps({"line": lines[0], "headers": headers, "body": base64.b64encode(body).decode()}).encode())
        answer = "204 No Content"
    writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    writer.close()


def mail(context):
    async def speak(reader, writer):
        def say(*lines):
            for line in lines:
                writer.write(line.encode() + b"\r\n")
        envelope = []
        say("220 sink")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                say(*(["250-sink", "250 STARTTLS"] if context else ["250 sink"]))
            elif verb == "STARTTLS" and context:
                say("220 go on")
                await writer.drain()
                try:
                    await writer.start_tls(context)
                except (ssl.SSLError, ConnectionError):
                    return
            elif verb in ("MAIL", "RCPT"):
                envelope.append(line)
                say("250 yes")
            elif verb == "DATA":
                say("354 go on")
                letter = await reader.readuntil(b"\r\n.\r\n")
                keep("mail", "\r\n".join(envelope).encode() + b"\r\n\r\n" + letter[:-5])
                say("250 kept")
            elif verb == "QUIT":
                say("221 bye")
                break
            else:
                say("502 no")
        writer.close()
    return speak


async def main():
    pair = f"{given.folder}/key.pem", f"{given.folder}/certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.2", "-keyout", pair[0], "-out", pair[1]], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair[1], pair[0])
    servers = [await asyncio.start_server(web, "127.0.0.1", 0), await asyncio.start_server(mail(None), "127.0.0.1", 0),
               await asyncio.start_server(mail(context), "127.0.0.2", 0)]
    print(json.dumps(dict(zip(("web", "mail", "strange"), (s.sockets[0].getsockname()[1] for s in servers)))), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
