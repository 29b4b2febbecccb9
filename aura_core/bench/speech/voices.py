"""Synthetic users: sentences spoken by the programs flite and espeak-ng, and added noise.

The programs run as processes of their own; nothing of them becomes part of this package.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from aura_core.errors import ConfigError, InputError
from aura_core.speech.resample import Resampler
from aura_core.speech.types import Audio

FLITE_VOICES = ("kal", "slt", "awb", "rms")
# the voices of the benchmark
USERS = (*FLITE_VOICES, "en-us", "en-gb", "en-us+f3", "en-us+m3")
ESPEAK_WPM = 175  # words a minute of espeak-ng's voices
TIMEOUT_S = 30


def program_of(voice: str) -> str:
    """The program that has `voice`."""
    return "flite" if voice in FLITE_VOICES else "espeak-ng"


def available(voice: str) -> bool:
    """Whether the program that has `voice` is installed."""
    return shutil.which(program_of(voice)) is not None


def users() -> list[str]:
    """The synthetic users that this machine has. Raises `InputError` when there are none."""
    found = [v for v in USERS if available(v)]
    if not found:
        raise InputError("no synthetic voice is installed: apt install flite espeak-ng")
    return found


def say(text: str, voice: str = "slt", rate: int = 16_000, speed: float = 1.0) -> Audio:
    """`text` as sound.

    Args:
        text: what to say.
        voice: a voice of flite (`FLITE_VOICES`) or of espeak-ng (en-us, en-gb, en-us+f3, ...).
        rate: samples per second.
        speed: how many times as fast as usual the voice speaks.

    Returns:
        Mono int16 sound.

    Raises:
        ConfigError: the program or the voice is missing.
        InputError: the text is empty.
    """
    if not text.strip():
        raise InputError("voices: there is nothing to say")
    program = program_of(voice)
    if shutil.which(program) is None:
        raise ConfigError(f"voices: '{voice}' needs {program}: apt-get install {program}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        pace = ["--setf", f"duration_stretch={1.0 / speed:.4g}"] if speed != 1.0 else []
        command = [program, "-voice", voice, *pace, "-t", text, "-o", str(path)]
        if program == "espeak-ng":
            pace = ["-s", str(round(ESPEAK_WPM * speed))] if speed != 1.0 else []
            command = [program, "-v", voice, *pace, "-w", str(path), "--", text]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        if done.returncode or not path.is_file():
            why = (done.stderr.strip().splitlines() or ["no sound came"])[0]
            raise ConfigError(f"voices: {program} cannot say this with the voice '{voice}': {why}")
        samples, found = read_wave(path)
    resampler = Resampler(found, rate)
    return Audio(np.concatenate([resampler.push(samples), resampler.flush()]), rate)


def read_wave(path: Path) -> tuple[np.ndarray, int]:
    """The first channel of a WAV file as int16 (n,), and its rate. Raises `InputError`."""
    try:
        with wave.open(str(path)) as file:
            if file.getsampwidth() != 2:
                raise InputError(
                    f"{path}: {8 * file.getsampwidth()} bits a sample; only 16 are read"
                )
            data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            return data.reshape(-1, file.getnchannels())[:, 0].astype(np.int16), file.getframerate()
    except (wave.Error, EOFError) as error:
        raise InputError(f"{path}: not a WAV file: {error}") from error


def pad(audio: Audio, before_ms: int = 500, after_ms: int = 1_000) -> Audio:
    """The sound with silence before and after it."""
    before, after = (
        np.zeros(ms * audio.rate // 1000, dtype=np.int16) for ms in (before_ms, after_ms)
    )
    return Audio(np.concatenate([before, audio.samples, after]), audio.rate, audio.stamp_ns)


def mix_noise(audio: Audio, snr_db: float, seed: int) -> Audio:
    """The sound with white noise at a signal-to-noise ratio of `snr_db`.

    The signal's power is measured where its amplitude is above a hundredth of its peak.
    """
    clean = audio.samples.astype(np.float64)
    level = np.abs(clean)
    loud = clean[level > level.max(initial=0.0) / 100]
    power = float(np.mean(loud**2)) if len(loud) else 0.0
    sigma = np.sqrt(power / 10 ** (snr_db / 10))
    noisy = clean + np.random.default_rng(seed).normal(0.0, sigma, len(clean))
    return Audio(
        np.clip(np.rint(noisy), -32768, 32767).astype(np.int16), audio.rate, audio.stamp_ns
    )
