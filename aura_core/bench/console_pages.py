"""Pages of `aura bench console` without a browser, in a process of their own.

It reads COUNT web sockets for SECONDS, and writes what they have seen as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from aura_core.console import protocol as p
from aura_core.console.clock import MS, now_ms

TIMED = ("second", "words", "said")  # messages whose way is measured


async def read(url: str, until_s: float, warm_s: float, seen: dict[str, list[float]]) -> None:
    """Be one page until a time of the monotonic clock. Its first `warm_s` are not measured."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as ws:
        await ws.send_str(json.dumps({"type": "enter", "version": p.VERSION}))
        hello: dict[str, Any] = json.loads((await ws.receive()).data)
        cameras = [camera["name"] for camera in hello["cameras"]]
        view = {"id": 1, "type": "view", "cameras": cameras, "fps": 2}
        await ws.send_str(json.dumps(view))
        warm_s += time.monotonic()
        while (left_s := until_s - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                message = await asyncio.wait_for(ws.receive(), left_s)
                if message.type is aiohttp.WSMsgType.BINARY:
                    _, _, _, _, stamp_ns = p.HEADER.unpack_from(message.data)
                    way_ms = now_ms() - stamp_ns / MS
                    if time.monotonic() > warm_s:
                        seen["frames_ms"].append(way_ms)
                        seen["frame_bytes"].append(len(message.data))
                elif message.type is aiohttp.WSMsgType.TEXT:
                    event = json.loads(message.data)
                    if event["type"] in TIMED and time.monotonic() > warm_s:
                        seen["events_ms"].append(now_ms() - event["at_ms"])
                else:
                    raise SystemExit("the server has closed a page")


async def read_all(url: str, count: int, seconds: float, warm_s: float) -> dict[str, list[float]]:
    """Be `count` pages. The times are those of all pages together."""
    seen: dict[str, list[float]] = {"events_ms": [], "frames_ms": [], "frame_bytes": []}
    until_s = time.monotonic() + seconds
    await asyncio.gather(*(read(url, until_s, warm_s, seen) for _ in range(count)))
    return seen


def main(arguments: Sequence[str]) -> None:
    """URL COUNT SECONDS WARM_S NICE; with NICE it keeps to one core, so that others are free."""
    url, count, seconds, warm_s, nice = arguments
    cores = sorted(os.sched_getaffinity(0))
    if int(nice) and len(cores) > 1:
        os.sched_setaffinity(0, cores[-1:])
    os.nice(int(nice))
    seen = asyncio.run(read_all(url, int(count), float(seconds), float(warm_s)))
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
