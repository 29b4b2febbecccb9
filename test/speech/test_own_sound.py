"""Own voice by its sound: what explains what the microphone hears, and when that is doubted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aura_core.speech.echo import FarEnd
from aura_core.speech.own_sound import LEAST, RATE, WINDOW, Doubt, EchoState, OwnSound
from aura_core.speech.types import NS


def voice(seconds: float, seed: int) -> NDArray[np.int16]:
    """Noise of a colour of its own, in syllables."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    sound = np.convolve(rng.standard_normal(n), rng.standard_normal(40), "same")
    loud = np.clip(np.sin(2 * np.pi * 4 * np.arange(n) / RATE + seed) + 0.5, 0, 1)
    return np.clip(sound * loud * 800, -32_000, 32_000).astype(np.int16)


def delayed(sound: NDArray[np.int16], ms: int, gain: float) -> NDArray[np.int16]:
    n = RATE * ms // 1000
    late = np.concatenate([np.zeros(n, np.int16), sound[: len(sound) - n]])
    return (late * gain).astype(np.int16)


def share(near: NDArray[np.int16], far: NDArray[np.int16], piece: int = 160) -> float:
    own = OwnSound()
    for i in range(0, len(near), piece):
        own.push(near[i : i + piece], far[i : i + piece])
    return own.share()


@pytest.mark.parametrize("ms", [0, 30, 190])
@pytest.mark.parametrize("gain", [0.4, -0.1])
@pytest.mark.parametrize("piece", [160, 137, 9000])
def test_the_robots_voice_at_any_delay_is_its_own(ms: int, gain: float, piece: int) -> None:
    robot = voice(1.0, 1)
    assert share(delayed(robot, ms, gain), robot, piece) > 0.98


def test_a_user_is_not_explained_by_the_robots_voice() -> None:
    robot, user = voice(1.0, 1), voice(1.0, 2)
    echo = delayed(robot, 30, 0.4)
    alone, both = share(user, robot), share((user * 0.5 + echo).astype(np.int16), robot)
    assert alone < 0.3 and both < 0.9 < share(echo, robot)


def test_the_share_of_an_echo_in_noise_is_that_of_its_energy() -> None:
    """Of independent sounds with equal energy each explains the root of a half."""
    rng = np.random.default_rng(5)
    far, noise = (rng.standard_normal(RATE) * 3000 for _ in range(2))
    near = (delayed(far.astype(np.int16), 20, 1.0) + noise).astype(np.int16)
    # the estimate of a correlation r over n samples has a deviation of (1 - r^2) / sqrt(n)
    assert abs(share(near, far.astype(np.int16)) - 0.5**0.5) < 5 * 0.5 / WINDOW**0.5


def test_silence_explains_nothing() -> None:
    silence, faint = np.zeros(RATE, np.int16), np.ones(RATE, np.int16)
    assert share(voice(1.0, 1), silence) == share(silence, silence) == 0.0
    assert share(faint, faint) < 0.1


def state(own: float, settled: bool = True) -> EchoState:
    return EchoState(settled, lambda: own)


def test_a_voice_is_doubted_where_the_robots_own_explains_it_as_usual() -> None:
    doubt = Doubt()
    assert doubt.voice(0.9, state(0.99)) == 0.9  # nothing is known of this room yet
    for i in range(3 * LEAST):
        assert doubt.voice(0.1, state(0.9 + 0.001 * i)) == 0.1
    assert doubt.voice(0.9, state(0.95)) == 0.0
    assert doubt.voice(0.9, state(0.6)) == 0.9
    assert doubt.voice(0.9, state(0.6, settled=False)) == 0.0


def test_a_room_in_which_little_is_explained_hides_no_user() -> None:
    doubt = Doubt()
    for i in range(3 * LEAST):
        doubt.voice(0.1, state(0.4 + 0.001 * i))
    assert doubt.voice(0.9, state(0.3)) == 0.9


def test_what_is_heard_before_the_canceller_has_settled_teaches_nothing() -> None:
    doubt = Doubt()
    for _ in range(6 * LEAST):
        doubt.voice(0.1, state(0.9, settled=False))
    assert doubt.voice(0.9, state(0.95)) == 0.9


def at(number: int) -> int:
    """The time of a sample at 1 kHz."""
    return number * NS // 1000


def played(far: FarEnd, first: int, n: int) -> None:
    """Take n samples from number `first` on, in pieces of 10."""
    for i in range(first, first + n, 10):
        far.take(at(i), 10)


def learnt() -> FarEnd:
    """A far end whose sound has come steadily until number 3000, and was taken until there."""
    far, sound = FarEnd(1000), np.ones(500, np.int16)
    for begin in range(1000, 3000, 500):
        far.put(sound, at(begin + 3))  # jitter
    played(far, 1000, 2000)
    return far


def test_a_far_end_has_to_be_learnt_first() -> None:
    far = FarEnd(1000)
    far.put(np.ones(500, np.int16), at(1000))
    played(far, 1000, 500)
    assert not far.settled
    assert learnt().settled


def test_a_loudspeaker_that_stutters_unsettles_for_a_while() -> None:
    far, sound = learnt(), np.ones(500, np.int16)
    far.put(sound, at(3200))  # 200 ms of nothing, in its voice
    played(far, 3000, 700)
    assert not far.settled
    far.put(sound, at(3700))
    far.put(sound, at(4200))
    played(far, 3700, 700)
    assert not far.settled
    played(far, 4400, 200)
    assert far.settled


def test_a_pause_between_sentences_unsettles_nothing() -> None:
    far, sound, silence = learnt(), np.ones(300, np.int16), np.zeros(300, np.int16)
    for begin in (3000, 3600, 4200):
        far.put(silence, at(begin + 5))
        far.put(sound, at(begin + 304))
        played(far, begin, 600)
        assert far.settled


@pytest.mark.parametrize("side", ["loudspeaker", "microphone"])
def test_a_delay_that_changes_in_a_pause_unsettles_the_next_sentence(side: str) -> None:
    far, sound, silence = learnt(), np.ones(300, np.int16), np.zeros(300, np.int16)
    later = 80 if side == "loudspeaker" else 0  # such as a device that was opened again
    far.put(silence, at(3000))
    far.put(silence, at(3300 + later))
    played(far, 3000, 300)
    assert far.settled  # nothing sounds yet
    far.put(sound, at(3600 + later))
    far.put(sound, at(3900 + later))
    played(far, 3300 + (0 if later else 80), 700)
    assert not far.settled


def test_sound_that_comes_too_late_unsettles() -> None:
    far = learnt()
    played(far, 3000, 200)
    assert far.settled
    far.put(np.ones(200, np.int16), at(3100))
    assert far.late and not far.settled
