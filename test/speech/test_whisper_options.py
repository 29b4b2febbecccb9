"""What of whisper's result is taken for words. The figures are what Whisper tiny.en said."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aura_core.errors import ConfigError
from aura_core.speech.asr import AsrConfig, whisper_options
from aura_core.speech.asr.base import Recognition
from aura_core.speech.asr.encoded import HOP, LEAST, WHOLE, Encoded, EncodedUtterance, window
from aura_core.speech.asr.whisper_options import (
    Segment,
    WhisperOptions,
    check_languages,
    judged,
    spoken,
)
from aura_core.speech.wake import WakeConfig

QUESTION = Segment(" What is on the table?", -0.09, 0.03, 0.72)
LAUGH = Segment(" Ha ha ha ha ha, to be a lover.", -0.96, 0.64, 1.03)
CHINESE = Segment(" To all if I'm hungry I'll pretend to my friend.", -0.93, 0.27, 0.92)
NOISE = Segment(" You", -1.45, 0.76, 0.27)


@pytest.mark.parametrize(
    ("segment", "reason", "confidence"),
    [
        (QUESTION, "", 0.89),
        (LAUGH, "no_speech", 0.14),
        (CHINESE, "", 0.29),  # rejected by its confidence
        (NOISE, "no_speech", 0.06),
        (Segment(" Ah", -1.34, 0.3, 0.2), "unlikely", 0.18),
        (Segment(" I see. I see. I see. I see. I see.", -0.2, 0.1, 2.6), "repeated", 0.74),
        (Segment(" Where is it?", -0.1, 0.7, 0.7), "", 0.27),  # sure words outweigh no_speech
    ],
)
def test_one_segment(segment: Segment, reason: str, confidence: float) -> None:
    heard = judged([segment], "en")
    assert (heard.text, heard.reason, heard.language) == (segment.text.strip(), reason, "en")
    assert heard.confidence == pytest.approx(confidence, abs=0.005)


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        (("en", "zh"), "asr.languages: tiny.en is an English model: .* for 'zh'"),
        (("zh",), "asr.language: tiny.en is an English model: .* for 'zh'"),
    ],
)
def test_an_english_model_understands_no_other_language(
    languages: tuple[str, ...], message: str
) -> None:
    options = WhisperOptions(languages)
    check_languages(options, True, "base")
    for harmless in (("en",), ()):
        check_languages(WhisperOptions(harmless), False, "tiny.en")
    with pytest.raises(ConfigError, match=message):
        check_languages(options, False, "tiny.en")


def test_a_segment_that_is_no_speech_is_left_out() -> None:
    heard = judged([NOISE, QUESTION, LAUGH])
    assert (heard.text, heard.reason) == ("What is on the table?", "")
    assert judged([]).text == "" and judged([]).confidence == 0.0


@pytest.mark.parametrize(
    ("probabilities", "languages", "expected"),
    [
        ({"en": 0.9, "zh": 0.1}, ("en", "zh"), ("en", False)),
        ({"en": 0.1, "zh": 0.8}, ("en", "zh"), ("zh", False)),
        ({"en": 0.1, "zh": 0.8}, ("en",), ("en", True)),
        ({"cy": 0.4, "en": 0.3, "zh": 0.2}, ("en", "zh"), ("en", False)),  # not sure: the nearest
        ({"cy": 0.8, "en": 0.1}, (), ("cy", False)),
    ],
)
def test_the_language_is_one_of_those_spoken_here(
    probabilities: dict[str, float], languages: tuple[str, ...], expected: tuple[str, bool]
) -> None:
    assert spoken(probabilities, languages) == expected


class Model(EncodedUtterance):
    """A whisper model: what it is asked, and what it hears."""

    def __init__(
        self,
        languages: tuple[str, ...],
        segment: Segment,
        probabilities: dict[str, float] | None = None,
        whole: Segment | None = None,
    ) -> None:
        super().__init__(WhisperOptions(languages), multilingual=True)
        self.asked: list[object] = []
        self._segment, self._whole = segment, whole or segment
        self._probabilities = probabilities or {}

    def encode(self, samples: NDArray[np.int16], frames: int | None = None) -> Encoded:
        self.asked.append(frames or window(len(samples)))
        return Encoded(None, frames or window(len(samples)), len(samples) // HOP)

    def words(
        self, encoded: Encoded, language: str, prompt: str | None = None, prefix: str = ""
    ) -> Segment:
        self.asked.append(language)
        return self._whole if encoded.whole else self._segment

    def likelihoods(self, *_: object) -> list[list[float]]:
        raise AssertionError("only a wake phrase is judged by likelihoods")

    def language_probabilities(self, encoded: Encoded) -> dict[str, float]:
        self.asked.append("language")
        return self._probabilities


SOUND = np.zeros(16_000, np.int16)
SHORT = LEAST  # the window of SOUND


def test_another_language_is_rejected_where_one_is_set() -> None:
    """The encoder runs once, for the words and for the language."""
    model = Model(("en",), CHINESE, {"zh": 0.9, "en": 0.05})
    assert model.recognise(SOUND).reason == "language"
    assert model.asked == [SHORT, "en", "language"]
    sure = Model(("en",), QUESTION, {"zh": 0.9})  # words that are sure need no second look
    assert sure.recognise(SOUND).reason == ""
    assert sure.asked == [SHORT, "en"]


def test_a_mixed_household_is_heard_in_the_language_of_the_utterance() -> None:
    model = Model(("en", "zh"), QUESTION, {"zh": 0.9, "en": 0.05})
    heard = model.recognise(SOUND)
    assert (heard.language, heard.reason) == ("zh", "")
    assert model.asked == [SHORT, "language", "zh"]
    french = Model(("en", "zh"), QUESTION, {"fr": 0.9, "en": 0.05})
    assert french.recognise(SOUND).reason == "language"


@pytest.mark.parametrize(
    ("seconds", "frames"),
    [
        (0.1, 1_000),
        (7, 1_000),
        (7.01, 1_100),
        (12.5, 1_600),
        (26.5, 3_000),
        (27, 3_000),
        (30, 3_000),
    ],
)
def test_the_window_is_cut_to_the_utterance(seconds: float, frames: int) -> None:
    assert window(round(seconds * 16_000)) == frames


def test_a_text_that_repeats_itself_is_recognised_in_the_whole_window() -> None:
    again = Segment(" I see. I see. I see. I see. I see.", -0.2, 0.1, 2.6)
    model = Model(("en",), again, {"en": 1.0}, whole=QUESTION)
    assert model.recognise(SOUND).text == "What is on the table?"
    assert model.asked == [SHORT, "en", "language", WHOLE, "en"]
    lost = Model(("en",), again, {"en": 1.0})
    assert lost.recognise(SOUND).reason == "repeated"
    long = Model(("en",), again, {"en": 1.0})  # its window is whole already
    assert long.recognise(np.zeros(29 * 16_000, np.int16)).reason == "repeated"
    assert long.asked == [WHOLE, "en", "language"]


@pytest.mark.parametrize(
    ("text", "said_again"),
    [
        ("What did you say? What did you say?", True),
        ("Is it on? Is it on? is it on", True),
        ("Stop. Stop.", False),
        ("No, no, no, no.", False),
        ("Is it on? Is it on the table?", False),
        ("What did you say?", False),
        ("", False),
    ],
)
def test_a_sentence_that_was_heard_twice_is_recognised_again(text: str, said_again: bool) -> None:
    """In a short window whisper may say a sentence twice, and in the whole window it is right."""
    model = Model(("en",), Segment(text, -0.1, 0.0, 1.5), {"en": 1.0}, QUESTION)
    heard = model.recognise(SOUND)
    assert (heard.text == "What is on the table?") == said_again
    assert (WHOLE in model.asked) == said_again
    twice = Model(("en",), Segment(text, -0.1, 0.0, 1.5), {"en": 1.0})  # somebody did say it twice
    assert (twice.recognise(SOUND).text, twice.recognise(SOUND).reason) == (text, "")


def test_a_sound_longer_than_the_window_is_recognised_in_parts() -> None:
    model = Model(("en",), QUESTION)
    heard = model.recognise(np.zeros(33 * 16_000, np.int16))
    assert heard.text == "What is on the table? What is on the table?"
    assert heard.confidence == pytest.approx(0.89, abs=0.005)
    assert model.asked == [WHOLE, "en", SHORT, "en"]
    assert model.recognise(np.zeros(1_000, np.int16)) == Recognition("", 0.0)


def test_words_can_be_scored_again_on_what_was_encoded() -> None:
    model = Model(("en",), QUESTION)
    seen: list[tuple[Encoded, str]] = []

    def rescore(encoded: Encoded, heard: Recognition) -> Recognition:
        seen.append((encoded, heard.text))
        return Recognition("better", 0.5)

    model.rescore = rescore
    assert model.recognise(SOUND).text == "better"
    ((encoded, text),) = seen
    assert (encoded.frames, encoded.speech_frames, text) == (LEAST, 100, "What is on the table?")
    assert model.asked == [SHORT, "en"]


def test_the_wake_phrase_stands_in_the_prompt() -> None:
    config = AsrConfig("whisper", "x.pt", languages=("en", "zh"), initial_prompt="Ada and Bo.")
    assert whisper_options(config, WakeConfig("required")).prompt == "Hey Aura. Ada and Bo."
    assert whisper_options(config, WakeConfig()).prompt == "Ada and Bo."
    assert whisper_options(config, WakeConfig()).languages == ("en", "zh")
    assert whisper_options(AsrConfig("whisper", "x.pt"), WakeConfig()).languages == ("en",)
    anything = AsrConfig("whisper", "x.pt", language="auto")
    assert whisper_options(anything, WakeConfig()).languages == ()
