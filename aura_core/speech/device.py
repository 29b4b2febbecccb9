"""A sound device that may be absent, or go and come back: a state and a retry, never a crash."""

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
from aura_core.speech.types import NS

_BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 10.0)
_STALLED_S = 2.0  # without a callback: the device is gone, whatever PortAudio says
_TEND_S = 0.2
_HUNG_S = 5.0


@dataclass(frozen=True)
class DeviceConfig(Settings, section="audio"):
    """A sound device, and how sound goes in or out of it. A `name` of digits is a number."""

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
    """`ok`, or the one-line `reason` why not. Counts are since the start."""

    ok: bool
    reason: str
    device: str  # its name, while it is open
    rate: int  # its own, while it is open
    opened: int  # times
    lost: int  # times that it went away while running
    overflows: int  # blocks that nobody read in time, or that the device dropped
    retry_s: float  # until the next try; 0 while ok


class BlockQueue:
    """Blocks from a callback to a reader. Bounded: the oldest go, and are counted."""

    def __init__(self, blocks: int) -> None:
        # in C: an idle ear must cost next to nothing
        self._blocks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._most = max(1, blocks)
        self.overflows = 0

    def put(self, block: Any) -> None:
        """For the callback: never waits."""
        if self._blocks.qsize() >= self._most:
            self.overflows += 1
            self.get(0.0)
        self._blocks.put(block)

    def get(self, timeout_s: float) -> Any | None:
        """The oldest block; None when none came in time."""
        try:
            return self._blocks.get(timeout_s > 0, timeout_s)
        except queue.Empty:
            return None

    def clear(self) -> None:
        """Drop everything."""
        while self.get(0.0) is not None:
            pass


class Device:
    """Opens, watches and opens again. `tend` does one round; `open` starts a thread that
    calls it."""

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
        self._lock = threading.RLock()
        self._reason = "not opened yet"
        self._opened = self._lost = self._tries = self._device_overflows = 0
        self._retry_at_ns = 0
        self._called_ns = 0  # monotonic; when the callback last ran
        self._samples = SampleClock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @staticmethod
    def _default() -> DeviceConfig:
        return DeviceConfig()

    def open(self) -> DeviceState:
        """Try to open the device, and go on trying in the background. Raises ConfigError only
        without sounddevice."""
        self._audio = self._audio or PortAudio.shared()
        self._audio.join(self)
        self.tend(time.monotonic_ns())
        self._thread = threading.Thread(
            target=self._watch, name=type(self).__name__.lower(), daemon=True
        )
        self._thread.start()
        return self.state

    def close(self) -> None:
        """Stop, at once."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_HUNG_S)
            if self._thread.is_alive():
                return  # a device hangs within PortAudio: its thread ends with the process
        if self._audio is not None:
            self._audio.leave(self)
        with self._lock:
            self._drop("closed")

    @property
    def state(self) -> DeviceState:
        """How it is. Without the lock: a device that hangs while it is opened must not hang who
        asks."""
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
        )

    def tend(self, now_ns: int) -> None:
        """One round: notice a lost device, try to open an absent one when it is time. `now_ns` is
        monotonic."""
        assert self._audio is not None
        with self._lock:
            if self._stream is not None:
                silent = now_ns - self._called_ns > _STALLED_S * NS
                if self._stream.active and not silent:
                    return
                self._lost += 1
                name = self._stream.device
                self._drop(f"audio: {name} {'fell silent' if self._stream.active else 'went away'}")
                self._tries = 0
                self._wait(now_ns)
                return
            if now_ns < self._retry_at_ns:
                return
        with self._audio.lock, self._lock:
            if self._stream is not None:
                return  # a refresh that another device asked for has opened it
            try:
                if self._tries or self._lost:
                    self._audio.refresh(self)
                self._start(now_ns)
            except DeviceError as error:
                self._reason = str(error)
                self._wait(now_ns)

    def suspend(self) -> bool:
        """See portaudio.User."""
        with self._lock:
            if self._stream is not None:
                self._stream.close()
                self._stream = None
            return True

    def resume(self) -> None:
        """See portaudio.User."""
        with self._lock:
            if not self._reason:  # it was open
                try:
                    self._start(time.monotonic_ns())
                except DeviceError as error:
                    self._reason = str(error)
                    self._lost += 1
                    self._retry_at_ns = 0

    def _start(self, now_ns: int) -> None:
        assert self._audio is not None
        device = self._audio.find(self.config.name, self._output)
        self._called_ns, self._samples = now_ns, SampleClock()
        block_s = self.config.block_ms / 1000
        self._stream = self._audio.open(
            device, self._output, self.config.rate, block_s, self._callback
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
        finally:
            # a bug: its trace is printed, and a device that nobody watches is not ok
            if not self._closing.is_set():
                with self._lock:
                    self._drop("audio: what watches the device has failed")

    def _stamp(self, frames: int, rate: int, first_s: float, now_s: float, lost: bool) -> int:
        """The host's time of a block's first sample, from the stream's."""
        offset_s = first_s - now_s
        # ALSA's pulse plugin gives 0 at times
        if not 0 < (offset_s if self._output else -offset_s) < 1:
            latency = self._stream.latency_s if self._stream is not None else 0.0
            offset_s = latency if self._output else -latency
        return self._samples.stamp(self._clock() + round(offset_s * NS), frames, rate, lost)

    def _overflows(self) -> int:
        return self._device_overflows

    def _callback(
        self, block: NDArray[np.int16], rate: int, first_s: float, now_s: float, lost: bool
    ) -> None:
        raise NotImplementedError

    def _started(self, stream: Stream) -> None:
        """The stream runs."""

    def _stopped(self) -> None:
        """The stream is gone."""
