"""The assistant as a ROS node.

    image_raw, asr/text -> Inbox -> Host (the model's thread)
    -> aura/response, aura/alert, aura/heartbeat

The services are in `services.py` and `memory_services.py`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from std_msgs.msg import String

from aura_core.config import AssistantConfig, AssistantNodeConfig
from aura_core.errors import InputError, ModelError
from aura_core.live.diagnosis import LEVELS
from aura_core.live.events import (
    Asked,
    Delegated,
    Event,
    Failed,
    Moved,
    Noted,
    Problem,
    Ready,
    Refused,
    Stepped,
    Told,
    Unheard,
    Watched,
    Words,
)
from aura_core.live.host import Host
from aura_core.memory.paths import default_path
from aura_core.models import fallback, foreign, load, release
from aura_core.stream.ids import Ids, new_run
from aura_core.stream.watches import Watch
from aura_core.types import Response as CoreResponse
from aura_core.words import shorten
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.camera_input import CameraInput
from aura_ros.heartbeat import Heartbeats
from aura_ros.memory_services import MemoryServices
from aura_ros.msg import Alert, Delegate, Note, Response, Watches
from aura_ros.msg import Asked as AskedMsg
from aura_ros.node import CLOSE_S, AuraNode
from aura_ros.parameters import Value
from aura_ros.pictures import Pictures
from aura_ros.process import run
from aura_ros.services import WatchServices
from aura_ros.standing import Standing
from aura_ros.tool_calls import ToolCalls, with_types
from aura_ros.watch_action import WatchAction

_POLL_S = 0.1  # how often a transition that waits for the model looks whether the process ends
_PAUSED = "paused by aura/pause"


class AssistantNode(AuraNode):
    """Callbacks only store, the host decides, and a timer sends heartbeats between decisions."""

    def __init__(self) -> None:
        super().__init__("assistant_node", AssistantNodeConfig)
        self.host: Host | None = None
        self.cameras: dict[str, CameraInput] = {}  # by name; while the node is configured
        self.paused = False  # by the service aura/pause, until the node leaves its state
        self._heart = Heartbeats(self)
        self.lifelong(0.25, self._pulse)

    # ---- transitions -------------------------------------------------------------------------

    def configure(self) -> None:
        """Load the model, and wait for it. Until then questions are refused; watches wait."""
        node = self.settings(AssistantNodeConfig)
        self.config, self._stale_after_s = self._engine_of(node), node.stale_after_s
        self._heart.begin()
        self._refusals = Ids(new_run())  # ids of the words that refuse a question
        self._responses = self.publish_on(Response, "aura/response", qos.EVENTS)
        self._alerts = self.publish_on(Alert, "aura/alert", qos.EVENTS)
        self._delegates = self.publish_on(Delegate, "aura/delegate", qos.EVENTS)
        self._asked = self.publish_on(AskedMsg, "aura/asked", qos.EVENTS)
        self._notes = self.publish_on(Note, "aura/note", qos.EVENTS)
        self._watches = self.publish_on(Watches, "aura/watches", qos.LATCHED)
        self._told: dict[str, tuple[Watch, ...]] = {}  # the watches of each camera
        self._watches.publish(to.watches_msg(self._told, self.now_ns()))
        model, server = self.config.model, self.config.server
        names = node.cameras or ("",)
        host = Host(
            lambda: load(model, server),
            self.config,
            names,
            node.backlog_chunks,
            fallback(self.config),
        )
        self.cameras = {n: CameraInput(self, host, n, node.image_transport) for n in names}
        self.host = host
        pictures = {n: Pictures(self, n, host, self.config.window.max) for n in names}
        self.undo(self._unload)
        # It listens before the world is told.
        self._standing = Standing(self, host, node.watch_file, bool(self.config.memory.path))
        host.listen(self._on_event)
        for picture in pictures.values():
            picture.open()
            host.listen(picture.on_event)
        if self.config.tools:
            host.listen(ToolCalls(self, host, self.config.tools).on_event)
        WatchServices(self, host)
        MemoryServices(self, host)
        self._goals = WatchAction(self, host)
        self.subscribe(String, "asr/text", self._on_question, qos.EVENTS)
        self.get_logger().info(f"loading model {host.model_path}")
        topics = ", ".join(c.topic for c in self.cameras.values())
        other = self.config.fallback
        for setting, chosen, runs in (
            ("model", model, server),
            ("fallback.model", other.model, other.server),
        ):
            if warned := foreign(chosen, topics, runs):
                self.get_logger().warning(f"{warned} in {setting}.path")
        cameras = {w.camera for w in self.config.watches.values()}
        self._standing.begin([(c, q) for c in cameras for q in self.config.standing(c)])
        self._frees = node.free_when_inactive
        self._load(host)
        self._standing.loaded()

    def _engine_of(self, node: AssistantNodeConfig) -> AssistantConfig:
        """The settings of the engine, with the arguments of the tools that a type gives, and the
        file of the memory."""
        memory = node.engine.memory
        if memory.path == "auto":
            memory = replace(memory, path=str(default_path(self.get_fully_qualified_name())))
        return replace(node.engine, tools=with_types(node.engine.tools), memory=memory)

    def _load(self, host: Host) -> None:
        self._loaded, self._failure = threading.Event(), ""
        host.start()
        while not self._loaded.wait(_POLL_S):
            if self.cancelled:
                raise ModelError("the process ends while the model is loaded")
        if self._failure:
            raise ModelError(self._failure)

    def _unload(self) -> None:
        assert self.host is not None
        self._stop(self.host)
        self.host, self.cameras = None, {}

    def _stop(self, host: Host) -> None:
        if not host.stop(CLOSE_S):
            self.stuck("the model's thread did not end in time")
        host.free()
        release()

    def activate(self) -> None:
        """Watch: earlier frames could only be dropped."""
        assert self.host is not None
        if not self.host.running:  # it was freed
            self._load(self.host)
            self._standing.again()
        self.paused = False
        self.host.wake()
        for camera in self.cameras.values():
            camera.activate()

    def deactivate(self) -> None:
        """Stop deciding. The model, the window and the watches stay, or (`free_when_inactive`) only
        the watches."""
        self.paused = False
        if self.host is not None:
            self.host.rest()
            if self._frees:
                self._stop(self.host)

    def pause(self, pause: bool) -> str:
        """Decide nothing until this is called with False: the camera's topic stays subscribed.

        Returns why it cannot be done, or "".
        """
        if self.host is None or self.lifecycle != "active":
            return f"the assistant is {self.lifecycle}, so it decides nothing"
        if pause != self.paused:
            self.paused = pause
            if pause:
                self.host.rest()
            else:
                self.host.wake()
            self.get_logger().info(_PAUSED if pause else "the pause of aura/pause is over")
        return ""

    def apply(self, changes: Mapping[str, Value]) -> None:
        """See `AuraNode`."""
        node = self.settings(AssistantNodeConfig, changes)
        self.config, self._stale_after_s = self._engine_of(node), node.stale_after_s
        if self.host is not None:
            self.host.configure(self.config)

    # ---- callbacks: store and return ---------------------------------------------------------

    def _on_question(self, msg: String) -> None:
        try:
            asked = self.host.ask(msg.data, source="asr/text")
        except InputError as e:
            self._refuse("", e)
        else:
            asked.add_done_callback(lambda done: self._refuse("", done.exception()))

    def _refuse(self, query_id: str, reason: BaseException | str | None) -> None:
        """Answer a question with why it will not be answered: never with silence."""
        if reason is not None:
            self.complain(f"question refused: {reason}")
            self._responses.publish(
                to.refusal_msg(self._refusals.next("x"), query_id, str(reason), self.now_ns())
            )

    def _pulse(self) -> None:
        """Send a heartbeat unless a decided chunk has sent one within the last second."""
        lifecycle = self.lifecycle
        for name in self.cameras or ("",):
            camera = self.cameras.get(name)
            if self.paused:
                state, detail = "inactive", _PAUSED
            elif camera is not None and lifecycle in ("configuring", "active"):
                state, detail = camera.look(self._heart.quiet_s(name), self._stale_after_s)
            else:
                state = lifecycle if lifecycle in ("unconfigured", "inactive") else "waiting"
                detail = self.reason or ("" if state == lifecycle else lifecycle)
            self._heart.idle(name, state, detail)

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`. Of several cameras, the worst comes first."""
        if self.paused:
            return "ok", _PAUSED, {"model": self.host.model_path}, ", ".join(self.cameras)
        reports = {name: camera.report() for name, camera in self.cameras.items()}
        worst = max(reports.values(), key=lambda r: LEVELS.index(r[0]))
        message, values = worst[1], dict[str, object](worst[2])
        if len(reports) > 1:
            told = [f"{n}: {r[1]}" for n, r in reports.items() if r[0] == worst[0]]
            message = "; ".join(told) if worst[0] != "ok" else message
            values = {f"{n}.{k}": v for n, r in reports.items() for k, v in r[2].items()}
        own = {"model": self.host.model_path, "last_error": self.last_problem}
        return worst[0], message, own | values, ", ".join(r[3] for r in reports.values())

    # ---- from the model's thread -------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        match event:
            case Ready():
                self.get_logger().info(f"model ready: {event.description}")
                self._loaded.set()
            case Words():
                self._responses.publish(to.partial_msg(event, self.age_ms(event.stamp_ns)))
            case Stepped():
                self._on_step(event)
            case Delegated():
                self._delegates.publish(to.delegate_msg(event))
                self._log_task(event)
            case Told():
                self._respond(event, event.response)
            case Asked():
                self._asked.publish(to.asked_msg(event, self.now_ns()))
            case Watched():
                self._told[event.stream] = event.watches
                self._watches.publish(to.watches_msg(self._told, self.now_ns()))
                self._goals.watched(event.watches)
            case Noted():
                self._notes.publish(to.note_msg(event.note))
            case Refused():
                self._refuse(event.query.id, event.reason)
                self._goals.refused(event.query.id, event.reason)
            case Unheard():
                self._responses.publish(
                    to.unheard_msg(self._refusals.next("x"), event, self.now_ns())
                )
            case Problem():
                self.complain(event.message)
                if event.chunk is not None:  # a lost chunk has a heartbeat too
                    self._heart.beat(event.stream, "error", event.message, event.chunk)
            case Moved() if event.away:
                self.get_logger().error(event.message)
            case Moved():
                self.get_logger().info(event.message)
            case Failed() if self._loaded.is_set():
                self.end(event.message)
            case Failed():
                self._failure = event.message
                self._loaded.set()

    def _on_step(self, event: Stepped) -> None:
        step, frame_id = event.step, event.frame.frame_id
        if (camera := self.cameras.get(event.stream)) is not None:
            camera.stepped(step)
        if step.response is not None:
            self._respond(event, step.response)
        self._heart.stepped(event.stream, step, frame_id)

    def _respond(self, event: Stepped | Told, response: CoreResponse) -> None:
        """Publish the words of a step or of a task, and their alerts."""
        self._responses.publish(to.response_msg(event, response, self.age_ms(response.stamp_ns)))
        for alert in event.alerts:
            msg = to.alert_msg(event, response, alert)
            self._alerts.publish(msg)
            self._goals.alerted(msg)

    def _log_task(self, event: Delegated) -> None:
        """One line for every task; a task that nobody hears of is told as a problem."""
        task = event.delegate
        line = f"task {task.id} for question {task.query_id or 'none'}: {shorten(task.task, 300)}"
        if self._delegates.get_subscription_count():
            self.get_logger().info(line)
        else:
            self.complain(f"nobody listens to aura/delegate: {line}")


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(AssistantNode, args)


if __name__ == "__main__":
    sys.exit(main())
