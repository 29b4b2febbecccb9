"""A loudspeaker that is somebody else's: sound is sent in blocks at the pace at which it is played.

A node that plays what it gets has no buffer that can be stopped, and tells nothing. So at most
`AHEAD_S` of sound is sent before it is heard; a stop takes that long.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from aura_core.speech.device import BlockQueue, DeviceConfig, DeviceState
from aura_core.speech.playback import PlaybackBuffer
from aura_core.speech.types import NS, Audio

AHEAD_S = 0.1  # more than a round of the caller takes


class PacedLoudspeaker:
    """In the place of `devices.Loudspeaker`: gives blocks of sound to `send`.

    Args:
        config: the rate of the sound, and the length of the blocks.
        send: takes mono int16 sound, stamped with the time at which it is to be heard.
        name: of the one who plays, for the state.
        clock: returns nanoseconds.
        keep_reference: collect what is sent in `reference`.
    """

    def __init__(
        self,
        config: DeviceConfig,
        send: Callable[[Audio], None],
        name: str,
        clock: Callable[[], int] = time.time_ns,
        keep_reference: bool = False,
    ) -> None:
        self.config, self._send, self._name, self._clock = config, send, name, clock
        self.buffer = PlaybackBuffer(config.rate)
        blocks = int(config.queue_s * 1000 / config.block_ms)
        self.reference: BlockQueue | None = BlockQueue(blocks) if keep_reference else None
        self.refused = 0
        self.sounds_until_ns = 0  # when the newest sound that was sent will have been played
        self._open = False

    @property
    def state(self) -> DeviceState:
        """See `DeviceState`. It is well as long as it is open: nobody tells whether it plays."""
        rate = self.config.rate if self._open else 0
        return DeviceState(self._open, "", self._name, rate, 1, 0, 0, 0.0, AHEAD_S, 0.0)

    def open(self) -> DeviceState:
        """Begin to send. Returns the state."""
        self._open = True
        return self.state

    def close(self) -> None:
        """Send no more."""
        self._open = False

    def write(self, audio: Audio, tag: object, last: bool = False) -> int:
        """Queue sound, and return the number of samples queued (see `PlaybackBuffer.write`)."""
        return self.buffer.write(audio, tag, last)

    def cut_off(self) -> list[tuple[object, float]]:
        """See `devices.Loudspeaker.cut_off`: it never is."""
        return []

    def turn(self) -> None:
        """Send what is due. Call it every `AHEAD_S` / 2 at least."""
        now_ns = self._clock()
        size = self.config.rate * self.config.block_ms // 1000
        at_ns = max(now_ns, self.sounds_until_ns)
        while self._open and not self.buffer.idle and at_ns < now_ns + AHEAD_S * NS:
            block = np.empty(size, np.int16)
            self.buffer.read_into(block)
            audio = Audio(block, self.config.rate, at_ns)
            self._send(audio)
            if self.reference is not None:
                self.reference.put(audio)
            at_ns += size * NS // self.config.rate
            self.sounds_until_ns = at_ns
