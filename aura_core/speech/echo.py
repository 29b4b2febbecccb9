"""Echo cancellation: removes the assistant's own voice from the microphone's sound.

A user can then interrupt the assistant while it speaks (barge-in).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError
from aura_core.extras import how_to_install
from aura_core.speech import own_sound
from aura_core.speech.own_sound import EchoState, OwnSound
from aura_core.speech.resample import Resampler
from aura_core.speech.types import NS, Audio

_FRAMES_PER_S = 100  # WebRTC's module works on frames of 10 ms
_MS = NS // 1000
_NOTHING = np.zeros(0, dtype=np.int16)
_GONE_S = 0.5  # a far end that has given nothing for so long is absent: the near end does not wait
_KEEP_S = 5  # seconds of the far end that are kept while no near end comes
# a stamp that differs by more than this sets the position again: within sound, within silence
_OFF_S, _OFF_SILENT_S = 0.1, 0.02
_SETTLED_S = 1.25  # so long after a jump of the far end the canceller may not have learnt it


@dataclass(frozen=True)
class EchoConfig:
    """Settings of the echo canceller.

    - `rate`: sample rate of the output, 16000, 32000 or 48000 Hz.
    - `delay_ms`: estimate of the delay from loudspeaker to microphone that is not in the stamps,
      such as the way through the air.
    - `lead_ms`: the far end is given to the canceller this much earlier. Stamps are not exact, and
      an echo that comes before its cause is not cancelled.
    - `wait_ms`: how long the near end waits for a far end that is late.
    """

    rate: int = 16_000
    delay_ms: int = 10
    lead_ms: int = 20
    wait_ms: int = 80
    noise_suppression: bool = True

    def __post_init__(self) -> None:
        if self.rate not in (16_000, 32_000, 48_000):
            raise ConfigError(f"echo.rate must be 16000, 32000 or 48000 Hz, not {self.rate}")
        if (
            not 0 <= self.delay_ms <= 500
            or not 0 <= self.lead_ms <= 200
            or not 0 <= self.wait_ms <= 500
        ):
            raise ConfigError(
                "echo: delay_ms and wait_ms must be in [0, 500] and lead_ms in [0, 200]"
            )


class EchoCanceller(Protocol):
    """Takes the far end (the loudspeaker's sound) out of the near end (the microphone's sound).

    Both are stamped with the same clock: the far end with the time at which it leaves the
    loudspeaker, the near end with the time of its capture.
    """

    rate: int  # of what `near` returns

    def far(self, audio: Audio) -> None:
        """Add sound that the loudspeaker plays, before its echo is given to `near`.

        Any rate and any length is accepted.
        """
        ...

    def near(self, audio: Audio) -> Audio:
        """Add the microphone's sound, and return the sound without echo.

        Samples that do not fill a frame of 10 ms yet, or whose far end may still come, are returned
        by a later call.
        """
        ...

    def state(self) -> EchoState:
        """What is known of the sound that `near` returned last."""
        ...

    def reset(self) -> None:
        """Forget both ends: a device was opened again."""
        ...


class ApmEcho:
    """The audio processing module of WebRTC (AEC3, noise suppression, high-pass) from livekit."""

    def __init__(self, config: EchoConfig | None = None) -> None:
        self.config = config or EchoConfig()
        self.rate = self.config.rate
        self._frame = self.rate // _FRAMES_PER_S
        try:
            from livekit import rtc
            from livekit.rtc.apm import AudioProcessingModule
        except ModuleNotFoundError:
            raise ConfigError(
                f"echo: livekit is not installed: {how_to_install('voice')}"
            ) from None
        self._rtc = rtc
        self._module = AudioProcessingModule
        self.reset()

    def reset(self) -> None:
        """See `EchoCanceller.reset`."""
        self._apm = self._module(
            echo_cancellation=True,
            noise_suppression=self.config.noise_suppression,
            high_pass_filter=True,
        )
        self._far = FarEnd(self.rate)
        self._far_input = _Input(self.rate)
        self._near_input = _Input(self.rate)
        self._rest = np.zeros(0, dtype=np.int16)
        self._rest_at_ns = 0
        self._own = OwnSound()
        self._own_rate = Resampler(self.rate, own_sound.RATE), Resampler(self.rate, own_sound.RATE)

    def far(self, audio: Audio) -> None:
        """See `EchoCanceller.far`."""
        self._far.put(self._far_input.push(audio), audio.stamp_ns)

    @property
    def late(self) -> int:
        """Samples of the far end that came too late to be used.

        While this number grows, echo gets through.
        """
        return self._far.late

    def near(self, audio: Audio) -> Audio:
        """See `EchoCanceller.near`."""
        if not len(self._rest):
            self._rest_at_ns = audio.stamp_ns
        samples = np.concatenate([self._rest, self._near_input.push(audio)])
        start_ns, count = self._rest_at_ns, len(samples) // self._frame
        patient_ns = audio.end_ns - self.config.wait_ms * _MS
        cleaned: list[NDArray[np.int16]] = []
        for i in range(count):
            part = slice(i * self._frame, (i + 1) * self._frame)
            captured_ns = start_ns + i * NS // _FRAMES_PER_S
            at_ns = captured_ns + self.config.lead_ms * _MS
            if captured_ns > patient_ns and self._far.awaited(at_ns, self._frame):
                break
            played = self._far.take(at_ns, self._frame)
            self._own.push(self._own_rate[0].push(samples[part]), self._own_rate[1].push(played))
            self._apm.process_reverse_stream(self._audio_frame(played))
            self._apm.set_stream_delay_ms(self.config.lead_ms + self.config.delay_ms)
            frame = self._audio_frame(samples[part])
            self._apm.process_stream(frame)
            cleaned.append(np.frombuffer(frame.data, dtype=np.int16))
        self._rest = samples[len(cleaned) * self._frame :]
        # The time of the next frame: the end of the newest sound, less what is left over.
        self._rest_at_ns = audio.end_ns - len(self._rest) * NS // self.rate
        return Audio(np.concatenate([_NOTHING, *cleaned]), self.rate, start_ns)

    def state(self) -> EchoState:
        """See `EchoCanceller.state`."""
        return EchoState(self._far.settled, self._own.share)

    def _audio_frame(self, samples: NDArray[np.int16]) -> Any:
        return self._rtc.AudioFrame(bytearray(samples.tobytes()), self.rate, 1, len(samples))


class FarEnd:
    """The loudspeaker's sound by the time at which it is played; silence where nothing is known.

    Two clocks drift apart, and stamps jitter. A canceller adapts to drift, but skipped or repeated
    samples disturb it. Therefore both ends are continued sample by sample. A stamp sets the
    position again only where it differs by more than a limit, which is lower in silence. The newest
    5 s are kept.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        # (number of the first sample, counted from time 0; the samples)
        self._runs: deque[tuple[int, NDArray[np.int16]]] = deque()
        self._end = 0  # number of the sample after the last one that was put
        self._next = 0  # number of the next sample to take
        self.late = 0  # samples that were put after their time had been taken
        # Whether what is put, and what is taken, has another position than before, and was silence
        # since: the echo of the next sound comes at another time.
        self._moved = self._shifted = True
        self._jumped = -(2**62)  # number of the sample at which the newest jump in sound was taken

    def put(self, samples: NDArray[np.int16], stamp_ns: int) -> None:
        """Add sound that begins to play at `stamp_ns`."""
        sounds = bool(samples.any())
        at = self._at(stamp_ns, self._end, silent=not sounds)
        self._moved |= at != self._end  # in silence or, as the loudspeaker ran dry, in a word
        if self._moved and sounds:
            self._jumped, self._moved = at, False
        self._end = at + len(samples)
        if sounds and (late := max(0, min(self._next, self._end) - at)):
            self.late += late
            self._jumped = self._next
        if len(samples):
            self._runs.append((at, samples))
        while self._runs and self._runs[0][0] < self._end - _KEEP_S * self.rate:
            self._runs.popleft()

    def take(self, stamp_ns: int, n: int) -> NDArray[np.int16]:
        """Return the n samples (n,) that play from `stamp_ns` on. Earlier ones are forgotten."""
        at = self._at(stamp_ns, self._next, silent=False)
        block = self._block(at, n)
        if not block.any():
            at = self._at(stamp_ns, self._next, silent=True)
            block = self._block(at, n)
        self._shifted |= at != self._next
        if self._shifted and block.any():
            self._jumped, self._shifted = at, False
        self._next = at + n
        while self._runs and self._runs[0][0] + len(self._runs[0][1]) <= at:
            self._runs.popleft()
        return block

    @property
    def settled(self) -> bool:
        """Whether for some time all sound came with the delay that was learnt before."""
        return self._next - self._jumped > _SETTLED_S * self.rate

    def awaited(self, stamp_ns: int, n: int) -> bool:
        """Whether the n samples from `stamp_ns` on may still come.

        False if the far end has been absent for longer than 0.5 s.
        """
        end = self._at(stamp_ns, self._next, silent=False) + n
        return self._end < end <= self._end + self.rate * _GONE_S

    def _at(self, stamp_ns: int, follows: int, silent: bool) -> int:
        """Return the number of the sample at this time.

        That is `follows`, the sample after the last one, if the two are close enough.
        """
        at = stamp_ns * self.rate // NS
        return (
            follows
            if abs(at - follows) <= self.rate * (_OFF_SILENT_S if silent else _OFF_S)
            else at
        )

    def _block(self, at: int, n: int) -> NDArray[np.int16]:
        """Return the n samples from number `at` on; zeros where nothing is known."""
        block = np.zeros(n, dtype=np.int16)
        for start, samples in self._runs:
            begin, end = max(start, at), min(start + len(samples), at + n)
            if begin < end:
                block[begin - at : end - at] = samples[begin - start : end - start]
        return block


class _Input:
    """Resamples sound of any rate; the rate may change from call to call."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler = Resampler(rate, rate)

    def push(self, audio: Audio) -> NDArray[np.int16]:
        if audio.rate != self._resampler.rate:
            self._resampler = Resampler(audio.rate, self._rate)
        return self._resampler.push(audio.samples)
