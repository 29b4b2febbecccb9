"""The robot of the console over topics and services: any assistant in the ROS graph.

    aura/*, image_raw, asr/transcript ──► ConsoleRobot ──► the console's server ──► pages
    aura/ask, aura/cancel_watch, aura/recall ... ◄── commands of the pages

Callbacks only store, or tell what they got to the server, which stores. Commands are called on
threads of the server; they wait for the answer of the service.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.client import Client
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool

from aura_core.config import GenerationConfig
from aura_core.console import forgetting
from aura_core.console import protocol as p
from aura_core.console.robot import Result, Robot, Seen
from aura_core.console.telling import now_ms
from aura_core.console.topics import DECIDED, Topics
from aura_core.errors import InputError, one_line
from aura_core.memory.deletion import Forgotten
from aura_core.node_settings import ConsoleNodeConfig
from aura_core.stream.attribution import standing_kind
from aura_core.types import Kind
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.console_camera import AWAY_S, ShownCamera
from aura_ros.console_phone import PhoneDevices
from aura_ros.console_recorder import Recorder
from aura_ros.memory_services import NOTHING_KEPT
from aura_ros.msg import (
    Alert,
    Asked,
    AssistantState,
    Heartbeat,
    Note,
    Response,
    Transcript,
    Watches,
)
from aura_ros.node import AuraNode
from aura_ros.srv import Ask, CancelWatch, Forget, Recall

ANSWER_S = 10.0  # most time that a service may take to answer
MEMORY_S = 60.0  # the same for a search and a deletion
MOST_RECALLED = 1000  # newest notes of searches
_PENDING = 32  # newest alerts and pictures of alerts that wait for each other
_SERVICES: dict[str, tuple[Any, str]] = {
    "ask": (Ask, "aura/ask"),
    "unwatch": (CancelWatch, "aura/cancel_watch"),
    "recall": (Recall, "aura/recall"),
    "forget": (Forget, "aura/forget"),
    "memory_pause": (SetBool, "aura/memory_pause"),
    "pause": (SetBool, "aura/pause"),
}
_MESSAGES = {"raw": Image, "compressed": CompressedImage}


class ConsoleRobot(Robot):
    """Shows the assistant in the node's namespace.

    Args:
        node: has the topics and services. It is being configured.
        config: its settings.
        recordings: folder for bags.
    """

    def __init__(self, node: AuraNode, config: ConsoleNodeConfig, recordings: Path) -> None:
        super().__init__()
        self._node, self._config = node, config
        names = config.cameras or ("",)
        kind = "image_raw" if config.image_transport == "raw" else "image_raw/compressed"
        self._cameras = {
            n: ShownCamera(n, node.resolve_topic_name(f"{n}/{kind}" if n else kind)) for n in names
        }
        phone = config.phone_camera
        self.cameras = tuple(
            p.Camera(n, n or c.topic, config.phone and n == phone) for n, c in self._cameras.items()
        )
        namespace = node.get_namespace().strip("/")
        self.title = namespace or "assistant"
        self.max_question_chars = GenerationConfig().max_question_chars
        self._assistant = f"{namespace}/{config.assistant}".strip("/")
        self._topics = Topics()
        self._lock = threading.RLock()  # of `_topics`
        self._state = AssistantState()
        self._evidence: OrderedDict[int, bytes] = OrderedDict()  # by stamp, without their alert
        self._alerted: OrderedDict[int, str] = OrderedDict()  # cameras of alerts, by stamp
        self._told_unknown: set[str] = set()
        self._recalled: OrderedDict[str, p.Note] = OrderedDict()  # those that pages may delete
        raw = config.image_transport == "raw"
        topics = {n: c.topic for n, c in self._cameras.items()}
        self._phone = PhoneDevices(node, {phone: topics[phone]} if config.phone else {}, raw)
        self._recorder = Recorder(
            node,
            recordings,
            list(topics.values()),
            not raw,
            config.record_images,
            lambda line: self.tell(p.Problem("", line, now_ms())),
        )
        self._clients: dict[str, Client[Any, Any]] = {}
        for name, (service, topic) in _SERVICES.items():
            self._clients[name] = client = node.create_client(service, topic)
            node.undo(lambda client=client: node.destroy_client(client))

    # ---- life ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Subscribe. The node is being activated, and undoes it."""
        node = self._node
        for camera in self._cameras.values():
            self._subscribe_images(camera)
        for kind, topic, made, profile in (
            (Heartbeat, "aura/heartbeat", self._on_heartbeat, qos.EVENTS),
            (Response, "aura/response", self._telling(self._topics.response), qos.EVENTS),
            (Alert, "aura/alert", self._on_alert, qos.EVENTS),
            (Asked, "aura/asked", self._telling(self._topics.asked), qos.EVENTS),
            (Watches, "aura/watches", self._telling(self._topics.watches), qos.LATCHED),
            (AssistantState, "aura/state", self._on_state, qos.LATCHED),
            (Note, "aura/note", self._telling(self._topics.note), qos.EVENTS),
            (Transcript, "asr/transcript", self._telling(self._topics.transcript), qos.EVENTS),
            (CompressedImage, "aura/alert/image/compressed", self._on_evidence, qos.CAMERA),
            (DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.DIAGNOSTICS),
        ):
            node.subscribe(kind, topic, made, profile)
        node.every(0.25, self._tick)

    def _subscribe_images(self, camera: ShownCamera) -> None:
        def take(msg: Any) -> None:
            self._on_image(camera, msg)

        self._node.subscribe(
            _MESSAGES[self._config.image_transport], camera.topic, take, qos.FRAMES
        )

    def close(self) -> None:
        """See `Robot`. It can be opened again, with other listeners."""
        self._listeners = ()
        self._phone.close()
        self._recorder.end()

    # ---- messages ------------------------------------------------------------------------------

    def _telling(self, method: Callable[[Any, float], list[p.Event]]) -> Callable[[Any], None]:
        """A callback that tells the events of a message."""

        def take(msg: Any) -> None:
            with self._lock:
                for event in method(msg, now_ms()):
                    self.tell(event)

        return take

    def _on_image(self, camera: ShownCamera, msg: Image | CompressedImage) -> None:
        camera.trouble = to.refuse_image(msg)
        if camera.trouble:
            self._node.complain(f"{camera.topic}: {camera.trouble}")
            return
        now_s = time.monotonic()
        stamp_ns = to.stamp_or(msg.header, self._node.now_ns())
        camera.received, camera.arrived_s = camera.received + 1, now_s
        camera.keep(now_s, stamp_ns, msg)
        due = now_s - camera.shown_s >= 0.9 / self._config.fps
        if due or self._recorder.records_all:
            self._recorder.take(camera.topic, msg)
        if due:
            camera.shown_s = now_s
            self._show(camera, stamp_ns, msg, "live")

    def _show(self, camera: ShownCamera, stamp_ns: int, msg: Any, role: Any) -> None:
        try:
            self.tell(Seen(camera.name, stamp_ns, picture(msg, stamp_ns), role))
        except InputError as e:
            camera.trouble = one_line(e)
            self._node.complain(f"{camera.topic}: {camera.trouble}")

    def _on_heartbeat(self, msg: Heartbeat) -> None:
        camera = self._cameras.get(msg.camera)
        if camera is None:
            self._tell_unknown(msg.camera)
            return
        before = camera.beat
        camera.slow = before is not None and msg.chunks_dropped > before.chunks_dropped
        camera.beat, camera.beat_s = msg, time.monotonic()
        if msg.state in DECIDED:
            camera.steps.append(float(msg.step_ms))
            stamp_ns = to.to_ns(msg.header.stamp)
            if (frame := camera.find(stamp_ns)) is not None:
                self._show(camera, stamp_ns, frame, "second")
        self._telling(self._topics.heartbeat)(msg)

    def _tell_unknown(self, name: str) -> None:
        if name not in self._told_unknown:
            self._told_unknown.add(name)
            self._node.get_logger().error(
                f"the assistant has a camera '{name}', and the parameter cameras here names"
                f" {', '.join(self._cameras) if any(self._cameras) else 'none'}: it is not shown"
            )

    def _on_alert(self, msg: Alert) -> None:
        stamp_ns = to.to_ns(msg.header.stamp)
        camera = self._cameras.get(msg.camera)
        if camera is None:
            return
        waits = self._evidence.pop(stamp_ns, None)
        if waits is not None:
            self.tell(Seen(msg.camera, stamp_ns, waits, "evidence"))
        elif (frame := camera.find(stamp_ns)) is not None:
            self._show(camera, stamp_ns, frame, "evidence")
        _keep(self._alerted, stamp_ns, msg.camera)
        self._telling(self._topics.alert)(msg)

    def _on_evidence(self, msg: CompressedImage) -> None:
        """The frame of an alert as the model has seen it: it takes the place of the one that was
        found here. It may come before its alert."""
        stamp_ns, data = to.to_ns(msg.header.stamp), bytes(msg.data)
        if (camera := self._alerted.get(stamp_ns)) is not None:
            self.tell(Seen(camera, stamp_ns, data, "evidence"))
        else:
            _keep(self._evidence, stamp_ns, data)

    def _on_state(self, msg: AssistantState) -> None:
        self._state = msg

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name != self._assistant:
                continue
            values = {v.key: v.value for v in status.values}
            for name, camera in self._cameras.items():
                start = f"{name}." if len(self._cameras) > 1 else ""
                camera.values = {
                    k.removeprefix(start): v for k, v in values.items() if k.startswith(start)
                }

    def _tick(self) -> None:
        with self._lock:
            for event in self._topics.late(now_ms()):
                self.tell(event)

    # ---- state ---------------------------------------------------------------------------------

    def abilities(self) -> Mapping[str, str]:
        """See `Robot`. It is looked up in the ROS graph."""
        ready = {name: client.service_is_ready() for name, client in self._clients.items()}

        def offered(name: str) -> str:
            return "" if ready[name] else _nobody(self._clients[name])

        beat = next((c.beat for c in self._cameras.values() if c.beat is not None), None)
        no_memory = "the memory is off: set memory.path of the assistant"

        def memory(name: str) -> str:
            off = beat is not None and beat.memory == "off" and ready[name]
            return no_memory if off else offered(name)

        return {
            "ask": offered("ask"),
            "watch": offered("ask") or offered("unwatch"),
            "recall": memory("recall"),
            "forget": memory("forget"),
            "memory_pause": memory("memory_pause"),
            "pause": offered("pause"),
            "record": "",
            "export": "",
            "microphone": self._phone.deaf(),
            "camera": self._phone.blind(),
            "replay": "this is no recording",
        }

    def status(self) -> p.Status:
        """See `Robot`."""
        trouble, detail = self._trouble()
        steps = [statistics.median(c.steps) for c in self._cameras.values() if c.steps]
        beats = [c.beat for c in self._cameras.values() if c.beat is not None]
        return p.Status(
            0.0,
            trouble,
            detail,
            model=self._state.model,
            run=self._state.run,
            step_ms=round(max(steps, default=0.0), 1),
            memory=beats[0].memory if beats else "off",
            paused=trouble == "paused",
            recording=self._recorder.name,
        )

    def _trouble(self) -> tuple[str, str]:
        """What is wrong with the assistant as a whole, the worst first."""
        newest = max(self._cameras.values(), key=lambda c: c.beat_s)
        topic = self._node.resolve_topic_name("aura/heartbeat")
        if newest.beat is None:
            return "server_away", f"no assistant is heard on {topic}: is it started?"
        if (quiet_s := time.monotonic() - newest.beat_s) > AWAY_S:
            return "server_away", f"nothing from the assistant for {quiet_s:.0f} s ({topic})"
        beat, state = newest.beat, self._state
        if state.state == AssistantState.STATE_LOADING:
            return "model_loading", beat.detail or state.model
        if beat.state == Heartbeat.STATE_UNCONFIGURED:
            return (
                ("model_failed", beat.detail)
                if beat.detail
                else ("stopped", "it is not configured")
            )
        if beat.state == Heartbeat.STATE_INACTIVE:
            paused = beat.detail.startswith("paused")
            return ("paused", beat.detail) if paused else ("stopped", "it is not active")
        if beat.memory == "failed":
            return "memory_failed", beat.memory_trouble
        value = newest.values.get
        if value("fallback") or value("trouble"):
            return "fallback", value("fallback") or value("trouble", "")
        return "", ""

    def camera_status(self) -> tuple[p.CameraStatus, ...]:
        """See `Robot`."""
        return tuple(camera.status() for camera in self._cameras.values())

    # ---- commands ------------------------------------------------------------------------------

    def ask(self, command: p.Ask) -> Result:
        """See `Robot`."""
        asked = self._call("ask", text=command.text, camera=command.camera)
        if not asked.accepted:
            raise InputError(asked.reason)
        return {"query_id": asked.query_id, "watch": standing_kind(command.text) is not None}

    def watch(self, command: p.AddWatch) -> Result:
        """See `Robot`."""
        kind = command.kind or standing_kind(command.text) or Kind.PROACTIVE
        cooldown_s = -1.0 if command.cooldown_s is None else float(command.cooldown_s)
        asked = self._call(
            "ask",
            text=command.text,
            kind=str(kind),
            limit=command.limit or 0,
            cooldown_s=cooldown_s,
            urgent=command.urgent,
            severity=command.severity,
            camera=command.camera,
        )
        if not asked.accepted:
            raise InputError(asked.reason)
        return {"watch_id": asked.query_id}

    def unwatch(self, command: p.Unwatch) -> Result:
        """See `Robot`."""
        answer = self._call("unwatch", watch_id=command.watch_id)
        if not answer.cancelled:
            raise InputError(answer.reason)
        return {}

    def pause(self, command: p.Pause) -> Result:
        """See `Robot`."""
        answer = self._call("pause", data=command.on)
        if not answer.success:
            raise InputError(answer.message)
        return {}

    def memory_pause(self, command: p.MemoryPause) -> Result:
        """See `Robot`."""
        answer = self._call("memory_pause", data=command.on)
        if not answer.success:
            raise InputError(answer.message)
        unkept = answer.message.removeprefix(NOTHING_KEPT).removeprefix("; ")
        return {"warning": unkept}

    def recall(self, command: p.Recall) -> Result:
        """See `Robot`."""
        answer = self._call(
            "recall",
            MEMORY_S,
            text=command.text,
            begin=to.to_time(_ns(command.begin_ms)),
            end=to.to_time(_ns(command.end_ms)),
            limit=command.limit,
            thumbnails=True,
            camera=command.camera,
        )
        if not answer.success:
            raise InputError(answer.reason)
        topics = Topics()
        notes = tuple(note for msg in answer.notes for note in topics.note(msg))
        with self._lock:
            self._recalled |= {note.id: note for note in notes}
            while len(self._recalled) > MOST_RECALLED:
                self._recalled.popitem(last=False)
        return {"notes": notes}

    def forget(self, command: p.Forget) -> Result:
        """See `Robot`."""
        answer = self._call(
            "forget",
            MEMORY_S,
            ids=list(command.ids),
            begin=to.to_time(_ns(command.begin_ms)),
            end=to.to_time(_ns(command.end_ms)),
            everything=command.everything,
        )
        if not answer.success:
            raise InputError(answer.reason)
        self.tell(self._forgotten(command, answer.count))
        return {"count": answer.count}

    def _forgotten(self, command: p.Forget, count: int) -> p.Forgotten:
        """What the pages are told; of notes that no page has searched for: all may be gone."""
        with self._lock:
            known = [self._recalled.pop(i, None) for i in command.ids]
        notes = tuple(map(forgetting.of_note, filter(None, known)))
        begin, end = _ns(command.begin_ms) or None, _ns(command.end_ms) or None
        by_time = command.everything or (begin, end) != (None, None)
        named = notes if len(notes) == len(known) else ()
        deletion = Forgotten(begin, end, time.time_ns(), by_time, count, named)
        return forgetting.told([deletion], now_ms())

    def _call(self, name: str, timeout_s: float = ANSWER_S, /, **fields: Any) -> Any:
        """The answer of a service. Raises `InputError`."""
        client, (service, _) = self._clients[name], _SERVICES[name]
        if not client.service_is_ready():
            raise InputError(_nobody(client))
        answered = threading.Event()
        try:
            future = client.call_async(service.Request(**fields))
        except (AssertionError, TypeError, ValueError) as e:  # a value that no message holds
            raise InputError(f"{client.srv_name}: {one_line(e)}") from e
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(timeout_s):
            client.remove_pending_request(future)
            raise InputError(f"{client.srv_name} has not answered within {timeout_s:g} s")
        if (failed := future.exception()) is not None:
            raise InputError(f"{client.srv_name}: {one_line(failed)}")
        return future.result()

    # ---- sound and pictures of a page ----------------------------------------------------------

    def listen_to(self, rate: int) -> None:
        """See `Robot`."""
        self._phone.listen_to(rate)

    def hear(self, samples: bytes) -> None:
        """See `Robot`."""
        self._phone.hear(samples)

    def look_through(self, command: p.Phone) -> None:
        """See `Robot`."""
        self._phone.look_through(command)

    def see(self, camera: str, jpeg: bytes) -> None:
        """See `Robot`."""
        self._phone.see(camera, jpeg)

    # ---- recording -----------------------------------------------------------------------------

    def record(self, command: p.Record) -> Result:
        """See `Robot`. The bag holds the frames that are shown, and the assistant's messages."""
        made = self._recorder.record(command.on)
        return {"name": made.name, "place": str(made.place)}


def picture(msg: Image | CompressedImage, stamp_ns: int) -> Any:
    """The picture of a message, as `Seen` takes it: a JPEG as it came, else RGB. Raises
    `InputError`."""
    if isinstance(msg, CompressedImage):
        data = bytes(msg.data)
        if data.startswith(b"\xff\xd8\xff"):
            return data
    return to.to_frame(msg, stamp_ns).image


def _nobody(client: Client[Any, Any]) -> str:
    return f"nobody offers {client.srv_name}: is the assistant running?"


def _keep(into: OrderedDict[int, Any], stamp_ns: int, value: Any) -> None:
    into[stamp_ns] = value
    while len(into) > _PENDING:
        into.popitem(last=False)


def _ns(at_ms: float | None) -> int:
    """Nanoseconds; 0 for None, which means no limit."""
    return 0 if at_ms is None else round(at_ms * 1e6)
