"""A voice for each language, and a sentence without a sound."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from aura_core.errors import ConfigError
from aura_core.node_settings import TtsNodeConfig
from aura_core.settings import from_parameters
from aura_core.speech.language import language_of
from aura_core.speech.tts import SynthesisError, TtsConfig, Voices, open_voices
from aura_core.speech.tts.base import VoiceConfig
from aura_core.speech.tts.voices import language_of_voice, warning
from aura_core.speech.types import Audio


class Voice:
    """Says every sentence with as many samples as it has characters."""

    def __init__(self, name: str, rate: int = 16_000, silent: bool = False) -> None:
        self.description, self.rate, self.silent, self.closed = name, rate, silent, False

    def speak(self, sentence: str) -> Iterator[Audio]:
        if not self.silent:
            yield Audio(np.full(len(sentence) * self.rate // 100, 1000, np.int16), self.rate)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("The cup fell.", "en"),
        ("杯子掉了。", "zh"),
        ("打开USB3接口。", "zh"),
        ("カップが落ちた。", "ja"),
        ("컵이 떨어졌다.", "ko"),
        ("Чашка упала.", "ru"),
        ("3", "en"),
    ],
)
def test_the_script_tells_the_language(sentence: str, code: str) -> None:
    assert language_of(sentence) == code


def test_each_sentence_is_spoken_by_the_voice_of_its_language_at_one_rate() -> None:
    english, chinese = Voice("english"), Voice("chinese", rate=8_000)
    voices = Voices(english, {"zh": chinese})
    assert voices.description == "english; zh: chinese, at 16000 Hz" and voices.rate == 16_000
    assert voices.voice("The cup fell.") is english
    assert voices.voice("杯子掉了。").description == "chinese, at 16000 Hz"
    assert voices.voice("Чашка упала.") is english  # nobody else
    assert voices.voice("OK", "zh").description == "chinese, at 16000 Hz"
    pieces = list(voices.speak("杯子掉了。"))
    assert {p.rate for p in pieces} == {16_000}
    assert sum(len(p.samples) for p in pieces) == pytest.approx(5 * 160, abs=32)
    voices.close()
    assert english.closed and chinese.closed


def test_a_sentence_without_a_sound_has_failed() -> None:
    voices = Voices(Voice("english"), {"zh": Voice("mute", silent=True)})
    with pytest.raises(
        SynthesisError, match=r"mute made no sound of '杯子掉了。': .*voices\.zh\.voice"
    ):
        list(voices.speak("杯子掉了。"))
    assert list(voices.speak("The cup fell."))


def test_a_sentence_that_is_cancelled_early_has_not_failed() -> None:
    pieces = Voices(Voice("english"), {}).speak("The cup fell.")
    pieces.close()  # type: ignore[attr-defined]


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_language_without_a_voice_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "flite", "echo 'Voices available: kal slt'")
    voices = open_voices(TtsConfig())
    assert voices.description == "flite, voice slt" and voices.missing == ("zh",)
    assert warning(voices) == (
        "no voice for Chinese: apt install espeak-ng, or set voices.zh.voice"
    )
    program(tmp_path, "espeak-ng", "")
    voices = open_voices(TtsConfig("flite"))
    assert voices.description == "flite, voice slt; zh: espeak-ng, voice cmn, at 16000 Hz"
    assert voices.missing == () and warning(voices) == ""
    voices = open_voices(TtsConfig("espeak", "cmn"))
    assert voices.description == "espeak-ng, voice cmn; en: espeak-ng, voice en"


def test_voices_that_are_named_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "flite", "echo 'Voices available: kal slt'")
    program(tmp_path, "espeak-ng", "")
    named = {"zh": VoiceConfig("espeak", "yue"), "ru": VoiceConfig("espeak")}
    voices = open_voices(TtsConfig("flite", voices=named))
    assert voices.voice("杯子掉了。").description == "espeak-ng, voice yue, at 16000 Hz"
    assert voices.voice("Чашка упала.").description == "espeak-ng, voice ru, at 16000 Hz"
    with pytest.raises(ConfigError, match="'nobody' is not a voice of flite"):
        open_voices(TtsConfig("flite", voices={"zh": VoiceConfig("flite", "nobody")}))


def test_the_voices_are_parameters_of_the_node() -> None:
    given = {"backend": "flite", "voices.zh.backend": "espeak", "voices.zh.voice": "yue"}
    config = from_parameters(TtsNodeConfig, given, "tts_node")
    assert config.tts == TtsConfig("flite", voices={"zh": VoiceConfig("espeak", "yue")})
    with pytest.raises(ConfigError, match="siri"):
        from_parameters(TtsNodeConfig, {"voices.zh.backend": "siri"}, "tts_node")


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (TtsConfig("flite"), "en"),
        (TtsConfig("espeak"), "en"),
        (TtsConfig("espeak", "en-us+f3"), "en"),
        (TtsConfig("espeak", "cmn"), "zh"),
        (TtsConfig("espeak", "de"), "de"),
        (TtsConfig("piper", "/nowhere/zh_CN-huayan-medium.onnx"), "zh"),
        (TtsConfig("piper", "/nowhere/mine.onnx"), ""),
    ],
)
def test_the_language_of_a_voice(config: TtsConfig, code: str) -> None:
    assert language_of_voice(config) == code


def test_espeak_speaks_chinese() -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    voices = open_voices(TtsConfig("espeak"))
    samples = np.concatenate([p.samples for p in voices.speak("杯子是红色的。")])
    assert 0.5 < len(samples) / voices.rate < 4.0 and np.abs(samples).max() > 3000
    voices.close()


@pytest.mark.parametrize("code", ["english", "xx", "ZH", "zh-CN", "cmn"])
def test_a_voice_is_for_a_code_of_a_language(code: str) -> None:
    with pytest.raises(ConfigError, match=f"tts.voices.{code}: '{code}' is no code of a language"):
        TtsConfig("flite", voices={code: VoiceConfig("espeak")})


def test_whether_somebody_speaks_a_language_is_known() -> None:
    voices = Voices(Voice("a"), {"zh": Voice("b")})
    assert voices.speaks("fr")  # it may be: nobody knows what the main voice speaks
    voices.main_language = "en"
    assert [voices.speaks(code) for code in ("en", "zh", "fr")] == [True, True, False]
