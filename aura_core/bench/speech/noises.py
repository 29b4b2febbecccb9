"""Noises of a home, made by formulas: what a microphone hears while nobody speaks.

Each takes a random generator and a number of samples, and returns float (n,) of any level.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from aura_core.bench.speech.sounds import RATE, Samples, at_level

Wave = NDArray[np.float64]
MINUTE = 60 * RATE  # level and kind of event change after so many samples
LEVELS_DB = (-50.0, -20.0)  # lowest and highest level of a minute [dB of full scale]


def silence(rng: np.random.Generator, n: int) -> Wave:
    return np.zeros(n)


def white(rng: np.random.Generator, n: int) -> Wave:
    return rng.standard_normal(n)


def pink(rng: np.random.Generator, n: int) -> Wave:
    return _coloured(rng, n, 0.5)


def brown(rng: np.random.Generator, n: int) -> Wave:
    return _coloured(rng, n, 1.0)


def hum(rng: np.random.Generator, n: int) -> Wave:
    """Mains hum of 50 Hz, with its harmonics."""
    t = np.arange(n) / RATE
    return sum(
        rng.uniform(0.2, 1.0) / k * np.sin(2 * np.pi * 50 * k * t + rng.uniform(0, 6.28))
        for k in (1, 2, 3, 4, 6, 8)
    ) * (1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.05, 0.5) * t))


def clicks(rng: np.random.Generator, n: int) -> Wave:
    """A keyboard: short bursts of noise."""
    return _events(rng, n, 6.0, lambda: white(rng, 300) * _decay(300, rng.uniform(20, 60)))


def knocks(rng: np.random.Generator, n: int) -> Wave:
    """Knocks and steps: a low tone that dies away, with some noise."""

    def knock() -> Wave:
        t = np.arange(2_400) / RATE
        tone = np.sin(2 * np.pi * rng.uniform(70, 250) * t) + 0.2 * white(rng, len(t))
        return tone * _decay(len(t), rng.uniform(200, 500))

    return _events(rng, n, 1.5, knock)


def dishes(rng: np.random.Generator, n: int) -> Wave:
    """Plates and glasses: high tones that are no harmonics of each other."""

    def clang() -> Wave:
        t = np.arange(8_000) / RATE
        tones = [np.sin(2 * np.pi * f * t) for f in rng.uniform(1_000, 7_000, 6)]
        return np.sum(tones, axis=0) * _decay(len(t), rng.uniform(500, 2_500))

    return _events(rng, n, 1.2, clang)


def rain(rng: np.random.Generator, n: int) -> Wave:
    """Noise without its low part, and drops."""
    hiss = np.diff(white(rng, n + 1))
    return 0.3 * hiss + _events(rng, n, 12.0, lambda: np.diff(white(rng, 81)) * _decay(80, 25))


def fan(rng: np.random.Generator, n: int) -> Wave:
    """Air, and the tone of the blades."""
    t, blades = np.arange(n) / RATE, rng.uniform(60, 140)
    beat = 1 + 0.3 * np.sin(2 * np.pi * blades / 5 * t)
    return brown(rng, n) * beat + 0.2 * np.sin(2 * np.pi * blades * t)


def motor(rng: np.random.Generator, n: int) -> Wave:
    """A vacuum cleaner: a buzzing tone that drifts, and air."""
    t = np.arange(n) / RATE
    pitch = rng.uniform(110, 320) * (1 + 0.05 * np.sin(2 * np.pi * rng.uniform(0.05, 0.3) * t))
    phase = np.cumsum(pitch) / RATE
    return 2 * (phase % 1.0) - 1 + white(rng, n)


def music(rng: np.random.Generator, n: int) -> Wave:
    """Notes of a scale, with harmonics, over a bass and a beat."""
    scale = 220.0 * 2 ** (np.array((0, 2, 4, 5, 7, 9, 11, 12)) / 12)

    def note() -> Wave:
        t = np.arange(int(rng.uniform(0.15, 0.8) * RATE)) / RATE
        pitch = rng.choice(scale) * rng.choice((0.5, 1.0, 2.0))
        wave = sum(np.sin(2 * np.pi * pitch * k * t) / k**1.5 for k in range(1, 7))
        return wave * _decay(len(t), 0.3 * RATE) * np.minimum(1, t * 100)

    beat = _events(rng, n, 2.0, lambda: white(rng, 1_000) * _decay(1_000, 150))
    return _events(rng, n, 4.0, note) + 0.5 * beat


NOISES: dict[str, Callable[[np.random.Generator, int], Wave]] = {
    f.__name__: f
    for f in (
        silence,
        white,
        pink,
        brown,
        hum,
        clicks,
        knocks,
        dishes,
        rain,
        fan,
        motor,
        music,
    )
}


def noise(kind: str, seconds: float, seed: int) -> Samples:
    """A noise of `NOISES`. Each minute has another level, and other tones."""
    rng, left, minutes = np.random.default_rng(seed), round(seconds * RATE), []
    while left > 0:
        n = min(left, MINUTE)
        minutes.append(at_level(NOISES[kind](rng, n), rng.uniform(*LEVELS_DB)))
        left -= n
    return np.concatenate(minutes)


def _coloured(rng: np.random.Generator, n: int, slope: float) -> Wave:
    """Noise whose amplitude falls with the frequency to the power of `slope`, above 20 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    return np.fft.irfft(spectrum / np.maximum(frequency, 20.0) ** slope, n)


def _events(rng: np.random.Generator, n: int, per_second: float, event: Callable[[], Wave]) -> Wave:
    """Events at random times, each of another loudness."""
    out = np.zeros(n)
    for start in rng.integers(0, n, rng.poisson(per_second * n / RATE)):
        wave = event()[: n - start]
        out[start : start + len(wave)] += wave * rng.uniform(0.3, 1.0)
    return out


def _decay(n: int, samples: float) -> Wave:
    return np.exp(-np.arange(n) / samples)
