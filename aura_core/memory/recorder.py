"""The thread that writes notes: whoever has a note never waits for the disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from aura_core.config import MemoryConfig
from aura_core.errors import AuraError, InputError, StoreError, one_line
from aura_core.memory.clock import steady_ns
from aura_core.memory.notes import Note
from aura_core.memory.pictures import jpeg
from aura_core.memory.store import Store
from aura_core.memory.wanted import Wanted

MOST_NOTES = 1000  # that wait for a file that cannot be written; the oldest are lost
MOST_IMAGES = 16  # that wait to be encoded; further notes come without a picture
MOST_BYTES = 64_000_000  # of the pictures of notes that wait; the oldest lose theirs
BATCH = 64  # most notes of one transaction
TRIM_S = 600.0
FIRST_TRIM_S = 60.0
JUMP_S = 60.0  # by more than this off, the wall clock was set: it is not trusted this time
RETRY_S = (1.0, 60.0)  # first and longest wait after a failure

RGB = NDArray[np.uint8]
Embed = Callable[[Sequence[Note]], Sequence[NDArray[np.float32]]]
_T = TypeVar("_T")


@dataclass(eq=False)
class _Waiting:
    """A note that is not on disk yet, and its image until that is encoded."""

    note: Note
    image: RGB | None


class Recorder:
    """Writes notes into a store in a thread of its own.

    What comes while a transaction is under way is written in the next one. A store that fails costs
    nothing but notes: the newest `MOST_NOTES` wait, and writing is tried again. One line is said
    when it fails, and one when it works again.

    Args:
        store: where to; it is not closed here.
        complain: called with one line, from the thread that writes.
        config: widths of the pictures, and for how long notes are kept.
        embed: the vectors of notes, (d,) float32 each; None: none.
        before_trim: is called with the store before notes are deleted for their age.
        now_ns: the wall clock of the notes where it is not this machine's: notes of a recording, or
            of a simulated day, are as old as its own time says.
    """

    def __init__(
        self,
        store: Store,
        complain: Callable[[str], None],
        config: MemoryConfig | None = None,
        embed: Embed | None = None,
        before_trim: Callable[[Store], None] | None = None,
        now_ns: Callable[[], int] | None = None,
    ) -> None:
        self.store, self._before_trim, self._now_ns = store, before_trim, now_ns
        self._complain, self._config, self._embed = complain, config or MemoryConfig(), embed
        self._state = threading.Condition()
        self._notes: list[_Waiting] = []
        self._kept: dict[str, str] = {}
        self._calls: list[Callable[[], None]] = []
        self._working = False  # the thread has work in its hands
        self._paused = self._closing = False
        self._trouble = ""
        self._lost = 0  # notes, since the store failed
        self._embeds = True  # the embedder has not failed yet
        self._thread = threading.Thread(target=self._run, name="notes", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Write what waits, and end the thread. False: it did not end in time."""
        with self._state:
            self._closing = True
            self._state.notify_all()
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def put(self, note: Note, image: RGB | None = None) -> bool:
        """Take a note, and return at once. False: paused or closed, the note is dropped.

        `image`: its keyframe, uint8 (height, width, 3), which is not changed afterwards.
        """
        with self._state:
            if self._paused or self._closing:
                return False
            if sum(w.image is not None for w in self._notes) >= MOST_IMAGES:
                image = None
            self._notes.append(_Waiting(note, image))
            if len(self._notes) > MOST_NOTES:
                del self._notes[0]
                self._lost += 1
            self._state.notify_all()
        return True

    def keep(self, name: str, text: str) -> None:
        """`Store.keep`, and return at once. It is tried until it is done."""
        with self._state:
            self._kept[name] = text
            self._state.notify_all()

    def call(self, action: Callable[[Store], _T]) -> Future[_T]:
        """Do something with the store after everything that was put before is on disk.

        Where that cannot be written, or the action fails, the future has the `StoreError`.
        """
        future: Future[_T] = Future()

        def run() -> None:
            try:
                if self._trouble:
                    raise StoreError(self._trouble)
                future.set_result(action(self.store))
            except AuraError as e:
                future.set_exception(e)

        with self._state:
            if self._closing:
                future.set_exception(StoreError("the notes are closed"))
                return future
            self._calls.append(run)
            self._state.notify_all()
        return future

    def forget(self, wanted: Wanted | None, timeout_s: float | None = None) -> int:
        """`Store.forget`, with the notes that were put but are not on disk yet.

        Raises `StoreError`, also when it takes longer than `timeout_s`; it is still done then.
        """
        try:
            return self.call(lambda store: store.forget(wanted)).result(timeout_s)
        except TimeoutError as e:
            raise StoreError("the notes are still being deleted") from e

    def pause(self) -> None:
        """From now on notes are dropped; those that were put before are still written."""
        with self._state:
            self._paused = True

    def resume(self) -> None:
        """Take notes again."""
        with self._state:
            self._paused = False

    @property
    def paused(self) -> bool:
        """Notes are dropped."""
        return self._paused

    @property
    def trouble(self) -> str:
        """Why notes cannot be written, in one line; "" where they can."""
        return self._trouble

    @property
    def waiting(self) -> int:
        """Number of notes that are not on disk yet."""
        with self._state:
            return len(self._notes)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until everything that was put is on disk. False: it is not, in this time."""
        with self._state:
            return self._state.wait_for(self._is_done, timeout_s)

    # ---- the thread --------------------------------------------------------------------------

    def _is_done(self) -> bool:
        return not (self._notes or self._kept or self._calls or self._working)

    def _run(self) -> None:
        wait_s, retry_at = RETRY_S[0], 0.0
        clocks = time.time(), steady_ns() / 1e9
        trim_at = time.monotonic() + FIRST_TRIM_S
        closing = False
        while not closing:
            with self._state:
                self._working = False
                self._state.notify_all()
                while not (closing := self._closing):
                    now = time.monotonic()
                    work_at = now if self._calls else retry_at if not self._is_done() else trim_at
                    if now >= min(work_at, trim_at):
                        break
                    self._state.wait(min(work_at, trim_at) - now)
                self._working = True
                calls, self._calls = self._calls, []
            self._tell(self._write())
            for call in calls:
                call()
            if not self._trouble and time.monotonic() >= trim_at:
                before, clocks = clocks, (time.time(), steady_ns() / 1e9)
                trim_at = time.monotonic() + TRIM_S
                self._tell(self._trim(before, clocks))
            wait_s = min(2 * wait_s, RETRY_S[1]) if self._trouble else RETRY_S[0]
            retry_at = time.monotonic() + wait_s if self._trouble else 0.0
        with self._state:
            self._working = False
            self._state.notify_all()
        if self._trouble and (lost := self._lost + len(self._notes)):
            self._complain(f"{lost} notes are lost: {self._trouble}")

    def _write(self) -> str:
        """Write all that waits; returns why that failed."""
        try:
            if self._trouble and self.store.moved:
                self.store.reopen()
            for name, text in list(self._kept.items()):
                self.store.keep(name, text)
                with self._state:
                    if self._kept[name] == text:
                        del self._kept[name]
            while batch := self._notes[:BATCH]:
                self._encode(batch)
                self._add(batch)
                with self._state:
                    self._notes = [w for w in self._notes if w not in batch]
        except StoreError as e:
            self._shed()
            return str(e)
        return ""

    def _encode(self, batch: Sequence[_Waiting]) -> None:
        for waiting in batch:
            if waiting.image is None:
                continue
            try:
                waiting.note = replace(
                    waiting.note,
                    picture=jpeg(waiting.image, self._config.keyframe_width),
                    thumbnail=jpeg(waiting.image, self._config.thumbnail_width),
                )
            except InputError as e:
                self._complain(f"note {waiting.note.id}: {e}")
            waiting.image = None

    def _add(self, batch: Sequence[_Waiting]) -> None:
        notes = [waiting.note for waiting in batch]
        vectors = self._vectors(notes)
        try:
            self.store.add(notes, vectors)
        except StoreError:
            raise
        except InputError:
            for i, note in enumerate(notes):  # one of them is wrong: the others are kept
                try:
                    self.store.add([note], None if vectors is None else [vectors[i]])
                except StoreError:
                    raise
                except InputError as e:
                    self._complain(f"a note is lost: {e}")

    def _vectors(self, notes: Sequence[Note]) -> Sequence[NDArray[np.float32]] | None:
        if self._embed is None:
            return None
        try:
            return self._embed(notes)
        except AuraError as e:
            if self._embeds:
                self._complain(f"notes are kept without vectors: {one_line(e)}")
            self._embeds = False
            return None

    def _shed(self) -> None:
        """Nothing can be written: the oldest notes that wait lose their pictures."""
        with self._state:
            held = 0
            for waiting in reversed(self._notes):
                note = waiting.note
                held += len(note.picture or b"") + len(note.thumbnail or b"")
                if held > MOST_BYTES:
                    waiting.note = replace(note, picture=None, thumbnail=None)

    def _trim(self, before: tuple[float, float], now: tuple[float, float]) -> str:
        """Delete what is too old; not where the wall clock was set since the last time."""
        if self._now_ns is not None:
            now_ns = self._now_ns()
        elif abs((now[0] - before[0]) - (now[1] - before[1])) > JUMP_S:
            return ""
        else:
            now_ns = int(now[0] * 1e9)
        try:
            if self._before_trim is not None:
                self._before_trim(self.store)
            self.store.trim(self._config.keep_days, self._config.max_mb, now_ns)
        except StoreError as e:
            return str(e)
        return ""

    def _tell(self, trouble: str) -> None:
        """Say the first failure, and when it is over."""
        if trouble and not self._trouble:
            self._complain(f"notes are not written: {trouble}")
        elif self._trouble and not trouble:
            lost = f"; {self._lost} of them are lost" if self._lost else ""
            self._complain(f"notes are written again{lost}")
            self._lost = 0
        self._trouble = trouble
