"""The assistant in this process, as the console sees it: a host, and sources that play into it.

    Feed (one a source) ─► Host's inbox ─► the model's thread ─► Telling ─► listeners
         └─ Seen, live ─────────────────────────────────────────────────────► listeners

The host gets the same frames as with `aura run`, and nothing else: decisions are the same with the
console and without it.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aura_core.config import AssistantConfig
from aura_core.console import protocol as p
from aura_core.console.clock import MS, now_ms
from aura_core.console.feed import PHONE, Feed, Source
from aura_core.console.hearing import Hearing
from aura_core.console.robot import Result, Robot, Seen
from aura_core.console.telling import Telling, note
from aura_core.console.watched import Watched
from aura_core.errors import InputError, one_line
from aura_core.live import events as e
from aura_core.live.health import Health
from aura_core.live.host import Host
from aura_core.live.memory import AssistantMemory
from aura_core.memory.wanted import Wanted
from aura_core.models import fallback, load, release
from aura_core.models.backend import Backend
from aura_core.sources.encodings import decode_compressed
from aura_core.stream.attribution import standing_kind, stands
from aura_core.tools import UNAVAILABLE, error
from aura_core.types import Frame, Kind, Query, Severity

if TYPE_CHECKING:
    from aura_core.console.recording import Recording
    from aura_core.speech.ears import Ears

T = TypeVar("T")
BACKLOG = 2  # most chunks that may wait when the model is slower than the camera
ANSWER_S = 30.0  # so long a command waits for the model's thread
STOP_S = 10.0  # so long the end waits for a step that is being made
KEEP_S = 3.0  # so long a pause of the memory waits until it is in the file
SOURCE, SPOKEN = "console", "microphone"  # where its questions come from
DEAF = "no speech recognition runs here: install the extra voice, or name one with --asr"
JPEG = b"\xff\xd8"


class LocalRobot(Robot):
    """A host that watches some sources.

    Args:
        sources: what is watched, see `Source.parse_all`.
        config: the engine's settings.
        seconds: where each source stops; None: at its own end.
        loop: a file begins again at its end.
        recordings: folder for recordings; None: there are none.
        load_model: opens the model; None: the one of the settings.
        complain: gets one line for everything that goes wrong.
        open_ears: loads the speech recognition for the microphone of a page; None: there is none.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        config: AssistantConfig,
        seconds: float | None = None,
        loop: bool = False,
        recordings: Path | None = None,
        load_model: Callable[[], Backend] | None = None,
        complain: Callable[[str], None] = lambda line: None,
        open_ears: Callable[[], Ears] | None = None,
    ) -> None:
        super().__init__()
        self.config, self._complain, self._recordings = config, complain, recordings
        self.title = ", ".join(source.title for source in sources)
        self.cameras = tuple(p.Camera(s.name, s.title, s.spec == PHONE) for s in sources)
        self.max_question_chars = config.generation.max_question_chars or 4000
        self.host = Host(
            load_model or (lambda: load(config.model, config.server)),
            config,
            [source.name for source in sources],
            BACKLOG,
            fallback(config),
        )
        self._telling = Telling(self.host, self.tell)
        self._feeds = {source.name: self._feed(source, seconds, loop) for source in sources}
        self._watched = {source.name: Watched(source, config) for source in sources}
        self._model, self._failed = "", ""
        self._paused, self._closing = False, False
        self._recording: Recording | None = None
        self._recording_ends: Callable[[], None] = lambda: None
        self._lock = threading.Lock()  # of the recording
        self._hearing: Hearing | None = None
        if open_ears is not None:
            self._hearing = Hearing(open_ears, self.tell, self._heard, self._tell_problem)
        self._phones: set[str] = set()  # cameras whose page sends pictures

    def _feed(self, source: Source, seconds: float | None, loop: bool) -> Feed:
        name, inbox = source.name, self.host.streams[source.name].inbox

        def take(event: Frame | Query) -> None:
            if isinstance(event, Query):
                self._ask(name, event, "bag")
            else:
                self._take(name, event)

        def complain(line: str) -> None:
            self._tell_problem(line, name)

        return Feed(
            source, self.config.sampling, take, inbox.end_of_frames, complain, seconds, loop
        )

    def _tell_problem(self, line: str, camera: str = "") -> None:
        self._complain(line)
        self.tell(p.Problem(camera, line, now_ms()))

    @property
    def descriptions(self) -> list[str]:
        """What is watched, a line for each source. After `open`."""
        return [feed.description for feed in self._feeds.values()]

    # ---- life --------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the sources, and begin to load the model. Raises `InputError`."""
        self.host.listen(self._on_event)
        for feed in self._feeds.values():
            feed.open()
        self.host.start()
        for camera in self._feeds:
            for query in self.config.standing(camera):
                self.host.ask(query, camera, "parameters")

    def close(self) -> None:
        """See `Robot`. A step that is being made is waited for."""
        self._closing = True
        for feed in self._feeds.values():
            feed.close()
        if self._hearing is not None:
            self._hearing.close()
        self.host.stop(STOP_S)
        self.host.free()
        release()
        with self._lock:
            self._end_recording()

    def _take(self, camera: str, frame: Frame) -> None:
        """A frame has come. It is offered as `aura run` does, and shown: in this order, so that
        the pages know whether a decision begins with it."""
        if self.host.running and self._model:
            self.host.streams[camera].inbox.offer(frame.stamp_ns, lambda: frame)
        self.tell(Seen(camera, frame.stamp_ns, frame.image))

    def _ask(self, camera: str, query: Query, source: str) -> None:
        """A question of a bag, or of a microphone. Where it is refused, the page says so."""

        def refuse(error: BaseException) -> None:
            self.tell(p.Refused(query.id, camera, query.text, one_line(error), now_ms()))

        def done(asked: Future[Query]) -> None:
            if (error := asked.exception()) is not None:
                refuse(error)

        try:
            asked = self.host.ask(query, camera, source)
        except InputError as e:
            refuse(e)
        else:
            asked.add_done_callback(done)  # the model's thread may refuse it too

    # ---- on the model's thread ---------------------------------------------------------------

    def _on_event(self, event: e.Event) -> None:
        match event:
            case e.Ready():
                self._model = event.description
                for feed in self._feeds.values():
                    feed.ready.set()
            case e.Failed():
                self._failed = event.message
                self._complain(event.message)
            case e.Stepped():
                self._watched[event.stream].stepped(event.step)
            case e.Problem():
                if event.chunk is not None:
                    self._watched[event.stream].failed = event.message
                self._complain(event.message)
            case e.Moved():
                self._complain(event.message)
            case e.Called():
                self.host.result(event.call, error(UNAVAILABLE), event.stream)
            case e.Delegated():
                self.host.delegated(event.delegate.id, "", success=False)
        self._telling.on_event(event)

    # ---- state -------------------------------------------------------------------------------

    def abilities(self) -> Mapping[str, str]:
        """See `Robot`."""
        phone = any(camera.phone for camera in self.cameras)
        memory = "" if self.host.memory is not None else "the memory is off: start with --memory"
        return {
            "ask": "",
            "watch": "",
            "recall": memory,
            "forget": memory,
            "memory_pause": memory,
            "pause": "",
            "record": "" if self._recordings is not None else "recordings are off",
            "export": "",
            "microphone": "" if self._hearing is not None else DEAF,
            "camera": "" if phone else "no camera takes it: start with the source phone",
            "replay": "this is no recording",
        }

    def status(self) -> p.Status:
        """See `Robot`."""
        health = self.host.health()
        trouble, detail = self._trouble(health)
        steps = [k.recent.step_s for k in self._watched.values() if k.recent.step_s is not None]
        return p.Status(
            0.0,
            trouble,
            detail,
            self._model,
            self._device(),
            self.host.run,
            round(max(steps, default=0.0) * 1e3, 1),
            round(rss_mb(), 1),
            health.memory,
            self._paused,
            self._recorded(),
        )

    def _recorded(self) -> str:
        """The name of the recording that is being made; one that failed is not any more."""
        made = self._recording
        return "" if made is None or made.failed else made.name

    def _trouble(self, health: Health) -> tuple[str, str]:
        """What is wrong with the assistant as a whole, the worst first."""
        if self._failed:
            return "model_failed", self._failed
        if health.phase in ("new", "loading"):
            return "model_loading", self.host.model_path
        if health.phase == "stopped":
            return "stopped", "the assistant has ended"
        if self._paused:
            return "paused", ""
        if health.memory == "failed":
            return "memory_failed", health.memory_trouble
        if health.fallback or health.trouble:
            return "fallback", health.fallback or health.trouble
        return "", ""

    def _device(self) -> str:
        engine = next(iter(self.host.streams.values())).engine
        if engine is None:
            return ""
        device = getattr(engine.backend, "device", None)
        return str(device) if device is not None else self.config.server.url

    def deciding(self) -> bool:
        """See `Robot`."""
        return self.host.deciding

    def camera_status(self) -> tuple[p.CameraStatus, ...]:
        """See `Robot`."""
        statuses = tuple(self._camera_status(camera.name) for camera in self.cameras)
        if (recording := self._recording) is not None:
            for status in statuses:  # it keeps those that are news
                recording.take(status)
        return statuses

    def _camera_status(self, name: str) -> p.CameraStatus:
        health, feed = self.host.health(name), self._feeds[name]
        ended = (feed.trouble or "the source has ended") if feed.finished else ""
        watched = self._watched[name]
        return watched.status(health, feed.trouble, ended, self._paused, self.host.model_path)

    # ---- commands ----------------------------------------------------------------------------

    def ask(self, command: p.Ask) -> Result:
        """See `Robot`."""
        asked = self.host.ask(Query(command.text), command.camera or None, SOURCE)
        query = self._waited(asked)
        return {"query_id": query.id, "watch": stands(query)}

    def watch(self, command: p.AddWatch) -> Result:
        """See `Robot`."""
        kind = Kind(command.kind) if command.kind else standing_kind(command.text)
        query = Query(
            command.text,
            kind=kind or Kind.PROACTIVE,
            limit=command.limit,
            cooldown_s=command.cooldown_s,
            urgent=command.urgent,
            severity=Severity(command.severity),
        )
        asked = self.host.ask(query, command.camera or None, SOURCE)
        return {"watch_id": self._waited(asked).id}

    def unwatch(self, command: p.Unwatch) -> Result:
        """See `Robot`."""
        if not self._waited(self.host.unwatch(command.watch_id)):
            raise InputError("no open watch has this id: it has ended already")
        return {}

    def _waited(self, future: Future[T]) -> T:
        try:
            return future.result(ANSWER_S)
        except TimeoutError as e:
            raise InputError(
                f"the model has been busy for {ANSWER_S:.0f} s; it is done when that is over"
            ) from e

    def pause(self, command: p.Pause) -> Result:
        """See `Robot`. Frames are shown on."""
        self._paused = command.on
        if command.on:
            self.host.rest()
        else:
            self.host.wake()
        return {}

    def _memory(self) -> AssistantMemory:
        if self.host.memory is None:
            raise InputError("the memory is off: start with --memory")
        return self.host.memory

    def recall(self, command: p.Recall) -> Result:
        """See `Robot`."""
        begin, end = _ns(command.begin_ms), _ns(command.end_ms)
        camera = command.camera or None
        found = self._memory().search(command.text, begin, end, command.limit, camera)
        small = [base64.b64encode(n.thumbnail or b"").decode() for n in found]
        return {"notes": tuple(map(note, found, small))}

    def forget(self, command: p.Forget) -> Result:
        """See `Robot`."""
        self._memory()
        return {"count": self.host.forget(wanted(command))}

    def memory_pause(self, command: p.MemoryPause) -> Result:
        """See `Robot`."""
        not_kept = self._memory().pause(command.on, KEEP_S)
        warning = f"a restart would not know it, because it is not in the file yet: {not_kept}"
        return {"warning": warning if not_kept else ""}

    def record(self, command: p.Record) -> Result:
        """See `Robot`."""
        from aura_core.console.recording import Recording

        if self._recordings is None:
            raise InputError("recordings are off")
        with self._lock:
            if command.on and self._recorded():
                raise InputError("a recording is being made already")
            if command.on:
                self._end_recording()  # one that has failed
                made = Recording(self._recordings, self.title, self.cameras, self._tell_problem)
                made.take(self._telling.watches())  # open before it began, as a replay shows them
                self._recording, self._recording_ends = made, self.listen(made.take)
            elif (ended := self._end_recording()) is not None:
                made = ended
            else:
                raise InputError("no recording is being made")
        return {"name": made.name, "place": str(made.place)}

    def _end_recording(self) -> Recording | None:
        recording, self._recording = self._recording, None
        if recording is not None:
            self._recording_ends()
            recording.finish()
        return recording

    def listen_to(self, rate: int) -> None:
        """See `Robot`. The speech recognition is loaded at the first time."""
        if self._hearing is None:
            raise InputError(DEAF)
        self._hearing.listen_to(rate)

    def hear(self, samples: bytes) -> None:
        """See `Robot`."""
        if self._hearing is not None:
            self._hearing.hear(samples)

    def _heard(self, text: str) -> None:
        """Somebody has asked with the microphone of a page: of the first camera."""
        self._ask(self.cameras[0].name, Query(text), SPOKEN)

    def look_through(self, command: p.Phone) -> None:
        """See `Robot`."""
        if not any(c.phone and c.name == command.camera for c in self.cameras):
            raise InputError("no camera takes pictures of a page: start with the source phone")
        if command.on:
            self._phones.add(command.camera)
        else:
            self._phones.discard(command.camera)
            self.host.streams[command.camera].inbox.end_of_frames()

    def see(self, camera: str, jpeg: bytes) -> None:
        """See `Robot`. The stamp is when the picture came, by this machine's steady clock."""
        stamp_ns = time.monotonic_ns()
        if camera not in self._phones:
            raise InputError("this camera takes no pictures now")
        if not jpeg.startswith(JPEG):
            raise InputError("a picture of a page must be a JPEG")
        self._take(camera, Frame(decode_compressed(jpeg), stamp_ns))


def wanted(command: p.Forget) -> Wanted | None:
    """The notes that a command wants to be deleted; None: everything.

    Raises `InputError` for one that names nothing, or that names it twice.
    """
    begin, end = _ns(command.begin_ms), _ns(command.end_ms)
    ways = (bool(command.ids), begin is not None or end is not None, command.everything)
    if sum(ways) != 1:
        raise InputError("say what to forget: notes, or a time, or everything")
    if begin is not None and end is not None and begin >= end:
        raise InputError("the begin of the time must be before its end")
    if command.everything:
        return None
    return Wanted(ids=tuple(command.ids), begin_wall_ns=begin, end_wall_ns=end)


def _ns(at_ms: float | None) -> int | None:
    return None if at_ms is None else round(at_ms * MS)


def rss_mb() -> float:
    """Resident memory of this process in MB; 0 where the system does not tell it."""
    try:
        with open("/proc/self/statm", encoding="ascii") as f:
            pages = int(f.read().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
