"""Both whispers with their own loaders and decoders, on checkpoints that are made here.

Bad settings are refused before anything is loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from asr_fixtures import STATE, library_segment, planted_faster_whisper, planted_whisper

from aura_core.errors import ConfigError, ModelError
from aura_core.speech.asr import AsrConfig, open_recognizer, parse, transcribe
from aura_core.speech.asr.base import as_float
from aura_core.speech.asr.devices import pick
from aura_core.speech.asr.encoded import EncodedUtterance
from aura_core.speech.types import Audio
from aura_core.speech.wake import WakeConfig

NOISE = np.random.default_rng(0).normal(0, 500, 32_000).astype(np.int16)


def test_a_planted_sentence_is_transcribed(tmp_path: Path) -> None:
    pytest.importorskip("whisper")
    path = planted_whisper(tmp_path / "x.pt", "what do you see?")
    recognizer = open_recognizer(AsrConfig("whisper", str(path), device="cpu"))
    heard = transcribe(recognizer, Audio(NOISE, 16_000))
    assert heard.text == "what do you see?"
    assert heard.in_grammar and heard.confidence == pytest.approx(1.0, abs=0.01)
    # nothing is left of the one before
    assert transcribe(recognizer, Audio(NOISE[:100], 16_000)).text == ""


def test_chinese_is_found_by_itself(tmp_path: Path) -> None:
    pytest.importorskip("whisper")
    path = planted_whisper(tmp_path / "x.pt", "你看到什么?", language="zh")
    for language in ("auto", "zh"):
        recognizer = open_recognizer(
            AsrConfig("whisper", str(path), language=language, device="cpu")
        )
        assert transcribe(recognizer, Audio(NOISE, 16_000)).text == "你看到什么?"


def test_faster_whisper_transcribes_a_planted_sentence(tmp_path: Path) -> None:
    pytest.importorskip("whisper")
    pytest.importorskip("faster_whisper")
    folder = planted_faster_whisper(tmp_path, "what do you see?")
    recognizer = open_recognizer(AsrConfig("faster_whisper", str(folder), device="cpu"))
    heard = transcribe(recognizer, Audio(NOISE, 16_000))
    assert heard.text == "what do you see?"
    assert heard.in_grammar and heard.confidence == pytest.approx(1.0, abs=0.01)
    assert transcribe(recognizer, Audio(NOISE[:100], 16_000)).text == ""


def test_faster_whisper_finds_chinese_by_itself(tmp_path: Path) -> None:
    pytest.importorskip("whisper")
    pytest.importorskip("faster_whisper")
    folder = planted_faster_whisper(tmp_path, "你看到什么?", language="zh")
    for language in ("auto", "zh"):
        recognizer = open_recognizer(
            AsrConfig("faster_whisper", str(folder), language=language, device="cpu")
        )
        assert transcribe(recognizer, Audio(NOISE, 16_000)).text == "你看到什么?"


def opened(
    backend: str, folder: Path, text: str = "what do you see?", **settings: object
) -> EncodedUtterance:
    """A planted checkpoint in either backend."""
    pytest.importorskip("whisper")
    if backend == "faster_whisper":
        pytest.importorskip("faster_whisper")
        path = planted_faster_whisper(folder, text)
    else:
        path = planted_whisper(folder / "x.pt", text)
    recognizer = open_recognizer(AsrConfig(backend, str(path), device="cpu", **settings))
    assert isinstance(recognizer, EncodedUtterance)
    return recognizer


@pytest.mark.parametrize("backend", ["whisper", "faster_whisper"])
def test_only_what_is_there_is_encoded(backend: str, tmp_path: Path) -> None:
    """The whole window is the same as the library's own transcription."""
    recognizer = opened(backend, tmp_path)
    for samples, frames, speech in ((NOISE, 1_000, 200), (np.tile(NOISE, 15)[:-1], 3_000, 2_999)):
        encoded = recognizer.encode(samples)
        assert (encoded.frames, encoded.speech_frames) == (frames, speech)
        assert tuple(encoded.output.shape) == (1, frames // 2, STATE)
        segment = recognizer.words(encoded, "en")
        assert segment.text.strip() == "what do you see?"
        own = library_segment(recognizer, samples)
        assert segment.text.strip() == own.text.strip()
        assert (segment.logprob, segment.no_speech, segment.compression) == pytest.approx(
            (own.logprob, own.no_speech, own.compression), rel=1e-5, abs=1e-6
        )
    (best,) = [name for name, p in recognizer.language_probabilities(encoded).items() if p > 0.5]
    assert best == "en"


@pytest.mark.parametrize("backend", ["whisper", "faster_whisper"])
def test_a_text_longer_than_anybody_speaks_is_cut(backend: str, tmp_path: Path) -> None:
    """A decoder that repeats itself would go on for 224 tokens."""
    count = "one two three four five six seven eight nine ten one two three four five six seven"
    recognizer = opened(backend, tmp_path, count)
    short, long = (recognizer.encode(NOISE[:samples]) for samples in (4_000, 32_000))
    cut, whole = recognizer.words(short, "en"), recognizer.words(long, "en")
    assert (short.most_tokens, long.most_tokens) == (16, 44)
    assert (
        cut.text.strip()
        == "one two three four five six seven eight nine ten one two three four five six"
    )
    assert (whole.text.strip(), whole.reason) == (count, "")
    assert (cut.ended, cut.reason, whole.ended) == (False, "repeated", True)
    assert recognizer.recognise(NOISE[:4_000]).reason == "repeated"


def test_the_encoder_of_whisper_is_its_own(tmp_path: Path) -> None:
    """With random weights: the whole window as the library encodes it, and a cut one."""
    torch = pytest.importorskip("torch")
    recognizer = opened("whisper", tmp_path)
    encoder, generator = recognizer._model.encoder, torch.Generator().manual_seed(0)
    for weights in encoder.parameters():
        weights.data.normal_(0.0, 0.2, generator=generator)
    encoder.positional_embedding.normal_(0.0, 0.2, generator=generator)
    from whisper.audio import log_mel_spectrogram, pad_or_trim

    mel = log_mel_spectrogram(as_float(NOISE), padding=480_000)[:, :200]
    with torch.no_grad():
        own = encoder(pad_or_trim(mel, 3_000)[None])
        whole = recognizer.encode(NOISE, 3_000).output
        cut = recognizer.encode(NOISE, 600).output
        encoder.positional_embedding = encoder.positional_embedding[:300]
        own_cut = encoder(pad_or_trim(mel, 600)[None])
    torch.testing.assert_close(whole, own)
    torch.testing.assert_close(cut, own_cut)
    assert own.std() > 0.1


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("whisper")
    (tmp_path / "text.pt").write_text("nothing of the kind")
    torch.save({"weights": 1}, tmp_path / "other.pt")
    for name in ("text.pt", "other.pt"):
        with pytest.raises(ModelError, match=rf"{name} is no whisper checkpoint"):
            open_recognizer(AsrConfig("whisper", str(tmp_path / name), device="cpu"))


def test_names_are_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name, message in (("base", "nothing is downloaded"), ("/no/such.pt", "no such file")):
        with pytest.raises(ConfigError, match=message):
            open_recognizer(AsrConfig("whisper", name))
    with pytest.raises(ConfigError, match="nothing is downloaded"):
        open_recognizer(AsrConfig("faster_whisper", "tiny"))
    with pytest.raises(ModelError, match=r"has no model\.bin, config\.json, tokenizer\.json"):
        open_recognizer(AsrConfig("faster_whisper", str(tmp_path)))


def test_a_broken_faster_whisper_folder(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ModelError, match="is no faster-whisper model"):
        open_recognizer(AsrConfig("faster_whisper", str(tmp_path), device="cpu"))


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("x.pt", "model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"{}")
    for package in ("whisper", "faster_whisper", "pocketsphinx"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match="-m pip install 'openai-whisper>="):
        open_recognizer(AsrConfig("whisper", str(tmp_path / "x.pt")))
    with pytest.raises(ConfigError, match="-m pip install 'faster-whisper>="):
        open_recognizer(AsrConfig("faster_whisper", str(tmp_path)))
    with pytest.raises(ConfigError, match=r"-m pip install .* 'pocketsphinx>="):
        open_recognizer(AsrConfig(), phrases=parse("stop", "mine"))


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [
        ("auto", 0, ("cpu", 0)),
        ("auto", 1, ("cuda", 0)),
        ("auto", 2, ("cuda", 1)),
        ("auto", 4, ("cuda", 1)),
        ("cpu", 2, ("cpu", 0)),
        ("cuda", 2, ("cuda", 0)),
        ("cuda:1", 2, ("cuda", 1)),
    ],
)
def test_which_device(device: str, gpus: int, expected: tuple[str, int]) -> None:
    assert pick(device, gpus) == expected


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="no cuda:1"):
        pick("cuda:1", 1)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"backend": "siri"}, "backend"),
        ({"language": "fr"}, "language"),
        ({"language": "zh"}, "pocketsphinx knows English only"),
        ({"backend": "whisper"}, "asr.model"),
        ({"backend": "whisper", "model": "x.pt", "grammar_file": "g"}, "grammar_file"),
        ({"device": "cuda:x"}, "device"),
        ({"rejection": 1.5}, "rejection"),
        ({"languages": ("en",)}, "pocketsphinx does not use it"),
        ({"backend": "whisper", "model": "x.pt", "languages": ("en", "fr")}, "not 'fr'"),
        ({"backend": "whisper", "model": "x.pt", "compute_type": "int8"}, "of faster_whisper"),
        ({"initial_prompt": "Ada."}, "asr.initial_prompt"),
        ({"device": "cuda"}, "asr.device: pocketsphinx does not use it"),
        ({"backend": "whisper", "model": "x.pt", "rejection": 0.4}, "set min_confidence"),
        (
            {"backend": "whisper", "model": "x.pt", "languages": ("zh", "zh"), "language": "zh"},
            "names 'zh' twice",
        ),
        (
            {"backend": "whisper", "model": "x.pt", "languages": ("zh",)},
            r"asr.language: 'en' is none of asr.languages \[zh\]",
        ),
        (
            {"backend": "whisper", "model": "x.pt", "languages": ("en",), "language": "auto"},
            "'auto' is none of",
        ),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        AsrConfig(**wrong)


@pytest.mark.parametrize("backend", ["whisper", "faster_whisper"])
def test_the_likelihood_of_the_parts_of_a_text(backend: str, tmp_path: Path) -> None:
    """The planted sentence is certain, a word in its place is not, and the parts add up."""
    recognizer = opened(backend, tmp_path)
    encoded = recognizer.encode(NOISE)
    (said, other) = recognizer.likelihoods(
        encoded, "en", "", [(" what do", " you see", "?"), (" what can", " you see")]
    )
    assert said == pytest.approx([0.0, 0.0, 0.0], abs=0.01)
    assert other[0] < -20 and other[1] == pytest.approx(0.0, abs=0.01)
    segment = recognizer.words(encoded, "en")
    assert sum(said) == pytest.approx(segment.logprob, abs=0.01)


@pytest.mark.parametrize("backend", ["whisper", "faster_whisper"])
def test_words_after_a_prefix(backend: str, tmp_path: Path) -> None:
    recognizer = opened(backend, tmp_path)
    encoded = recognizer.encode(NOISE)
    assert recognizer.words(encoded, "en", prefix=" what do").text.strip() == "you see?"


def test_backends_agree_on_likelihoods(tmp_path: Path) -> None:
    texts = [(" what", " do you see?"), (" hey", " aura"), (" what do you", " hear?")]
    found = []
    for backend in ("whisper", "faster_whisper"):
        folder = tmp_path / backend
        folder.mkdir()
        recognizer = opened(backend, folder)
        encoded = recognizer.encode(NOISE)
        found.append(recognizer.likelihoods(encoded, "en", "", texts))
    for one, other in zip(*found, strict=True):
        assert one == pytest.approx(other, abs=0.1)


def test_the_wake_phrase_is_scored_only_where_it_is_used(tmp_path: Path) -> None:
    pytest.importorskip("whisper")
    config = AsrConfig("whisper", str(planted_whisper(tmp_path / "x.pt", "hm")), device="cpu")
    for mode, scored in (("off", False), ("required", True), ("after_silence", True)):
        recognizer = open_recognizer(config, WakeConfig(mode))
        assert isinstance(recognizer, EncodedUtterance)
        assert (recognizer.rescore is not None) is scored
