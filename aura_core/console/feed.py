"""Plays one source into the host: a camera as it comes, a file or a bag in real time.

A file begins when the model is ready, as in `aura run`. A camera that is lost is opened again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aura_core.config import SamplingConfig
from aura_core.errors import InputError, one_line
from aura_core.replay.lockstep import paced, shifted, until
from aura_core.sources import is_device, open_source
from aura_core.sources.address import shown
from aura_core.types import NS, Frame, Query

if TYPE_CHECKING:
    from aura_core.replay.bag import Bag
    from aura_core.sources.base import FrameSource

PHONE = "phone"  # the source of a camera whose pictures a page sends
REOPEN_S = 2.0  # wait between two tries to open a camera that is gone
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,63})=(.+)", re.DOTALL)
BAGS = (".mcap", ".db3")


@dataclass(frozen=True)
class Source:
    """A source, and the name of its camera ("" where there is one)."""

    spec: str
    name: str = ""

    @classmethod
    def parse_all(cls, specs: Iterable[str]) -> tuple[Source, ...]:
        """The sources of SOURCE... or NAME=SOURCE... Raises `InputError`."""
        found = [cls._parse(spec) for spec in specs]
        if len(found) > 1:
            found = [cls(s.spec, s.name or f"camera{i}") for i, s in enumerate(found, 1)]
        names = [s.name for s in found]
        if twice := {name for name in names if names.count(name) > 1}:
            raise InputError(f"two sources have the name '{min(twice)}'")
        return tuple(found)

    @classmethod
    def _parse(cls, spec: str) -> Source:
        named = None if Path(spec).exists() else _NAMED.fullmatch(spec)
        return cls(spec) if named is None else cls(named[2], named[1])

    @property
    def is_live(self) -> bool:
        """Whether it is known before it is opened that it has no end."""
        return (
            self.spec == PHONE
            or is_device(self.spec)
            or self.spec.startswith(("rtsp://", "rtsps://"))
        )

    @property
    def title(self) -> str:
        """Words for people."""
        return self.name or shown(self.spec)


class Opened(Protocol):
    """What a source is while it is open: frames, and of a bag its questions."""

    description: str
    live: bool

    def events(self) -> Iterator[Frame | Query]: ...
    def close(self) -> None: ...


def is_bag(spec: str) -> bool:
    """Whether a source is a recording of ROS."""
    path = Path(spec)
    return path.suffix in BAGS or (path.is_dir() and (path / "metadata.yaml").exists())


def open_events(spec: str, sampling: SamplingConfig, seconds: float | None) -> Opened:
    """Open a source. Raises `InputError`."""
    c = sampling
    if is_bag(spec):
        from aura_core.replay.bag import Bag

        return _OpenBag(Bag(spec, None, None, c.fps, c.tolerance_s, c.hold_s), seconds)
    return _OpenSource(open_source(spec, c.fps, seconds, c.tolerance_s, c.hold_s))


class _OpenSource:
    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self.description, self.live = source.description, source.live

    def events(self) -> Iterator[Frame | Query]:
        return iter(self._source)

    def close(self) -> None:
        self._source.close()


class _OpenBag:
    live = False

    def __init__(self, bag: Bag, seconds: float | None) -> None:
        self._bag, self._seconds = bag, seconds
        self.description = bag.description

    def events(self) -> Iterator[Frame | Query]:
        return until(self._bag.events(), self._seconds)

    def close(self) -> None:
        self._bag.close()


class Feed:
    """Reads a source on a thread of its own.

    Args:
        source: what is read.
        sampling: how frames are sampled, as for `aura run`.
        take: gets each frame and question.
        ended: called when the source has ended.
        complain: called with one line when the source fails.
        seconds: where to stop; None: at its end.
        loop: begin a file again at its end.

    Attributes:
        trouble: why no frames come, while the source is gone.
        finished: the source has ended.
    """

    def __init__(
        self,
        source: Source,
        sampling: SamplingConfig,
        take: Callable[[Frame | Query], None],
        ended: Callable[[], None],
        complain: Callable[[str], None],
        seconds: float | None = None,
        loop: bool = False,
    ) -> None:
        self.source = source
        self._sampling, self._seconds, self._loop = sampling, seconds, loop
        self._take, self._ended, self._complain = take, ended, complain
        self._closing, self.ready = threading.Event(), threading.Event()
        self._opened: Opened | None = None
        self._thread: threading.Thread | None = None
        self.trouble, self.finished = "", False
        self.description = ""

    def open(self) -> None:
        """Open the source and begin to read. Raises `InputError`."""
        if self.source.spec == PHONE:
            self.description = "a phone"
            return
        self._opened = open_events(self.source.spec, self._sampling, self._seconds)
        self.description = self._opened.description
        name = f"console source {self.source.name}".strip()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, and close the source."""
        self._closing.set()
        self.ready.set()
        if self._thread is not None:
            self._thread.join(10.0)

    def _main(self) -> None:
        opened, by_ns = self._opened, 0
        while opened is not None and not self._closing.is_set():
            with closing(opened):
                if not opened.live:
                    self.ready.wait()
                newest_ns = self._play(opened, by_ns)
            live, opened = opened.live, None
            if self._closing.is_set():
                return
            if live and self.trouble:
                opened = self._again()
            elif self._loop and not self.trouble and newest_ns is not None:
                by_ns = newest_ns + round(NS / (self._sampling.fps or 2.0))
                opened = self._reopened()
        if not self._closing.is_set():
            self.finished = True
            self._ended()

    def _play(self, opened: Opened, by_ns: int) -> int | None:
        """Read an open source to its end. Returns the stamp of its newest frame."""
        events, newest_ns = shifted(opened.events(), by_ns), None
        if not opened.live:
            events = paced(events, sleep=self._closing.wait)
        try:
            for event in events:
                if self._closing.is_set():
                    break
                self.trouble = ""
                self._take(event)
                newest_ns = event.stamp_ns if isinstance(event, Frame) else newest_ns
        except InputError as e:
            self._fail(e)
        return newest_ns

    def _again(self) -> Opened | None:
        """A camera that was lost, when it is back; None: it is closed before."""
        while not self._closing.wait(REOPEN_S):
            if (opened := self._reopened()) is not None:
                return opened
        return None

    def _reopened(self) -> Opened | None:
        try:
            return open_events(self.source.spec, self._sampling, self._seconds)
        except InputError as e:
            self._fail(e)
            return None

    def _fail(self, error: InputError) -> None:
        """Say why no frames come, once for each reason."""
        line = one_line(error)
        if line != self.trouble:
            self.trouble = line
            self._complain(line)
