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
from dataclasses import replace
from datetime import tzinfo

import numpy as np
from numpy.typing import NDArray

from aura_core.config import AssistantConfig, MemoryConfig, WriterConfig
from aura_core.errors import AuraError, InputError, one_line
from aura_core.live.events import Event, Stepped, Told
from aura_core.live.lately import LATE_S, ClockSet, Deleted
from aura_core.live.note_writer import ServedWriter
from aura_core.live.stream_memory import StreamMemory
from aura_core.memory.clock import ClockWatch, steady_ns
from aura_core.memory.embedder import Embedder, load_embedder
from aura_core.memory.form import NOTHING_NEW, PLAIN
from aura_core.memory.names import Naming, name_text
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.recall import Recall, check_search
from aura_core.memory.recorder import Recorder
from aura_core.memory.store import PAUSED, Forgotten, Store, Wanted
from aura_core.memory.times import clock
from aura_core.memory.words import once
from aura_core.models.backend import Backend
from aura_core.stream.ids import Ids
from aura_core.stream.notes import Block
from aura_core.types import NS, Chunk, Kind, Query, Response, Step

log = logging.getLogger(__name__)
BEGAN = {"en": "the assistant began to watch", "zh": "助手开始观看"}
ENDED = {"en": "the assistant stopped watching", "zh": "助手停止观看"}
CRASHED = {
    "en": "the assistant began to watch again; before, it had ended unexpectedly",
    "zh": "助手又开始观看；之前意外结束",
}
GAP = {"en": "no picture came for {seconds} seconds", "zh": "有{seconds}秒没有画面"}

RETRY_S = 60.0  # after which a file that could not be opened is tried again
MOST_ASKED = 64  # questions that may wait for the results of calls
MOST_DELETED = 64  # deletions that are heeded so long
MOST_SET = 8  # times that the clock was set, which are heeded so long
SEARCH_WAIT_S = 1.0  # so long a search waits for notes that are not on disk yet
CLOCK_S = 2.0  # so long the next chunk waits until the file knows that the clock was set
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
        self._deleted: deque[Deleted] = deque(maxlen=MOST_DELETED)
        self._newest_wall_ns = 0
        self._clock = ClockWatch()
        self._set: deque[ClockSet] = deque(maxlen=MOST_SET)  # when the clock was set lately
        self._asked: OrderedDict[str, str] = OrderedDict()  # the newest questions, by id
        self._unable: set[str] = set()  # models that were told to use no memory
        self._began = False  # that the assistant begins is noted
        self._closed = False
        self._heeding = threading.Lock()
        self._forgets: int | None = None  # see `Store.forgotten`; None: the file was not read yet
        self._deletions = 0
        self._gone: deque[tuple[int, Forgotten]] = deque(maxlen=MOST_DELETED)  # by that number
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
        own = None if self._wall is None else self._now_ns
        self.recorder = Recorder(
            self.store, self._complain, self.config, embed, self._before_trim, own
        )
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
                    f"memory: nothing is remembered: it was paused at {self._told_pause()} and is"
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
        # a recording ends at its newest second; the clock may stand anywhere beside it
        end_wall_ns = None if self._wall is None else self._newest_wall_ns or None
        self._note(NoteKind.RUN, ENDED[self.language], wall_ns=end_wall_ns)
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
        return clock(self._paused_ns, self._now_ns() or self._paused_ns, self.tz)

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

        What was told before the call is on disk first, where it can be written: who hears of a note
        finds it. Raises `InputError` while nothing can be read, and see `check_search`.
        """
        check_search(text)
        store = self._open_store()
        if self.recorder is not None and not self.recorder.trouble:
            self.recorder.flush(SEARCH_WAIT_S)
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
            self._deleted.append(Deleted.of(*span, self._now_ns()))
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
                self._deleted.append(Deleted.of(*span, one.at_wall_ns))
        if any(one.deleted or one.everything for one in told):
            self._deletions += 1
            self._gone += [(self._deletions, one) for one in told if one.deleted or one.by_time]

    def gone(self, after: int) -> tuple[Forgotten, ...]:
        """What was deleted after the number that `heed` gave; empty where that is not known."""
        told = list(self._gone)
        if not told or (len(told) == MOST_DELETED and told[0][0] > after + 1):
            return ()
        return tuple(one for number, one in told if number > after)

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
                f"memory: {model} was not trained to write notes or to answer from them (of the"
                " embedded models, aura_tiny_memory was): questions, answers and alerts are kept,"
                " for aura memory and aura/recall"
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
            self._set.append(ClockSet(by_ns, time.time_ns(), steady_ns()))
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
        text = once(" ".join(text.split()))
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
