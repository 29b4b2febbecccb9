"""Other people's talk: a user who is louder than it is heard, and what is not is no question."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from test_ears import SAID, T0, LevelVad, hear, last, silence, speech

from aura_core.speech.asr import AsrConfig, TurnDetector
from aura_core.speech.asr.base import BufferedUtterance, Recognition
from aura_core.speech.background import quietest
from aura_core.speech.ears import Ears
from aura_core.speech.ears_config import EarsConfig
from aura_core.speech.endpointing import FRAME_NS, End, EndpointConfig, Endpointer, Onset
from aura_core.speech.types import NS, Transcript, TranscriptState
from aura_core.speech.vad import FRAME
from aura_core.speech.wake import WakeConfig


class Whole(BufferedUtterance):
    """A recogniser of whole utterances that hears `says`."""

    says = ""

    def recognise(self, samples: NDArray[np.int16]) -> Recognition:
        return Recognition(self.says, 0.9)


def free(says: str, **settings: object) -> Ears:
    """Ears whose recogniser takes any words, without a thread."""
    recognizer = Whole()
    recognizer.says = says
    config = EarsConfig(asr=AsrConfig("faster_whisper", "/weights"), **settings)
    return Ears(config, LevelVad(), recognizer, TurnDetector())


TELEVISION, USER = 500, 2_000  # levels: 12 dB between them


def play(endpointer: Endpointer, *parts: tuple[int, float], first: int = 0) -> list[object]:
    """Return the events of voices: (level, seconds); level 0 is silence."""
    events, k = [], first
    for level, seconds in parts:
        for _ in range(round(seconds * 16_000 / FRAME)):
            frame = np.full(FRAME, level, np.int16)
            event = endpointer.push(frame, 0.9 if level else 0.0, k * FRAME_NS)
            k += 1
            if event is not None:
                events.append(event)
    return events


def test_a_user_is_heard_over_a_television() -> None:
    talk, onset, end, *rest = play(
        Endpointer(), (TELEVISION, 17.0), (USER, 2.0), (TELEVISION, 3.0), (0, 1.0)
    )[1:]
    assert isinstance(talk, End) and talk.too_long and talk.more and not talk.rest
    assert isinstance(onset, End) and onset.rest  # the talk before the user, which is no question
    assert isinstance(end, Onset) and end.stamp_ns == pytest.approx(17 * NS, abs=0.2 * NS)
    asked, after = rest
    assert isinstance(asked, End) and not asked.too_long
    assert asked.end_ns == pytest.approx(19 * NS, abs=0.2 * NS)
    assert len(asked.audio.samples) < 3.5 * 16_000  # with pre-roll and hangover
    assert isinstance(after, End) and after.too_long and after.rest  # and without an onset


def test_a_louder_voice_divides_what_is_not_yet_too_long() -> None:
    """What is said before may be a question too, so it is not called too long."""
    events = play(Endpointer(), (TELEVISION, 9.0), (USER, 2.0), (0, 1.0))
    assert [type(e) for e in events] == [Onset, End, Onset, End]
    assert not events[1].too_long and events[1].more and not events[3].too_long
    assert events[1].audio.end_ns == events[3].audio.stamp_ns  # nothing is lost between them


def test_words_of_a_user_in_the_talk_are_not_its_level() -> None:
    """Regression: a user who had spoken before the talk was learnt was its level from then on."""
    parts = [(TELEVISION, 3.0), (USER, 1.5), (TELEVISION, 5.0), (USER, 1.5), (TELEVISION, 2.0)]
    events = play(Endpointer(EndpointConfig(max_s=30.0)), *parts)
    assert [type(e) for e in events] == [Onset, End, Onset, End]
    assert events[2].stamp_ns == pytest.approx(9.5 * NS, abs=0.2 * NS)


def test_a_short_question_that_grows_louder_is_not_divided() -> None:
    events = play(Endpointer(), (TELEVISION, 4.0), (USER, 2.0), (0, 1.0))
    assert [type(e) for e in events] == [Onset, End]


def test_a_voice_that_is_much_louder_divides_talk_that_has_just_begun() -> None:
    """Regression: talk in the next room that was heard some seconds before a question was the
    beginning of that question, which then fitted no sentence."""
    near = USER * 2  # 18 dB above the talk
    talk, question = (
        e
        for e in play(Endpointer(), (TELEVISION, 2.0), (near, 2.0), (0, 1.0))
        if isinstance(e, End)
    )
    assert talk.more and not question.more
    assert talk.end_ns < 2 * NS < question.end_ns
    assert question.start_ns == pytest.approx(2 * NS, abs=0.2 * NS)
    events = play(Endpointer(), (TELEVISION, 1.0), (near, 2.0), (0, 1.0))
    assert [type(e) for e in events] == [Onset, End]  # too short to tell


def test_after_a_short_pause_the_television_is_no_user() -> None:
    endpointer = Endpointer()
    play(endpointer, (TELEVISION, 17.0), (0, 0.8))
    (end,) = play(endpointer, (TELEVISION, 3.0), (0, 0.8), first=600)
    assert isinstance(end, End) and end.too_long


def test_when_it_is_off_a_quiet_user_is_heard() -> None:
    endpointer = Endpointer()
    play(endpointer, (TELEVISION, 17.0), (0, 2.5))
    onset, end = play(endpointer, (TELEVISION, 2.0), (0, 1.0), first=700)
    assert isinstance(onset, Onset) and not end.too_long


def test_talk_is_cut_where_it_is_quietest() -> None:
    endpointer = Endpointer(EndpointConfig(max_s=6.0))
    _, cut = play(endpointer, (USER, 4.5), (TELEVISION, 0.3), (USER, 1.4))
    assert cut.audio.end_ns == pytest.approx(4.65 * NS, abs=0.1 * NS)
    frames = [np.full(FRAME, level, np.int16) for level in [9] * 20 + [1] * 3 + [9] * 7]
    assert 20 <= quietest(frames) <= 23
    assert quietest(frames[:20]) == 20  # nowhere quieter: all of it


@pytest.mark.parametrize("mode", ["off", "required"])
def test_the_wake_phrase_is_looked_for_in_talk(mode: str) -> None:
    said = "and it will rain. Hey Aura, where is my cup?"
    listening = free(said, wake=WakeConfig(mode), endpoint=EndpointConfig(max_s=5.0))
    events = hear(listening, np.concatenate([speech(12_000), silence(700)]))
    heard = [x for x in events if isinstance(x, Transcript)]
    if mode == "required":
        assert {(t.state, t.text) for t in heard} == {(TranscriptState.FINAL, "where is my cup?")}
    else:
        assert {t.reason for t in heard} == {"too_long"}
        assert heard[0].text == said  # the first piece is transcribed, the rest is not
        assert {t.text for t in heard[1:]} == {""}


def test_a_user_is_told_that_it_was_too_long() -> None:
    listening = free("words and words", endpoint=EndpointConfig(max_s=5.0))
    events = hear(listening, np.concatenate([speech(12_000), silence(700)]))
    asides = [k for k, e in enumerate(events) if type(e).__name__ == "Aside"]
    assert asides == [len(events) - 1]  # once, and not into the user's words
    called = free("words", endpoint=EndpointConfig(max_s=5.0), wake=WakeConfig("required"))
    events = hear(called, np.concatenate([speech(12_000), silence(700)]))
    assert not [e for e in events if type(e).__name__ == "Aside"]  # nobody asked the robot


def test_the_limit_follows_the_recogniser() -> None:
    assert free("x").config.utterances.limit_s == 30.0
    assert free("x", endpoint=EndpointConfig(max_s=60.0)).config.utterances.limit_s == 60.0


def test_a_question_over_the_television_is_asked() -> None:
    listening = free("the news", endpoint=EndpointConfig(max_s=5.0))
    television = speech(8_000, level=1_500)
    hear(listening, television)
    assert isinstance(listening._recognizer, Whole)
    listening._recognizer.says = "where is my cup?"
    user = np.concatenate([speech(1_500, level=12_000), speech(2_000, level=1_500)])
    heard = hear(listening, user, at_ns=T0 + 8 * NS)
    finals = [e for e in heard if isinstance(e, Transcript) and not e.reason]
    assert [t.text for t in finals] == ["where is my cup?"]
    assert finals[0].start_ns == pytest.approx(T0 + 8 * NS, abs=NS // 5)
    hear(listening, silence(3_000), at_ns=T0 + round(11.5 * NS))
    assert last(hear(listening, SAID, at_ns=T0 + round(14.5 * NS))).reason == ""
