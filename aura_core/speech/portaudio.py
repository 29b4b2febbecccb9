"""PortAudio through sounddevice: streams, device names, and searching for devices again.

This is the only file that imports sounddevice.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from aura_core.errors import AuraError, ConfigError
from aura_core.extras import how_to_install


class DeviceError(AuraError):
    """A device is absent, or refuses what is asked of it. A later try may succeed."""


@dataclass(frozen=True)
class DeviceInfo:
    """One device, with the index that PortAudio gives it."""

    index: int
    name: str
    inputs: int  # channels
    outputs: int
    rate: int  # default sample rate in Hz


class Stream(Protocol):
    """A running audio stream."""

    rate: int
    channels: int
    latency_s: float
    device: str

    @property
    def active(self) -> bool:
        """Whether the stream still calls its callback."""
        ...

    def close(self) -> None:
        """Stop at once, and drop what has not been played."""
        ...


# Arguments: samples (n, channels) int16, rate [Hz], stream time of the first sample [s], current
# stream time [s], whether samples were lost.
Callback = Callable[[Any, int, float, float, bool], None]


class User(Protocol):
    """An owner of a stream who can close it for a moment."""

    def suspend(self) -> bool:
        """Close the stream so that devices can be searched for again. False: not possible now."""
        ...

    def resume(self) -> None:
        """Open the stream again."""
        ...


class PortAudio:
    """Access to sounddevice. The constructor imports the library.

    PortAudio keeps one list of devices for each process, so use `shared()`. Raises ConfigError
    where sounddevice or the PortAudio library is not installed.
    """

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
        """Return the one instance of this process. Raises ConfigError as the constructor does."""
        with cls._guard:
            if cls._shared is None:
                cls._shared = PortAudio()
            return cls._shared

    def join(self, user: User) -> None:
        """Let `user` take part in `refresh`."""
        with self.lock:
            self._users.append(user)

    def leave(self, user: User) -> None:
        """Let `user` take no part in `refresh` any more."""
        with self.lock:
            if user in self._users:
                self._users.remove(user)

    def refresh(self, asking: User) -> None:
        """Search for devices again.

        PortAudio can do this only while no stream is open. The streams of the other users are
        closed for a moment. If one of them does not allow it, nothing happens. Raises DeviceError
        where PortAudio fails, for example because the sound server is gone. A later try may
        succeed.
        """
        with self.lock:
            suspended = []
            try:
                for user in self._users:
                    if user is not asking:
                        if not user.suspend():
                            return
                        suspended.append(user)
                # the last refresh may have failed after this call: then there is nothing to end
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
        """Return every device. Raises DeviceError."""
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
        """Return a device. Raises DeviceError if there is none.

        Args:
            wanted: its index, its name or a part of the name; None: the default device.
            output: whether a loudspeaker is wanted, else a microphone.
        """
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
        self,
        device: DeviceInfo,
        output: bool,
        rate: int,
        block_s: float,
        callback: Callback,
        latency_s: float | None = None,
    ) -> Stream:
        """Open and start a stream of int16. Raises DeviceError.

        Args:
            rate: wanted sample rate in Hz. The device's own rate is used if it refuses this one.
            block_s: length of a block in seconds.
            callback: gets every block, with one channel, or two if the device has no mono.
            latency_s: length of the sound that the device holds in seconds; None: as little as it
                offers.
        """
        channels = device.outputs if output else device.inputs
        failure = ""
        with self.lock:
            # A device may refuse the rate, or mono: then its own rate and two channels are tried.
            for hz, n in dict.fromkeys(
                [(rate, 1), (device.rate, 1), (rate, 2), (device.rate, min(channels, 2))]
            ):
                try:
                    return _Stream(self._sd, device, output, hz, n, block_s, callback, latency_s)
                except (self._sd.PortAudioError, ValueError) as error:
                    failure = _one_line(error)
        raise DeviceError(f"audio: {device.name} cannot be opened: {failure}")


class _Stream:
    """A stream of sounddevice; see `Stream`."""

    def __init__(
        self,
        sd: Any,
        device: DeviceInfo,
        output: bool,
        rate: int,
        channels: int,
        block_s: float,
        callback: Callback,
        latency_s: float | None,
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
            latency="low" if latency_s is None else latency_s,
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
    """Return one line for each device: index, name, channels, rate.

    Raises ConfigError without PortAudio, and DeviceError where PortAudio fails.
    """
    return [
        f"{d.index}: {d.name} ({d.inputs} in, {d.outputs} out, {d.rate} Hz)"
        for d in PortAudio.shared().devices()
    ]
