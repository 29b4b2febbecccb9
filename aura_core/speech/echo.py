"""Echo cancellation: the assistant's own voice taken out of what the microphone hears, so that a user can barge in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError
from aura_core.speech.resample import Resampler
from aura_core.speech.types import NS, Audio

_FRAME_S = 100  # frames in a second: the module works in 10 ms
_KEEP_S = 5  # of the far end, where the near end does not come
_SNAP_S = 0.01  # stamps that are less than this off are the same run of sound


@dataclass(frozen=True)
class EchoConfig:
    """`rate`: of what comes out: 16, 32 or 48 kHz. `delay_ms`: a hint, from loudspeaker to microphone through the air,
    on top of what the stamps say. `lead_ms`: the far end is given that much early, as stamps are not exact and an
    echo before its cause is not cancelled."""

    rate: int = 16_000
    delay_ms: int = 10
    lead_ms: int = 20
    noise_suppression: bool = True

    def __post_init__(self) -> None:
        if self.rate not in (16_000, 32_000, 48_000):
            raise ConfigError(f"echo.rate must be 16000, 32000 or 48000 Hz, not {self.rate}")
        if not 0 <= self.delay_ms <= 500 or not 0 <= self.lead_ms <= 200:
            raise ConfigError("echo: delay_ms must be in [0, 500] and lead_ms in [0, 200]")


class EchoCanceller(Protocol):
    """Both ends are stamped with the same clock: far when it sounds, near when it was captured."""

    rate: int  # of what `near` returns

    def far(self, audio: Audio) -> None:
        """What the loudspeaker plays, before the microphone hears it. Any rate, any size."""
        ...

    def near(self, audio: Audio) -> Audio:
        """What the microphone heard, without the echo. Whole frames of 10 ms: the rest comes with the next call."""
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
            raise ConfigError('echo: livekit is not installed: pip install "aura-ros[voice]"') from None
        self._rtc = rtc
        self._module = AudioProcessingModule
        self.reset()

    def reset(self) -> None:
        """See EchoCanceller."""
        self._apm = self._module(
            echo_cancellation=True, noise_suppression=self.config.noise_suppression, high_pass_filter=True
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
        """Samples of the far end that came too late to be of use: where it grows, echo gets through."""
        return self._far.late

    def near(self, audio: Audio) -> Audio:
        """See EchoCanceller."""
        if not len(self._rest):
            self._rest_at_ns = audio.stamp_ns
        samples = np.concatenate([self._rest, self._near_input.push(audio)])
        start_ns, count = self._rest_at_ns, len(samples) // self._frame
        cleaned = np.empty(count * self._frame, dtype=np.int16)
        for i in range(count):
            part = slice(i * self._frame, (i + 1) * self._frame)
            at_ns = start_ns + i * NS // _FRAME_S + self.config.lead_ms * 1_000_000
            self._apm.process_reverse_stream(self._audio_frame(self._far.take(at_ns, self._frame)))
            self._apm.set_stream_delay_ms(self.config.lead_ms + self.config.delay_ms)
            frame = self._audio_frame(samples[part])
            self._apm.process_stream(frame)
            cleaned[part] = np.frombuffer(frame.data, dtype=np.int16)
        self._rest = samples[len(cleaned) :]
        # The next frame's time: by the newest stamp, less what is left over from before.
        self._rest_at_ns = audio.end_ns - len(self._rest) * NS // self.rate
        return Audio(cleaned, self.rate, start_ns)

    def _audio_frame(self, samples: NDArray[np.int16]) -> Any:
        return self._rtc.AudioFrame(bytearray(samples.tobytes()), self.rate, 1, len(samples))


class FarEnd:
    """Sound by the time at which it is played: silence where nothing is known. Bounded."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._runs: deque[tuple[int, NDArray[np.int16]]] = deque()  # number of the first sample since time 0; samples
        self._end = self._taken = 0
        self.late = 0  # samples that came when their time had been asked for already

    def put(self, samples: NDArray[np.int16], stamp_ns: int) -> None:
        """Sound that begins to play at this time."""
        at = stamp_ns * self.rate // NS
        if self._runs and abs(at - self._end) <= self.rate * _SNAP_S:
            at = self._end  # no seam from the jitter of stamps
        self._end = at + len(samples)
        self.late += max(0, min(self._taken, self._end) - at)
        if len(samples):
            self._runs.append((at, samples))
        while self._runs and self._runs[0][0] < self._end - _KEEP_S * self.rate:
            self._runs.popleft()

    def take(self, stamp_ns: int, n: int) -> NDArray[np.int16]:
        """The n samples that play from this time on; earlier ones are forgotten."""
        at = stamp_ns * self.rate // NS
        self._taken = at + n
        block = np.zeros(n, dtype=np.int16)
        while self._runs and self._runs[0][0] + len(self._runs[0][1]) <= at:
            self._runs.popleft()
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
