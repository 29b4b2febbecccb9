"""Sound devices without hardware, for tests, benchmarks and the demo: a private PulseAudio server.

Its sinks (outputs) are `speaker`, the robot's loudspeaker, and `user`, where a synthetic user
speaks. The source (input) `microphone` hears the user and, after `couple`, the loudspeaker too. The
monitor of each sink can be recorded.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aura_core.errors import InputError

RATE = 48_000
_START_S = 10.0
_REAL_TIME = 5  # the priority that PulseAudio asks for by default


def missing() -> str:
    """What this machine lacks for virtual devices; "" when nothing."""
    for program, package in (("pulseaudio", "pulseaudio"), ("pactl", "pulseaudio-utils")):
        if shutil.which(program) is None:
            return f"{program} is not installed: apt install {package}"
    if ctypes.util.find_library("portaudio") is None:
        return "the PortAudio library is not installed: apt install libportaudio2"
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        return "ALSA's pulse plugin is not installed: apt install libasound2-plugins"
    return ""


@dataclass
class VirtualAudio:
    """A running server; programs with `environment` use it."""

    folder: Path
    environment: dict[str, str]
    server: subprocess.Popen[bytes]
    _modules: dict[str, str] = field(default_factory=dict)  # by what they add

    def pactl(self, *arguments: str) -> str:
        """Run pactl on this server, and return what it printed.

        Raises `InputError` when it fails.
        """
        done = subprocess.run(
            ["pactl", *arguments], env=self.environment, capture_output=True, text=True, timeout=10
        )
        if done.returncode:
            raise InputError(f"pactl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def add_sink(self, name: str) -> None:
        """Add a loudspeaker."""
        # Without norewinds the first callback of a stream is two seconds late.
        self._add(
            name,
            "module-null-sink",
            f"sink_name={name}",
            f"rate={RATE}",
            "channels=1",
            "norewinds=1",
        )

    def add_source(self, name: str, sink: str) -> None:
        """Add a microphone that hears what is played on `sink`."""
        self._add(name, "module-remap-source", f"master={sink}.monitor", f"source_name={name}")

    def remove(self, name: str) -> None:
        """Remove a loudspeaker with the microphones that hear it, or a microphone."""
        self.pactl("unload-module", self._modules.pop(name))

    def _add(self, name: str, *arguments: str) -> None:
        self._modules[name] = self.pactl("load-module", *arguments)

    def lead(self, sink: str, into: str) -> None:
        """Play on `into` too what is played on `sink`."""
        self.pactl(
            "load-module",
            "module-loopback",
            f"source={sink}.monitor",
            f"sink={into}",
            "latency_msec=20",
            "adjust_time=0",
        )

    def couple(self, percent: int = 40) -> None:
        """Let the microphone hear the loudspeaker, at this share of its amplitude.

        This is a user without a headset.
        """
        self.lead("speaker", "room")
        newest = self.pactl("list", "short", "sink-inputs").splitlines()[-1].split()[0]
        self.pactl("set-sink-input-volume", newest, str(round(65536 * (percent / 100) ** (1 / 3))))


def like_hardware(process: int) -> bool:
    """Give a process or a thread (by its id) the priority that sound servers and devices have.

    Hardware does not wait for a processor, and desktops run their sound server in real time. A
    virtual room without this stutters on a busy machine, and what is measured then is the room.
    What the process starts has an ordinary priority again. Returns False where it is not allowed.
    """
    try:
        os.sched_setscheduler(
            process, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(_REAL_TIME)
        )
    except (PermissionError, AttributeError):  # AttributeError: a system without these priorities
        return False
    return True


def real_time_allowed() -> bool:
    """Whether this user may give real-time priority (`like_hardware`)."""
    asleep = subprocess.Popen(["sleep", "10"])
    try:
        return like_hardware(asleep.pid)
    finally:
        asleep.kill()
        asleep.wait()


@contextmanager
def virtual_devices(folder: Path) -> Iterator[VirtualAudio]:
    """A private server with its files in `folder`.

    The path must be short, because it holds a socket. Raises `InputError` naming what is not
    installed, or with what the server said.
    """
    if reason := missing():
        raise InputError(f"virtual sound devices: {reason}")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    socket = folder / "native.sock"
    own = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("PULSE_") and k != "DBUS_SESSION_BUS_ADDRESS"
    }
    here = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [
        "pulseaudio",
        "-n",
        "--daemonize=no",
        "--exit-idle-time=-1",
        "--system=false",
        "--use-pid-file=no",
        "--disable-shm=yes",
        "--realtime=yes",  # where it is allowed: desktops run it so (see `like_hardware`)
        "--high-priority=yes",
        "--log-target=stderr",
        "-L",
        f"module-native-protocol-unix auth-anonymous=1 socket={socket}",
    ]
    with open(folder / "log", "wb") as log:  # not a pipe: a full pipe would stop the server
        server = subprocess.Popen(
            command, env=own | here, stdout=log, stderr=log, start_new_session=True
        )
    audio = VirtualAudio(
        folder, own | {"PULSE_SERVER": f"unix:{socket}", "XDG_RUNTIME_DIR": str(folder)}, server
    )
    try:
        _wait(audio)
        for name in ("speaker", "user", "room"):
            audio.add_sink(name)
        audio.lead("user", "room")
        audio.add_source("microphone", "room")
        yield audio
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(audio: VirtualAudio) -> None:
    until = time.monotonic() + _START_S
    while subprocess.run(["pactl", "info"], env=audio.environment, capture_output=True).returncode:
        if audio.server.poll() is not None or time.monotonic() > until:
            said = (audio.folder / "log").read_text(errors="replace").splitlines() or ["nothing"]
            raise InputError(f"pulseaudio did not start; it said: {said[-1]}")
        time.sleep(0.05)
