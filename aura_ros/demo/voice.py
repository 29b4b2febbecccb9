"""The demo's user with a voice: a synthetic one on a virtual microphone, or a person."""

from __future__ import annotations

import os
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rclpy
from std_msgs.msg import Bool, String

from aura_core.bench.speech.virtual import VirtualAudio, virtual_devices
from aura_core.bench.speech.voices import USERS, available, pad, say
from aura_core.errors import AuraError, InputError
from aura_core.sim.episode import Ask, Episode
from aura_core.sim.showcase import retimed
from aura_core.speech.portaudio import PortAudio
from aura_ros import qos
from aura_ros.demo.user import DemoUser
from aura_ros.voice_bench.taps import RATE, Tap, play

_EARS_S = 60.0


@dataclass
class Devices:
    """The sound devices of a demo; `virtual` is None for real ones."""

    description: str
    environment: Mapping[str, str]
    virtual: VirtualAudio | None


@contextmanager
def open_devices(which: str, wav: Path) -> Iterator[Devices]:
    """Real devices, or virtual ones whose sound is written to `wav` at the end.

    The user is the left channel, the robot the right one.
    """
    if which != "virtual" and (which == "real" or _has_real()):
        yield Devices("sound devices: this machine's own; say what is shown", os.environ, None)
        return
    with (
        tempfile.TemporaryDirectory(prefix="av") as folder,
        virtual_devices(Path(folder) / "a") as audio,
    ):
        environment = {**audio.environment, "PULSE_SINK": "speaker", "PULSE_SOURCE": "microphone"}
        taps = [Tap(f"{sink}.monitor", audio.environment) for sink in ("user", "speaker")]
        audio.couple()
        try:
            yield Devices(
                f"sound devices: virtual ones; what they carry goes to {wav}", environment, audio
            )
        finally:
            for tap in taps:
                tap.close()
            _write(wav, *(b"".join(tap.samples) for tap in taps))


def _has_real() -> bool:
    try:
        audio = PortAudio.shared()
        return all(audio.find(None, output) is not None for output in (False, True))
    except AuraError:
        return False


def _write(path: Path, left: bytes, right: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = min(len(left), len(right))
    both = np.stack([np.frombuffer(side[:size], np.int16) for side in (left, right)], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.ascontiguousarray(both).tobytes())


class VoiceUser(DemoUser):
    """Says its questions aloud while the robot is silent, and notes when they were understood."""

    def __init__(
        self, episode: Episode, show: Callable[[int, str, float, str], None], devices: Devices
    ) -> None:
        super().__init__(episode, show)
        self._devices = devices
        self._voice = next((v for v in USERS if available(v)), "")
        if devices.virtual is not None and not self._voice:
            raise InputError("no synthetic voice is installed: apt install flite espeak-ng")
        self._pending: list[Ask] = []  # to be said, oldest first
        self._robot_speaks, self._ears_ready, self._quiet_at = False, False, 0.0
        self._understood: list[tuple[int, str]] = []  # second and text
        self._said: list[Ask] = []
        self.create_subscription(String, "asr/text", self._on_text, qos.EVENTS)
        self.create_subscription(Bool, "robot_speaking", self._on_robot, qos.LATCHED)
        self.create_subscription(Bool, "user_speaking", self._on_ears, qos.LATCHED)
        self.create_timer(0.1, self._speak)

    def wait_for_ears(self) -> None:
        """Wait until the speech input listens. Raises `InputError` when it does not."""
        end = time.monotonic() + _EARS_S
        while not self._ears_ready:
            if time.monotonic() > end:
                raise InputError("the ears did not start; see voice_node.log beside the picture")
            rclpy.spin_once(self, timeout_sec=0.1)

    def ask(self, ask: Ask) -> None:
        """See `DemoUser`. The question is said as soon as nobody speaks."""
        self._asked.append(ask)
        self._pending.append(ask)

    def _on_ears(self, msg: Bool) -> None:
        self._ears_ready = True

    def _on_robot(self, msg: Bool) -> None:
        self._robot_speaks, self._quiet_at = bool(msg.data), time.monotonic()

    def _speak(self) -> None:
        if not self._pending or self._robot_speaks or time.monotonic() - self._quiet_at < 0.5:
            return
        ask = self._pending.pop(0)
        self._said.append(ask)
        chunk = max(self.beats, default=0) + 1
        if self._devices.virtual is None:
            self._show(chunk, "ask", 0.0, f"(please say) {ask.text}")
            return
        self._show(chunk, "ask", 0.0, f"(says) {ask.text}")
        play(pad(say(ask.text, self._voice), 50, 100), "user", self._devices.environment)

    def _on_text(self, msg: String) -> None:
        chunk = max(self.beats, default=0) + 1
        self._understood.append((chunk, msg.data))
        self._show(chunk, "ask", 0.0, f"(understood) {msg.data}")

    def episode(self) -> Episode:
        """The episode with each question where its answer came, else where it was understood."""
        answered = [self.chunk_of(h.stamp_ns) for h in self.heard if h.kind == "real-time"]
        chunks = {}
        for ask, (chunk, _) in zip(self._said, self._understood, strict=False):
            chunks[ask.id] = min((c for c in answered if chunk <= c <= chunk + 2), default=chunk)
        return retimed(self._episode, chunks)
