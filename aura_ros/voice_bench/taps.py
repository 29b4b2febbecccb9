"""Record what the virtual devices carried, and when: `parec` on a monitor.

Each block is timed by its arrival.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aura_core.bench.speech.sounds import LOUD
from aura_core.speech.types import Audio

RATE = 16_000
BLOCK = RATE // 100  # 10 ms
_HEARD = 1_200_000  # most blocks that are kept: more than three hours


@dataclass(frozen=True)
class Block:
    """10 ms of sound: the time at which its end came (steady seconds), and its highest sample."""

    at_s: float
    peak: int


class Tap:
    """Records the source `name` until it is closed."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        command = [
            "parec",
            f"--device={name}",
            "--raw",
            "--format=s16le",
            f"--rate={RATE}",
            "--channels=1",
        ]
        self._process = subprocess.Popen(
            [*command, "--latency-msec=10", "--process-time-msec=5"],
            env=dict(environment),
            stdout=subprocess.PIPE,
        )
        self._blocks: list[Block] = []
        self.samples: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, name=f"tap {name}", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while data := self._process.stdout.read(2 * BLOCK):
            now = time.monotonic()
            peak = int(np.abs(np.frombuffer(data, np.int16).astype(np.int32)).max(initial=0))
            self._blocks.append(Block(now, peak))
            self.samples.append(data)
            del self._blocks[:-_HEARD]

    def loud(self, since_s: float, until_s: float = float("inf")) -> list[float]:
        """Times of the loud blocks between `since_s` and `until_s`."""
        return [
            b.at_s
            for b in reversed(self._blocks)
            if b.peak >= LOUD and since_s <= b.at_s <= until_s
        ][::-1]

    def close(self) -> None:
        """Stop recording."""
        self._process.terminate()
        self._process.wait()
        self._thread.join(2)


def play(audio: Audio, sink: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Begin to play on a virtual device, and return at once."""
    command = [
        "pacat",
        "--playback",
        f"--device={sink}",
        "--raw",
        "--format=s16le",
        f"--rate={audio.rate}",
    ]
    process = subprocess.Popen(
        [*command, "--channels=1", "--latency-msec=20"],
        env=dict(environment),
        stdin=subprocess.PIPE,
    )
    assert process.stdin is not None

    def feed() -> None:
        assert process.stdin is not None
        process.stdin.write(audio.samples.tobytes())
        process.stdin.close()

    threading.Thread(target=feed, daemon=True).start()
    return process
