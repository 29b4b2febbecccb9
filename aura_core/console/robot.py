"""What the console shows and commands, whatever runs behind it.

    LocalRobot (the host in this process), ConsoleRobot (topics and services), a recording
        │ listeners: messages of `protocol`, and `Seen`
        ▼
    server ── commands ──► the same robot

A robot knows nothing of web sockets. The server calls a command on a thread of its own, so it may
wait for its result; the methods that tell a state return at once. A robot calls its listeners on
any thread, also on the model's, so a listener stores what it gets and returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aura_core.console import protocol as p
from aura_core.errors import InputError

Image = NDArray[np.uint8] | bytes  # RGB (height, width, 3), or a JPEG; nobody changes it any more


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame of a camera.

    `role`: "live" for the newest frame, as often as they come; "second" for the frame of a second
    that was decided (`Second.stamp_ns`), kept small for minutes; "evidence" for the frame of an
    alert, kept as it is. A frame may be told in several roles.
    """

    camera: str
    stamp_ns: int
    image: Image
    role: Literal["live", "second", "evidence"] = "live"


Told = p.Event | Seen
Result = Mapping[str, object]  # of a command: `Answer.data`; messages in it become JSON
Listener = Callable[[Told], None]


class Robot:
    """The base of all robots: it has listeners and can do nothing.

    A robot overrides what it can do, and `abilities`. All methods may be called from any thread
    after `open`. A command that cannot be done now raises `InputError`; the page shows that line.
    """

    title = ""  # for the title of the page: the source, or the name of the robot
    cameras: tuple[p.Camera, ...] = ()  # known before `open`, and never changed
    max_question_chars = 1000
    replay = False

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    def open(self) -> None:
        """Begin, and return at once. Listeners were added before."""

    def close(self) -> None:
        """End all that `open` has begun, and wait for it."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with everything that happens from now on. Returns a function that ends
        this."""
        self._listeners = (*self._listeners, listener)

        def end() -> None:
            self._listeners = tuple(known for known in self._listeners if known is not listener)

        return end

    def deciding(self) -> bool:
        """Whether a decision is made in this process now: what is sent to many pages waits for it
        a moment."""
        return False

    def tell(self, told: Told) -> None:
        """Tell the listeners."""
        for listener in self._listeners:
            listener(told)

    # ---- state -------------------------------------------------------------------------------

    def abilities(self) -> Mapping[str, str]:
        """For each of `protocol.ABILITIES`: "" if it can be done, else why not."""
        return dict.fromkeys(p.ABILITIES, "this source cannot do it")

    def status(self) -> p.Status:
        """How the assistant is doing. The server fills in its clock, the clients, the microphone
        and, of `trouble`, what the cameras' have."""
        return p.Status(0.0)

    def camera_status(self) -> tuple[p.CameraStatus, ...]:
        """How each camera is doing, in the order of `cameras`."""
        return ()

    def marks(self) -> tuple[p.Mark, ...]:
        """A replay: what happened when."""
        return ()

    # ---- commands ----------------------------------------------------------------------------

    def ask(self, command: p.Ask) -> Result:
        """Ask a question. The result has `query_id` and `watch` (whether it began one)."""
        raise _cannot(self, "ask")

    def watch(self, command: p.AddWatch) -> Result:
        """Begin a watch. The result has `watch_id`."""
        raise _cannot(self, "watch")

    def unwatch(self, command: p.Unwatch) -> Result:
        """End a watch. Raises `InputError` where no open watch has this id."""
        raise _cannot(self, "watch")

    def pause(self, command: p.Pause) -> Result:
        """Decide nothing, or go on."""
        raise _cannot(self, "pause")

    def recall(self, command: p.Recall) -> Result:
        """Search the memory. The result has `notes`: a tuple of `protocol.Note`."""
        raise _cannot(self, "recall")

    def forget(self, command: p.Forget) -> Result:
        """Delete notes. The result has `count`. `protocol.Forgotten` is told to the listeners."""
        raise _cannot(self, "forget")

    def memory_pause(self, command: p.MemoryPause) -> Result:
        """Let the memory write nothing, or go on. The result has `warning`, which may be ""."""
        raise _cannot(self, "memory_pause")

    def record(self, command: p.Record) -> Result:
        """Begin or end a recording. The result has `name` and `place`."""
        raise _cannot(self, "record")

    def listen_to(self, rate: int) -> None:
        """A page begins to send sound of this rate; 0: it has ended."""
        raise _cannot(self, "microphone")

    def hear(self, samples: bytes) -> None:
        """The next sound of the page: signed 16-bit little-endian samples, one channel."""
        raise _cannot(self, "microphone")

    def look_through(self, command: p.Phone) -> None:
        """A page begins, or ends, to send pictures of its camera."""
        raise _cannot(self, "camera")

    def see(self, camera: str, jpeg: bytes) -> None:
        """The next picture of a page's camera. Raises `InputError` where it cannot be decoded. Its
        stamp is when it came."""
        raise _cannot(self, "camera")

    def seek(self, command: p.Seek) -> Result:
        """A replay: go to a time. `Snapshot`, `Seen` and `Playback` are told to the listeners."""
        raise _cannot(self, "replay")

    def play(self, command: p.Play) -> Result:
        """A replay: play or stop."""
        raise _cannot(self, "replay")

    def picture(self, command: p.Picture) -> bytes | None:
        """The JPEG of a frame that the server does not keep; None: there is none."""
        return None


def _cannot(robot: Robot, ability: str) -> InputError:
    return InputError(robot.abilities().get(ability) or "this source cannot do it")
