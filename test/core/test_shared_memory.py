"""The sweep of shared memory deletes what killed processes have left, and nothing else."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from shared_memory import YOUNGEST_S, sweep

BEGAN_S = 1_000_000.0
NOW_S = BEGAN_S + 600


@pytest.mark.parametrize(
    ("made_s", "gone"),
    [
        (BEGAN_S + 1, True),
        (BEGAN_S - 1, False),  # of another run
        (NOW_S - YOUNGEST_S + 1, False),  # its process may be about to lock it
    ],
)
def test_a_segment_that_nobody_holds_is_deleted_where_it_is_of_this_run(
    made_s: float, gone: bool, tmp_path: Path
) -> None:
    segment, lock = tmp_path / f"fastdds_{'0a' * 8}", tmp_path / f"fastdds_{'0a' * 8}_el"
    segment.write_bytes(b"x")
    lock.touch()
    os.utime(lock, (made_s, made_s))
    assert sweep(BEGAN_S, NOW_S, tmp_path) == ([segment] if gone else [])
    assert (segment.exists(), lock.exists()) == (not gone, not gone)


def test_a_segment_that_a_process_holds_stays_and_so_does_what_is_no_segment(
    tmp_path: Path,
) -> None:
    names = [f"fastdds_{'1b' * 8}", "fastdds_port7000", "sem.fastdds_port7000_mutex"]
    files = [tmp_path / name for n in names for name in (n, f"{n}_el")]
    for file in files:
        file.touch()
        os.utime(file, (BEGAN_S, BEGAN_S))
    with (tmp_path / f"{names[0]}_el").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert sweep(BEGAN_S, NOW_S, tmp_path) == []
    assert all(file.exists() for file in files)
