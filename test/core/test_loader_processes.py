"""A loader that is killed leaves no process behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mllm_double import light_video

pytest.importorskip("torch")

REPOSITORY = Path(__file__).resolve().parents[2]
# Both workers are in the middle of an example when their parent is killed.
LOADING = """
import os, time
from torch.utils.data import Dataset
from aura_core.training.finetune.dataset import loader

class Slow(Dataset):
    def __len__(self):
        return 100
    def __getitem__(self, index):
        os.write(1, f"worker {os.getpid()}\\n".encode())  # a line in one piece
        time.sleep(600)

next(iter(loader(Slow(), range(100), 2)))
"""


def test_the_workers_of_a_killed_loader_end(tmp_path):
    """Regression: they went on to decode, each for as long as its example took."""
    loader = subprocess.Popen(
        [sys.executable, "-c", LOADING], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert loader.stdout is not None
    workers = [int(loader.stdout.readline().split()[1]) for _ in range(2)]
    try:
        assert all(_alive(w) for w in workers)
        loader.send_signal(signal.SIGKILL)
        loader.wait()
        end = time.monotonic() + 60
        while any(_alive(w) for w in workers) and time.monotonic() < end:
            time.sleep(0.05)
        assert not any(_alive(w) for w in workers)
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait to be collected (Z)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


# What is left of a video that was read is freed only by the collection of garbage.
DECODED = """
import gc, sys
from torch.utils.data import Dataset
from aura_core.sources import open_source
from aura_core.training.finetune.dataset import loader

gc.disable()
with open_source(sys.argv[1]) as source:
    next(iter(source))

class Collecting(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        gc.collect()
        return index

print(sorted(loader(Collecting(), range(4), 2)))
"""


def test_workers_do_not_wait_for_the_threads_of_a_decoder_that_they_inherit(tmp_path):
    """Regression: a worker that collected garbage freed the decoder of a video that its parent had
    read, and waited for ever for threads that are only in the parent."""
    clip = light_video(tmp_path / "a.mp4")
    done = subprocess.run(
        [sys.executable, "-c", DECODED, str(clip)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
    )
    assert done.returncode == 0 and done.stdout == "[0, 1, 2, 3]\n", done.stderr
