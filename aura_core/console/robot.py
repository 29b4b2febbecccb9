"""What the console shows and commands, whatever runs behind it.

    LocalRobot (the host in this process), ConsoleRobot (topics and services), a recording
        │ listeners: messages of `protocol`, and `Seen`
        ▼
    server ── commands ──► the same robot

A robot knows nothing of web sockets. Its methods are called on the thread of the server, so they
return at once: what takes long is a `Future`. It calls its listeners on any thread, also on the
model's, so a listener stores what it gets and returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
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
Listener = Callable[[Told], None]


class Robot:
    """The base of all robots: it has listeners and can do nothing.

    A robot overrides what it can do, and `abilities`. All methods may be called from any thread
    after `open`. A method that cannot do it now raises `InputError`, or its future has one; the
    page shows that line.
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

    def ask(self, command: p.Ask) -> Future[Mapping[str, object]]:
        """Ask a question. The result has `query_id` and `watch` (whether it began one)."""
        raise _cannot(self, "ask")

    def watch(self, command: p.AddWatch) -> Future[Mapping[str, object]]:
        """Begin a watch. The result has `watch_id`."""
        raise _cannot(self, "watch")

    def unwatch(self, command: p.Unwatch) -> Future[Mapping[str, object]]:
        """End a watch. An `InputError` where no open watch has this id."""
        raise _cannot(self, "watch")

    def pause(self, command: p.Pause) -> Future[Mapping[str, object]]:
        """Decide nothing, or go on."""
        raise _cannot(self, "pause")

    def recall(self, command: p.Recall) -> Future[Mapping[str, object]]:
        """Search the memory. The result has `notes`: a tuple of `protocol.Note`."""
        raise _cannot(self, "recall")

    def forget(self, command: p.Forget) -> Future[Mapping[str, object]]:
        """Delete notes. The result has `count`. `protocol.Forgotten` is told to the listeners."""
        raise _cannot(self, "forget")

    def memory_pause(self, command: p.MemoryPause) -> Future[Mapping[str, object]]:
        """Let the memory write nothing, or go on. The result has `warning`, which may be ""."""
        raise _cannot(self, "memory_pause")

    def record(self, command: p.Record) -> Future[Mapping[str, object]]:
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
        """The next picture of a page's camera. Called on a thread of its own, so it may decode
        the picture; raises `InputError` where that cannot be done. Its stamp is when it came."""
        raise _cannot(self, "camera")

    def seek(self, command: p.Seek) -> Future[Mapping[str, object]]:
        """A replay: go to a time. `Snapshot`, `Seen` and `Playback` are told to the listeners."""
        raise _cannot(self, "replay")

    def play(self, command: p.Play) -> Future[Mapping[str, object]]:
        """A replay: play or stop."""
        raise _cannot(self, "replay")

    def picture(self, command: p.Picture) -> bytes | None:
        """The JPEG of a frame that the server does not keep; None: there is none. It may take
        long: it is called on a thread of its own."""
        return None


def _cannot(robot: Robot, ability: str) -> InputError:
    return InputError(robot.abilities().get(ability) or "this source cannot do it")


def done(**result: object) -> Future[Mapping[str, object]]:
    """A future that has its result."""
    future: Future[Mapping[str, object]] = Future()
    future.set_result(result)
    return future
