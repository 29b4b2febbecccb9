"""The ring buffer between the synthesiser and the loudspeaker's callback."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from aura_core.errors import ConfigError
from aura_core.speech.playback import PlaybackBuffer
from aura_core.speech.types import Audio


def ramp(n: int, first: int = 1, rate: int = 16_000) -> Audio:
    return Audio(np.arange(first, first + n, dtype=np.int16), rate)


def test_what_is_written_is_read_and_then_silence() -> None:
    buffer = PlaybackBuffer(16_000)
    assert buffer.idle and buffer.read(4).tolist() == [0, 0, 0, 0]
    assert buffer.write(ramp(5), "a") == 5
    assert buffer.read(3).tolist() == [1, 2, 3]
    assert (buffer.played("a"), buffer.idle) == (3, False)
    assert buffer.read(4).tolist() == [4, 5, 0, 0]
    assert (buffer.played("a"), buffer.idle) == (5, True)


def test_the_ring_wraps() -> None:
    buffer = PlaybackBuffer(4_000, capacity_s=0.1)  # 400 samples
    heard = []
    for turn in range(7):
        assert buffer.write(ramp(300, first=turn * 300, rate=4_000), turn, last=True) == 300
        heard += buffer.read(300).tolist()
    assert heard == list(range(2100))
    assert buffer.finished() == list(range(7)) and buffer.finished() == []


def test_what_does_not_fit_is_refused_and_counted() -> None:
    buffer = PlaybackBuffer(4_000, capacity_s=0.1)
    assert buffer.write(ramp(500, rate=4_000), "a") == 400
    assert buffer.overflow == 100


def test_a_tag_is_finished_when_its_last_sample_was_read() -> None:
    buffer = PlaybackBuffer(16_000)
    buffer.write(ramp(5), "a")
    buffer.read(5)
    assert buffer.finished() == []  # more may follow
    buffer.write(ramp(2), "a", last=True)
    buffer.write(ramp(3), "b", last=True)
    buffer.read(2)
    assert buffer.finished() == ["a"]
    buffer.read(3)
    assert buffer.finished() == ["b"]


def test_stop_fades_within_5_ms_and_tells_what_was_played() -> None:
    buffer = PlaybackBuffer(16_000)
    buffer.write(Audio(np.full(1000, 8000, dtype=np.int16), 16_000), "a", last=True)
    buffer.write(Audio(np.full(1000, 8000, dtype=np.int16), 16_000), "b")
    buffer.read(400)
    assert buffer.stop() == {"a": 480, "b": 0}  # 80 samples of fade
    assert not buffer.idle
    tail = buffer.read(160)
    assert tail[0] == 8000 and not tail[80:].any() and tail[79] == 0
    assert np.abs(np.diff(tail)).max() <= 102  # no step: 8000 / 79
    assert buffer.idle and buffer.finished() == []
    assert buffer.write(ramp(10), "b") == 0  # a piece that was on its way
    assert buffer.write(ramp(10), "a") == 0
    assert buffer.write(ramp(10), "c") == 10
    assert buffer.read(10).tolist() == list(range(1, 11))
    assert buffer.stop() == {"c": 10}


def test_stop_between_two_pieces_refuses_the_next_one() -> None:
    buffer = PlaybackBuffer(16_000)
    buffer.write(ramp(10), "a")
    buffer.read(20)
    assert buffer.stop() == {"a": 10}
    assert buffer.write(ramp(10), "a") == 0


def test_stop_of_what_was_played_out_is_nothing() -> None:
    buffer = PlaybackBuffer(16_000)
    buffer.write(ramp(10), "a", last=True)
    buffer.read(10)
    assert buffer.stop() == {} and buffer.finished() == ["a"]
    assert not buffer.read(100).any()


def test_another_rate_is_resampled_without_a_seam() -> None:
    buffer = PlaybackBuffer(48_000)
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050)).astype(np.int16)
    for piece in np.array_split(tone, 37):
        buffer.write(Audio(piece, 22_050), "a")
    buffer.write(Audio(tone[:0], 22_050), "a", last=True)
    heard = buffer.read(48_100).astype(float)
    assert abs(buffer.played("a") - 48_000) <= 2
    expected = 8000 * np.sin(2 * np.pi * 440 * np.arange(48_100) / 48_000)
    assert np.abs(heard - expected)[100:47_900].max() < 100


def test_the_tail_of_a_tag_is_not_lost_when_the_next_begins() -> None:
    buffer = PlaybackBuffer(48_000)
    buffer.write(Audio(np.full(1600, 1000, dtype=np.int16), 16_000), "a")
    buffer.write(Audio(np.full(1600, 1000, dtype=np.int16), 16_000), "b", last=True)
    buffer.read(10_000)
    assert abs(buffer.played("a") - 4800) <= 2 and abs(buffer.played("b") - 4800) <= 2


def test_starving_in_the_middle_of_a_sentence_is_counted_once() -> None:
    buffer = PlaybackBuffer(16_000)
    buffer.write(ramp(10), "a")
    for _ in range(3):
        buffer.read(20)
    assert buffer.underruns == 1
    buffer.write(ramp(10), "a", last=True)
    buffer.read(20)
    assert buffer.underruns == 1


def test_restart_empties_it_at_another_rate() -> None:
    buffer = PlaybackBuffer(16_000)
    buffer.write(ramp(10), "a")
    buffer.restart(8_000)
    assert (buffer.rate, buffer.idle, buffer.played("a")) == (8_000, True, 0)


def test_one_thread_reads_while_another_writes() -> None:
    buffer = PlaybackBuffer(16_000, capacity_s=2)
    heard: list[int] = []

    def read() -> None:
        while len(heard) < 20_000:
            heard.extend(buffer.read(160)[: 20_000 - len(heard)].tolist())
            heard[:] = [x for x in heard if x]

    reader = threading.Thread(target=read)
    reader.start()
    for at in range(0, 20_000, 500):
        buffer.write(ramp(500, first=at + 1), at, last=True)
    reader.join(30)
    assert heard == list(range(1, 20_001))


def test_counts_are_kept_for_a_bounded_number_of_tags() -> None:
    buffer = PlaybackBuffer(16_000)
    for tag in range(1000):
        buffer.write(ramp(1), tag, last=True)
        buffer.read(1)
        buffer.finished()
    assert len(buffer._played) == 256 and buffer.played(999) == 1


def test_a_bad_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match="rate"):
        PlaybackBuffer(0)


def test_one_tag_is_stopped_and_the_others_go_on() -> None:
    buffer = PlaybackBuffer(1_000 * 16)
    for tag, level in (("a", 1_000), ("b", 2_000), ("c", 3_000)):
        buffer.write(Audio(np.full(1_600, level, np.int16), 16_000), tag, last=True)
    buffer.read(400)
    assert buffer.stop_one("b") == 0  # in the middle of the queue
    assert not buffer.holds("b") and buffer.holds("a") and buffer.holds("c")
    assert buffer.stop_one("a") == 480  # it fades out within 5 ms, which count as played
    faded = buffer.read(80)
    assert faded[0] == 1_000 and faded[-1] == 0 and np.all(np.diff(faded) <= 0)
    assert np.all(buffer.read(1_600) == 3_000)
    assert buffer.idle and buffer.finished() == ["c"]
    assert (buffer.played("b"), buffer.played("c")) == (0, 1_600)


def test_sound_of_a_tag_that_was_stopped_before_it_came_is_refused() -> None:
    buffer = PlaybackBuffer(16_000)
    assert buffer.stop_one("a") == 0
    assert buffer.write(Audio(np.ones(160, np.int16), 16_000), "a", last=True) == 0
    assert buffer.write(Audio(np.ones(160, np.int16), 16_000), "b", last=True) == 160
    assert buffer.read(200).sum() == 160


def test_a_tag_is_stopped_around_the_end_of_the_ring() -> None:
    buffer = PlaybackBuffer(4_000, capacity_s=0.5)
    for turn in range(40):
        tags = [f"{turn}{letter}" for letter in "abc"]
        for k, tag in enumerate(tags):
            buffer.write(Audio(np.full(300 + 37 * k, turn, np.int16), 4_000), tag, last=True)
        buffer.stop_one(tags[1])
        heard = buffer.read(1_200)
        assert np.count_nonzero(heard) == (300 + 374 if turn else 0)
        assert buffer.idle and buffer.finished() == [tags[0], tags[2]]
