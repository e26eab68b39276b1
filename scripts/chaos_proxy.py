#!/usr/bin/env python3
"""Carries TCP connections badly, from a seed: delay, jitter, stalls, writes of one byte, half-closes and resets.

    chaos_proxy.py SEED HOST FROM_PORT:TO_HOST:TO_PORT …

SIGUSR1 makes it carry everything as it comes; SIGUSR2 makes it bad again."""

import asyncio, os, random, signal, sys

CHUNK = 16 * 1024


class Weather:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.is_bad = True
        self.done = {"stall": 0, "bytes": 0, "half-close": 0, "reset": 0}

    def count(self, what):
        self.done[what] += 1


async def pump(reader, writer, weather, latency):
    """One direction, in order."""
    dice = random.Random(weather.dice.getrandbits(64))
    while data := await reader.read(CHUNK):
        fate = dice.random()
        if weather.is_bad:
            await asyncio.sleep(latency + dice.uniform(0, latency))
            if fate < 0.004:
                weather.count("reset")
                writer.transport.abort()
                return
            if fate < 0.008:
                weather.count("half-close")
                break
            if fate < 0.03:
                weather.count("stall")
                await asyncio.sleep(dice.uniform(0.3, 2))
            elif fate < 0.06:
                weather.count("bytes")
                for index in range(min(len(data), 400)):
                    writer.write(data[index:index + 1])
                    await writer.drain()
                data = data[400:]
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def carry(reader, writer, host, port, weather):
    latency = weather.dice.uniform(0.001, 0.04)
    try:
        there = await asyncio.open_connection(host, port)
    except OSError:
        writer.transport.abort()
        return
    ways = [pump(reader, there[1], weather, latency), pump(there[0], writer, weather, latency)]
    await asyncio.gather(*ways, return_exceptions=True)
    # A half-closed connection of which nothing more comes ends for both.
    for one in (writer, there[1]):
        one.close()


async def main():
    weather = Weather(int(sys.argv[1]))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: setattr(weather, "is_bad", False))
    loop.add_signal_handler(signal.SIGUSR2, lambda: setattr(weather, "is_bad", True))
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    for way in sys.argv[3:]:
        here, host, port = way.split(":")

        def meet(reader, writer, host=host, port=int(port)):
            return carry(reader, writer, host, port, weather)

        await asyncio.start_server(meet, sys.argv[2], int(here))
    print("ready", flush=True)
    await ended.wait()
    print(weather.done, flush=True)
    # What is still carried ends with the process.
    os._exit(0)


asyncio.run(main())
