"""A microphone and a loudspeaker on virtual devices, in real time. The tests are few and short."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import numpy as np
import pytest
from virtual import plug

from aura_core.bench.speech.virtual import VirtualAudio
from aura_core.speech.devices import DeviceConfig, Loudspeaker, Microphone, list_devices
from aura_core.speech.portaudio import PortAudio
from aura_core.speech.pulse import pactl
from aura_core.speech.types import Audio


def hear(mic: Microphone, seconds: float) -> np.ndarray:
    """Return what the microphone gives within this time."""
    until, got = time.monotonic() + seconds, [np.zeros(0, dtype=np.int16)]
    while time.monotonic() < until:
        if (audio := mic.read()) is not None:
            got.append(audio.samples)
    return np.concatenate(got)


def wait(condition: Any, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(condition())


def tone(seconds: float, rate: int = 22_050) -> Audio:
    return Audio(
        (10_000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.int16),
        rate,
    )


@pytest.mark.audio
def test_a_virtual_loudspeaker_is_heard_stopped_unplugged_and_plugged_back(
    virtual_audio: VirtualAudio,
) -> None:
    pytest.importorskip("sounddevice")
    PortAudio.shared().refresh(None)  # type: ignore[arg-type]  # an earlier test may have looked at other devices
    assert any("pulse" in line for line in list_devices())
    mic, speaker = Microphone(DeviceConfig("pulse")), Loudspeaker(DeviceConfig("pulse", 48_000))
    try:
        assert mic.open().ok and speaker.open().ok
        hear(mic, 0.5)
        speaker.write(tone(0.5), "whole", last=True)
        sound = hear(mic, 1.5)
        loud = np.abs(sound) > 500
        assert 0.45 < loud.sum() / 16_000 / 0.97 < 0.55 and speaker.buffer.finished() == ["whole"]
        spectrum = np.abs(np.fft.rfft(sound))
        assert abs(np.argmax(spectrum) * 16_000 / len(sound) - 440) < 2

        speaker.write(tone(5), "cut")
        assert wait(lambda: speaker.buffer.played("cut") > 24_000, 5)
        played = speaker.buffer.stop()["cut"]
        sound = hear(mic, 1.5)
        loud = np.flatnonzero(np.abs(sound) > 500)
        assert len(sound) - loud.max() > 8000  # silent for the rest
        assert abs((loud.max() - loud.min()) / 16_000 - played / 48_000) < 0.1  # and at once

        for sink in ("speaker", "user", "room"):  # all: else the streams are moved there
            virtual_audio.remove(sink)
        assert wait(lambda: not mic.state.ok and not speaker.state.ok, 8)
        assert speaker.write(tone(0.1), "lost") == 0
        plug(virtual_audio)
        assert wait(lambda: mic.state.ok and speaker.state.ok, 12)
        assert mic.state.lost >= 1 and "\n" not in mic.state.reason
        hear(mic, 0.3)
        speaker.write(tone(0.3), "again", last=True)
        assert np.abs(hear(mic, 1.0)).max() > 5000
    finally:
        mic.close()
        speaker.close()


@pytest.mark.audio
def test_a_loudspeaker_that_was_moved_to_another_sink_is_brought_back(
    virtual_audio: VirtualAudio,
) -> None:
    """Regression: PulseAudio left the stream on the other sink, where nobody heard it."""
    pytest.importorskip("sounddevice")
    PortAudio.shared().refresh(None)  # type: ignore[arg-type]

    def sink() -> str:
        """The name of the sink that the stream of this process is on."""
        sinks = {s["index"]: s["name"] for s in json.loads(pactl(["-f", "json", "list", "sinks"]))}
        streams = json.loads(pactl(["-f", "json", "list", "sink-inputs"]))
        own = [
            s for s in streams if s["properties"].get("application.process.id") == str(os.getpid())
        ]
        return sinks[own[0]["sink"]] if own else ""

    speaker = Loudspeaker(DeviceConfig("pulse", 48_000))
    try:
        assert speaker.open().ok and wait(lambda: sink() == "speaker", 5)
        virtual_audio.remove("speaker")
        assert wait(lambda: sink() not in ("", "speaker"), 5) and speaker.state.ok
        plug(virtual_audio)
        assert wait(lambda: sink() == "speaker", 12)
    finally:
        speaker.close()
