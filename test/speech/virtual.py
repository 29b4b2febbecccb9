"""The virtual devices of `aura_core.bench.speech.virtual` for a test.

The loudspeaker is heard without a loss.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from aura_core.bench.speech.virtual import VirtualAudio, missing, virtual_devices


def plug(audio: VirtualAudio) -> None:
    """Plug in the robot's loudspeaker, and `ears`, a microphone that hears only it."""
    audio.add_sink("speaker")
    audio.add_source("ears", "speaker")


def freeze(audio: VirtualAudio, frozen: bool) -> None:
    """Stop the sound server like a device that hangs, or let it continue."""
    audio.server.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)


@pytest.fixture
def virtual_audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualAudio]:
    """Virtual devices for this process and those that it starts.

    A test speaks into `speaker`, and hears with `ears`.
    """
    if reason := missing():
        pytest.skip(reason)
    with virtual_devices(tmp_path / "a") as audio:
        audio.add_source("ears", "speaker")
        for name in ("PULSE_SERVER", "XDG_RUNTIME_DIR"):
            monkeypatch.setenv(name, audio.environment[name])
        monkeypatch.setenv("PULSE_SINK", "speaker")
        monkeypatch.setenv("PULSE_SOURCE", "ears")
        yield audio
        freeze(audio, False)
