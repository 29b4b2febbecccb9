"""Echo cancellation: the assistant's own voice taken out of what the microphone hears, so that a
user can barge in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError, how_to_install
from aura_core.speech.resample import Resampler
from aura_core.speech.types import NS, Audio

_FRAME_S = 100  # frames in a second: the module works in 10 ms
_MS = NS // 1000
_NOTHING = np.zeros(0, dtype=np.int16)
_GONE_S = 0.5  # without sound or silence from it for so long, there is no far end to wait for
_KEEP_S = 5  # of the far end, where the near end does not come
# stamps that are more than this off are believed: in sound, in silence
_OFF_S, _OFF_SILENT_S = 0.1, 0.02


@dataclass(frozen=True)
class EchoConfig:
    """`rate`: of what comes out: 16, 32 or 48 kHz. `delay_ms`: a hint, from loudspeaker to
    microphone through the air, on top of what the stamps say. `lead_ms`: the far end is given that
    much early, as stamps are not exact and an echo before its cause is not cancelled. `wait_ms`:
    how long the near end waits for a far end that is late."""

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
    """Both ends are stamped with the same clock: far when it sounds, near when it was captured."""

    rate: int  # of what `near` returns

    def far(self, audio: Audio) -> None:
        """What the loudspeaker plays, before the microphone hears it. Any rate, any size."""
        ...

    def near(self, audio: Audio) -> Audio:
        """What the microphone heard, without the echo. The rest comes with later calls: what does
        not fill a frame of 10 ms, and what was played too recently for the far end to be here."""
        ...

    def reset(self) -> None:
        """Forget both ends: a device was opened anew."""
        ...


class ApmEcho:
    """WebRTC's audio processing (AEC3, noise suppression, high-pass) through livekit."""

    def __init__(self, config: EchoConfig | None = None) -> None:
        self.config = config or EchoConfig()
        self.rate = self.config.rate
        self._frame = self.rate // _FRAME_S
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
        """See EchoCanceller."""
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

    def far(self, audio: Audio) -> None:
        """See EchoCanceller."""
        self._far.put(self._far_input.push(audio), audio.stamp_ns)

    @property
    def late(self) -> int:
        """Samples of the far end that came too late to be of use: where it grows, echo gets
        through."""
        return self._far.late

    def near(self, audio: Audio) -> Audio:
        """See EchoCanceller."""
        if not len(self._rest):
            self._rest_at_ns = audio.stamp_ns
        samples = np.concatenate([self._rest, self._near_input.push(audio)])
        start_ns, count = self._rest_at_ns, len(samples) // self._frame
        patient_ns = audio.end_ns - self.config.wait_ms * _MS
        cleaned: list[NDArray[np.int16]] = []
        for i in range(count):
            part = slice(i * self._frame, (i + 1) * self._frame)
            captured_ns = start_ns + i * NS // _FRAME_S
            at_ns = captured_ns + self.config.lead_ms * _MS
            if captured_ns > patient_ns and self._far.awaited(at_ns, self._frame):
                break
            self._apm.process_reverse_stream(self._audio_frame(self._far.take(at_ns, self._frame)))
            self._apm.set_stream_delay_ms(self.config.lead_ms + self.config.delay_ms)
            frame = self._audio_frame(samples[part])
            self._apm.process_stream(frame)
            cleaned.append(np.frombuffer(frame.data, dtype=np.int16))
        self._rest = samples[len(cleaned) * self._frame :]
        # The next frame's time: by the newest stamp, less what is left over from before.
        self._rest_at_ns = audio.end_ns - len(self._rest) * NS // self.rate
        return Audio(np.concatenate([_NOTHING, *cleaned]), self.rate, start_ns)

    def _audio_frame(self, samples: NDArray[np.int16]) -> Any:
        return self._rtc.AudioFrame(bytearray(samples.tobytes()), self.rate, 1, len(samples))


class FarEnd:
    """Sound by the time at which it is played: silence where nothing is known. Bounded.

    Two clocks drift apart, and stamps jitter; a canceller follows a drift, but wants neither
    skipped nor repeated samples. So both ends go on sample by sample, and are set by their stamps
    when they are off: far, or in silence.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        # number of the first sample since time 0; samples
        self._runs: deque[tuple[int, NDArray[np.int16]]] = deque()
        self._end = 0  # of what was put
        self._next = 0  # to be taken
        self.late = 0  # samples that came when their time had been asked for already

    def put(self, samples: NDArray[np.int16], stamp_ns: int) -> None:
        """Sound that begins to play at this time."""
        at = self._at(stamp_ns, self._end, silent=not samples.any())
        self._end = at + len(samples)
        if samples.any():
            self.late += max(0, min(self._next, self._end) - at)
        if len(samples):
            self._runs.append((at, samples))
        while self._runs and self._runs[0][0] < self._end - _KEEP_S * self.rate:
            self._runs.popleft()

    def take(self, stamp_ns: int, n: int) -> NDArray[np.int16]:
        """The n samples that play from this time on; earlier ones are forgotten."""
        at = self._at(stamp_ns, self._next, silent=False)
        block = self._block(at, n)
        if not block.any():
            at = self._at(stamp_ns, self._next, silent=True)
            block = self._block(at, n)
        self._next = at + n
        while self._runs and self._runs[0][0] + len(self._runs[0][1]) <= at:
            self._runs.popleft()
        return block

    def awaited(self, stamp_ns: int, n: int) -> bool:
        """Whether the n samples from this time on are still to come, from a far end that is
        there."""
        end = self._at(stamp_ns, self._next, silent=False) + n
        return self._end < end <= self._end + self.rate * _GONE_S

    def _at(self, stamp_ns: int, follows: int, silent: bool) -> int:
        """The number of the sample at this time, or the one that `follows`, where that is near."""
        at = stamp_ns * self.rate // NS
        return (
            follows
            if abs(at - follows) <= self.rate * (_OFF_SILENT_S if silent else _OFF_S)
            else at
        )

    def _block(self, at: int, n: int) -> NDArray[np.int16]:
        block = np.zeros(n, dtype=np.int16)
        for start, samples in self._runs:
            begin, end = max(start, at), min(start + len(samples), at + n)
            if begin < end:
                block[begin - at : end - at] = samples[begin - start : end - start]
        return block


class _Input:
    """Resamples whatever rate comes."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler = Resampler(rate, rate)

    def push(self, audio: Audio) -> NDArray[np.int16]:
        if audio.rate != self._resampler.rate:
            self._resampler = Resampler(audio.rate, self._rate)
        return self._resampler.push(audio.samples)
