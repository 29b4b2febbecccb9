"""What happened in a soak run. Times are seconds of the machine's steady clock. Needs no ROS."""

from __future__ import annotations

from dataclasses import dataclass, field

ANSWERED, REFUSED, UNANSWERED = "answered", "refused", "never answered"


@dataclass(frozen=True)
class Beat:
    """A heartbeat of the assistant as it was received."""

    camera: str
    at_s: float
    sequence: int  # counts those of all cameras
    decided: bool  # a chunk was decided: the state is silent or speaking
    frame_s: float  # when the newest decided frame was taken; 0 before the first


@dataclass(frozen=True)
class Watches:
    """The watches that were told, by `aura/watches`."""

    at_s: float
    open_ids: frozenset[str]


@dataclass(frozen=True)
class Question:
    """A question, or a watch of the action `aura/watch`, from its sending to its end."""

    source: str  # asr/text, aura/ask or aura/watch
    text: str
    asked_s: float
    ended_s: float
    outcome: str  # ANSWERED, REFUSED or UNANSWERED
    reason: str = ""


@dataclass(frozen=True)
class Kill:
    """SIGKILL of a node."""

    node: str
    at_s: float


@dataclass(frozen=True)
class Start:
    """A node was started: at the beginning, or again after its end."""

    node: str
    at_s: float


@dataclass(frozen=True)
class Exit:
    """A node has ended."""

    node: str
    at_s: float
    code: int
    expected: bool  # it was killed, or told to end


@dataclass(frozen=True)
class Memory:
    """Resident memory of one process in MB (10^6 bytes), shared memory included."""

    node: str
    pid: int
    at_s: float
    rss_mb: float


@dataclass(frozen=True)
class Stuck:
    """A topic on which nothing came, although its publisher ran."""

    topic: str
    from_s: float
    to_s: float


@dataclass(frozen=True)
class Complaint:
    """A line of a log of level ERROR or FATAL, or a traceback."""

    node: str
    at_s: float
    text: str


@dataclass
class Record:
    """All of it, in the order in which it happened."""

    began_s: float = 0.0  # the first chunk was decided
    ended_s: float = 0.0  # the nodes were told to end
    stopped: bool = False  # by a signal, before its time
    beats: list[Beat] = field(default_factory=list)
    watches: list[Watches] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    messages: dict[str, int] = field(default_factory=dict)  # received, by topic
    pauses: list[tuple[float, float]] = field(default_factory=list)  # when, and seconds: see `run`
    left_behind: dict[str, int] = field(default_factory=dict)  # shared memory: path, bytes
