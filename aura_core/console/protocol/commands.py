"""What a page may ask for: each field with its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aura_core.console.protocol.names import MOST_SHOWN


def _bounds(**bounds: Any) -> dict[str, Any]:
    return {"metadata": bounds}


@dataclass(frozen=True)
class Enter:
    """The first message of a page. A wrong token closes the connection."""

    version: int = field(**_bounds(least=0, most=10**6))
    token: str = field(default="", **_bounds(most=200))


@dataclass(frozen=True)
class View:
    """Which cameras this page shows, and how often. A page that is not visible asks for none."""

    cameras: tuple[str, ...] = field(default=(), **_bounds(most=200, many=MOST_SHOWN))
    fps: float = field(default=2.0, **_bounds(least=0.0, most=10.0))  # 0: no pictures


@dataclass(frozen=True)
class Ask:
    """Ask a question. The answer's data has its `query_id`; a watch is told by `watch`: true."""

    text: str = field(**_bounds(most=4000, least=1))
    camera: str = field(default="", **_bounds(most=200))


@dataclass(frozen=True)
class AddWatch:
    """Begin a watch. The answer's data has its `watch_id`."""

    text: str = field(**_bounds(most=4000, least=1))
    kind: str = field(default="", **_bounds(one_of=("", "proactive", "multi-response")))
    cooldown_s: float | None = field(default=None, **_bounds(least=0.0, most=1e6))
    limit: int | None = field(default=None, **_bounds(least=1, most=10**6))
    urgent: bool = False
    severity: str = field(default="info", **_bounds(one_of=("info", "warning", "critical")))
    camera: str = field(default="", **_bounds(most=200))


@dataclass(frozen=True)
class Unwatch:
    """End a watch."""

    watch_id: str = field(**_bounds(most=200, least=1))


@dataclass(frozen=True)
class Acknowledge:
    """Somebody has seen an alert. All pages are told. Refused where it is not kept any more."""

    key: str = field(**_bounds(most=500, least=1))


@dataclass(frozen=True)
class Pause:
    """Decide nothing (`on`), or go on."""

    on: bool


@dataclass(frozen=True)
class Recall:
    """Search the memory. The answer's data has `notes`, the best match first."""

    text: str = field(default="", **_bounds(most=4000))
    begin_ms: float | None = field(default=None, **_bounds(least=0.0, most=1e14))
    end_ms: float | None = field(default=None, **_bounds(least=0.0, most=1e14))
    limit: int = field(default=20, **_bounds(least=1, most=100))
    camera: str = field(default="", **_bounds(most=200))


@dataclass(frozen=True)
class Forget:
    """Delete notes: those of `ids`, or those of a time, or everything. The answer's data has their
    `count`."""

    ids: tuple[str, ...] = field(default=(), **_bounds(most=200, many=1000))
    begin_ms: float | None = field(default=None, **_bounds(least=0.0, most=1e14))
    end_ms: float | None = field(default=None, **_bounds(least=0.0, most=1e14))
    everything: bool = False


@dataclass(frozen=True)
class MemoryPause:
    """Let the memory write nothing (`on`), or go on."""

    on: bool


@dataclass(frozen=True)
class Picture:
    """The frame of a second, an alert or a watch, by its stamp. It comes as a binary message, then
    the answer; an error says that it is not kept any more."""

    stamp_ns: int = field(**_bounds(least=-(2**63), most=2**63 - 1))
    camera: str = field(default="", **_bounds(most=200))


@dataclass(frozen=True)
class Record:
    """Begin (`on`) or end a recording. The answer's data has its `name` and `place`."""

    on: bool


@dataclass(frozen=True)
class Export:
    """The conversation as a text. The answer's data has `name` (of a file) and `text`."""

    form: str = field(default="markdown", **_bounds(one_of=("markdown", "json")))


@dataclass(frozen=True)
class Microphone:
    """This page sends sound (`on`), as binary messages of kind SOUND, or ends it. One page at a
    time."""

    on: bool
    rate: int = field(default=16000, **_bounds(least=8000, most=192000))  # samples a second


@dataclass(frozen=True)
class Phone:
    """This page sends pictures of a camera (`on`), as binary messages of kind SEEN, or ends it.
    One page at a time for each camera."""

    on: bool
    camera: str = field(default="", **_bounds(most=200))


@dataclass(frozen=True)
class Seek:
    """A replay: go to a time. A `Snapshot`, the frame and a `Playback` follow."""

    at_ms: float = field(**_bounds(least=-1e14, most=1e14))


@dataclass(frozen=True)
class Play:
    """A replay: play or stop."""

    on: bool
    speed: float = field(default=1.0, **_bounds(least=0.1, most=16.0))


Command = (
    View
    | Ask
    | AddWatch
    | Unwatch
    | Acknowledge
    | Pause
    | Recall
    | Forget
    | MemoryPause
    | Picture
    | Record
    | Export
    | Microphone
    | Phone
    | Seek
    | Play
)
