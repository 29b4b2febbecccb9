"""The far end by time, and WebRTC's canceller in an artificial room."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from aura_core.errors import ConfigError
from aura_core.speech.echo import ApmEcho, EchoConfig, FarEnd
from aura_core.speech.types import NS, Audio

RATE = 16_000
START = 1_700_000_000 * NS


def speech_like(seconds: float, seed: int) -> NDArray[np.int16]:
    """Return noise in syllables, to which a canceller adapts."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    noise = np.convolve(rng.standard_normal(n), np.ones(4) / 4, "same")
    syllables = np.clip(np.sin(2 * np.pi * 3 * np.arange(n) / RATE) + 0.3, 0, 1)
    return (noise * syllables * 6000).clip(-32000, 32000).astype(np.int16)


def pieces(samples: NDArray[np.int16], size: int, start_ns: int = START) -> list[Audio]:
    return [
        Audio(samples[i : i + size], RATE, start_ns + i * NS // RATE)
        for i in range(0, len(samples), size)
    ]


def rms(samples: NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(samples.astype(float) ** 2)))


def at(number: int) -> int:
    """The time of a sample at 1 kHz."""
    return number * NS // 1000


def test_the_far_end_is_taken_by_time() -> None:
    far = FarEnd(1000)
    far.put(np.arange(1, 11, dtype=np.int16), at(1000))
    assert far.take(at(900), 10).tolist() == [0] * 10
    assert far.take(at(995), 10).tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4, 5]
    assert far.take(at(1005), 8).tolist() == [6, 7, 8, 9, 10, 0, 0, 0]


def test_jitter_of_the_far_end_makes_no_seam_and_what_is_late_is_counted() -> None:
    far = FarEnd(1000)
    far.put(np.arange(1, 11, dtype=np.int16), at(1000))
    assert far.take(at(1000), 12).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0]
    # 3 ms of jitter; the first two are too late
    far.put(np.arange(11, 16, dtype=np.int16), at(1013))
    assert far.late == 2
    assert far.take(at(1009), 4).tolist() == [13, 14, 15, 0]  # and jitter of who takes them


def test_both_ends_of_the_far_end_are_set_in_silence_and_by_leaps() -> None:
    far, silence = FarEnd(1000), np.zeros(10, dtype=np.int16)
    sound = np.arange(1, 11, dtype=np.int16)
    far.put(silence, at(1000))
    far.put(silence, at(1035))  # 25 ms later than the count says, in silence: believed
    far.put(sound, at(1048))
    assert far.take(at(1044), 12).tolist() == [0, *sound, 0]
    far.put(sound, at(1255))  # 200 ms later, in sound: believed too
    assert far.take(at(1254), 12).tolist() == [0, *sound, 0]
    assert far.take(at(1400), 5).tolist() == [0] * 5


def test_who_takes_waits_for_a_far_end_that_is_there() -> None:
    far = FarEnd(1000)
    assert not far.awaited(at(1000), 10)  # none yet
    far.put(np.ones(100, dtype=np.int16), at(1000))
    assert not far.awaited(at(1090), 10)
    assert far.awaited(at(1091), 10) and far.awaited(at(1400), 10)
    assert not far.awaited(at(1700), 10)  # gone


def test_the_far_end_is_bounded() -> None:
    far = FarEnd(1000)
    for second in range(60):
        far.put(np.ones(1000, dtype=np.int16), second * NS)
    assert sum(len(samples) for _, samples in far._runs) <= 6000


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livekit", None)
    with pytest.raises(ConfigError, match=r"-m pip install .* 'livekit>="):
        ApmEcho()


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"echo\.rate"):
        EchoConfig(rate=22_050)


@pytest.mark.parametrize("size", [160, 137, 512])
def test_pieces_of_any_size_come_out_whole_and_stamped(size: int) -> None:
    pytest.importorskip("livekit.rtc")
    echo = ApmEcho()
    out = [echo.near(piece) for piece in pieces(speech_like(0.5, 1), size)]
    assert all(len(audio.samples) % 160 == 0 for audio in out)
    assert 0 <= 8000 - sum(len(audio.samples) for audio in out) < 160
    at = START
    for audio in out:
        if len(audio.samples):
            assert abs(audio.stamp_ns - at) <= 200_000  # two or three samples of rounding
        at += audio.duration_ns


def test_the_robots_voice_is_taken_out_and_the_users_is_kept() -> None:
    pytest.importorskip("livekit.rtc")
    robot, user = speech_like(6, 2), speech_like(6, 3)
    user[: 4 * RATE] = 0
    delay = int(0.03 * RATE)
    room = np.concatenate(
        [np.zeros(delay, dtype=np.int16), (robot * 0.4).astype(np.int16)[:-delay]]
    )
    echo = ApmEcho()
    out = []
    heard = pieces((room + user * 0.8).astype(np.int16), 320)
    played = pieces(robot, 320)
    for piece in played[:3]:
        echo.far(piece)  # a device is given sound before it sounds
    for far, near in zip(played[3:], heard[:-3], strict=True):
        echo.far(far)
        out.append(echo.near(near).samples)
    cleaned = np.concatenate(out)
    assert echo.late == 0
    alone = slice(2 * RATE, 4 * RATE)
    assert rms(cleaned[alone]) < 0.05 * rms(room[alone])  # 26 dB
    assert rms(cleaned[4 * RATE + 8000 :]) > 0.2 * rms(user[4 * RATE + 8000 :])
