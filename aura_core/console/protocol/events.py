"""What the server tells the page: its first message, events, answers and the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aura_core.console.protocol.names import MOST_SHOWN


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
    """All that a page shows: at connect, after a seek, and after `Forgotten`.

    It replaces what the page had.
    """

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
class Span:
    """A time, in `Forgotten`, with both its ends."""

    begin_ms: float | None = None
    end_ms: float | None = None
    whole: bool = False  # all notes of it were deleted; else one note of just this time


@dataclass(frozen=True)
class Forgotten:
    """Notes were deleted: the page drops the notes that it shows, and asks for them again.

    A `Snapshot` comes next, without the words that may repeat what was deleted.
    """

    at_ms: float
    everything: bool = True
    spans: tuple[Span, ...] = ()  # else: of these times,
    ids: tuple[str, ...] = ()  # with the notes, questions and responses of these ids


@dataclass(frozen=True)
class Problem:
    """Something went wrong, and the assistant goes on."""

    camera: str
    text: str = _reason()
    at_ms: float


@dataclass(frozen=True)
class Answer:
    """The answer to a command.

    A refusal of what has no id has the id 0: a text that cannot be read, or a binary message, whose
    `kind` is in `data`.
    """

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
