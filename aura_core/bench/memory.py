"""`aura bench memory`: a month of notes is searched and measured, and what a kill costs; and what
stands before the video is read anew at each switch of a day.

Run as a program it is the writer that is killed: it adds numbered notes and prints how many are
committed.
"""

from __future__ import annotations

import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from aura_core.bench.memory_text import BLOCK_NS, Household
from aura_core.config import MemoryConfig
from aura_core.errors import InputError
from aura_core.memory.form import PLAIN
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.recall import Recall
from aura_core.memory.store import Store, Wanted
from aura_core.memory.tiers import Tiers

BATCH = 500
OPENINGS = 5
KILLED_WITHIN_S = (0.05, 0.5)
DAY, SWITCHES = 1440, 240  # notes of 12 h; and switches after them, each with one more note
BUDGET = 2000  # tokens before the video
_TOKEN = re.compile(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+|[^\w\s]")  # a word, a sign, a character


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Attributes:
        notes: in the file, one each 30 s.
        questions: asked one after another.
        kills: of a process that writes.
        vectors: length of a random vector of each note; 0: none.
    """

    notes: int
    questions: int
    kills: int
    vectors: int = 0


def measure(asked: Asked, folder: Path, on_step: Callable[[str], None]) -> dict[str, Any]:
    """Write the notes, and measure. `folder`: for the files; `on_step` is told what comes.

    Returns:
        Times in ms, sizes in bytes; what each means is in its name.
    """
    figures: dict[str, Any] = {"notes": asked.notes, "questions": asked.questions}
    on_step(f"writing {asked.notes} notes")
    path, empty = folder / "month.db", folder / "empty.db"
    Store.open(empty).close()
    now_ns = time.time_ns()
    figures |= _write(path, asked, now_ns)
    hours = asked.notes * BLOCK_NS / 3.6e12
    figures["bytes_per_hour"] = round(path.stat().st_size / hours)
    on_step(f"opening {OPENINGS} times")
    figures["open_ms"], figures["open_empty_ms"] = _opening(path), _opening(empty)
    figures["open_more_ms"] = figures["open_ms"] - figures["open_empty_ms"]
    on_step(f"asking {asked.questions} questions")
    figures |= _ask(path, asked, now_ns)
    on_step(f"switching {SWITCHES} times after a day of {DAY} notes")
    figures |= before_the_video(folder / "day.db")
    on_step("deleting one note, and checking")
    figures |= _forget(path)
    if asked.kills:
        on_step(f"killing a writer {asked.kills} times")
        figures |= kill(folder / "killed.db", asked.kills)
    figures["sqlite"] = sqlite3.sqlite_version
    return figures


def _write(path: Path, asked: Asked, now_ns: int) -> dict[str, Any]:
    household = Household()
    rng = np.random.default_rng(0)
    store = Store.open(path)
    spent: list[float] = []
    for first in range(0, asked.notes, BATCH):
        count = min(BATCH, asked.notes - first)
        notes = household.notes(first, count, now_ns, asked.notes)
        vectors = None
        if asked.vectors:
            vectors = list(rng.standard_normal((count, asked.vectors), np.float32))
        begin = time.perf_counter()
        store.add(notes, vectors)
        spent.append(time.perf_counter() - begin)
    stats = store.stats()
    store.close()
    return {
        "write_ms_per_note": sum(spent) * 1e3 / asked.notes,
        "text_bytes": stats.text_bytes,
        "file_bytes": path.stat().st_size,
    }


def _opening(path: Path) -> float:
    """Opening the file and finding its newest note; the median [ms]."""
    times = []
    for _ in range(OPENINGS):
        begin = time.perf_counter()
        store = Store.open(path)
        store.find(Wanted(limit=1, newest_first=True))
        times.append((time.perf_counter() - begin) * 1e3)
        store.close()
    return median(times)


def _ask(path: Path, asked: Asked, now_ns: int) -> dict[str, Any]:
    store = Store.open(path, read_only=True)
    recall = Recall(store, MemoryConfig(), PLAIN)
    questions = Household(seed=1).questions(asked.questions)
    told = [recall.find(question, now_ns) for question in questions]
    figures: dict[str, Any] = {
        "remembered": sum(r is not None and r.matches > 0 for r in told) / len(told)
    }
    figures |= _spent("recall", lambda question: recall.find(question, now_ns), questions)
    figures |= _spent("search", lambda question: recall.search(question, now_ns), questions)
    if asked.vectors:
        begin = time.perf_counter()
        _, matrix = store.vectors()
        figures["vectors_load_ms"] = (time.perf_counter() - begin) * 1e3
        figures |= _spent(
            "vectors", lambda i: np.argsort(store.vectors()[1] @ matrix[i]), range(50)
        )
    store.close()
    return figures


def _spent(name: str, search: Callable[[Any], object], asked: Sequence[Any]) -> dict[str, float]:
    """How long a search takes, of many; `cpu`: without what other processes took."""
    times, cpu_times = [], []
    for one in asked:
        begin, cpu_begin = time.perf_counter(), time.thread_time()
        search(one)
        times.append((time.perf_counter() - begin) * 1e3)
        cpu_times.append((time.thread_time() - cpu_begin) * 1e3)
    return {
        f"{name}_p50_ms": float(np.percentile(times, 50)),
        f"{name}_p95_ms": float(np.percentile(times, 95)),
        f"{name}_max_ms": max(times),
        f"{name}_cpu_p95_ms": float(np.percentile(cpu_times, 95)),
    }


def before_the_video(path: Path) -> dict[str, Any]:
    """Tokens (words and signs) of the notes before the video, and how many of them a switch reads
    anew, because the text before began otherwise; means over the switches."""
    notes = Household().notes(0, DAY + SWITCHES, time.time_ns(), DAY + SWITCHES)
    store = Store.open(path)
    store.add(notes[:DAY])
    tiers = Tiers(
        store,
        MemoryConfig(prefix_tokens=BUDGET),
        replace(PLAIN, merges=None),
        UTC,
        lambda text: len(_TOKEN.findall(text)),
    )
    texts = []
    for note in notes[DAY:]:
        store.add([note])
        texts.append(_TOKEN.findall(tiers.text(note.wall_ns + BLOCK_NS)))
    store.close()
    anew = []
    for before, after in pairwise(texts):
        pairs = enumerate(zip(before, after, strict=False))
        anew.append(len(after) - next((i for i, (a, b) in pairs if a != b), len(before)))
    return {
        "before_video_tokens": float(np.mean([len(text) for text in texts])),
        "before_video_tokens_max": max(len(text) for text in texts),
        "read_anew_tokens": float(np.mean(anew)),
        "read_anew_switches": len(anew),
    }


def _forget(path: Path) -> dict[str, Any]:
    store = Store.open(path)
    begin = time.perf_counter()
    store.forget(Wanted(ids=("bench-n0",)))
    figures = {"forget_one_ms": (time.perf_counter() - begin) * 1e3}
    begin = time.perf_counter()
    wrong = store.check()
    figures["check_ms"] = (time.perf_counter() - begin) * 1e3
    store.close()
    return figures | {"wrong": wrong}


def kill(path: Path, times: int) -> dict[str, Any]:
    """SIGKILL a process that writes to the file, at random instants, and open the file each time.

    Returns how often a committed note was missing, and how often the file was not sound.
    """
    rng = random.Random(0)
    lost = damaged = told = there = 0
    for _ in range(times):
        writer = subprocess.Popen(
            [sys.executable, "-m", __name__, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        if writer.stdout.readline() != "ready\n":
            raise InputError(f"{path}: the process that writes did not begin")
        time.sleep(rng.uniform(*KILLED_WITHIN_S))
        writer.send_signal(signal.SIGKILL)
        lines = writer.stdout.read().split("\n")[:-1]  # the last one may be cut off
        writer.wait()
        told = max(told, int(lines[-1]) if lines else 0)
        store = Store.open(path)
        there = store.count(Wanted())
        lost += there < told
        damaged += bool(store.check())
        store.close()
        told = there
    return {"kills": times, "kills_lost": lost, "kills_damaged": damaged, "kills_notes": there}


def _add_until_killed(path: str) -> None:
    store = Store.open(path)
    count = store.count(Wanted())
    picture = bytes(3000)
    print("ready", flush=True)
    while True:
        now_ns = time.time_ns()
        text = f"note {count}; the cat came; 猫来了"
        note = Note(f"kill-n{count}", NoteKind.SEEN, text, 0, 0, now_ns, "kill", picture=picture)
        store.add([note])
        count += 1
        print(count, flush=True)


if __name__ == "__main__":
    _add_until_killed(sys.argv[1])
