"""How sure a grammar's sentence is: its likelihood beside that of any speech."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from aura_core.speech.asr.confidence import confidence, dragged, score
from aura_core.speech.asr.phone_loop import PhoneLoop


class Found:
    """A decoder that has found these segments: (name, first frame, last frame, probability)."""

    def __init__(self, *segments: tuple[str, int, int, float]) -> None:
        self.calls: list[str] = []
        self._segments = [
            SimpleNamespace(word=w, start_frame=a, end_frame=b, ascore=p) for w, a, b, p in segments
        ]

    def start_utt(self) -> None:
        self.calls.append("start")

    def end_utt(self) -> None:
        self.calls.append("end")

    def process_raw(self, sound: bytes, search: bool, whole: bool) -> None:
        self.calls.append(sound.decode())

    def seg(self) -> list[SimpleNamespace] | None:
        return self._segments or None


def test_a_word_is_compared_with_the_speech_sounds_in_its_frames() -> None:
    free = PhoneLoop(Found(("T", 0, 9, 0.9), ("EH", 10, 29, 0.8), ("L", 30, 39, 0.7)))
    sentence = Found(("tell", 0, 19, 0.6), ("(NULL)", 19, 19, 1.0), ("me", 20, 39, 0.5))
    tell, nothing, me = free.ratios(sentence.seg() or [])
    half = np.log(0.8) / 2
    assert tell == ("tell", 20, pytest.approx(np.log(0.6) - np.log(0.9) - half))
    assert me == ("me", 20, pytest.approx(np.log(0.5) - half - np.log(0.7)))
    assert nothing == ("(NULL)", 1, 0.0)


def test_a_loop_that_found_nothing_makes_no_word_better() -> None:
    assert PhoneLoop(Found()).ratios(Found(("me", 0, 9, 0.5)).seg() or []) == [
        ("me", 10, pytest.approx(np.log(0.5)))
    ]


def test_an_utterance_that_was_dropped_is_ended_once() -> None:
    found = Found()
    loop = PhoneLoop(found)
    loop.begin()
    loop.feed(b"a")
    loop.begin()
    loop.feed(b"b")
    loop.finish()
    loop.finish()
    assert found.calls == ["start", "a", "end", "start", "b", "end"]


def test_the_score_sees_the_worst_stretch_and_no_outer_silence() -> None:
    fit, misfit = -0.01, -0.2
    good = [
        ("<sil>", 50, -1.0),
        ("what", 10, fit),
        ("is", 10, fit),
        ("there", 10, fit),
        ("<sil>", 50, -1.0),
    ]
    assert score(good) == pytest.approx(2 * fit / 10)
    bad = [*good[:3], ("<sil>", 20, misfit), *good[3:]]
    assert score(bad) == pytest.approx((3 * fit + misfit) / 50 + (2 * fit + misfit) / 40)
    assert confidence(bad) < 0.01 < 0.9 < confidence(good)
    assert confidence([]) < 1e-9 and confidence([("<sil>", 20, 0.0)]) < 1e-9


def test_talk_that_was_matched_to_a_word_or_to_a_silence() -> None:
    """Regression: "what" of 4.8 s, which was other people's talk, and "thing" became a question."""
    assert not dragged([("<sil>", 300, 0.0), ("is", 84, 0.0), ("<sil>", 90, 0.0), ("on", 20, 0.0)])
    assert dragged([("what(2)", 484, 0.0), ("is", 9, 0.0), ("<sil>", 20, 0.0)])
    assert dragged([("is", 20, 0.0), ("<sil>", 90, 0.0), ("[NOISE]", 73, 0.0), ("now", 30, 0.0)])
    assert not dragged([("is", 20, 0.0), ("on", 30, 0.0), ("(NULL)", 1, 0.0), ("<sil>", 200, 0.0)])
