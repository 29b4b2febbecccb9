"""Every message between the page and the server of the console.

    page ── Enter, then commands (text) ──────────────► server
    page ◄── Hello, Snapshot, then events (text) ────── server
    page ◄── pictures (binary) ──────────────────────── server
    page ── sound and pictures of a phone (binary) ───► server

A text message is one JSON object. `type` is the name of its class here in small letters
(`CameraStatus` is "camera_status"), and the other keys are the fields of the class. A command also
has an `id`, a whole number that the page chooses; `Answer` repeats it. Every command gets exactly
one answer. A picture that a command asks for comes just before the answer.

Stamps (`stamp_ns`) do not fit into a number of JavaScript, so they are strings of decimal digits in
JSON. The page compares them and calculates nothing with them. All other times are milliseconds of
the server's clock since the UNIX epoch (`at_ms`), so that the page shows ages right on a machine
whose clock differs. `Status` comes once a second and tells what the server's clock shows.

Reasons for people (`error`, `reason`, `detail`, the `text` of `Problem`, each of `abilities`, and
`warning` in the data of an answer) are sentences in English. Where `reasons` knows one, its code
and values stand beside it: `error_code` and `error_values`; for `abilities`, by their names.
"""

from __future__ import annotations

import dataclasses
import json
import math
import struct
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aura_core.console.reasons import beside, find
from aura_core.errors import InputError
from aura_core.words import is_blank

VERSION = 1  # of the protocol; the page of another version is told to load itself again
MOST_TEXT = 64 * 1024  # characters of a text message from the page
MOST_BINARY = 4 * 1024 * 1024  # bytes of a binary message from the page
KEPT_S = 600  # seconds of the past that a page gets and keeps
MOST_CAMERAS = 256  # that the header of a picture can tell apart
MOST_SHOWN = 16  # cameras of which a page shows pictures

# ---- what both sides name ------------------------------------------------------------------------

# What a page can do; `Hello.abilities` has a reason for each that cannot be done now.
ABILITIES = (
    "ask",
    "watch",
    "recall",  # search the memory
    "forget",
    "memory_pause",
    "pause",
    "record",
    "export",  # the conversation as a text
    "microphone",
    "camera",  # the browser's camera is a camera of the assistant
    "replay",  # this is a recording: `Seek` and `Play`
)

# `Status.trouble` and `CameraStatus.trouble`, the worst first. The page has words for each.
TROUBLES = (
    "model_failed",  # it could not be loaded, or its thread has ended
    "server_away",  # the assistant, or the server of its model, cannot be reached
    "model_loading",
    "stopped",  # the source has ended, or the assistant was stopped
    "paused",  # somebody has paused it
    "no_frames",  # frames came, and come no more
    "waiting",  # no frame has come yet
    "step_failed",  # the newest step failed; the next one is tried
    "black",  # the picture shows nothing
    "frozen",  # the picture has been the same to the bit for seconds
    "slow",  # seconds are dropped because a step takes too long
    "memory_failed",
    "fallback",  # another model has taken over
    "",  # all is well
)

# ---- from the server to the page -----------------------------------------------------------------


def _reason(**options: Any) -> Any:
    """A field that is a reason for people."""
    return field(metadata={"reason": True}, **options)


@dataclass(frozen=True)
class Camera:
    """A camera, in `Hello`."""

    name: str  # as the assistant names it; "" where there is only one
    title: str  # words for people: the name, or the source
    phone: bool = False  # the page may send pictures for it


@dataclass(frozen=True)
class Hello:
    """The first message, after `Enter` was accepted."""

    version: int
    server_ms: float  # the server's clock now
    title: str  # the source, for the title of the page
    cameras: tuple[Camera, ...]  # a picture names one by its place here
    # each of ABILITIES; "" if it can be done, else why not
    abilities: Mapping[str, str] = _reason()
    max_question_chars: int  # longest question or watch
    replay: bool = False
    marks: tuple[Mark, ...] = ()  # a replay: what happened when, for the bar to scrub on
    aura_version: str = ""
    most_shown: int = MOST_SHOWN  # of the cameras: the first ones


@dataclass(frozen=True)
class Abilities:
    """What can be done has changed. It replaces `Hello.abilities`."""

    abilities: Mapping[str, str] = _reason()


@dataclass(frozen=True)
class Mark:
    """A moment of a recording, in `Hello`."""

    at_ms: float
    kind: str  # question, said, alert, refused or problem
    text: str = ""


@dataclass(frozen=True)
class Playback:
    """A replay: where it is. Sent at the start, at each seek, and once a second while it plays."""

    begin_ms: float
    end_ms: float
    at_ms: float
    playing: bool
    speed: float


@dataclass(frozen=True)
class Snapshot:
    """All that a page shows, at connect and after a seek. It replaces what the page had."""

    seconds: tuple[Second, ...] = ()  # oldest first, as are all others
    conversation: tuple[Asked | Said | Refused, ...] = ()
    alerts: tuple[Alert, ...] = ()
    watches: tuple[Watch, ...] = ()
    notes: tuple[Note, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Status:
    """How the assistant is doing. Once a second, and at once when `trouble` changes."""

    server_ms: float  # the server's clock now
    trouble: str = ""  # one of TROUBLES: the worst one, of the assistant or of a camera
    detail: str = _reason(default="")  # more about it in one line
    model: str = ""  # the model in one line; "" while it loads
    device: str = ""  # where it runs, such as cpu or cuda:0
    run: str = ""  # id of the run; another one means that the assistant was started again
    step_ms: float = 0.0  # median time of the newest steps
    rss_mb: float = 0.0  # memory of the assistant's process; 0 where it is not known
    memory: str = "off"  # off, on, paused or failed
    paused: bool = False  # nothing is decided, because somebody asked for it
    recording: str = ""  # the name of the recording that is being made; "" where none is
    microphone: str = ""  # "" nobody's; "you": this page's; "other": another page's
    clients: int = 0  # pages that are connected


@dataclass(frozen=True)
class CameraStatus:
    """How one camera is doing. Once a second for each camera."""

    camera: str
    state: str  # silent, speaking, waiting, no_frames, error, inactive or unconfigured
    trouble: str = ""  # one of TROUBLES
    detail: str = _reason(default="")
    frame_age_ms: float | None = None  # since the newest frame came; None before the first
    frames_received: int = 0  # since the start, as are the counters below
    frames_dropped: int = 0  # sampled, and never seen, because the model was too slow
    chunks_dropped: int = 0
    chunks_missed: int = 0  # seen, and not decided
    chunks_lost: int = 0  # seconds without a usable frame
    window_chunks: int = 0  # seconds of video in view
    window_max: int = 0  # at so many the window is cut back
    active_watches: int = 0


@dataclass(frozen=True)
class Second:
    """A second that was decided."""

    camera: str
    chunk: int  # whole seconds since the camera's first frame
    stamp_ns: int  # newest frame of the second: `Picture` gives it
    at_ms: float
    state: str  # silent or speak
    p_silent: float  # probability of silence [0, 1]
    reason: str = ""  # the rule that overruled the model: threshold, hysteresis, min_gap, no_watch,
    # asked; "" where none did
    suppressed: str = ""  # why words were not said: cancelled, limit, cooldown, duplicate, quiet,
    # call, empty
    step_ms: float = 0.0
    decide_ms: float = 0.0  # what a silent step costs
    window_chunks: int = 0
    window_max: int = 0
    window_tokens: int = 0
    decode_tokens: int = 0
    switched: bool = False  # the window was cut back
    missed: int = 0  # seconds before this one that were seen and not decided
    dropped: int = 0  # seconds that were dropped since the second before
    query_id: str = ""  # the question that was asked in this second
    response_id: str = ""  # what was said


@dataclass(frozen=True)
class Asked:
    """A question, or a watch, was accepted."""

    id: str
    camera: str
    text: str
    source: str  # where it came from, such as console or asr/text
    watch: bool
    at_ms: float


@dataclass(frozen=True)
class Heard:
    """What the speech recognition has understood, while somebody speaks and after."""

    camera: str
    text: str
    state: str  # partial (it replaces the text before), final, or rejected
    at_ms: float
    reason: str = ""  # why a rejected one was not taken


@dataclass(frozen=True)
class Words:
    """An answer so far, while it is generated. It replaces the text that came before."""

    id: str  # of the response
    camera: str
    text: str
    at_ms: float
    asked: bool = True  # it answers a question of this second


@dataclass(frozen=True)
class Evidence:
    """A note from which an answer was given, in `Said`."""

    note_id: str
    at_ms: float  # the time that the note is about


@dataclass(frozen=True)
class Said:
    """What was said, complete. `Words` of the same id came before, or none did."""

    id: str
    camera: str
    text: str
    stamp_ns: int  # the newest frame that the words describe
    at_ms: float
    query_id: str = ""  # the question or watch that it answers
    kind: str = ""  # real-time, proactive or multi-response
    acknowledgment: bool = False  # it only promises an answer
    urgent: bool = False
    p_silent: float = 0.0
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A question that was accepted will not be answered, or an answer under way was taken back."""

    id: str  # of the question
    camera: str
    text: str
    reason: str = _reason()
    at_ms: float


@dataclass(frozen=True)
class Alert:
    """A watch was answered. It is sent again when somebody acknowledges it."""

    key: str  # unique: several alerts may have the same response
    id: str  # of the response
    watch_id: str
    camera: str
    instruction: str  # the watch in the user's words
    text: str
    stamp_ns: int  # the evidence: `Picture` gives this frame
    at_ms: float
    kind: str = ""
    severity: str = "info"  # info, warning or critical
    urgent: bool = False
    confidence: float = 0.0  # 1 - p(silent)
    index: int = 0  # counts the alerts of the watch from 0
    acknowledged: bool = False


@dataclass(frozen=True)
class Watch:
    """A watch, in `Watches` and `Snapshot`."""

    id: str
    camera: str
    text: str
    kind: str  # proactive (answers once) or multi-response (each time)
    open: bool
    answers: int = 0
    limit: int | None = None  # most answers; None: any number
    cooldown_s: float = 0.0
    urgent: bool = False
    severity: str = "info"
    cancelled: bool = False
    last_text: str = ""  # its newest answer
    last_stamp_ns: int | None = None  # the frame of its newest answer: `Picture` gives it


@dataclass(frozen=True)
class Watches:
    """All watches that the assistant holds, of all cameras, oldest first. It replaces the list."""

    watches: tuple[Watch, ...]


@dataclass(frozen=True)
class Note:
    """A note of the memory: when it is taken, and in the answer of `Recall`."""

    id: str
    camera: str
    kind: str  # seen, question, alert, camera, run or name
    text: str
    begin_ms: float
    end_ms: float
    question: str = ""  # that it belongs to
    query_id: str = ""
    response_id: str = ""
    thumbnail: str = ""  # a small JPEG in base64; only in the answer of `Recall`


@dataclass(frozen=True)
class Forgotten:
    """Notes were deleted: the page drops the notes that it shows, and asks for them again."""

    at_ms: float


@dataclass(frozen=True)
class Problem:
    """Something went wrong, and the assistant goes on."""

    camera: str
    text: str = _reason()
    at_ms: float


@dataclass(frozen=True)
class Answer:
    """The answer to a command."""

    id: int
    ok: bool
    error: str = _reason(default="")  # why not, in one line
    data: Mapping[str, Any] = field(default_factory=dict)  # see the command


@dataclass(frozen=True)
class Bye:
    """The server closes the connection. The page says why; with `again` it connects again."""

    reason: str = _reason()
    again: bool
    code: str = ""  # token, version, slow, many, rate or stopping; the page has words for each


Event = (
    Status
    | CameraStatus
    | Second
    | Asked
    | Heard
    | Words
    | Said
    | Refused
    | Alert
    | Watches
    | Note
    | Forgotten
    | Problem
    | Playback
    | Snapshot
)
Message = Hello | Abilities | Event | Answer | Bye

# ---- from the page to the server -----------------------------------------------------------------


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
    """Somebody has seen an alert. All pages are told."""

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

# ---- pictures and sound --------------------------------------------------------------------------

# Binary messages, both ways: a header of 16 bytes in network byte order, then the content.
#   kind    uint8   what it is, see below
#   camera  uint8   its place in `Hello.cameras`
#   zero    uint16
#   id      uint32  of the command that asked for it; 0: nobody did
#   stamp   int64   of the frame, in nanoseconds; from a page: by the page's clock, only for order
HEADER = struct.Struct("!BBHIq")
LIVE = 1  # server -> page: the newest frame of a camera, JPEG
FOUND = 2  # server -> page: the frame that `Picture` asked for, JPEG
SOUND = 3  # page -> server: signed 16-bit little-endian samples, one channel
SEEN = 4  # page -> server: a frame of the page's camera, JPEG


@dataclass(frozen=True)
class Binary:
    """A binary message."""

    kind: int
    camera: int
    stamp_ns: int
    content: bytes
    id: int = 0

    def encode(self) -> bytes:
        """The message as bytes."""
        head = HEADER.pack(self.kind, self.camera, 0, self.id, self.stamp_ns)
        return head + self.content


def parse_binary(data: bytes) -> Binary:
    """A binary message from a page. Raises `InputError`."""
    if len(data) <= HEADER.size:
        raise InputError(f"a binary message has {len(data)} bytes; its header alone has 16")
    kind, camera, _, number, stamp_ns = HEADER.unpack_from(data)
    if kind not in (SOUND, SEEN):
        raise InputError(f"a binary message of a page is of kind 3 (sound) or 4 (seen), not {kind}")
    return Binary(kind, camera, stamp_ns, data[HEADER.size :], number)


# ---- JSON ----------------------------------------------------------------------------------------


def encode(message: Message) -> str:
    """A message of the server as JSON text."""
    return json.dumps(as_json(message), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def as_json(message: Any) -> dict[str, Any]:
    """A message as an object of JSON, with its `type`."""
    return {"type": type_name(type(message)), **_fields(message)}


@cache
def type_name(kind: type) -> str:
    """The `type` of a class of messages: `CameraStatus` is "camera_status"."""
    name = kind.__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind))


# The fields of `Snapshot.conversation` hold several classes, so these values have their `type` too.
_TYPED = (Asked, Said, Refused)


def _fields(message: Any) -> dict[str, Any]:
    kind = type(message)
    found = {name: _value(name, getattr(message, name)) for name in _names(kind)}
    for name in _reasons(kind):
        found |= _beside(name, getattr(message, name))
    return found


@cache
def _reasons(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if "reason" in f.metadata)


def _beside(name: str, reason: str | Mapping[str, str]) -> dict[str, object]:
    if isinstance(reason, str):
        return beside(name, reason)
    found = {key: one for key, text in reason.items() if (one := find(text)) is not None}
    codes = {key: code for key, (code, _) in found.items()}
    values = {key: dict(some) for key, (_, some) in found.items()}
    return {f"{name}_code": codes, f"{name}_values": values}


def _value(name: str, value: Any) -> Any:
    if name.endswith("_ns") and isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | bool | None):
        return value
    if isinstance(value, tuple | list):
        return [_value(name, one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _value(str(key), one) for key, one in value.items()}
    return as_json(value) if isinstance(value, _TYPED) else _fields(value)


_COMMANDS = {type_name(kind): kind for kind in typing.get_args(Command)}


def parse(text: str) -> tuple[int, Command]:
    """A command of a page and its id. Raises `BadCommand`, with the id where it can be read."""
    data = _object(text)
    number = data.pop("id", None)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**32:
        raise BadCommand(f"a command needs an id from 1 to {2**32 - 1}")
    try:
        name = data.pop("type", None)
        kind = _COMMANDS.get(name) if isinstance(name, str) else None
        if kind is None:
            raise InputError(f"type must be one of {', '.join(_COMMANDS)}, not {_short(name)}")
        return number, _made(kind, data)
    except InputError as e:
        raise BadCommand(str(e), number) from e


def parse_enter(text: str) -> Enter:
    """The first message of a page. Raises `InputError`."""
    data = _object(text)
    if data.pop("type", None) != "enter":
        raise InputError('the first message must be of type "enter"')
    return typing.cast(Enter, _made(Enter, data))


class BadCommand(InputError):
    """A command that cannot be read. `id` is its id; None where that cannot be read either."""

    def __init__(self, message: str, id: int | None = None) -> None:
        super().__init__(message)
        self.id = id


def _object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise BadCommand(f"not JSON: {str(e)[:100]}") from e
    if not isinstance(data, dict):
        raise BadCommand("a message must be an object of JSON")
    return data


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _made(kind: type, data: Mapping[str, Any]) -> Any:
    hints, values = _hints(kind), dict[str, Any]()
    for f in dataclasses.fields(kind):
        if f.name in data:
            values[f.name] = _checked(f.name, data[f.name], hints[f.name], f.metadata)
        elif f.default is dataclasses.MISSING:
            raise InputError(f"{type_name(kind)}: {f.name} is missing")
    if unknown := sorted(set(data) - set(hints)):
        raise InputError(f"{type_name(kind)}: {_short(unknown[0])} is not known")
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _checked(name: str, value: Any, hint: Any, bounds: Mapping[str, Any]) -> Any:
    """The value of a field, if it has the right type and lies within its bounds."""
    if isinstance(hint, types.UnionType):  # X | None
        if value is None:
            return None
        hint = next(one for one in typing.get_args(hint) if one is not type(None))
    if typing.get_origin(hint) is tuple:
        many = bounds["many"]
        if not isinstance(value, list) or len(value) > many:
            raise InputError(f"{name} must be a list of at most {many}")
        return tuple(_checked(name, one, str, bounds) for one in value)
    if hint is bool:
        if not isinstance(value, bool):
            raise InputError(f"{name} must be true or false, not {_short(value)}")
        return value
    if hint is str:
        return _text(name, value, bounds)
    return _number(name, value, hint, bounds)


def _text(name: str, value: Any, bounds: Mapping[str, Any]) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text, not {_short(value)}")
    if "one_of" in bounds:
        if value not in bounds["one_of"]:
            choices = ", ".join(repr(one) for one in bounds["one_of"])
            raise InputError(f"{name} must be one of {choices}, not {_short(value)}")
        return value
    if len(value) > bounds["most"]:
        raise InputError(f"{name} has {len(value)} characters; at most {bounds['most']} may be")
    if is_blank(value) and (bounds.get("least") or value.strip()):
        raise InputError(f"{name} is empty")
    # halves of surrogate pairs cannot be written anywhere
    return value.encode(errors="replace").decode().replace("\0", " ")


def _number(name: str, value: Any, hint: type, bounds: Mapping[str, Any]) -> int | float:
    if name.endswith("_ns") and isinstance(value, str) and len(value) <= 20:
        digits = value.removeprefix("-")
        value = int(value) if digits.isascii() and digits.isdecimal() else value
    allowed = int if hint is int else int | float
    if isinstance(value, bool) or not isinstance(value, allowed):
        if hint is int:
            raise InputError(f"{name} must be a whole number, not {_short(value)}")
        raise InputError(f"{name} must be a number, not {_short(value)}")
    if not bounds["least"] <= value <= bounds["most"]:
        raise InputError(f"{name} must be from {bounds['least']:g} to {bounds['most']:g}")
    return hint(value)


def _short(value: Any) -> str:
    text = json.dumps(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
