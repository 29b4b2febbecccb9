"""A sound device that may be absent or disappear: it has a state, and opening is tried again."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError
from aura_core.settings import Settings, setting
from aura_core.speech.portaudio import DeviceError, PortAudio, Stream
from aura_core.speech.sample_clock import SampleClock
from aura_core.speech.steadying import Steadying
from aura_core.speech.types import NS

_BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 10.0)
# PortAudio may call a lost device active: without a callback for so long, it is treated as lost
_STALLED_S = 2.0
_TEND_S = 0.2  # from one round of `tend` to the next
_HUNG_S = 5.0  # longest wait for the thread in `close`


@dataclass(frozen=True)
class DeviceConfig(Settings, section="audio"):
    """A sound device, and the format of the sound that goes in or out.

    A `name` that consists of digits is read as a device number.
    """

    name: str | int | None = setting(
        None,
        "part of a sound device's name, or its number",
        unset="",
        null="the system's default",
        parameter="device",
    )
    rate: int = setting(
        16_000,
        "samples a second that the device is asked for; another rate is resampled",
        unit="Hz",
        low=8_000,
        high=96_000,
    )
    block_ms: int = setting(
        20, "length of one piece of sound", unit="ms", low=5, high=200, parameter="chunk_ms"
    )
    latency_ms: float | None = setting(
        None,
        "sound that the device holds, and does not let go when it is stopped",
        unit="ms",
        low=1.0,
        high=1000.0,
        unset=0.0,
        null="as little as the device offers, and more after it has stuttered, up to 120 ms",
    )
    queue_s: float = setting(
        5.0, "sound that may wait unread", unit="s", low=0.1, high=60.0, parameter=None
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.name, str):
            text = self.name.strip()
            object.__setattr__(self, "name", int(text) if text.isdigit() else text or None)


@dataclass(frozen=True)
class DeviceState:
    """The state of a device: `ok`, or one line in `reason` that says why not.

    The counts cover the time since the start.
    """

    ok: bool
    reason: str
    device: str  # name of the open device; "" while it is closed
    rate: int  # sample rate [Hz] of the open device; 0 while it is closed
    opened: int  # how often it was opened
    lost: int  # how often it disappeared while it was running
    overflows: int  # blocks that were not read in time, or that the device dropped
    retry_s: float  # seconds until the next try; 0 while ok
    latency_s: float  # sound that the open device holds [s]; 0 while it is closed
    steadied_s: float  # what it is asked to hold because it stuttered [s]; 0 when it did not


class BlockQueue:
    """A bounded queue of blocks from a callback to one reader.

    When it is full, the oldest block is dropped and counted in `overflows`.
    """

    def __init__(self, blocks: int) -> None:
        # SimpleQueue is implemented in C: listening to silence must take little CPU time
        self._blocks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._most = max(1, blocks)
        self.overflows = 0

    def put(self, block: Any) -> None:
        """Add a block. The audio callback calls this, so it never waits."""
        if self._blocks.qsize() >= self._most:
            self.overflows += 1
            self.get(0.0)
        self._blocks.put(block)

    def get(self, timeout_s: float) -> Any | None:
        """Return the oldest block, or None if there is none within `timeout_s` seconds."""
        try:
            return self._blocks.get(timeout_s > 0, timeout_s)
        except queue.Empty:
            return None

    def clear(self) -> None:
        """Drop all blocks."""
        while self.get(0.0) is not None:
            pass


class Device:
    """Opens a sound device, watches it, and opens it again after a loss.

    `tend` does one round of this. `open` starts a thread that calls `tend` repeatedly.
    """

    _output: bool

    def __init__(
        self,
        config: DeviceConfig | None = None,
        clock: Callable[[], int] = time.time_ns,
        audio: PortAudio | None = None,
    ) -> None:
        self.config = config or self._default()
        self._clock = clock
        self._audio = audio
        self._stream: Stream | None = None
        self._paused = False  # closed by `suspend`, and soon open again
        self._lock = threading.RLock()
        self._reason = "not opened yet"
        self._opened = self._lost = self._tries = self._device_overflows = 0
        self._retry_at_ns = 0
        self._called_ns = 0  # monotonic; when the callback last ran
        self._samples = SampleClock()
        fixed = self.config.latency_ms
        self._steadying = Steadying(None if fixed is None else fixed / 1000)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @staticmethod
    def _default() -> DeviceConfig:
        return DeviceConfig()

    def open(self) -> DeviceState:
        """Try to open the device once, then keep trying in a background thread.

        An absent device is no error here: see `state`. Raises ConfigError only where sounddevice or
        PortAudio is not installed.
        """
        self._audio = self._audio or PortAudio.shared()
        self._audio.join(self)
        self.tend(time.monotonic_ns())
        self._thread = threading.Thread(
            target=self._watch, name=type(self).__name__.lower(), daemon=True
        )
        self._thread.start()
        return self.state

    def close(self) -> None:
        """Stop at once and end the background thread."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_HUNG_S)
            if self._thread.is_alive():
                return  # the device hangs inside PortAudio: the daemon thread ends with the process
        if self._audio is not None:
            self._audio.leave(self)
        with self._lock:
            self._drop("closed")

    @property
    def state(self) -> DeviceState:
        """The current state.

        It is read without the lock: while a device hangs in its opening, callers of `state` must
        not hang too.
        """
        stream, wait_ns = self._stream, max(0, self._retry_at_ns - time.monotonic_ns())
        reason = self._reason or ("" if stream else "audio: looking for devices")
        return DeviceState(
            stream is not None,
            reason if stream is None else "",
            stream.device if stream else "",
            stream.rate if stream else 0,
            self._opened,
            self._lost,
            self._overflows(),
            0.0 if stream else wait_ns / NS,
            stream.latency_s if stream else 0.0,
            self._steadying.chosen_s,
        )

    def tend(self, now_ns: int) -> None:
        """Do one round: notice a lost device or one that stutters, or try to open an absent one.

        `now_ns` is monotonic time in nanoseconds.
        """
        assert self._audio is not None
        with self._lock:
            if self._stream is not None and not self._runs(now_ns):
                self._lost += 1
                name = self._stream.device
                self._drop(f"audio: {name} {'fell silent' if self._stream.active else 'went away'}")
                self._tries = 0
                self._wait(now_ns)
                return
            steady = self._stream is not None and not self._steadying.wants_more()
            if steady or (self._stream is None and now_ns < self._retry_at_ns):
                return
        with self._audio.lock, self._lock:
            if self._stream is not None:
                self._hold_more()
                return  # or a refresh for another device has opened it meanwhile
            try:
                if self._tries or self._lost:
                    self._audio.refresh(self)
                self._start(now_ns)
            except DeviceError as error:
                self._reason = str(error)
                self._wait(now_ns)

    def _runs(self, now_ns: int) -> bool:
        """Whether the open stream still calls back."""
        stream = self._stream
        return stream is not None and stream.active and now_ns - self._called_ns <= _STALLED_S * NS

    def _hold_more(self) -> None:
        """Open a stream that stutters again, with more sound inside; not while it is needed."""
        if self._stream is not None and self._steadying.wants_more():
            held_s = self._stream.latency_s
            if self.suspend():
                self._steadying.more(held_s)
                self.resume()

    def suspend(self) -> bool:
        """See `portaudio.User.suspend`."""
        with self._lock:
            if self._stream is not None:
                self._paused = True
                self._stream.close()
                self._stream = None
            return True

    def resume(self) -> None:
        """See `portaudio.User.resume`."""
        with self._lock:
            if not self._reason:  # an empty reason: it was open before `suspend`
                try:
                    self._start(time.monotonic_ns())
                except DeviceError as error:
                    self._reason = str(error)
                    self._lost += 1
                    self._retry_at_ns = 0
            self._paused = False

    def _start(self, now_ns: int) -> None:
        assert self._audio is not None
        device = self._audio.find(self.config.name, self._output)
        self._called_ns, self._samples = now_ns, SampleClock()
        block_s = self.config.block_ms / 1000
        self._stream = self._audio.open(
            device,
            self._output,
            self.config.rate,
            block_s,
            self._callback,
            self._steadying.latency_s,
        )
        self._reason, self._tries, self._retry_at_ns = "", 0, 0
        self._opened += 1
        self._started(self._stream)

    def _wait(self, now_ns: int) -> None:
        self._retry_at_ns = now_ns + int(_BACKOFF_S[min(self._tries, len(_BACKOFF_S) - 1)] * NS)
        self._tries += 1

    def _drop(self, reason: str) -> None:
        stream, self._stream, self._reason = self._stream, None, reason
        if stream is not None:
            stream.close()
            self._stopped()

    def _watch(self) -> None:
        try:
            while not self._closing.wait(_TEND_S):
                with contextlib.suppress(ConfigError):
                    self.tend(time.monotonic_ns())
                self._tended()
        finally:
            # Only a bug leads here. Python prints its trace. The state must not stay "ok" when no
            # thread watches the device any more.
            if not self._closing.is_set():
                with self._lock:
                    self._drop("audio: the thread that watches the device has failed")

    def _stamp(self, frames: int, rate: int, first_s: float, now_s: float, lost: bool) -> int:
        """Return the host time [ns] of a block's first sample, computed from the stream's time."""
        offset_s = first_s - now_s
        # ALSA's pulse plugin sometimes reports 0 for the stream's time
        if not 0 < (offset_s if self._output else -offset_s) < 1:
            latency = self._stream.latency_s if self._stream is not None else 0.0
            offset_s = latency if self._output else -latency
        return self._samples.stamp(self._clock() + round(offset_s * NS), frames, rate, lost)

    def _overflows(self) -> int:
        return self._device_overflows

    def _stuttered(self, lost: bool) -> None:
        """Count that the device has lost sound, or has run dry. The callback calls this."""
        if lost:
            self._device_overflows += 1
            self._steadying.stuttered(self._called_ns / NS)

    def _callback(
        self, block: NDArray[np.int16], rate: int, first_s: float, now_s: float, lost: bool
    ) -> None:
        raise NotImplementedError

    def _tended(self) -> None:
        """Hook: a round of the background thread is over; no lock is held."""

    def _started(self, stream: Stream) -> None:
        """Hook: the stream has just been started."""

    def _stopped(self) -> None:
        """Hook: the stream has just been closed."""
