"""A recording of what the console shows, without ROS: lines of JSON, and the frames beside them.

    aura-2026-11-29-10-15-00/
        run.jsonl              a line for each event, in the order in which they happened
        frames/0/STAMP.jpg     frames of the first camera: two a second, those of decisions and of
                               alerts

While it is made, its folder ends in `.part`. A line is written at once, and a frame is a whole file
or none: what a crash leaves can be read up to there.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from aura_core.console import protocol as p
from aura_core.console.robot import Seen, Told
from aura_core.errors import InputError
from aura_core.memory.pictures import jpeg
from aura_core.stream.sampling import Slots

VERSION = 1
LINES, FRAMES, PART = "run.jsonl", "frames", ".part"
FPS = 2.0  # frames a second that are kept of each camera
WIDTH = 1280  # most pixels in a row
_WAITING = 16  # most frames that wait to be written; more cameras share them, but
_WAITING_EACH = 4  # so many of each may always wait: frames of one second come at once
_KEPT = (
    p.Second,
    p.Asked,
    p.Said,
    p.Refused,
    p.Alert,
    p.Watches,
    p.Note,
    p.Heard,
    p.Problem,
    p.Forgotten,
)


class Recording:
    """A recording that is being made. `take` stores, and a thread writes.

    When it cannot be written any more (a full disk), `failed` says why and `complain` is called;
    what is there stays.

    Args:
        folder: in which its own folder is made.
        title: what is recorded, in words.
        cameras: as the robot has them.
        complain: gets one line when the recording ends by an error; called on its thread.
        now: the clock, in seconds since the UNIX epoch.

    Raises:
        InputError: the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        title: str,
        cameras: Sequence[p.Camera],
        complain: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.failed = ""
        self._complain, self._now = complain, now
        self._places = {camera.name: str(i) for i, camera in enumerate(cameras)}
        self._slots = {camera.name: Slots(FPS) for camera in cameras}
        self._troubles: dict[str, tuple[str, str]] = {}  # of the cameras, as told last
        self._events: deque[p.Event] = deque()
        most = waiting_each(len(cameras))
        self._frames = {c.name: deque[Seen](maxlen=most) for c in cameras}
        self.dropped = 0  # frames that could not be written in time
        self._changed = threading.Condition()
        self._ending = False
        self.name, self.place = new_folder(folder, now())
        self._part = self.place.with_name(f"{self.name}{PART}")
        try:
            for place in self._places.values():
                (self._part / FRAMES / place).mkdir(parents=True)
            self._lines = (self._part / LINES).open("x", encoding="utf-8")
            self._write(
                {
                    "type": "recording",
                    "version": VERSION,
                    "title": title,
                    "at_ms": self._now_ms(),
                    "cameras": [{"name": c.name, "title": c.title} for c in cameras],
                }
            )
        except OSError as e:
            raise InputError(f"{self._part}: cannot be recorded to: {e.strerror}") from e
        self._thread = threading.Thread(target=self._main, name="recording", daemon=True)
        self._thread.start()

    def take(self, told: Told) -> None:
        """Store what the robot tells. Returns at once; from any thread."""
        with self._changed:
            if self._ending or self.failed:
                return
            if isinstance(told, Seen):
                self._take_frame(told)
            elif isinstance(told, _KEPT) or (
                isinstance(told, p.CameraStatus) and self._is_news(told)
            ):
                self._events.append(told)
            self._changed.notify()

    def _take_frame(self, seen: Seen) -> None:
        slots = self._slots.get(seen.camera)
        if slots is None:
            return
        if seen.role == "live":
            if not slots.wants(seen.stamp_ns):
                return
            slots.took(seen.stamp_ns)
        waiting = self._frames[seen.camera]
        self.dropped += len(waiting) == waiting.maxlen
        waiting.append(seen)

    def _is_news(self, status: p.CameraStatus) -> bool:
        """Whether a camera's trouble is another one than before."""
        before = self._troubles.get(status.camera)
        self._troubles[status.camera] = now = (status.state, status.trouble)
        quiet = before is not None and before[1] == now[1] == ""  # silent and speaking
        return before != now and not quiet

    def finish(self) -> Path:
        """End it. Returns its folder, which has its final name now unless it has failed."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join()
        return self.place

    # ---- on its own thread -------------------------------------------------------------------

    def _main(self) -> None:
        try:
            with self._lines:
                while self._write_some():
                    pass
                if self.dropped:
                    lost = (
                        f"{self.dropped} frames were not recorded:"
                        " the processor or the disk was too slow"
                    )
                    self._write(p.as_json(p.Problem("", lost, self._now_ms())))
            self._part.rename(self.place)
        except OSError as e:
            self.place = self._part
            self.failed = f"the recording has ended: {self._part}: {e.strerror or e}"
            with self._changed:
                self._events.clear()
                self._take_frames()
            self._complain(self.failed)

    def _write_some(self) -> bool:
        """Write what waits. Returns False at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._events or any(self._frames.values()) or self._ending
            )
            events, frames = list(self._events), self._take_frames()
            self._events.clear()
            ending = self._ending
        for seen in frames:  # first: a line that is there has its frame
            self._write_frame(seen)
        for event in events:
            self._write({"written_ms": self._now_ms(), **p.as_json(event)})
        return bool(events or frames or not ending)

    def _take_frames(self) -> list[Seen]:
        """The frames that wait, which wait no more. With the lock."""
        frames = [seen for waiting in self._frames.values() for seen in waiting]
        for waiting in self._frames.values():
            waiting.clear()
        return frames

    def _now_ms(self) -> float:
        return round(self._now() * 1e3, 3)

    def _write(self, line: dict[str, object]) -> None:
        write_line(self._lines, line)

    def _write_frame(self, seen: Seen) -> None:
        path = self._part / FRAMES / self._places[seen.camera] / f"{seen.stamp_ns}.jpg"
        if path.exists():  # told in another role
            return
        try:
            data = seen.image if isinstance(seen.image, bytes) else jpeg(seen.image, WIDTH)
        except InputError as e:  # it costs this frame
            self._write(p.as_json(p.Problem(seen.camera, str(e), self._now_ms())))
            return
        half = path.with_suffix(PART)
        half.write_bytes(data)
        half.rename(path)
        self._write(
            {
                "type": "frame",
                "camera": seen.camera,
                "stamp_ns": str(seen.stamp_ns),
                "written_ms": self._now_ms(),
            }
        )


def waiting_each(cameras: int) -> int:
    """How many frames of each of so many cameras may wait to be written."""
    return max(_WAITING_EACH, _WAITING // max(1, cameras))


def write_line(lines: TextIO, line: dict[str, object]) -> None:
    """Write a line of JSON, which is in the file when this returns: a crash of the process loses
    nothing."""
    lines.write(json.dumps(line, ensure_ascii=False) + "\n")
    lines.flush()


def recordings_folder(named: str) -> Path:
    """The folder of the setting `recordings`; "auto" is in $ROS_HOME, where the memory is too."""
    home = os.environ.get("ROS_HOME") or Path.home() / ".ros"
    return Path(home) / "aura" / "recordings" if named == "auto" else Path(named)


def new_folder(folder: Path, now_s: float) -> tuple[str, Path]:
    """A name that no recording in `folder` has, by the time of day, and its path.

    Raises `InputError` where the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"{folder}: cannot be recorded to: {e.strerror}") from e
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: cannot be recorded to: it is not writable")
    stem = f"aura-{datetime.fromtimestamp(now_s):%Y-%m-%d-%H-%M-%S}"
    name, count = stem, 1
    while (folder / name).exists() or (folder / f"{name}{PART}").exists():
        count += 1
        name = f"{stem}-{count}"
    return name, folder / name
