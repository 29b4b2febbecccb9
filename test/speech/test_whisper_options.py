"""What of whisper's result is taken for words. The figures are what Whisper tiny.en said."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aura_core.speech.asr import AsrConfig, whisper_options
from aura_core.speech.asr.faster_whisper import FasterWhisper
from aura_core.speech.asr.whisper_options import Segment, WhisperOptions, judged, spoken
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


class Model:
    """faster-whisper's model: what it is asked, and what it hears."""

    def __init__(self, probabilities: dict[str, float], segment: Segment) -> None:
        self.is_multilingual = True
        self.model, self.asked = self, []
        self._probabilities, self._segment = probabilities, segment

    def detect_language(self, sound: NDArray[np.float32]) -> tuple[str, float, list]:
        self.asked.append("language")
        return "", 0.0, list(self._probabilities.items())

    def transcribe(self, sound: NDArray[np.float32], **options: object) -> tuple[list, None]:
        self.asked.append(options["language"])
        s = self._segment
        return [
            type(
                "Found",
                (),
                {
                    "text": s.text,
                    "avg_logprob": s.logprob,
                    "no_speech_prob": s.no_speech,
                    "compression_ratio": s.compression,
                },
            )
        ], None


SOUND = np.zeros(16_000, np.int16)


def test_another_language_is_rejected_where_one_is_set() -> None:
    model = Model({"zh": 0.9, "en": 0.05}, CHINESE)
    heard = FasterWhisper(model, WhisperOptions(("en",))).recognise(SOUND)
    assert heard.reason == "language" and model.asked == ["en", "language"]
    sure = Model({"zh": 0.9}, QUESTION)  # words that are sure need no second look
    assert FasterWhisper(sure, WhisperOptions(("en",))).recognise(SOUND).reason == ""
    assert sure.asked == ["en"]


def test_a_mixed_household_is_heard_in_the_language_of_the_utterance() -> None:
    model = Model({"zh": 0.9, "en": 0.05}, QUESTION)
    heard = FasterWhisper(model, WhisperOptions(("en", "zh"))).recognise(SOUND)
    assert (heard.language, heard.reason, model.asked) == ("zh", "", ["language", "zh"])
    french = Model({"fr": 0.9, "en": 0.05}, QUESTION)
    assert FasterWhisper(french, WhisperOptions(("en", "zh"))).recognise(SOUND).reason == "language"


def test_the_wake_phrase_stands_in_the_prompt() -> None:
    config = AsrConfig("whisper", "x.pt", languages=("en", "zh"), initial_prompt="Ada and Bo.")
    assert whisper_options(config, WakeConfig("required")).prompt == "Hey Aura. Ada and Bo."
    assert whisper_options(config, WakeConfig()).prompt == "Ada and Bo."
    assert whisper_options(config, WakeConfig()).languages == ("en", "zh")
    assert whisper_options(AsrConfig("whisper", "x.pt"), WakeConfig()).languages == ("en",)
    anything = AsrConfig("whisper", "x.pt", language="auto")
    assert whisper_options(anything, WakeConfig()).languages == ()
