"""The embedded recogniser on sentences that flite and espeak-ng speak."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from aura_core.bench.speech.voices import available, mix_noise, pad, say
from aura_core.bench.speech.wer import DETERMINERS, word_errors
from aura_core.errors import ConfigError
from aura_core.sim import spoken
from aura_core.speech.asr import AsrConfig, open_recognizer, parse, transcribe
from aura_core.speech.asr.base import Recognizer
from aura_core.speech.asr.phone_loop import PhoneLoop
from aura_core.speech.asr.pocketsphinx import (
    SOUNDS,
    Levels,
    PocketSphinx,
    too_quiet,
)
from aura_core.speech.types import Audio
from aura_core.speech.wake import WakeConfig, WakeMode

ROOM = parse(spoken.grammar(), "room")


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    pytest.importorskip("pocketsphinx")
    return open_recognizer(AsrConfig(), phrases=ROOM)


def spoken_by(text: str, voice: str, speed: float = 1.0) -> Audio:
    if not available(voice):
        pytest.skip(f"the program that has the voice {voice} is not installed")
    return mix_noise(pad(say(text, voice, speed=speed), 300, 400), 30.0, seed=1)


@pytest.mark.parametrize("voice", ["slt", "en-gb"])
@pytest.mark.parametrize(
    "text",
    ["what is on the table", "tell me when a red cube appears", "hey aura where is the blue ball"],
)
def test_questions_are_understood(recognizer: Recognizer, voice: str, text: str) -> None:
    pytest.importorskip("jiwer")
    heard = transcribe(recognizer, spoken_by(text, voice))
    assert word_errors(text, heard.text, DETERMINERS).errors == 0
    assert heard.in_grammar and heard.confidence > 0.5


class Dictionary:
    """What is asked of a decoder about a sentence that it has found."""

    def __init__(self, *words: tuple[str, int, float]) -> None:
        self._found = [
            SimpleNamespace(word=w, start_frame=0, end_frame=n - 1, ascore=p) for w, n, p in words
        ]

    def end_utt(self) -> None:
        pass

    def hyp(self) -> SimpleNamespace:
        return SimpleNamespace(hypstr=" ".join(s.word for s in self._found if s.word.isalpha()))

    def seg(self) -> list[SimpleNamespace]:
        return self._found

    def lookup_word(self, word: str) -> str:
        return " ".join(word)  # a speech sound for each letter


ANY_SPEECH = PhoneLoop(SimpleNamespace(seg=lambda: None))  # free speech that fits perfectly


@pytest.mark.parametrize(("frames", "possible"), [(40, True), (10, True), (8, False)])
def test_a_sentence_that_nobody_says_so_fast_is_none(frames: int, possible: bool) -> None:
    """Each word has two speech sounds."""
    said = (("<sil>", 90, 1.0), ("is", frames, 1.0), ("on", frames, 1.0), ("(NULL)", 1, 1.0))
    found = PocketSphinx(Dictionary(*said), ANY_SPEECH, 0.5, WakeConfig()).finish()
    assert (found.text, found.in_grammar) == ("is on", possible)


@pytest.mark.parametrize("voice", ["en-us", "en-gb", "en-us+f3"])
def test_a_question_may_be_said_fast(recognizer: Recognizer, voice: str) -> None:
    """Regression: at 220 words a minute a question in the right words was off grammar."""
    text = "what is the kettle doing"
    heard = transcribe(recognizer, spoken_by(text, voice, speed=1.25))
    assert (heard.text, heard.in_grammar) == (text, True)


@pytest.mark.parametrize(("free", "said"), [(-0.007, True), (-0.004, False)])
def test_words_are_compared_with_what_else_the_voice_could_have_said(
    free: float, said: bool
) -> None:
    """Regression: each word of an accent fits badly, and the right words were off grammar.

    Any other speech sound fits as badly there. Where one fits better, other words were said.
    """
    words = Dictionary(*((w, 20, np.exp(20 * -0.0075)) for w in ("is", "lamp", "off")))
    best = SimpleNamespace(start_frame=0, end_frame=19, ascore=np.exp(20 * free))
    loop = PhoneLoop(SimpleNamespace(end_utt=lambda: None, seg=lambda: [best]))
    found = PocketSphinx(words, loop, 0.5, WakeConfig())
    found._levels.add(np.full(160 * 60, 4_000, np.int16))
    assert found.finish().in_grammar is said


LAMP = (("is", 20, 1.0), ("lamp", 30, 1.0), ("<sil>", 10, 1.0), ("off", 20, 1.0))


@pytest.mark.parametrize(("level", "said"), [(2_000, True), (60, False)])
def test_a_word_in_the_silence_was_not_said(level: int, said: bool) -> None:
    """The decoder puts what a sentence lacks into the silence after it."""
    found = PocketSphinx(Dictionary(*LAMP), ANY_SPEECH, 0.5, WakeConfig())
    found._levels.add(np.full(160 * 50, 4_000, np.int16))
    found._levels.add(np.full(160 * 30, level, np.int16))
    assert found.finish().in_grammar is said


def test_an_article_may_be_swallowed() -> None:
    levels = Levels()
    for amplitude in (4_000, 10, 4_000):
        levels.add(np.full(160 * 10, amplitude, np.int16))
    article = levels.of([("is", 10, 1.0), ("the(2)", 10, 1.0), ("lamp", 10, 1.0)])
    assert not too_quiet(article[1:2], article)
    other = levels.of([("is", 10, 1.0), ("lamp", 10, 1.0), ("off", 10, 1.0)])
    assert too_quiet(other[1:2], other)


@pytest.mark.parametrize(("level", "called"), [(1_000, None), (60, False)])
def test_a_wake_phrase_in_the_talk_before_a_question_was_not_said(
    level: int, called: bool | None
) -> None:
    words = (("hey", 20, 1.0), ("aura", 40, 1.0), ("is", 20, 1.0), ("lamp", 30, 1.0))
    found = PocketSphinx(Dictionary(*words), ANY_SPEECH, 0.5, WakeConfig())
    found._levels.add(np.full(160 * 60, level, np.int16))
    found._levels.add(np.full(160 * 50, 4_000, np.int16))
    heard = found.finish()
    assert (heard.called, heard.in_grammar) == (called, True)
    assert heard.text == ("is lamp" if called is False else "hey aura is lamp")


@pytest.mark.parametrize(("ratio", "called"), [(-0.003, None), (-0.0034, False), (-0.02, False)])
def test_a_wake_phrase_that_fits_worse_than_free_speech_was_not_said(
    ratio: float, called: bool | None
) -> None:
    """The question fits well. Regression: of "mm hmm", "mm" was taken for the phrase, and the rest
    for a question."""
    phrase = tuple((word, 30, np.exp(30 * ratio)) for word in ("hey", "aura"))
    found = PocketSphinx(
        Dictionary(*phrase, ("is", 20, 1.0), ("lamp", 30, 1.0)), ANY_SPEECH, 0.5, WakeConfig()
    )
    found._levels.add(np.full(160 * 110, 4_000, np.int16))
    heard = found.finish()
    assert heard.called is called
    assert heard.text == ("is lamp" if called is False else "hey aura is lamp")
    assert heard.in_grammar is (ratio > -0.02)


COFFEE, RAIN = "could somebody bring me another cup of coffee", "is it raining outside"


@pytest.mark.parametrize(
    ("text", "voice"),
    [(COFFEE, "slt"), (COFFEE, "en-us"), (RAIN, "en-us"), (RAIN, "slt")],
)
def test_other_speech_is_off_grammar(recognizer: Recognizer, text: str, voice: str) -> None:
    assert not transcribe(recognizer, spoken_by(text, voice)).in_grammar


@pytest.mark.parametrize(("sound", "voice"), [("ha ha ha", "en-us"), ("hee hee hee", "en-gb")])
def test_a_laugh_is_a_filler(recognizer: Recognizer, sound: str, voice: str) -> None:
    """Without sounds that compete with the sentences, they are "what was brought" and the like."""
    heard = transcribe(recognizer, spoken_by(sound, voice))
    assert heard.reason == "filler" and not heard.in_grammar
    assert set(heard.text.split()) <= set(SOUNDS)


def test_silence_has_no_words(recognizer: Recognizer) -> None:
    heard = transcribe(recognizer, Audio(np.zeros(16_000, np.int16), 16_000))
    assert not heard.in_grammar


def test_partials_grow(recognizer: Recognizer) -> None:
    audio = spoken_by("how many red objects are there", "slt")
    recognizer.begin()
    partials = [
        recognizer.feed(audio.samples[i : i + 1600]) for i in range(0, len(audio.samples), 1600)
    ]
    assert "how many" in partials
    assert recognizer.finish().text == "how many red objects are there"


def test_own_templates_and_words(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    path = tmp_path / "own.txt"
    path.write_text("bring me the flumox\n")
    with pytest.raises(ConfigError, match="no 'flumox'"):
        open_recognizer(AsrConfig(grammar_file=str(path)))
    path.write_text("bring me the flumox\nflumox = F L UW M AH K S\n")
    recognizer = open_recognizer(
        AsrConfig(grammar_file=str(path)), WakeConfig(phrase="hello robot")
    )
    assert (
        transcribe(recognizer, spoken_by("hello robot bring me the floomux", "slt")).text
        == "hello robot bring me the flumox"
    )


def test_without_phrases_there_is_nothing_to_understand() -> None:
    with pytest.raises(ConfigError, match=r"asr.grammar_file: pocketsphinx .* was given none"):
        open_recognizer(AsrConfig())


def test_the_wake_phrase_is_known_without_the_room() -> None:
    """Regression: the pronunciation of "aura" was in the room's grammar only.

    Other grammars were refused.
    """
    pytest.importorskip("pocketsphinx")
    open_recognizer(AsrConfig(), phrases=parse("turn around", "mine"))


@pytest.mark.parametrize("mode", WakeMode)
@pytest.mark.parametrize("voice", ["kal", "en-gb", "rms"])
def test_the_wake_phrase_may_come_alone_where_it_is_used(mode: WakeMode, voice: str) -> None:
    pytest.importorskip("pocketsphinx")
    heard = transcribe(
        open_recognizer(AsrConfig(), WakeConfig(mode), ROOM), spoken_by("hey aura", voice)
    )
    if mode is WakeMode.OFF:
        assert not heard.in_grammar and heard.text != "hey aura"
    else:
        assert (heard.text, heard.called, heard.in_grammar) == ("hey aura", True, True)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    with pytest.raises(ConfigError, match="is not the folder of an acoustic model"):
        open_recognizer(AsrConfig(model=str(tmp_path)), phrases=ROOM)
