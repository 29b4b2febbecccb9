"""PortAudio through sounddevice, the one place that imports it: streams, names, and finding devices
anew."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from aura_core.errors import AuraError, ConfigError, how_to_install


class DeviceError(AuraError):
    """A device is absent, or does not do what is asked of it. It may later."""


@dataclass(frozen=True)
class DeviceInfo:
    """One device, as PortAudio numbers it."""

    index: int
    name: str
    inputs: int  # channels
    outputs: int
    rate: int  # its own, in Hz


class Stream(Protocol):
    """A running stream."""

    rate: int
    channels: int
    latency_s: float
    device: str

    @property
    def active(self) -> bool:
        """Whether it still calls back."""
        ...

    def close(self) -> None:
        """Stop at once."""
        ...


# samples (n, channels) int16, rate [Hz], stream time of the first sample [s], and now [s], whether
# samples were lost
Callback = Callable[[Any, int, float, float, bool], None]


class User(Protocol):
    """Whoever holds a stream and can do without it for a moment."""

    def suspend(self) -> bool:
        """Close the stream so that devices can be found anew; False: not now."""
        ...

    def resume(self) -> None:
        """Open it again."""
        ...


class PortAudio:
    """sounddevice. Constructing it imports the library; `shared()` is the process's one."""

    _shared: PortAudio | None = None
    _guard = threading.Lock()

    def __init__(self) -> None:
        try:
            import sounddevice
        except ModuleNotFoundError:
            raise ConfigError(
                f"audio: sounddevice is not installed: {how_to_install('voice')}"
            ) from None
        except OSError:
            raise ConfigError(
                "audio: the PortAudio library is not installed: apt install libportaudio2"
            ) from None
        self._sd = sounddevice
        self._users: list[User] = []
        self.lock = threading.RLock()  # taken before a device's own lock, never after

    @classmethod
    def shared(cls) -> PortAudio:
        """PortAudio keeps one list of devices for a process: so do we."""
        with cls._guard:
            if cls._shared is None:
                cls._shared = PortAudio()
            return cls._shared

    def join(self, user: User) -> None:
        """Take part in `refresh`."""
        with self.lock:
            self._users.append(user)

    def leave(self, user: User) -> None:
        """Take no part any more."""
        with self.lock:
            if user in self._users:
                self._users.remove(user)

    def refresh(self, asking: User) -> None:
        """Find devices anew. No stream may be open then: the others are closed for a moment, if
        they allow it.

        Raises DeviceError where PortAudio cannot (the sound server is gone); the next try may.
        """
        with self.lock:
            suspended = []
            try:
                for user in self._users:
                    if user is not asking:
                        if not user.suspend():
                            return
                        suspended.append(user)
                # a try before this one ended here
                with contextlib.suppress(self._sd.PortAudioError):
                    self._sd._terminate()
                try:
                    self._sd._initialize()
                except self._sd.PortAudioError as error:
                    raise DeviceError(
                        f"audio: devices cannot be found: {_one_line(error)}"
                    ) from None
            finally:
                for user in suspended:
                    user.resume()

    def devices(self) -> list[DeviceInfo]:
        """Every device. Raises DeviceError."""
        with self.lock:
            try:
                found = list(self._sd.query_devices())
            except self._sd.PortAudioError as error:
                raise DeviceError(f"audio: devices cannot be listed: {_one_line(error)}") from None
        return [
            DeviceInfo(
                i,
                d["name"],
                d["max_input_channels"],
                d["max_output_channels"],
                round(d["default_samplerate"]),
            )
            for i, d in enumerate(found)
        ]

    def find(self, wanted: str | int | None, output: bool) -> DeviceInfo:
        """The device of this index, of this name or a part of it, or the default one (None). Raises
        DeviceError."""
        kind = "output" if output else "input"
        known = [d for d in self.devices() if (d.outputs if output else d.inputs)]
        if wanted is None or wanted == "":
            default = self._sd.default.device[1 if output else 0]
            found = [d for d in known if d.index == default] or known
        elif isinstance(wanted, int):
            found = [d for d in known if d.index == wanted]
        else:
            found = [d for d in known if d.name == wanted] or [
                d for d in known if wanted.lower() in d.name.lower()
            ]
        if found:
            return found[0]
        there = ", ".join(f"{d.index}: {d.name}" for d in known) or "none"
        what = f"{kind} device {wanted!r}" if wanted not in (None, "") else f"{kind} device"
        raise DeviceError(f"audio: there is no {what}; there is {there}")

    def open(
        self, device: DeviceInfo, output: bool, rate: int, block_s: float, callback: Callback
    ) -> Stream:
        """Open and start a mono int16 stream at `rate`, or at the device's own rate or channels.
        Raises DeviceError."""
        channels = device.outputs if output else device.inputs
        failure = ""
        with self.lock:
            # A device that lies about its rate or has no mono is asked again for what is its own.
            for hz, n in dict.fromkeys(
                [(rate, 1), (device.rate, 1), (rate, 2), (device.rate, min(channels, 2))]
            ):
                try:
                    return _Stream(self._sd, device, output, hz, n, block_s, callback)
                except (self._sd.PortAudioError, ValueError) as error:
                    failure = _one_line(error)
        raise DeviceError(f"audio: {device.name} cannot be opened: {failure}")


class _Stream:
    """A sounddevice stream."""

    def __init__(
        self,
        sd: Any,
        device: DeviceInfo,
        output: bool,
        rate: int,
        channels: int,
        block_s: float,
        callback: Callback,
    ) -> None:
        def call(block: Any, frames: int, time: Any, status: Any) -> None:
            first = time.outputBufferDacTime if output else time.inputBufferAdcTime
            callback(block, rate, first, time.currentTime, bool(status))

        make = sd.OutputStream if output else sd.InputStream
        self._stream = make(
            samplerate=rate,
            channels=channels,
            device=device.index,
            dtype="int16",
            callback=call,
            blocksize=int(rate * block_s),
            latency="low",
        )
        try:
            self._stream.start()
        except sd.PortAudioError:
            self._stream.close()
            raise
        self.rate, self.channels, self.device = rate, channels, device.name
        self.latency_s = float(self._stream.latency)
        self._error = sd.PortAudioError

    @property
    def active(self) -> bool:
        try:
            return bool(self._stream.active)
        except self._error:
            return False

    def close(self) -> None:
        self._stream.close(ignore_errors=True)  # aborts what plays


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def list_devices() -> list[str]:
    """One line a device, for a helpful message: index, name, channels, rate. Raises ConfigError
    without PortAudio, DeviceError where it fails."""
    return [
        f"{d.index}: {d.name} ({d.inputs} in, {d.outputs} out, {d.rate} Hz)"
        for d in PortAudio.shared().devices()
    ]
