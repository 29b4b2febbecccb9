"""Synthetic users, noise, and resampled sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aura_core.bench.speech.voices import available, mix_noise, pad, read_wave, say
from aura_core.errors import ConfigError, InputError
from aura_core.speech.resample import Resampler
from aura_core.speech.types import Audio


@pytest.mark.parametrize("voice", ["slt", "en-gb"])
def test_say(voice: str) -> None:
    if not available(voice):
        pytest.skip(f"the program that has the voice {voice} is not installed")
    audio = say("what do you see", voice, rate=16_000)
    assert audio.rate == 16_000 and audio.samples.dtype == np.int16
    assert 0.5 < audio.duration_ns / 1e9 < 3.0 and np.abs(audio.samples).max() > 1_000
    with pytest.raises(InputError, match="nothing to say"):
        say(" ", voice)


def test_missing_programs_and_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    if available("en-us"):
        with pytest.raises(ConfigError, match="voice 'klingon-xx'"):
            say("hello", "klingon-xx")
    monkeypatch.setenv("PATH", "/nonexistent")
    for voice, program in (("slt", "flite"), ("en-us", "espeak-ng")):
        with pytest.raises(ConfigError, match=f"apt-get install {program}"):
            say("hello", voice)


def test_noise_has_the_level_that_was_asked_for() -> None:
    tone = (10_000 * np.sin(np.arange(160_000) * 0.3)).astype(np.int16)
    audio = pad(Audio(tone, 16_000), 100, 100)
    noisy = mix_noise(audio, 20.0, seed=1)
    noise = noisy.samples.astype(float) - audio.samples
    assert 10 * np.log10(np.mean(tone.astype(float) ** 2) / np.mean(noise**2)) == pytest.approx(
        20.0, abs=0.2
    )
    assert np.array_equal(noisy.samples, mix_noise(audio, 20.0, seed=1).samples)
    assert not np.array_equal(noisy.samples, mix_noise(audio, 20.0, seed=2).samples)


def test_pieces_join_without_a_seam() -> None:
    tone = (10_000 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)).astype(np.int16)

    def resampled(piece: int) -> np.ndarray:
        resampler = Resampler(44_100)
        parts = [resampler.push(tone[i : i + piece]) for i in range(0, len(tone), piece)]
        return np.concatenate([*parts, resampler.flush()])

    whole = resampled(len(tone))
    assert abs(len(whole) - 16_000) <= 32
    for piece in (441, 1_000):
        assert np.array_equal(resampled(piece), whole)
    want = 10_000 * np.sin(2 * np.pi * 440 * np.arange(len(whole)) / 16_000)
    assert np.abs(whole - want)[200:-200].max() < 200


def test_the_same_rate_is_left_alone_and_wrong_ones_refused() -> None:
    samples = np.arange(10, dtype=np.int16)
    assert Resampler(16_000).push(samples) is samples
    with pytest.raises(InputError, match="0 Hz"):
        Resampler(0)


def test_what_is_no_wave_file(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"no")
    with pytest.raises(InputError, match="not a WAV file"):
        read_wave(tmp_path / "x.wav")
