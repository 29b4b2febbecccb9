"""Record what the virtual devices carried, and when: `parec` on a monitor.

Each block is timed by its arrival.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aura_core.bench.speech.sounds import LOUD
from aura_core.bench.speech.virtual import like_hardware
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
        like_hardware(self._process.pid)
        self._blocks: list[Block] = []
        self.samples: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, name=f"tap {name}", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        like_hardware(threading.get_native_id())
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
    # A file: pacat loops without a pause from the end of its input to the end of the sound, which
    # loads the machine that is measured.
    descriptor, name = tempfile.mkstemp(suffix=".wav")
    with os.fdopen(descriptor, "wb") as file, wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(audio.rate)
        out.writeframes(audio.samples.tobytes())
    command = ["paplay", f"--device={sink}", "--latency-msec=20", name]
    process = subprocess.Popen(command, env=dict(environment))
    like_hardware(process.pid)

    def remove() -> None:
        process.wait()
        Path(name).unlink()

    threading.Thread(target=remove, daemon=True).start()
    return process
