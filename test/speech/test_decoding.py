"""Recognition on a thread of its own. The recogniser waits until the test lets it go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from test_ears import T0, LevelVad, hear, silence, speech

from aura_core.speech.asr import AsrConfig, TurnDetector
from aura_core.speech.asr.base import BufferedUtterance, Recognition
from aura_core.speech.decoding import agreed
from aura_core.speech.ears import Ears, Event
from aura_core.speech.ears_config import EarsConfig
from aura_core.speech.endpointing import End, Onset
from aura_core.speech.types import Transcript, TranscriptState

RATE = 16_000


class Slow(BufferedUtterance):
    """Answers only when it is told to, and only one utterance each time."""

    def __init__(self) -> None:
        super().__init__()
        self.confidence = 0.9
        self.lengths: list[int] = []  # of the utterances that were begun [samples]
        self.begun = threading.Semaphore(0)
        self._answers: list[Recognition | Exception] = []
        self._go = threading.Semaphore(0)

    def recognise(self, samples: NDArray[np.int16]) -> Recognition:
        self.lengths.append(len(samples))
        self.begun.release()
        self._go.acquire()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def answer(self, text: str | Exception) -> None:
        said = text if isinstance(text, Exception) else Recognition(text, self.confidence)
        self._answers.append(said)
        self._go.release()


class Room:
    """Ears with their thread, and the time."""

    def __init__(self, **settings: object) -> None:
        self.slow, self.news, self.at_ns = Slow(), threading.Semaphore(0), T0
        config = EarsConfig(asr=AsrConfig("faster_whisper", "/weights"), **settings)
        self.ears = Ears(config, LevelVad(), self.slow, TurnDetector())
        self.ears.open(self.news.release)

    def hear(self, samples: NDArray[np.int16]) -> list[Event]:
        events = hear(self.ears, samples, at_ns=self.at_ns)
        self.at_ns += len(samples) * 1_000_000_000 // RATE
        return events

    def answer(self, text: str | Exception) -> list[Event]:
        """Let the recogniser answer, and return what comes of it."""
        assert self.slow.begun.acquire(timeout=30)
        while self.news.acquire(blocking=False):
            pass  # of what was cancelled
        self.slow.answer(text)
        assert self.news.acquire(timeout=30)
        return self.ears.poll()


@pytest.fixture
def room() -> Iterator[Room]:
    yield from opened(Room())


def opened(room: Room) -> Iterator[Room]:
    yield room
    for _ in range(9):
        room.slow.answer("too late")
    room.ears.close()


def kinds(events: list[Event]) -> list[type]:
    return [type(e) for e in events]


def texts(events: list[Event]) -> list[tuple[str, str]]:
    return [(str(e.state), e.text) for e in events if isinstance(e, Transcript)]


def test_the_ears_hear_while_the_recogniser_works(room: Room) -> None:
    """The floor is free, and the next onset is told, before the words are there."""
    assert kinds(room.hear(np.concatenate([silence(500), speech(800), silence(1_000)]))) == [
        Onset,
        End,
    ]
    assert kinds(room.hear(speech(800))) == [Onset]
    final = texts(room.answer("where is my cup"))
    assert final == [("final", "where is my cup")]
    assert room.ears.counters.finals == 1


def test_a_pause_is_recognised_before_its_end(room: Room) -> None:
    """The run at the pause is the only one: nothing was said after it."""
    room.hear(np.concatenate([speech(800), silence(300)]))
    assert texts(room.answer("where is my cup")) == [("partial", "where is my cup")]
    assert texts(room.hear(silence(700))) == [("final", "where is my cup")]
    assert len(room.slow.lengths) == 1
    assert room.slow.lengths[0] < 1_100 * 16


def test_words_after_a_pause_are_recognised_with_those_before(room: Room) -> None:
    room.hear(np.concatenate([speech(800), silence(300)]))
    room.answer("where is")
    room.hear(np.concatenate([speech(800), silence(300)]))
    events = room.answer("where is my cup") + room.hear(silence(1_000))
    assert texts(events)[-1] == ("final", "where is my cup")
    assert len(room.slow.lengths) == 2
    assert room.slow.lengths[1] >= 1_900 * 16


def test_words_of_a_pause_are_not_final_when_more_was_said(room: Room) -> None:
    """The microphone is lost in the middle of a word: what came after the pause counts too."""
    room.hear(np.concatenate([speech(800), silence(300)]))
    room.answer("where is")
    room.hear(speech(800))
    assert kinds(room.ears.finish()) == [End]
    assert texts(room.answer("where is my cup")) == [("final", "where is my cup")]
    assert room.slow.lengths[1] >= 1_800 * 16


@pytest.mark.parametrize(
    ("words", "hangover_ms"),
    [
        ("what is on the table?", 380),
        ("I put it on the table.", 490),
        ("I put it on the...", 900),
        ("I put it on...", 600),
        ("the kitchen light", 600),
        ("Yes.", 600),
        ("Tell me when.", 900),
        ("Could you remind me.", 900),
    ],
)
def test_the_words_at_a_pause_decide_how_long_it_may_be(words: str, hangover_ms: int) -> None:
    for room in opened(Room(join_s=0.0)):
        room.hear(np.concatenate([speech(800), silence(300)]))
        room.answer(words)
        ended_ms = 300
        while not any(isinstance(e, End) for e in room.hear(silence(32))):
            ended_ms += 32
        assert hangover_ms - 64 <= ended_ms <= hangover_ms + 32


def test_partials_are_what_two_transcripts_agree_on() -> None:
    for room in opened(Room(partials_s=1.0)):
        room.hear(speech(1_500))
        assert texts(room.answer("tell me when the soup boil")) == []
        room.hear(speech(1_000))
        heard = texts(room.answer("Tell me when the soup boils over"))
        assert heard == [("partial", "Tell me when the soup")]


def test_an_utterance_that_fails_costs_itself_only(room: Room) -> None:
    room.hear(np.concatenate([speech(800), silence(1_000)]))
    (failed,) = room.answer(RuntimeError("CUDA out of\nmemory"))
    assert isinstance(failed, Transcript) and failed.reason == "failed: CUDA out of memory"
    room.hear(np.concatenate([speech(800), silence(1_000)]))
    assert texts(room.answer("where is it")) == [("final", "where is it")]


def test_a_bug_in_the_recogniser_is_raised_on_the_thread_of_the_ears(room: Room) -> None:
    room.hear(np.concatenate([speech(800), silence(1_000)]))
    with pytest.raises(KeyError):
        room.answer(KeyError("text"))


def test_utterances_do_not_queue_without_bound(room: Room) -> None:
    events = []
    for _ in range(7):
        events += room.hear(np.concatenate([speech(800), silence(1_000)]))
    events += room.hear(silence(100)) + room.answer("the first")
    reasons = [
        e.reason
        for e in events
        if isinstance(e, Transcript) and e.state is TranscriptState.REJECTED
    ]
    assert reasons == ["failed: too many utterances wait for the recogniser"] * 3
    assert texts(events)[0] == ("final", "the first")


def test_settled_ears_have_all_words(room: Room) -> None:
    assert room.ears.settle(0)
    room.hear(np.concatenate([speech(800), silence(300)]))  # asked ahead
    assert not room.ears.settle(0.05)
    room.slow.answer("where is")
    assert room.ears.settle(30)
    room.hear(np.concatenate([speech(800), silence(1_000)]))
    assert not room.ears.settle(0.05)
    room.slow.answer("where is my cup")
    assert room.ears.settle(30)
    assert texts(room.ears.poll()) == [("final", "where is my cup")]


def test_the_order_of_the_utterances_is_kept(room: Room) -> None:
    for _ in range(2):
        room.hear(np.concatenate([speech(800), silence(1_000)]))
    assert texts(room.answer("one")) == [("final", "one")]
    assert texts(room.answer("two")) == [("final", "two")]


def test_ears_can_be_opened_again(room: Room) -> None:
    room.ears.close()
    room.ears.open(room.news.release)
    room.hear(np.concatenate([speech(800), silence(1_000)]))
    assert texts(room.answer("again")) == [("final", "again")]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("the soup boil", "The soup boils over", "The soup"),
        ("what is", "What is.", "What is."),
        ("", "what", ""),
        ("你看到", "你看见什么", "你看"),
        ("one two", "two one", ""),
        ("where is my cup", "where was my cup", "where"),
    ],
)
def test_agreed(before: str, now: str, expected: str) -> None:
    assert agreed(before, now) == expected


def test_both_parts_of_a_question_are_recognised_in_one_piece(room: Room) -> None:
    """Regression: of "red cup" alone Whisper made "Right, pop", which was rejected."""
    room.hear(np.concatenate([speech(800), silence(300)]))
    room.answer("Where is my?")
    room.hear(np.concatenate([silence(1_000), speech(600), silence(300)]))
    room.answer("Where is my red cup?")
    assert texts(room.hear(silence(1_500))) == [("final", "Where is my red cup?")]
    first, both = room.slow.lengths
    assert both > first + 600 * 16  # its sound is in both runs


def test_the_first_part_is_kept_where_the_recogniser_leaves_it_out(room: Room) -> None:
    room.hear(np.concatenate([speech(800), silence(300)]))
    room.answer("Where is my?")
    room.hear(np.concatenate([silence(1_000), speech(600), silence(300)]))
    room.answer("Red cup.")
    assert texts(room.hear(silence(1_500))) == [("final", "Where is my red cup?")]


def test_a_first_part_that_was_not_understood_becomes_clear_with_its_rest(room: Room) -> None:
    room.hear(np.concatenate([speech(800), silence(300)]))
    room.slow.confidence = 0.2
    room.answer("Is the work on the")
    rejected = texts(room.hear(silence(1_000)))
    assert rejected == [("rejected", "Is the work on the")]
    room.hear(np.concatenate([speech(600), silence(300)]))
    room.slow.confidence = 0.9
    room.answer("Is the book on the chair?")
    events = room.hear(silence(1_500))
    (asked,) = [e for e in events if isinstance(e, Transcript)]
    assert (str(asked.state), asked.text) == ("final", "Is the book on the chair?")
    assert asked.start_ns == pytest.approx(T0, abs=100_000_000)


def test_a_later_question_is_recognised_alone(room: Room) -> None:
    room.hear(np.concatenate([speech(800), silence(300)]))
    room.answer("Where is my?")
    assert texts(room.hear(silence(3_000))) == [("final", "Where is my?")]
    room.hear(np.concatenate([speech(600), silence(300)]))
    room.answer("What time is it?")
    assert texts(room.hear(silence(1_500))) == [("final", "What time is it?")]
    first, second = room.slow.lengths
    assert second < first + 600 * 16


def test_talk_that_another_voice_cuts_short_is_no_first_part(room: Room) -> None:
    """Regression: "... and some" of a talker in the room was joined with a user's question."""
    joiner = room.ears._joiner
    heard = Transcript(TranscriptState.FINAL, "and then you take some", 0.9, T0, T0 + 1)
    assert joiner.add(heard, whole=True) == [heard] and not joiner.holds
    assert joiner.add(heard) == [] and joiner.holds
