"""Utterances and what became of them, on a loudspeaker in a fake sounddevice."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from fake_sound import FakeSound

from aura_core.speech.devices import DeviceConfig, Loudspeaker
from aura_core.speech.portaudio import PortAudio
from aura_core.speech.types import NS, Audio
from aura_core.speech.utterances import UNDERRUN_S, Ended, Utterances

RATE = 48_000


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> FakeSound:
    fake = FakeSound()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)  # type: ignore[arg-type]
    return fake


@pytest.fixture
def speaker(sound: FakeSound) -> Loudspeaker:
    device = Loudspeaker(DeviceConfig(rate=RATE), audio=PortAudio())
    device._audio.join(device)  # type: ignore[union-attr]  # `open` without its thread
    device.tend(0)
    return device


def tone(seconds: float) -> Audio:
    return Audio(np.ones(round(seconds * RATE), np.int16), RATE)


def play(sound: FakeSound, seconds: float) -> None:
    """Return what the device asks for in so many seconds."""
    sound.streams[-1].call(np.empty((round(seconds * RATE), 1), np.int16))


def test_an_utterance_ends_when_its_last_sample_was_played(
    sound: FakeSound, speaker: Loudspeaker
) -> None:
    utterances = Utterances(speaker)
    assert utterances.write(tone(1.0), "a", last=False) == [] and utterances.under_way
    play(sound, 1.0)
    assert utterances.poll() == [] and utterances.under_way  # more may follow
    assert utterances.write(tone(0.5), "a", last=True) == []
    play(sound, 1.0)
    assert utterances.poll() == [Ended("a", 1.5, True)] and not utterances.under_way
    assert utterances.poll() == []


def test_a_stop_ends_all_of_them(sound: FakeSound, speaker: Loudspeaker) -> None:
    utterances = Utterances(speaker)
    utterances.write(tone(1.0), "a", last=True)
    utterances.write(tone(1.0), "b", last=False)
    play(sound, 0.5)
    # with the fade of 5 ms
    assert utterances.stop() == [Ended("a", 0.505, False), Ended("b", 0.0, False)]
    assert not utterances.under_way and utterances.poll() == []


@pytest.mark.parametrize("last", [False, True])
def test_a_device_that_goes_away_ends_what_it_was_saying(
    sound: FakeSound, speaker: Loudspeaker, last: bool
) -> None:
    utterances = Utterances(speaker)
    utterances.write(tone(1.0), "a", last)
    play(sound, 0.25)
    sound.streams[0].active = False
    speaker.tend(NS)
    assert utterances.poll() == [Ended("a", 0.255, False)]
    assert not utterances.under_way and utterances.poll() == []


def test_without_a_device_nothing_of_an_utterance_was_heard(
    sound: FakeSound, speaker: Loudspeaker
) -> None:
    sound.streams[0].active = False
    speaker.tend(NS)
    utterances = Utterances(speaker)
    assert utterances.write(tone(1.0), "a", last=False) == [] and not utterances.under_way
    assert utterances.write(tone(0.0), "a", last=True) == [Ended("a", 0.0, False)]


def test_an_utterance_whose_last_piece_never_comes_is_given_up(
    sound: FakeSound, speaker: Loudspeaker
) -> None:
    now = 0
    utterances = Utterances(speaker, lambda: now)
    utterances.write(tone(1.0), "a", last=False)
    now = 60 * NS  # a device that hangs: it holds sound all the same
    assert utterances.poll() == []
    play(sound, 1.0)
    now += int(UNDERRUN_S * NS)
    assert utterances.poll() == [] and utterances.under_way
    now += 1
    assert utterances.poll() == [Ended("a", 1.0, False)] and not utterances.under_way
    # nothing is said late
    assert utterances.write(tone(1.0), "a", last=False) == [] and not utterances.under_way
    assert speaker.buffer.idle


def test_an_utterance_that_was_left_is_given_up_while_others_are_spoken(
    sound: FakeSound, speaker: Loudspeaker
) -> None:
    """A mouth that was restarted gives its sentences new names, and never ends the old ones."""
    now = 0
    utterances = Utterances(speaker, lambda: now)
    utterances.write(tone(1.0), "old:1", last=False)
    play(sound, 1.0)
    utterances.poll()
    ended: list[Ended] = []
    for second in range(6):
        now = second * NS
        utterances.write(tone(1.0), "new:1", last=second == 5)
        play(sound, 1.0)
        ended += utterances.poll()
    assert (
        ended == [Ended("old:1", 1.0, False), Ended("new:1", 6.0, True)]
        and not utterances.under_way
    )


def test_a_slow_voice_is_not_given_up(sound: FakeSound, speaker: Loudspeaker) -> None:
    now = 0
    utterances = Utterances(speaker, lambda: now)
    for second in range(0, 30, 2):
        now = second * NS
        utterances.write(tone(0.5), "a", last=False)
        play(sound, 2.0)
        assert utterances.poll() == []
    assert utterances.write(tone(0.5), "a", last=True) == [] and utterances.under_way
    play(sound, 2.0)
    assert utterances.poll() == [Ended("a", 8.0, True)]
