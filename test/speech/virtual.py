"""A private PulseAudio without hardware: what the virtual loudspeaker plays can be heard by the virtual microphone."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

RATE = 48_000


def missing() -> str:
    """What virtual audio lacks on this machine; empty: nothing."""
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
    """Two loudspeakers and two microphones. `speaker` is the robot's; `voice` is where a test plays the user's voice.

    `microphone` hears `voice` alone; `ears` is the robot's own loudspeaker, heard without a loss.
    """

    folder: Path
    environment: dict[str, str]
    server: subprocess.Popen[bytes]
    modules: dict[str, str] = field(default_factory=dict)  # of the sinks, by name

    def pactl(self, *arguments: str) -> str:
        """Run pactl on this server; what it printed."""
        done = subprocess.run(["pactl", *arguments], env=self.environment, capture_output=True, text=True, timeout=10)
        if done.returncode:
            raise RuntimeError(f"pactl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def plug(self, name: str) -> None:
        """Add a sink, and the microphone that hears it."""
        # Without norewinds the first callback of a stream comes two seconds late.
        self.modules[name] = self.pactl(
            "load-module", "module-null-sink", f"sink_name={name}", f"rate={RATE}", "channels=1", "norewinds=1"
        )
        source = {"voice": "microphone", "speaker": "ears"}[name]
        self.pactl("load-module", "module-remap-source", f"master={name}.monitor", f"source_name={source}")

    def unplug(self, name: str) -> None:
        """Take a sink away, with the microphone that hears it."""
        self.pactl("unload-module", self.modules.pop(name))

    def freeze(self, frozen: bool) -> None:
        """Stop the server in its tracks, as a device that hangs; or let it go on."""
        self.server.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)


def start(folder: Path) -> VirtualAudio:
    """A server of its own in this (short) folder, with both sinks. Environment variables point programs at it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    socket = folder / "native.sock"
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("PULSE_") and k != "DBUS_SESSION_BUS_ADDRESS"
    }
    environment.update(
        HOME=str(folder), XDG_RUNTIME_DIR=str(folder), XDG_CONFIG_HOME=str(folder), PULSE_SERVER=f"unix:{socket}"
    )
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--system=false", "--use-pid-file=no"]
    command += ["--disable-shm=yes", "--realtime=no", "--high-priority=no", "--log-target=stderr"]
    command += ["-L", f"module-native-protocol-unix auth-anonymous=1 socket={socket}"]
    # Its log goes to a file: a pipe that nobody reads would stop it.
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(
            command, env={**environment, "PULSE_SERVER": ""}, stdout=log, stderr=log, start_new_session=True
        )
    audio = VirtualAudio(folder, environment, server)
    until = time.monotonic() + 10
    while subprocess.run(["pactl", "info"], env=environment, capture_output=True).returncode:
        if server.poll() is not None or time.monotonic() > until:
            stop(audio)
            raise RuntimeError(f"pulseaudio did not start: {(folder / 'log').read_text()[-500:]}")
        time.sleep(0.05)
    for name in ("speaker", "voice"):
        audio.plug(name)
    return audio


def stop(audio: VirtualAudio) -> None:
    """End the server."""
    audio.freeze(False)
    audio.server.terminate()
    try:
        audio.server.wait(5)
    except subprocess.TimeoutExpired:
        audio.server.kill()
        audio.server.wait()


@pytest.fixture
def virtual_audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualAudio]:
    """Virtual devices for this process and those it starts: speak into `speaker`, hear through `ears`."""
    if reason := missing():
        pytest.skip(reason)
    audio = start(tmp_path / "a")
    for name in ("PULSE_SERVER", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, audio.environment[name])
    monkeypatch.setenv("PULSE_SINK", "speaker")
    monkeypatch.setenv("PULSE_SOURCE", "ears")
    try:
        yield audio
    finally:
        stop(audio)
