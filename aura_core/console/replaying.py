"""A recording as a robot: the console shows it, and its page scrubs through it.

read_tape ─► Tape ─► Replay: seek, play ─► Snapshot, events, frames ─► the same page as live
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from pathlib import Path

from aura_core.console import protocol as p
from aura_core.console.robot import Result, Robot, Seen
from aura_core.console.state import Past
from aura_core.console.tape import Tape, read_tape
from aura_core.errors import InputError

TICK_S = 0.05  # how exactly it plays
TOLD_S = 1.0  # how often its place is told while it plays
_MARKED = 5000  # most marks on the bar
_ABILITIES = dict.fromkeys(p.ABILITIES, "this is a recording") | {"replay": "", "export": ""}


def open_replay(path: Path, frames: str | None = None) -> Replay:
    """The recording at a path, see `tape.read_tape`. Raises `InputError`."""
    return Replay(read_tape(path, frames))


class Replay(Robot):
    """Plays a tape. It begins at its beginning, and stands.

    `now` is a steady clock in seconds.
    """

    replay = True

    def __init__(self, tape: Tape, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.title, self.cameras = tape.title, tape.cameras
        self._tape, self._now = tape, now
        self._begin_ms, self._end_ms = tape.span_ms
        self._lock = threading.RLock()  # held while something is told: it is told in order
        self._changed = threading.Condition(self._lock)
        self._place_ms = self._begin_ms
        self._playing, self._speed, self._closed = False, 1.0, False
        self._since_s = 0.0  # by `now`: when the place was `_place_ms`
        self._told_s = 0.0
        self._next = 0  # of the events: the first that was not told
        self._shown: dict[str, int] = {}  # stamp of the frame that is shown, by camera
        self._doing: dict[str, p.CameraStatus] = {}
        self._thread = threading.Thread(target=self._main, name="replay", daemon=True)

    def open(self) -> None:
        """See `Robot`."""
        with self._lock:
            self._go(self._begin_ms)
        self._thread.start()

    def close(self) -> None:
        """See `Robot`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self._tape.film.close()

    # ---- state -------------------------------------------------------------------------------

    def abilities(self) -> Mapping[str, str]:
        """See `Robot`."""
        return _ABILITIES

    def status(self) -> p.Status:
        """See `Robot`."""
        return p.Status(0.0, detail=self._tape.notice, paused=not self._playing)

    def camera_status(self) -> tuple[p.CameraStatus, ...]:
        """See `Robot`. How each camera was doing at this place."""
        with self._lock:
            return tuple(
                self._doing.get(c.name, p.CameraStatus(c.name, "waiting")) for c in self.cameras
            )

    def marks(self) -> tuple[p.Mark, ...]:
        """See `Robot`."""
        found = []
        for at_ms, event in self._tape.events:
            if (mark := _mark(event)) is not None:
                found.append(p.Mark(at_ms, *mark))
        return tuple(found[:_MARKED])

    def playback(self) -> p.Playback:
        """Where it is."""
        return p.Playback(self._begin_ms, self._end_ms, self._place_ms, self._playing, self._speed)

    # ---- commands ----------------------------------------------------------------------------

    def seek(self, command: p.Seek) -> Result:
        """See `Robot`."""
        with self._changed:
            self._go(min(max(command.at_ms, self._begin_ms), self._end_ms))
            self._changed.notify_all()
        return {}

    def play(self, command: p.Play) -> Result:
        """See `Robot`. At its end it begins anew."""
        with self._changed:
            if command.on and self._place_ms >= self._end_ms:
                self._go(self._begin_ms)
            self._playing, self._speed = command.on, command.speed
            self._since_s = self._now()
            self._tell_place()
            self._changed.notify_all()
        return {}

    def picture(self, command: p.Picture) -> bytes | None:
        """See `Robot`."""
        return self._tape.film.picture(command.camera, command.stamp_ns)

    # ---- telling; with the lock --------------------------------------------------------------

    def _go(self, at_ms: float) -> None:
        """Go to a time: tell what a page shows then."""
        events = self._tape.events
        self._place_ms, self._since_s = at_ms, self._now()
        self._next = bisect_right(events, at_ms, key=lambda one: one[0])
        first = bisect_right(events, at_ms - p.KEPT_S * 1000, key=lambda one: one[0])
        past = Past(len(self.cameras))
        if (watches := self._watches_before(first)) is not None:
            past.take(watches)
        self._doing = {}
        for _, event in events[first : self._next]:
            past.take(event)
            self._note(event)
        self.tell(past.snapshot())
        self._shown = {}
        self._show()
        self._tell_place()

    def _watches_before(self, place: int) -> p.Watches | None:
        for _, event in reversed(self._tape.events[:place]):
            if isinstance(event, p.Watches):
                return event
        return None

    def _advance(self) -> None:
        """Tell what has happened since."""
        now_s = self._now()
        at_ms = self._place_ms + (now_s - self._since_s) * 1e3 * self._speed
        self._place_ms, self._since_s = min(at_ms, self._end_ms), now_s
        self._show()
        events = self._tape.events
        while self._next < len(events) and events[self._next][0] <= self._place_ms:
            event = events[self._next][1]
            self._next += 1
            self._note(event)
            self.tell(event)
        if self._place_ms >= self._end_ms:
            self._playing = False
            self._tell_place()
        elif now_s - self._told_s >= TOLD_S:
            self._tell_place()

    def _show(self) -> None:
        """Tell the frames of this place, those that are new."""
        for camera in self.cameras:
            shot = self._tape.film.at(camera.name, self._place_ms)
            if shot is None or self._shown.get(camera.name) == shot.stamp_ns:
                continue
            self._shown[camera.name] = shot.stamp_ns
            try:
                jpeg = self._tape.film.picture(camera.name, shot.stamp_ns)
            except InputError as e:
                self.tell(p.Problem(camera.name, str(e), self._place_ms))
                continue
            if jpeg is not None:
                self.tell(Seen(camera.name, shot.stamp_ns, jpeg))

    def _note(self, event: p.Event) -> None:
        """Keep how a camera was doing."""
        if isinstance(event, p.CameraStatus):
            self._doing[event.camera] = event
        elif isinstance(event, p.Second):
            self._doing[event.camera] = p.CameraStatus(
                event.camera,
                "silent" if event.state == "silent" else "speaking",
                window_chunks=event.window_chunks,
                window_max=event.window_max,
            )

    def _tell_place(self) -> None:
        self._told_s = self._now()
        self.tell(self.playback())

    def _main(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._playing or self._closed)
                if self._closed:
                    return
                self._advance()
                if self._playing:
                    self._changed.wait(TICK_S)


def _mark(event: p.Event) -> tuple[str, str] | None:
    """Kind and text of the mark of an event; None where it has none."""
    match event:
        case p.Asked():
            return "question", event.text
        case p.Said():
            return "said", event.text
        case p.Alert():
            return "alert", event.text
        case p.Refused():
            return "refused", event.reason
        case p.Problem():
            return "problem", event.text
    return None
