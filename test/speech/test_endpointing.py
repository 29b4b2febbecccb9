"""Onset, hangover, pre-roll and maximum length, on artificial probabilities."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from aura_core.errors import ConfigError
from aura_core.speech.asr.grammar import parse
from aura_core.speech.asr.turn_detector import TurnDetector
from aura_core.speech.endpointing import (
    FRAME_NS,
    Completeness,
    End,
    EndpointConfig,
    Endpointer,
    Onset,
)
from aura_core.speech.vad import FRAME

START_NS = 1_000_000_000_000


def run(
    endpointer: Endpointer, probabilities: list[float], first: int = 0
) -> list[tuple[int, Onset | End]]:
    """Return (frame number, event) of each event. Frame k holds the value k % 30000."""
    found = []
    for k, p in enumerate(probabilities, first):
        event = endpointer.push(np.full(FRAME, k % 30_000, np.int16), p, START_NS + k * FRAME_NS)
        if event is not None:
            found.append((k, event))
    return found


def test_onset_needs_three_of_four() -> None:
    assert run(Endpointer(), [0.8, 0.8, 0.1, 0.1, 0.8, 0.8, 0.1, 0.1] * 5) == []
    (at, onset), *_ = run(Endpointer(), [0.1] * 20 + [0.9, 0.1, 0.8, 0.8])
    assert at == 23
    assert onset.stamp_ns == START_NS + 20 * FRAME_NS
    assert onset.audio.stamp_ns == START_NS + 10 * FRAME_NS  # 320 ms of pre-roll before frame 20
    assert onset.audio.samples[0] == 10 and onset.audio.samples[-1] == 23


def test_two_sure_frames_in_a_row_are_an_onset() -> None:
    assert run(Endpointer(), [0.9, 0.1] * 20) == []
    ((at, onset),) = run(Endpointer(), [0.1] * 20 + [0.9, 0.9])
    assert at == 21 and onset.stamp_ns == START_NS + 20 * FRAME_NS


def test_over_the_robots_voice_a_user_must_be_heard_more_surely() -> None:
    endpointer = Endpointer()
    endpointer.over_voice = True
    assert run(endpointer, [0.1] * 20 + [0.6] * 20 + [0.1] * 10) == []
    ((at, _),) = run(endpointer, [0.75, 0.1, 0.1, 0.75], first=50)
    assert at == 53
    endpointer = Endpointer()
    endpointer.over_voice = True
    ((at, _),) = run(endpointer, [0.1] * 20 + [0.3, 0.93])  # one sure frame tells enough
    assert at == 21


def test_end_after_the_hangover_with_all_the_sound() -> None:
    (_, onset), (at, end) = run(Endpointer(), [0.0] * 30 + [0.9] * 20 + [0.0] * 40)
    assert isinstance(end, End) and not end.too_long
    assert at == 49 + 19  # 19 frames are the first to reach 600 ms
    assert (end.start_ns, end.end_ns) == (START_NS + 30 * FRAME_NS, START_NS + 50 * FRAME_NS)
    assert end.audio.stamp_ns == onset.audio.stamp_ns
    assert len(end.audio.samples) == (at - 20 + 1) * FRAME
    assert end.audio.end_ns == START_NS + (at + 1) * FRAME_NS


def test_a_probability_between_offset_and_onset_keeps_the_utterance() -> None:
    events = run(Endpointer(), [0.9] * 5 + [0.4] * 100 + [0.34] * 19)
    assert [type(e) for _, e in events] == [Onset, End]
    assert events[1][1].end_ns == START_NS + 105 * FRAME_NS


@pytest.mark.parametrize(
    ("words", "frames"),
    [
        ("what is on the table", 4),
        ("what do you hear", 12),
        ("is there a", 29),
        ("the kitchen light", 19),
        ("", 19),
    ],
)
def test_the_hangover_follows_the_words(words: str, frames: int) -> None:
    grammar = parse("what is on the table\nwhat do you hear [now]\nis there a {x}\nx: cup", "mine")
    endpointer = Endpointer(turn_detector=TurnDetector(grammar))
    run(endpointer, [0.9] * 10)
    endpointer.hear(words)
    ((at, end),) = run(endpointer, [0.0] * 60, first=10)
    assert isinstance(end, End) and at == 9 + frames


@pytest.mark.parametrize(("words", "frames"), [("what is on the table", 4), ("turn", 3 + 19)])
def test_after_a_complete_question_a_quiet_frame_is_silence(words: str, frames: int) -> None:
    """The VAD holds on to a voice for some frames after its end."""
    endpointer = Endpointer(turn_detector=TurnDetector(parse("what is on the table", "mine")))
    endpointer.hear(words)
    loud, quiet = np.full(FRAME, 8_000, np.int16), np.full(FRAME, 100, np.int16)
    sound = [(loud, 0.9)] * 20 + [(quiet, 0.9)] * 3 + [(quiet, 0.1)] * 40
    events = []
    for k, (frame, p) in enumerate(sound):
        happened = endpointer.push(frame, p, START_NS + k * FRAME_NS)
        if isinstance(happened, Onset):
            endpointer.hear(words)
        if isinstance(happened, End):
            events.append(k)
    assert events == [19 + frames]


def test_the_words_of_one_utterance_do_not_outlive_it() -> None:
    endpointer = Endpointer(turn_detector=lambda text: Completeness.COMPLETE)
    run(endpointer, [0.9] * 10)
    endpointer.hear("anything")
    run(endpointer, [0.0] * 60, first=10)
    events = run(endpointer, [0.9] * 10 + [0.0] * 60, first=70)
    assert events[-1][0] == 79 + 19


def test_a_monologue_is_cut_and_bounded() -> None:
    endpointer = Endpointer()
    most = 0
    events = []
    for k in range(5 * 60 * 1000 // 32):
        event = endpointer.push(np.zeros(FRAME, np.int16), 0.9, k * FRAME_NS)
        most = max(most, len(endpointer._frames))
        if event is not None:
            events.append(event)
    assert most * FRAME <= 15 * 16_000 + FRAME
    assert [type(e) for e in events] == [Onset] + [End] * 20 or [type(e) for e in events] == [
        Onset
    ] + [End] * 19
    assert all(e.too_long and len(e.audio.samples) <= 15 * 16_000 + FRAME for e in events[1:])
    assert all(a.audio.end_ns == b.audio.stamp_ns for a, b in pairwise(events[1:]))
    tail = run(endpointer, [0.0] * 20, first=5 * 60 * 1000 // 32)
    assert [e.too_long for _, e in tail] == [True]  # what is left of it is no question either
    fresh = run(endpointer, [0.9] * 10 + [0.0] * 40, first=20_000)
    assert fresh[-1][1].too_long is False


def test_finish_ends_what_is_under_way_and_reset_drops_it() -> None:
    endpointer = Endpointer()
    run(endpointer, [0.9] * 10)
    end = endpointer.finish()
    assert end is not None and end.end_ns == START_NS + 10 * FRAME_NS
    assert endpointer.finish() is None
    run(endpointer, [0.9] * 10)
    endpointer.reset()
    assert not endpointer.speaking and endpointer.finish() is None


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"onset": 0.3}, "offset"),
        ({"offset": 0.0}, "offset"),
        ({"onset": float("nan")}, "onset"),
        ({"onset_frames": 5}, "onset_window"),
        ({"pre_roll_ms": -1}, "pre_roll_ms"),
        ({"short_hangover_ms": 700}, "short_hangover_ms"),
        ({"long_hangover_ms": 500}, "long_hangover_ms"),
        ({"max_s": 0.5}, "max_s"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, float], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        EndpointConfig(**wrong)
