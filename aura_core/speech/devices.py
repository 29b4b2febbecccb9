"""Microphone and loudspeaker: sound to and from the audio callback's thread.

The sound is resampled where needed, and stamped with the host's clock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from aura_core.speech.device import BlockQueue, Device, DeviceConfig, DeviceState
from aura_core.speech.playback import PlaybackBuffer
from aura_core.speech.portaudio import PortAudio, Stream, list_devices
from aura_core.speech.pulse import PERIOD_S, SinkKeeper
from aura_core.speech.resample import Resampler
from aura_core.speech.types import NS, Audio

__all__ = ["BlockQueue", "DeviceConfig", "DeviceState", "Loudspeaker", "Microphone", "list_devices"]


class Microphone(Device):
    """A sound input. `read` returns mono int16 audio at `config.rate`.

    `Audio.stamp_ns` is the host time at which the block's first sample was captured.
    """

    _output = False

    def __init__(
        self,
        config: DeviceConfig | None = None,
        clock: Callable[[], int] = time.time_ns,
        audio: PortAudio | None = None,
    ) -> None:
        super().__init__(config, clock, audio)
        self._blocks = BlockQueue(int(self.config.queue_s * 1000 / self.config.block_ms))
        self._resampler: Resampler | None = None

    def read(self, timeout_s: float = 0.1) -> Audio | None:
        """Return the next block, or None if there is none within `timeout_s` (then see `state`).

        Only one thread may read.
        """
        entry = self._blocks.get(timeout_s)
        if entry is None:
            return None
        samples, rate, stamp = entry
        if self._resampler is None or self._resampler.rate != rate:
            self._resampler = Resampler(rate, self.config.rate)
        return Audio(self._resampler.push(samples), self.config.rate, stamp)

    def _callback(
        self, block: NDArray[np.int16], rate: int, first_s: float, now_s: float, lost: bool
    ) -> None:
        self._called_ns = time.monotonic_ns()
        self._stuttered(lost)
        self._blocks.put((mixed(block), rate, self._stamp(len(block), rate, first_s, now_s, lost)))

    def _overflows(self) -> int:
        return self._device_overflows + self._blocks.overflows


def mixed(block: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the mean of the channels of a block (n, channels), as (n,).

    A user may be near one of the microphones only, and one channel may be silent.
    """
    if block.shape[1] == 1:
        return block[:, 0].copy()
    return np.rint(block.mean(axis=1, dtype=np.float32)).astype(np.int16)


class Loudspeaker(Device):
    """A sound output that plays its `buffer`, and silence while the buffer is empty.

    With `keep_reference`, `reference` collects everything that is played, with the time at which it
    leaves the loudspeaker. An echo canceller takes it as its far end.
    """

    _output = True

    def __init__(
        self,
        config: DeviceConfig | None = None,
        clock: Callable[[], int] = time.time_ns,
        audio: PortAudio | None = None,
        keep_reference: bool = False,
    ) -> None:
        super().__init__(config, clock, audio)
        self.buffer = PlaybackBuffer(self.config.rate)
        blocks = int(self.config.queue_s * 1000 / self.config.block_ms)
        self.reference: BlockQueue | None = BlockQueue(blocks) if keep_reference else None
        self.refused = 0  # samples written while there was no device
        self.sounds_until_ns = 0  # host time at which the newest sound will have left the device
        self._cut_off: deque[tuple[object, float]] = deque()
        self._sink, self._look_at_s = SinkKeeper(), 0.0

    @staticmethod
    def _default() -> DeviceConfig:
        return DeviceConfig(rate=48_000)

    def write(self, audio: Audio, tag: object, last: bool = False) -> int:
        """Queue sound, and return the number of samples queued (see `PlaybackBuffer.write`).

        While the device is absent nothing is queued, so that old words are not played when it
        returns.
        """
        if self._stream is None and not self._paused:
            self.refused += len(audio.samples)
            return 0
        return self.buffer.write(audio, tag, last)

    def cut_off(self) -> list[tuple[object, float]]:
        """Return the tags that a lost device interrupted since the last call.

        Each comes with the number of seconds of it that were played.
        """
        return [self._cut_off.popleft() for _ in range(len(self._cut_off))]

    def suspend(self) -> bool:
        """See `portaudio.User.suspend`. Refused (False) while sound is played."""
        return (self._stream is None or self.buffer.idle) and super().suspend()

    def _callback(
        self, block: NDArray[np.int16], rate: int, first_s: float, now_s: float, lost: bool
    ) -> None:
        self._called_ns = time.monotonic_ns()
        self._stuttered(lost)
        samples = np.empty(len(block), dtype=np.int16)
        sounding = self.buffer.read_into(samples)
        block[:] = samples[:, None]
        stamp = self._stamp(len(block), rate, first_s, now_s, lost)
        if sounding:
            self.sounds_until_ns = stamp + sounding * NS // rate
        if self.reference is not None:
            self.reference.put(Audio(samples, rate, stamp))

    def _tended(self) -> None:
        if self._stream is not None and time.monotonic() >= self._look_at_s:
            self._sink.look()
            self._look_at_s = time.monotonic() + PERIOD_S

    def _started(self, stream: Stream) -> None:
        if stream.rate != self.buffer.rate:
            self.buffer.restart(stream.rate)

    def _stopped(self) -> None:
        cut = self.buffer.stop()  # old words must not be played when the device comes back
        self._cut_off.extend((tag, samples / self.buffer.rate) for tag, samples in cut.items())
        self.buffer.read(self.buffer.rate // 100)  # drops the fade-out, too
