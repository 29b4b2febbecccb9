"""The thread that writes notes: it never keeps anybody waiting, and outlives a store that fails."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest
from memory_rig import START, S, note, numbers, opened

from aura_core.config import MemoryConfig
from aura_core.errors import ModelError, StoreError
from aura_core.memory import recorder as module
from aura_core.memory.recorder import Recorder
from aura_core.memory.store import Store, Wanted

RED = np.zeros((48, 64, 3), np.uint8)
RED[..., 0] = 250


@pytest.fixture
def store(tmp_path):
    kept = opened(tmp_path / "notes.db")
    yield kept
    kept.close()


class Rig:
    """A recorder that runs, and what it has complained about."""

    def __init__(self, store: Store, **more: object) -> None:
        self.said: list[str] = []
        self.recorder = Recorder(store, self.said.append, **more)
        self.recorder.start()


@pytest.fixture
def rig(store):
    running = Rig(store)
    yield running
    running.recorder.close()


def until(condition, timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def fill(store: Store, pages: int) -> None:
    """Let the file grow by so many pages at most; 0: as it likes."""
    with store._write() as db:
        used = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {used + pages if pages else 1_000_000}")


def test_notes_are_on_disk_without_being_asked_for(rig, store):
    assert rig.recorder.put(note(1, "the cat came"))
    until(lambda: store.count(Wanted()) == 1)
    assert rig.recorder.flush() and rig.recorder.waiting == 0
    beside = opened(store.path, read_only=True)
    assert numbers(beside.find(Wanted(terms=("cat",)))) == [1]
    beside.close()
    assert rig.said == [] and rig.recorder.trouble == ""


def test_putting_a_note_waits_for_nothing(rig, store):
    with store._transaction():  # nobody can write
        for i in range(20):
            assert rig.recorder.put(note(i))
        assert not rig.recorder.flush(0.05)
    assert rig.recorder.flush()
    assert numbers(store.find(Wanted())) == list(range(20))


def test_notes_that_come_together_are_one_transaction(rig, store, monkeypatch):
    sizes: list[int] = []
    add = Store.add
    monkeypatch.setattr(Store, "add", lambda s, n, v=None: (sizes.append(len(n)), add(s, n, v)))
    with store._transaction():
        rig.recorder.put(note(0))
        until(lambda: sizes)
        for i in range(1, 9):
            rig.recorder.put(note(i))
    assert rig.recorder.flush()
    assert sizes == [1, 8]


def test_a_keyframe_becomes_a_picture_and_a_small_one(store):
    rig = Rig(store, config=MemoryConfig(keyframe_width=64, thumbnail_width=16))
    wide = np.repeat(RED, 3, axis=1)
    rig.recorder.put(note(1), RED)
    rig.recorder.put(note(2), wide)
    rig.recorder.put(note(3))
    rig.recorder.put(note(4), np.zeros((4, 4), np.uint8))
    assert rig.recorder.close()
    first, second, third, fourth = store.find(Wanted(pictures=True, thumbnails=True))

    def shape(data: bytes | None) -> tuple[int, ...]:
        assert data is not None
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape

    assert shape(first.picture) == (48, 64, 3) and shape(first.thumbnail) == (12, 16, 3)
    assert shape(second.picture) == (16, 64, 3) and shape(second.thumbnail) == (4, 16, 3)
    assert third.picture is None and fourth.picture is None
    assert rig.said == ["note run-n4: a keyframe must be uint8 (height, width, 3), not (4, 4)"]
    pixel = cv2.imdecode(np.frombuffer(first.picture, np.uint8), cv2.IMREAD_COLOR)[20, 20]
    assert pixel[2] > 200 and pixel[0] < 50  # red, in OpenCV's order


def test_images_that_wait_are_few(rig, store):
    with store._transaction():
        for i in range(module.MOST_IMAGES + 5):
            rig.recorder.put(note(i), RED)
    assert rig.recorder.flush()
    with_picture = [n for n in store.find(Wanted(thumbnails=True)) if n.thumbnail]
    assert module.MOST_IMAGES <= len(with_picture) < module.MOST_IMAGES + 5


def test_while_paused_nothing_is_written(rig, store):
    rig.recorder.put(note(1))
    rig.recorder.pause()
    assert rig.recorder.paused and not rig.recorder.put(note(2))
    assert rig.recorder.flush()
    rig.recorder.resume()
    assert rig.recorder.put(note(3)) and rig.recorder.flush()
    assert numbers(store.find(Wanted())) == [1, 3]


def test_a_full_disk_is_said_once_and_nothing_is_lost(rig, store, monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", (0.02, 0.05))
    rig.recorder.put(note(1))
    assert rig.recorder.flush()
    fill(store, 1)
    big = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    for i in range(2, 6):
        rig.recorder.put(note(i), big)
    until(lambda: rig.recorder.trouble)
    assert rig.recorder.trouble.startswith(f"{store.path}: no space left; free some")
    assert rig.recorder.waiting == 4
    time.sleep(0.2)  # several more tries
    assert rig.said == [f"notes are not written: {rig.recorder.trouble}"]
    assert numbers(store.find(Wanted())) == [1]  # it can still be searched
    fill(store, 0)
    assert rig.recorder.flush()
    until(lambda: len(rig.said) == 2)
    assert rig.said[1] == "notes are written again" and rig.recorder.trouble == ""
    assert numbers(store.find(Wanted())) == [1, 2, 3, 4, 5]
    assert all(n.picture for n in store.find(Wanted(pictures=True)) if n.id != "run-n1")


def test_of_notes_that_wait_the_newest_stay(store, monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", (0.02, 0.05))
    monkeypatch.setattr(module, "MOST_NOTES", 3)
    rig = Rig(store)
    with store._write() as db:
        db.execute("PRAGMA query_only = ON")
    for i in range(5):
        rig.recorder.put(note(i))
    until(lambda: rig.recorder.trouble)
    with store._write() as db:
        db.execute("PRAGMA query_only = OFF")
    assert rig.recorder.flush() and rig.recorder.close()
    assert numbers(store.find(Wanted())) == [2, 3, 4]
    assert rig.said[-1] == "notes are written again; 2 of them are lost"


def test_pictures_of_the_oldest_notes_that_wait_are_given_up(store, monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", (0.02, 0.05))
    monkeypatch.setattr(module, "MOST_BYTES", 2500)
    rig = Rig(store)
    with store._write() as db:
        db.execute("PRAGMA query_only = ON")
    for i in range(5):
        rig.recorder.put(note(i, picture=bytes(1000)))
    until(lambda: rig.recorder.trouble)
    time.sleep(0.2)
    with store._write() as db:
        db.execute("PRAGMA query_only = OFF")
    assert rig.recorder.flush() and rig.recorder.close()
    kept = [n.picture is not None for n in store.find(Wanted(pictures=True))]
    assert kept == [False, False, False, True, True]


def test_a_file_that_is_removed_is_made_anew(rig, store, monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", (0.02, 0.05))
    rig.recorder.put(note(1))
    assert rig.recorder.flush()
    for file in list(store.path.parent.iterdir()):
        file.unlink()
    rig.recorder.put(note(2))
    assert rig.recorder.flush()
    until(lambda: len(rig.said) == 2)
    assert "was removed or replaced while it was open" in rig.said[0]
    assert rig.said[1] == "notes are written again"
    assert numbers(store.find(Wanted())) == [2] and store.path.exists()


def test_a_note_that_cannot_be_stored_costs_nothing_else(rig, store):
    with store._transaction():
        rig.recorder.put(note(1))
        rig.recorder.put(note(2, at_s=float(2**40)))
        rig.recorder.put(note(3))
    assert rig.recorder.flush()
    assert numbers(store.find(Wanted())) == [1, 3]
    assert rig.said == ["a note is lost: note run-n2: a time stamp of more than 64 bits"]


def test_the_end_writes_what_waits(store):
    rig = Rig(store)
    with store._transaction():
        for i in range(5):
            rig.recorder.put(note(i))
        done = rig.recorder.call(lambda s: s.count(Wanted()))
        closer = threading.Thread(target=rig.recorder.close)
        closer.start()
        until(lambda: not rig.recorder.put(note(9)))
    closer.join()
    assert numbers(store.find(Wanted())) == [0, 1, 2, 3, 4] and done.result(0) == 5
    with pytest.raises(StoreError, match="the notes are closed"):
        rig.recorder.forget(None)
    assert rig.recorder.close()  # again


def test_an_end_that_loses_notes_says_so(store):
    rig = Rig(store)
    with store._write() as db:
        db.execute("PRAGMA query_only = ON")
    rig.recorder.put(note(1))
    until(lambda: rig.recorder.trouble)
    assert rig.recorder.close()
    assert rig.said[-1].startswith("1 notes are lost: ")


def test_an_end_without_a_beginning(store):
    recorder = Recorder(store, print)
    recorder.put(note(1))
    assert recorder.close()


def test_small_texts_are_kept_until_they_are_written(rig, store, monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", (0.02, 0.05))
    with store._write() as db:
        db.execute("PRAGMA query_only = ON")
    rig.recorder.keep("watches", "[1]")
    until(lambda: rig.recorder.trouble)
    rig.recorder.keep("watches", "[2]")
    with store._write() as db:
        db.execute("PRAGMA query_only = OFF")
    assert rig.recorder.flush()
    assert store.kept("watches") == "[2]"


def test_forgetting_takes_notes_that_are_not_on_disk_yet(rig, store):
    with store._transaction():
        rig.recorder.put(note(1, "the secret"))
        rig.recorder.put(note(2, "the cat"))
        future = rig.recorder.call(lambda s: s.forget(Wanted(terms=("secret",))))
    assert future.result(10) == 1
    assert numbers(store.find(Wanted())) == [2]
    assert rig.recorder.forget(None) == 1


def test_forgetting_where_nothing_can_be_written(rig, store):
    rig.recorder.put(note(1))
    assert rig.recorder.flush()
    with store._write() as db:
        db.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="readonly"):
        rig.recorder.forget(None)
    rig.recorder.put(note(2))
    until(lambda: rig.recorder.trouble)
    with pytest.raises(StoreError, match="readonly"):
        rig.recorder.forget(None)


def test_vectors_of_an_embedder_and_one_that_fails(store):
    broken = False

    def embed(notes):
        if broken:
            raise ModelError("the embedder is gone")
        return [np.full(2, len(n.text), np.float32) for n in notes]

    rig = Rig(store, embed=embed)
    rig.recorder.put(note(1, "four"))
    assert rig.recorder.flush()
    broken = True
    for i in (2, 3):
        rig.recorder.put(note(i))
        assert rig.recorder.flush()
    rig.recorder.close()
    assert store.vectors()[0] == ["run-n1"] and store.vectors()[1].tolist() == [[4, 4]]
    assert store.count(Wanted()) == 3
    assert rig.said == ["notes are kept without vectors: the embedder is gone"]


@pytest.mark.parametrize(("jump_s", "left"), [(0.0, [2]), (40 * 86_400.0, [1, 2])])
def test_old_notes_are_deleted_but_not_by_a_clock_that_was_set(store, monkeypatch, jump_s, left):
    monkeypatch.setattr(module, "FIRST_TRIM_S", 0.1)
    now_s = START / S + 35 * 86_400
    times = iter([now_s])
    monkeypatch.setattr(module.time, "time", lambda: next(times, now_s + jump_s))
    trims: list[int] = []
    trim = Recorder._trim
    monkeypatch.setattr(Recorder, "_trim", lambda *a: (trims.append(1), trim(*a))[1], raising=True)
    store.add([note(1), note(2, at_s=30 * 86_400)])
    rig = Rig(store)
    until(lambda: trims)
    assert rig.recorder.flush() and rig.recorder.close()
    assert numbers(store.find(Wanted())) == left


@pytest.mark.parametrize(("age_days", "left"), [(1, [1, 2]), (35, [2])])
def test_notes_of_a_recording_are_as_old_as_its_own_clock_says(store, monkeypatch, age_days, left):
    """Regression: what a bag or a simulated day of last spring told was deleted while it played."""
    monkeypatch.setattr(module, "FIRST_TRIM_S", 0.1)
    trims: list[int] = []
    trim = Recorder._trim
    monkeypatch.setattr(Recorder, "_trim", lambda *a: (trims.append(1), trim(*a))[1], raising=True)
    store.add([note(1), note(2, at_s=30 * 86_400)])
    rig = Rig(store, now_ns=lambda: START + age_days * 86_400 * S)
    until(lambda: trims)
    assert rig.recorder.flush() and rig.recorder.close()
    assert numbers(store.find(Wanted())) == left
