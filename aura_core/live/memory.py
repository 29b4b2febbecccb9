"""The memory of an assistant: takes notes of every stream, keeps them, and tells them again.

    engine ─ wrote, closed ─► Recorder ─► Store (one file)
    engine ◄─ before ─ Tiers ◄─┘└─► Recall ─ recall ─► engine

What fails here costs memory and never the stream: `trouble` says it in one line, and the assistant
goes on without.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import tzinfo

import numpy as np
from numpy.typing import NDArray

from aura_core.config import AssistantConfig, MemoryConfig, WriterConfig
from aura_core.errors import AuraError, InputError, one_line
from aura_core.live.events import Event, Stepped, Told
from aura_core.live.note_writer import ServedWriter
from aura_core.memory.cameras import in_words
from aura_core.memory.clock import ClockWatch, steady_ns
from aura_core.memory.embedder import Embedder, load_embedder
from aura_core.memory.form import NOTHING_NEW, PLAIN, Line, MemoryForm, line
from aura_core.memory.names import Names, Naming, name_text, naming
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.pictures import decoded
from aura_core.memory.recall import Recall
from aura_core.memory.recorder import Recorder
from aura_core.memory.store import PAUSED, Forgotten, Store, Wanted
from aura_core.memory.tiers import Tiers
from aura_core.memory.times import clock
from aura_core.memory.words import language_of
from aura_core.models.backend import Backend
from aura_core.stream.attribution import stands
from aura_core.stream.ids import Ids
from aura_core.stream.notes import Block, Remembered, Request
from aura_core.types import NS, Chunk, Evidence, Frame, Kind, Query, Response, Step

log = logging.getLogger(__name__)
BLOCK_S = 30.0
PREFIX_TOKENS = 2000
NAME_TOKENS = 24  # of the description of what a name stands for
BEGAN = {"en": "the assistant began to watch", "zh": "助手开始观看"}
ENDED = {"en": "the assistant stopped watching", "zh": "助手停止观看"}
CRASHED = {
    "en": "the assistant began to watch again; before, it had ended unexpectedly",
    "zh": "助手又开始观看；之前意外结束",
}
GAP = {"en": "no picture came for {seconds} seconds", "zh": "有{seconds}秒没有画面"}


RETRY_S = 60.0  # after which a file that could not be opened is tried again
LATE_S = 1800.0  # no note is written later about a time that was deleted
MOST_ASKED = 64  # questions that may wait for the results of calls
MOST_DELETED = 64  # deletions that are heeded so long
MOST_SET = 8  # times that the clock was set, which are heeded so long
CLOCK_S = 2.0  # so long the next chunk waits until the file knows that the clock was set
_LONG_AGO = 2**63
EPOCH_NS = 10**18  # a stamp that is larger is a wall-clock time


def wall_of_stamps(start_ns: int) -> Callable[[int], int]:
    """Wall-clock times for a recording: its stamps where they are wall-clock times, else `start_ns`
    and what the stamp adds."""
    return lambda stamp_ns: stamp_ns if stamp_ns > EPOCH_NS else start_ns + stamp_ns


def remembering(config: AssistantConfig) -> MemoryConfig:
    """The settings of the memory of an assistant.

    A server that knows only standard fields cannot go on with a note that was interrupted, so its
    model is shown pictures of each block instead.
    """
    own, server = config.memory, config.server
    if own.writer.url or not server.url or server.dialect != "openai":
        return own
    served = WriterConfig(server.url, server.model or config.model.path, server.api_key_env)
    return replace(own, writer=served)


class AssistantMemory:
    """The notes of all streams of one assistant, in one file.

    Args:
        config: `path` is a file, or ":memory:".
        run: names the run; ids of notes begin with it.
        complain: called with one line, once for each trouble that begins.
        tell: called with each note that is taken.
        wall: gives the wall-clock time of a stamp that is now, in nanoseconds since the UNIX epoch.
            None: live, by this machine's clock. Else nothing waits: what is written can be read at
            once, as lockstep needs it.
        tz: time zone of times in words; None: the local one.
    """

    def __init__(
        self,
        config: MemoryConfig,
        run: str,
        complain: Callable[[str], None],
        tell: Callable[[Note], None] = lambda note: None,
        wall: Callable[[int], int] | None = None,
        tz: tzinfo | None = None,
    ) -> None:
        self.config, self.run, self.tz = config, run, tz
        self._complain, self._tell, self._wall = complain, tell, wall
        self._ids, self._lock = Ids(run), threading.Lock()
        self.cameras: tuple[str, ...] = ()  # names of the streams
        self.store: Store | None = None
        self.recorder: Recorder | None = None
        self.embedder: Embedder | None = None
        self.language = "en" if config.language == "auto" else config.language
        self._failed = ""  # why it could not be opened, or read
        self._tried_s = 0.0  # when it was opened last, by the machine's steady clock
        self._deleted: deque[_Deleted] = deque(maxlen=MOST_DELETED)
        self._newest_wall_ns = 0
        self._clock = ClockWatch()
        self._set: deque[_Set] = deque(maxlen=MOST_SET)  # when the clock was set lately
        self._asked: OrderedDict[str, str] = OrderedDict()  # the newest questions, by id
        self._unable: set[str] = set()  # models that were told to use no memory
        self._began = False  # that the assistant begins is noted
        self._closed = False
        self._heeding = threading.Lock()
        self._forgets: int | None = None  # see `Store.forgotten`; None: the file was not read yet
        self._deletions = 0
        self._paused_ns: int | None = None  # since when nothing is written; None: it is written
        # What a user has asked for, as `Store.keep` has it; None: nothing in this process, so the
        # file decides.
        self._asked_pause: str | None = None
        self.writer: ServedWriter | None = None

    # ---- life --------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the file, and note that the assistant begins. A file that cannot be used is told,
        and nothing is remembered."""
        path, self._tried_s = self.config.path, time.monotonic()
        try:
            self.embedder = load_embedder(self.config.embedder) if self.config.embedder else None
            store = Store.open(path)
        except AuraError as e:
            self.fail(one_line(e))
            return
        if self._wall is None:
            self._clock = ClockWatch()
            try:
                store.begin_run(time.time_ns())
            except AuraError as e:
                store.close()
                self.fail(one_line(e))
                return
        self.store, self._failed = store, ""
        embed = self._embed if self.embedder is not None else None
        self.recorder = Recorder(self.store, self._complain, self.config, embed, self._before_trim)
        self._go_on_pausing(self.store)
        self.recorder.start()
        if self.config.writer.url:
            own = self.config
            self.writer = ServedWriter(own.writer, own.note_tokens, self.saw, self._complain)
        self._begin(self.store)

    def _begin(self, store: Store) -> None:
        """Note that the assistant begins, once."""
        try:
            self._check_vectors(store)
            ended = store.kept("ended")
            store.keep("ended", "")
        except AuraError as e:
            self.fail(one_line(e))
            return
        if not self._began:
            words = CRASHED if ended == "" else BEGAN
            self._note(NoteKind.RUN, words[self.language])
            self._began = True

    def _go_on_pausing(self, store: Store) -> None:
        """A pause lasts until the user ends it, over restarts too: the file has it."""
        assert self.recorder is not None
        if self._asked_pause is not None:
            self.recorder.keep(PAUSED, self._asked_pause)
        else:
            self._paused_ns = _kept_pause(store)
            if self._paused_ns is not None:
                self._complain(
                    f"memory: nothing is remembered: it was paused {self._told_pause()} and is"
                    " until somebody ends it (aura/memory_pause with false)"
                )
        if self.paused:
            self.recorder.pause()

    def ready(self) -> Store | None:
        """The file, if it is open. One that could not be opened is tried again now and then."""
        if self.store is None and not self._closed and time.monotonic() - self._tried_s > RETRY_S:
            self.open()
        return self.store

    def _check_vectors(self, store: Store) -> None:
        """Vectors of another embedder cannot be compared with those of this one."""
        name = self.embedder.name if self.embedder is not None else ""
        if name and store.kept("embedder") != name:
            store.drop_vectors()
            store.keep("embedder", name)

    def _embed(self, notes: Sequence[Note]) -> Sequence[NDArray[np.float32]]:
        assert self.embedder is not None
        return list(self.embedder.embed([f"{n.question} {n.text}".strip() for n in notes]))

    def close(self) -> None:
        """Note that the assistant ends, and close the file."""
        self._closed = True
        if self.recorder is None or self.store is None:
            return
        if self.writer is not None:
            self.writer.close()
            self.writer = None
        self._note(NoteKind.RUN, ENDED[self.language])
        try:
            if self.paused and self.store.moved:  # the pause is for the file that is new there too
                self.store.reopen()
                self.store.keep(PAUSED, str(self._paused_ns))
            self.store.keep("ended", self.run)
        except AuraError as e:
            log.debug("the end could not be kept: %s", one_line(e))
        self.recorder.close()
        self.store.close()
        self.recorder = self.store = None

    def stream(self, name: str, backend: Backend) -> StreamMemory:
        """What the engine of a stream gets."""
        if name not in self.cameras:
            self.cameras = (*self.cameras, name)
        return StreamMemory(self, name, backend)

    # ---- state -------------------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """What is wrong, in one line; "" where all is well."""
        recorder, writer = self.recorder, self.writer
        of_file = self._failed or (recorder.trouble if recorder is not None else "")
        return of_file or (writer.trouble if writer is not None else "")

    @property
    def paused(self) -> bool:
        """Whether nothing is written, because somebody asked for it."""
        return self._paused_ns is not None

    @property
    def paused_since_ns(self) -> int | None:
        """The wall-clock time at which it was paused, in nanoseconds; None: it is not."""
        return self._paused_ns

    @property
    def asked_pause(self) -> bool | None:
        """Whether a user has paused it; None: nobody has said anything in this process."""
        return None if self._asked_pause is None else bool(self._asked_pause)

    @property
    def state(self) -> str:
        """ "on", "paused" or "failed"."""
        if self.trouble:
            return "failed"
        return "paused" if self.paused else "on"

    def pause(self, paused: bool, timeout_s: float = 0.0, since_ns: int | None = None) -> str:
        """Write nothing, from now on and until this is called with False. It may be called before
        the file is open.

        This holds at once. It is written into the file too, so that it holds after a restart;
        while the file cannot be written, this is tried again.

        Args:
            paused: whether nothing is to be written.
            timeout_s: how long to wait until the file has it.
            since_ns: wall-clock time of the pause; None: now.

        Returns:
            Why the file does not have it yet, so that a restart would not know of it; "" where it
            has, and without a `timeout_s`.
        """
        if not paused:
            self._paused_ns = None
        elif self._paused_ns is None:
            self._paused_ns = time.time_ns() if since_ns is None else since_ns
        self._asked_pause = "" if self._paused_ns is None else str(self._paused_ns)
        recorder = self.recorder
        if recorder is None:
            return (self._failed or "the file is not open yet") if timeout_s else ""
        if paused:
            recorder.pause()
        else:
            recorder.resume()
        recorder.keep(PAUSED, self._asked_pause)
        if not timeout_s or recorder.flush(timeout_s):
            return ""
        return recorder.trouble or "the file is busy"

    def _told_pause(self) -> str:
        assert self._paused_ns is not None
        return f"at {clock(self._paused_ns, self._now_ns() or self._paused_ns, self.tz)}"

    # ---- out: from any thread ----------------------------------------------------------------

    def search(
        self,
        text: str,
        begin_wall_ns: int | None = None,
        end_wall_ns: int | None = None,
        limit: int = 20,
        stream: str | None = None,
    ) -> list[Note]:
        """Notes that match a text and lie in a span of time, see `Recall.search`; with thumbnails.

        Raises `InputError` while nothing can be read.
        """
        store = self._open_store()
        recall = Recall(store, self.config, PLAIN, self.embedder, self.tz)
        now_ns = time.time_ns()
        found = recall.search(text, now_ns, begin_wall_ns, end_wall_ns, limit, stream)
        wanted = Wanted(ids=tuple(n.id for n in found), limit=-1, thumbnails=True)
        small = {n.id: n.thumbnail for n in store.find(wanted)} if found else {}
        return [replace(n, thumbnail=small.get(n.id)) for n in found]

    def forget(self, wanted: Wanted | None, timeout_s: float | None = None) -> int:
        """Delete notes for good, None: all of them, and return their number; see `Store.forget`.

        Raises `InputError` when it cannot be done.
        """
        recorder = self.recorder
        if recorder is None:
            raise InputError(self._failed or "the memory is not open")
        asked = wanted or Wanted()
        span = asked.begin_wall_ns, asked.end_wall_ns
        if wanted is None or span != (None, None):
            self._deleted.append(_Deleted.of(*span, self._now_ns()))
        return recorder.forget(wanted, timeout_s)

    def heed(self) -> int:
        """How often somebody had notes deleted in this run, in this process or with `aura memory
        forget` in another one: after another number, what was told of notes is to be read again.

        Blocks of a time that another process has deleted are noted no more.
        """
        store = self.store
        if store is None:
            return self._deletions
        try:
            with self._heeding:
                if self._forgets is None:  # of an assistant before this one
                    self._forgets = store.heeded
                number, told = store.forgotten(self._forgets)
                if number != self._forgets:
                    self._forgets = number
                    self._heed(told)
                    self.work(lambda store: store.heed(number))
        except AuraError as e:
            log.debug("deletions could not be read: %s", one_line(e))
        return self._deletions

    def _heed(self, told: Sequence[Forgotten]) -> None:
        for one in told:
            if one.by_time:
                span = one.begin_wall_ns, one.end_wall_ns
                self._deleted.append(_Deleted.of(*span, one.at_wall_ns))
        if any(one.deleted or one.everything for one in told):
            self._deletions += 1

    def work(self, action: Callable[[Store], object]) -> None:
        """Do something with the file that nobody waits for: live, in the thread that writes."""
        if self.recorder is None or self.store is None:
            return
        done = self.recorder.call(action)
        if self._wall is not None:
            self.recorder.flush()
        done.add_done_callback(self._worked)

    def _worked(self, done: Future[object]) -> None:
        error = done.exception()
        if isinstance(error, AuraError) and not self._closed:
            self.fail(one_line(error))

    def _open_store(self) -> Store:
        if self.store is None:
            raise InputError(self._failed or "the memory is not open")
        return self.store

    def cannot(self, model: str) -> None:
        """Say once that a model was not trained to use memory."""
        if model not in self._unable:
            self._unable.add(model)
            self._complain(
                f"memory: {model} was not trained to write notes or to answer from them"
                + (" (aura_tiny_memory was)" if model.endswith("aura_tiny") else "")
                + ": questions, answers and alerts are kept, for aura memory and aura/recall"
            )

    def fail(self, problem: str) -> None:
        """Say that the file cannot be read or written; "": it can. Each problem is said once."""
        if not problem:
            self._failed = ""
            return
        if problem != self._failed:
            self._failed = problem
            self._complain(f"memory: {problem}")

    # ---- in ----------------------------------------------------------------------------------

    def look_at_clock(self) -> None:
        """Heed that the machine's clock was set, before more is noted. It waits until the file
        knows, for some seconds at most; the thread that writes must not call it."""
        recorder = self.recorder
        if self._wall is not None or recorder is None:
            return
        if recorder.trouble or not (by_ns := self._set_by()):  # it is told when that is over
            return
        now_ns = time.time_ns()
        try:
            done = recorder.call(lambda store: store.clock_was_set(by_ns, now_ns, self.run))
            done.result(CLOCK_S)
        except (AuraError, TimeoutError) as e:
            log.warning("that the clock was set is not in the notes: %s", one_line(e))

    def _before_trim(self, store: Store) -> None:
        """The same in the thread that writes: no note is deleted as an old one while the file does
        not know that the clock was set."""
        if self._wall is None and (by_ns := self._set_by()):
            store.clock_was_set(by_ns, time.time_ns(), self.run)

    def _set_by(self) -> int:
        """By how much the clock was set since the last call."""
        by_ns = self._clock.set_by()
        if by_ns:
            self._set.append(_Set(by_ns, time.time_ns(), steady_ns()))
            log.info("the clock was set by %.1f s", by_ns / NS)
        return by_ns

    def _by_this_clock(self, wall_ns: int) -> int:
        """What the clock would have shown at a time of the last minutes, if it had been as now."""
        for was in self._set:
            if steady_ns() - was.steady_ns > LATE_S * NS:
                continue
            ahead = was.by_ns < 0 and wall_ns > time.time_ns() + NS
            behind = was.by_ns > 0 and wall_ns <= was.now_ns - was.by_ns
            if ahead or behind:
                wall_ns += was.by_ns
        return wall_ns

    def wall_ns(self, stamp_ns: int) -> int:
        """The wall-clock time of a stamp that is now."""
        if self._wall is None:
            return time.time_ns()
        self._newest_wall_ns = self._wall(stamp_ns)
        return self._newest_wall_ns

    def _now_ns(self) -> int:
        return time.time_ns() if self._wall is None else self._newest_wall_ns

    def on_event(self, event: Event) -> None:
        """Note what was asked, answered and told. A listener of the host."""
        match event:
            case Stepped(step=step) if step.response is not None:
                image = event.frame.image
                self.answered(event.stream, self._question(step), step.response, image)
                for alert in event.alerts:
                    self.told(event.stream, alert.instruction, step.response, event.frame.image)
            case Told():
                image = event.frame.image
                for alert in event.alerts:
                    self.told(event.stream, alert.instruction, event.response, image)
                if not event.alerts:
                    self.answered(event.stream, event.delegate.task, event.response, image)

    def stepped(self, step: Step, stream: str = "") -> None:
        """Note what a step of a lockstep run has answered; alerts have no picture there."""
        if step.response is None:
            return
        self.answered(stream, self._question(step), step.response, None)
        if not step.question:
            for _ in step.response.watches:
                self.told(stream, "", step.response, None)

    def asked(self, query: Query) -> None:
        """Know a question: its answer may come in a later step, after the result of a call."""
        self._asked[query.id] = query.text
        while len(self._asked) > MOST_ASKED:
            self._asked.popitem(last=False)

    def _question(self, step: Step) -> str:
        """The question that a step has answered; "" where its words are unasked."""
        if step.question or step.response is None or step.response.kind is not Kind.REAL_TIME:
            return step.question or ""
        return self._asked.get(step.response.query_id, "")

    def answered(
        self, stream: str, question: str, response: Response, image: NDArray[np.uint8] | None
    ) -> None:
        """Note a question and its answer."""
        if question:
            self._said(NoteKind.QUESTION, stream, question, response, image)

    def told(
        self, stream: str, watch: str, response: Response, image: NDArray[np.uint8] | None
    ) -> None:
        """Note an alert: the words that answer a watch."""
        self._said(NoteKind.ALERT, stream, watch, response, image)

    def _said(
        self,
        kind: NoteKind,
        stream: str,
        question: str,
        response: Response,
        image: NDArray[np.uint8] | None,
    ) -> None:
        self._note(
            kind,
            response.text,
            stream,
            response.stamp_ns,
            question=question,
            query_id=response.query_id,
            response_id=response.id,
            image=image if kind is NoteKind.ALERT else None,
        )

    def saw(self, stream: str, block: Block, text: str) -> None:
        """Note what happened in a block; "" where nothing is new. While the note was written its
        time may have been deleted: then nothing is noted."""
        self.heed()
        self.look_at_clock()
        shown_ns = block.wall_ns
        block = replace(block, wall_ns=self._by_this_clock(shown_ns))
        if any(deleted.holds(block) for deleted in list(self._deleted)):
            return
        text = " ".join(text.split())
        plain = text.casefold().strip(" .。!")
        quiet = not plain or plain in NOTHING_NEW
        if quiet and self.config.keyframes != "all":
            return
        self._note(
            NoteKind.SEEN,
            "" if quiet else text,
            stream,
            block.end_ns,
            block.begin_ns,
            block.wall_ns,
            image=block.frames[-1].image,
            shown_ns=None if shown_ns == block.wall_ns else shown_ns,
        )

    def named(self, stream: str, given: Naming, description: str, chunk: Chunk) -> None:
        """Note a name that the user has given, with a picture of what it stands for."""
        description = " ".join(description.split())
        if not description:
            return
        text = name_text(given.name, description)
        image = chunk.frames[-1].image
        self._note(NoteKind.NAME, text, stream, chunk.stamp_ns, question=given.name, image=image)

    def missed(self, stream: str, begin_ns: int, end_ns: int) -> None:
        """Note that no picture came between two stamps."""
        seconds = round((end_ns - begin_ns) / NS)
        text = GAP[self.language].format(seconds=seconds)
        self._note(NoteKind.CAMERA, text, stream, end_ns, begin_ns)

    def _note(
        self,
        kind: NoteKind,
        text: str,
        stream: str = "",
        end_ns: int = 0,
        begin_ns: int | None = None,
        wall_ns: int | None = None,
        question: str = "",
        query_id: str = "",
        response_id: str = "",
        image: NDArray[np.uint8] | None = None,
        shown_ns: int | None = None,
    ) -> None:
        if self.recorder is None or self.recorder.paused:
            return
        self.look_at_clock()
        with self._lock:  # a writer has a thread of its own
            note_id = self._ids.next("n")
        note = Note(
            note_id,
            kind,
            text,
            end_ns if begin_ns is None else begin_ns,
            end_ns,
            self.wall_ns(end_ns) if wall_ns is None else wall_ns,
            self.run,
            stream,
            question,
            query_id,
            response_id,
            shown_ns=shown_ns,
        )
        self.recorder.put(note, None if self.config.keyframes == "off" else image)
        if self._wall is not None:
            self.recorder.flush()
        self._tell(note)


@dataclass(frozen=True)
class _Set:
    """That the machine's clock was set: by so many nanoseconds, to `now_ns`."""

    by_ns: int
    now_ns: int
    steady_ns: int  # when, by a clock that nobody sets


@dataclass(frozen=True)
class _Deleted:
    """A span of time of which all notes were deleted, in nanoseconds of the wall clock."""

    begin_wall_ns: int
    end_wall_ns: int
    at_s: float  # by the machine's steady clock

    @staticmethod
    def of(begin: int | None, end: int | None, now_ns: int) -> _Deleted:
        """The span of a deletion, up to now."""
        first = -_LONG_AGO if begin is None else begin
        return _Deleted(first, now_ns if end is None else min(end, now_ns), time.monotonic())

    def holds(self, block: Block) -> bool:
        """Whether a part of the block is within."""
        begin_ns = block.wall_ns - (block.end_ns - block.begin_ns)
        written_late = time.monotonic() - self.at_s < LATE_S
        return written_late and begin_ns < self.end_wall_ns and block.wall_ns > self.begin_wall_ns


class StreamMemory:
    """The memory of one stream, as its engine sees it (`stream.notes.Memory`)."""

    def __init__(self, memory: AssistantMemory, name: str, backend: Backend) -> None:
        self._memory, self._name, self._config = memory, name, memory.config
        self._form = form = backend.chat.memory
        own = form.prefix_tokens
        most = memory.config.prefix_tokens
        self.prefix_tokens = most if most is not None else PREFIX_TOKENS if own is None else own
        self.note_tokens = memory.config.note_tokens
        self._newest_ns = 0
        if not form.uses:
            self.prefix_tokens = 0
            memory.cannot(backend.name)

        self._tokenizer = backend.tokenizer
        self._store: Store | None = None  # which `_recall` and `_tiers` read
        self._recall: Recall | None = None
        self._tiers: Tiers | None = None
        self._names: Names | None = None
        self._making = threading.Lock()  # of the text of `before`
        # The wall clock, `Store.deletions`, and the text of `before`.
        self._prepared: tuple[int, int, str] | None = None

    def _readers(self) -> tuple[Recall | None, Tiers | None]:
        """What reads the notes; None while the file cannot be used."""
        memory, store = self._memory, self._memory.ready()
        if store is not self._store:
            self._store, self._recall, self._tiers, self._names = store, None, None, None
            if store is not None:
                config = replace(memory.config, prefix_tokens=self.prefix_tokens)
                own = (config, self._form)
                self._recall = Recall(
                    store,
                    *own,
                    memory.embedder,
                    memory.tz,
                    self._count,
                    lambda: memory.cameras,
                )
                self._tiers = Tiers(store, *own, memory.tz, self._count)
                self._names = Names(store)
        return self._recall, self._tiers

    def _count(self, text: str) -> int:
        """Number of tokens of a text."""
        return len(self._tokenizer.encode(self._tokenizer.plain(text)))

    @property
    def writes(self) -> bool:
        """See `stream.notes.Memory`."""
        able = self._form.uses or self._memory.writer is not None
        return able and self._memory.recorder is not None and not self._memory.paused

    @property
    def paused(self) -> bool:
        """See `stream.notes.Memory`."""
        return self._memory.paused

    @property
    def language(self) -> str:
        """See `stream.notes.Memory`."""
        return self._memory.language

    @property
    def pictures(self) -> bool:
        """See `stream.notes.Memory`."""
        return self._memory.writer is not None

    def block_chunks(self, form: MemoryForm) -> int:
        """See `stream.notes.Memory`."""
        return round(self._config.block_s or form.block_s or BLOCK_S)

    def wall_ns(self, stamp_ns: int) -> int:
        """See `stream.notes.Memory`."""
        self._newest_ns = stamp_ns
        self._memory.look_at_clock()
        return self._memory.wall_ns(stamp_ns)

    def before(self) -> str:
        """See `stream.notes.Memory`."""
        now_ns = self._memory.wall_ns(self._newest_ns)
        fresh_ns = 2 * self.block_chunks(self._form) * NS
        _, tiers = self._readers()
        if tiers is None or self.prefix_tokens == 0:
            return ""
        made = self._prepared
        stale = made is None or abs(now_ns - made[0]) > fresh_ns
        if stale or (made is not None and made[1] != self._deletions()):
            self._prepare(tiers)
        return self._prepared[2] if self._prepared is not None else ""

    def prepare(self) -> None:
        """See `stream.notes.Memory`. Live, the thread that writes notes does it."""
        _, tiers = self._readers()
        if tiers is None or self.prefix_tokens == 0:
            self._prepared = None
        else:
            self._memory.work(lambda store: self._prepare(tiers))

    def _prepare(self, tiers: Tiers) -> None:
        deletions = self._deletions()
        try:
            now_ns = self._memory.wall_ns(self._newest_ns)
            with self._making:
                text = tiers.text(now_ns, self._name, self.language)
        except AuraError as e:
            self._memory.fail(one_line(e))
            self._prepared = None
            return
        self._memory.fail("")
        self._prepared = now_ns, deletions, text

    def _deletions(self) -> int:
        """Another number after every deletion, also by a command beside this assistant; -1 where
        nothing can be read."""
        try:
            return -1 if self._memory.store is None else self._memory.store.deletions
        except AuraError:
            return -1

    def recall(self, query: Query, chunk: Chunk) -> Remembered:
        """See `stream.notes.Memory`."""
        self._memory.asked(query)
        if self._config.language == "auto":
            self._memory.language = language_of(query.text)
        try:
            told = self._told(query, chunk)
        except AuraError as e:
            self._memory.fail(one_line(e))
            return Remembered("", query.text)
        if self._store is not None:
            self._memory.fail("")
        return told

    def _told(self, query: Query, chunk: Chunk) -> Remembered:
        recall, _ = self._readers()
        question, names = query.text, self._names
        if recall is None or names is None or not self._form.uses:
            return Remembered("", question)
        if not stands(query) and (given := naming(question)) is not None:
            return self._given(given, question, chunk)
        now_ns = self.wall_ns(chunk.stamp_ns)
        lines = [] if self._form.renames else names.lines(now_ns, self.language, question)
        found = None
        if not stands(query):
            asked = names.rewrite(question, sure=True) if self._form.renames else question
            found = recall.find(asked, now_ns)
        if self._form.renames:
            question = names.rewrite(question, sure=found is not None)
        known = "".join(f"{told}\n" for told in lines)
        if found is None:
            return Remembered(known, question)
        evidence = tuple(Evidence(n.id, n.begin_ns, n.end_ns, n.shown_wall_ns) for n in found.notes)
        return Remembered(known + found.text, question, evidence, self._pictures(found.notes))

    def _given(self, given: Naming, question: str, chunk: Chunk) -> Remembered:
        """The user names something: what it is comes from the words, or from the model."""

        def keep(description: str) -> None:
            self._memory.named(self._name, given, description, chunk)

        if given.about:
            keep(given.about)
            return Remembered("", question)
        asks = self._form.describes
        if asks is None:
            return Remembered("", question)
        language = language_of(question)
        asked = asks.get(f"{language} person") if given.person else None
        asked = (asked or asks.get(language) or asks["en"]).format(name=given.name)
        if not self._form.renames:
            return Remembered("", question, ask=Request(asked, NAME_TOKENS, keep))

        def answered(text: str) -> None:
            if _is_thing(text):
                keep(text)

        return Remembered("", asked, answered=answered)

    def said(self, text: str) -> str:
        """See `stream.notes.Memory`."""
        if not self._form.renames or self._names is None:
            return text
        try:
            return self._names.said(text)
        except AuraError as e:
            self._memory.fail(one_line(e))
            return text

    def _pictures(self, notes: Sequence[Note]) -> tuple[tuple[Frame, str], ...]:
        """The keyframes of the newest of these notes, each with its caption."""
        most, store = self._config.recall_pictures, self._store
        shown: list[tuple[Frame, str]] = []
        for note in reversed(notes):
            if len(shown) >= most or store is None:
                break
            data = store.picture(note.id)
            image = None if data is None else decoded(data)
            if image is not None:
                now_ns = self._memory.wall_ns(self._newest_ns)
                age_s = max(0, now_ns - note.wall_ns) / NS
                when = clock(note.shown_wall_ns, now_ns, self._memory.tz, self.language)
                several = len(self._memory.cameras) > 1
                camera = in_words(note.stream, self.language) if several else ""
                caption = line(Line(age_s, when, note.text, camera), self.language)
                shown.append((Frame(image, note.end_ns), caption))
        return tuple(reversed(shown))

    def closed(self, block: Block) -> bool:
        """See `stream.notes.Memory`."""
        writer = self._memory.writer
        if writer is None:
            return False
        writer.put(self._name, block, self.language)
        return True

    def missed(self, begin_ns: int, end_ns: int) -> None:
        """See `stream.notes.Memory`."""
        self._memory.missed(self._name, begin_ns, end_ns)

    def wrote(self, block: Block, text: str) -> None:
        """See `stream.notes.Memory`."""
        self._memory.saw(self._name, block, text)

    def merging(self) -> Request | None:
        """See `stream.notes.Memory`."""
        _, tiers = self._readers()
        if tiers is None or self._form.merges is None or self._memory.writer is not None:
            return None
        language = self.language
        try:
            now_ns = self._memory.wall_ns(self._newest_ns)
            span = tiers.unmerged(now_ns, self._name, language)
        except AuraError as e:
            self._memory.fail(one_line(e))
            return None
        if span is None:
            return None
        asked = self._form.merges.get(language) or self._form.merges["en"]

        def done(text: str) -> None:
            begin_ns, end_ns = span.begin_wall_ns, span.end_wall_ns
            own = (begin_ns, end_ns, span.language, text, span.deletions)
            if text:
                self._memory.work(lambda store: store.add_summary(*own))

        request = asked.format(notes=span.notes, words=self.note_tokens // 2)
        return Request(request, self.note_tokens, done)


def _kept_pause(store: Store) -> int | None:
    """Since when a file is paused; None: it is not. Where that cannot be read, it is paused from
    now on."""
    try:
        text = store.kept(PAUSED) or ""
    except AuraError as e:
        log.debug("whether it is paused could not be read: %s", one_line(e))
        return time.time_ns()
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() else time.time_ns()


def _is_thing(text: str) -> bool:
    """Whether an answer tells one thing: "a red cube", and not "nothing" or "i do not know"."""
    words = text.casefold().split()
    if language_of(text) == "zh":
        return len(text) <= 10 and not text.startswith(("我", "什么", "没")) and "和" not in text
    return 2 <= len(words) <= 6 and words[0] in ("a", "an", "the") and "and" not in words
