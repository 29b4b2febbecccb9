"""A fake sounddevice with devices that give wrong properties, disappear and return."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


class FakeSound:
    """The part of sounddevice that this package uses.

    `plugged` are the devices that exist. PortAudio sees them only when it is initialised.
    """

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        self.plugged = ["mic", "speaker"]
        self.rates = {16_000, 48_000}
        self.mono = True
        self.broken = ""  # why PortAudio cannot be initialised
        self.streams: list[FakeStream] = []
        self.opens = self.refreshes = 0
        self.default = SimpleNamespace(device=[0, 1])
        self._initialize()

    def _initialize(self) -> None:
        self.seen: list[str] | None = None
        if self.broken:
            raise self.PortAudioError(self.broken)
        self.seen = list(self.plugged)

    def _terminate(self) -> None:
        assert not [s for s in self.streams if s.open], "a stream is open"
        if self.seen is None:
            raise self.PortAudioError("PortAudio not initialized")
        self.refreshes += 1

    def query_devices(self) -> list[dict[str, Any]]:
        if self.seen is None:
            raise self.PortAudioError("Error querying devices:\nPortAudio not initialized")
        channels = {"mic": (2, 0), "speaker": (0, 2), "usb mic": (1, 0)}
        return [
            {
                "name": n,
                "max_input_channels": channels[n][0],
                "max_output_channels": channels[n][1],
                "default_samplerate": 48_000.0,
            }
            for n in self.seen
        ]

    def InputStream(self, **options: Any) -> FakeStream:
        return FakeStream(self, **options)

    OutputStream = InputStream


class FakeStream:
    def __init__(self, sound: FakeSound, **options: Any) -> None:
        sound.opens += 1
        name = sound.seen[options["device"]]
        if name not in sound.plugged:
            raise sound.PortAudioError("Device\nunavailable")
        if options["samplerate"] not in sound.rates or (
            options["channels"] == 1 and not sound.mono
        ):
            raise sound.PortAudioError("Invalid sample rate")
        self.callback, self.channels = options["callback"], options["channels"]
        self.open = self.active = True
        self.latency = self.wanted = 0.03
        if options["latency"] != "low":
            self.latency = self.wanted = options["latency"]
        sound.streams.append(self)

    def start(self) -> None:
        pass

    def close(self, ignore_errors: bool) -> None:
        self.open = self.active = False

    def call(
        self, block: np.ndarray, adc: float = 9.98, dac: float = 10.02, status: bool = False
    ) -> None:
        time_info = SimpleNamespace(
            inputBufferAdcTime=adc, outputBufferDacTime=dac, currentTime=10.0
        )
        self.callback(block, len(block), time_info, status)
