"""The assistant as a ROS node.

    image_raw, asr/text -> Inbox -> Host (the model's thread)
    -> aura/response, aura/alert, aura/heartbeat

The services are in `services.py`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from aura_core.config import AssistantNodeConfig
from aura_core.errors import InputError, ModelError
from aura_core.live.diagnosis import Now, Recent, diagnose
from aura_core.live.events import (
    Asked,
    Event,
    Failed,
    Problem,
    Ready,
    Refused,
    Stepped,
    Watched,
    Words,
)
from aura_core.live.host import Health, Host
from aura_core.live.pulse import Quiet, idle_state
from aura_core.models import foreign, load, release
from aura_core.stream.ids import Ids, new_run
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.heartbeat import Heartbeats
from aura_ros.msg import Alert, Response, Watches
from aura_ros.msg import Asked as AskedMsg
from aura_ros.node import CLOSE_S, AuraNode
from aura_ros.parameters import Value
from aura_ros.pictures import Pictures
from aura_ros.process import run
from aura_ros.services import WatchServices
from aura_ros.standing import Standing
from aura_ros.watch_action import WatchAction

_POLL_S = 0.1  # how often a transition that waits for the model looks whether the process ends


class AssistantNode(AuraNode):
    """Callbacks only store, the host decides, and a timer sends heartbeats between decisions."""

    def __init__(self) -> None:
        super().__init__("assistant_node", AssistantNodeConfig)
        self.host: Host | None = None
        self._heart = Heartbeats(self)
        self._begin()
        self.lifelong(0.25, self._pulse)

    def _begin(self) -> None:
        """Forget what was seen before."""
        self._clock_told = (0, 0)  # jumps and standing stamps that were told
        self.newest_ns, self._camera, self._stale = 0, "", False  # of the newest image
        self._recent = Recent()
        self._heart.begin()

    # ---- transitions -------------------------------------------------------------------------

    def configure(self) -> None:
        """Load the model, and wait for it. Until then questions are refused; watches wait."""
        node = self.settings(AssistantNodeConfig)
        self.config, self._stale_after_s = node.engine, node.stale_after_s
        self._begin()
        raw = node.image_transport == "raw"
        self._image_type, topic = (
            (Image, "image_raw") if raw else (CompressedImage, "image_raw/compressed")
        )
        self._topic = self.resolve_topic_name(topic)
        self._refusals = Ids(new_run())  # ids of the words that refuse a question
        self._responses = self.publish_on(Response, "aura/response", qos.EVENTS)
        self._alerts = self.publish_on(Alert, "aura/alert", qos.EVENTS)
        self._asked = self.publish_on(AskedMsg, "aura/asked", qos.EVENTS)
        self._watches = self.publish_on(Watches, "aura/watches", qos.LATCHED)
        self._watches.publish(to.watches_msg((), self.now_ns()))
        model, server = self.config.model, self.config.server
        self.host = Host(
            lambda: load(model, server), self.config, backlog_chunks=node.backlog_chunks
        )
        pictures = Pictures(self, self.host.health, self.config.window.max)
        pictures.open()
        self.undo(self._unload)
        self.host.listen(self._on_event)
        self.host.listen(pictures.on_event)
        WatchServices(self, self.host)
        self._goals = WatchAction(self, self.host)
        self.subscribe(String, "asr/text", self._on_question, qos.EVENTS)
        self.get_logger().info(f"loading model {model.path}")
        if warned := foreign(model, self._topic):
            self.get_logger().warning(f"{warned} in model.path")
        self._standing = Standing(self, self.host, node.watch_file)
        self._standing.begin(())
        self._frees = node.free_when_inactive
        self._load(self.host)

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
        self.host = None

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
        self.host.wake()
        self.subscribe(self._image_type, self._topic, self._on_image, qos.FRAMES)

    def deactivate(self) -> None:
        """Stop deciding. The model, the window and the watches stay, or (`free_when_inactive`) only
        the watches."""
        if self.host is not None:
            self.host.rest()
            if self._frees:
                self._stop(self.host)
        self._stale = False

    def apply(self, changes: Mapping[str, Value]) -> None:
        """See `AuraNode`."""
        node = self.settings(AssistantNodeConfig, changes)
        self.config, self._stale_after_s = node.engine, node.stale_after_s
        if self.host is not None:
            self.host.configure(self.config)

    # ---- callbacks: store and return ---------------------------------------------------------

    def _on_image(self, msg: Image | CompressedImage) -> None:
        if problem := to.refuse_image(msg):
            self.complain(problem)
            return
        stamp_ns = to.stamp_or(msg.header, self.now_ns())
        self.newest_ns, self._camera = stamp_ns, msg.header.frame_id
        self.host.inbox.offer(stamp_ns, lambda: to.to_frame(msg, stamp_ns))

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
        state, detail = self._idle(self._heart.quiet_s)
        if state == "no_frames" and not self._stale:
            self._stale = True
            self.get_logger().error(f"{detail}: the camera has stopped")
            self.host.inbox.end_of_frames()
        elif self._stale and state != "no_frames":
            self._stale = False
            self.get_logger().info("frames are back")
        self._heart.idle(state, detail)

    def _idle(self, quiet_s: float) -> tuple[str, str]:
        """The heartbeat's state and detail; ("", "") while decided chunks send the heartbeats."""
        lifecycle, host = self.lifecycle, self.host
        if host is None or lifecycle not in ("configuring", "active"):
            state = lifecycle if lifecycle in ("unconfigured", "inactive") else "waiting"
            return state, self.reason or ("" if state == lifecycle else lifecycle)
        health = host.health()
        quiet = Quiet(health.frame_quiet_s, quiet_s)
        return idle_state(health, quiet, self._stale_s, self.config.model.path, self._topic)

    @property
    def _stale_s(self) -> float:
        """Seconds without a frame after which the camera has stopped: more where a picture may
        stand."""
        return max(self._stale_after_s, self.config.sampling.hold_s or 0.0)

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`."""
        health = self.host.health()
        self._recent.note(time.monotonic(), health)
        self._tell_clock(health)
        age_s = self.age_ms(self.newest_ns) / 1e3 if self.newest_ns else None
        seen = health.frame_quiet_s is not None
        now = Now(age_s, self._stale, seen, self.problem)
        level, message = diagnose(health, now, self._recent)
        values = {
            "model": self.config.model.path,
            "frame_age_ms": "" if age_s is None else f"{age_s * 1e3:.1f}",
            "step_ms": f"{self._heart.last.step_ms:.1f}" if self._heart.last else "",
            "undecided_share": f"{self._recent.undecided:.3f}",
            "last_error": self.last_problem,
            **asdict(health),
        }
        return level, message, values, self._camera or self._topic

    def _tell_clock(self, health: Health) -> None:
        """Log once a second what is wrong with the stamps of the images, where it is new."""
        restarts, stuck = self._clock_told
        self._clock_told = health.clock_restarts, health.stuck_stamps
        if health.clock_restarts > restarts:
            self.get_logger().warning(
                f"{self._topic}: the clock of the stamps jumped ({health.clock_restarts} times so"
                " far); seconds are counted on"
            )
        if health.stuck_stamps and not stuck:
            self.get_logger().warning(
                f"{self._topic}: the stamps stand still; the time of arrival is used instead. The"
                " camera's driver must stamp each image"
            )

    # ---- from the model's thread -------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        match event:
            case Ready():
                self.get_logger().info(f"model ready: {event.description}")
                self._loaded.set()
            case Words():
                age_ms = self.age_ms(event.stamp_ns)
                self._responses.publish(to.partial_msg(event, age_ms))
            case Stepped():
                self._on_step(event)
            case Asked():
                self._asked.publish(to.asked_msg(event, self.now_ns()))
            case Watched():
                self._watches.publish(to.watches_msg(event.watches, self.now_ns()))
                self._goals.watched(event.watches)
            case Refused():
                self._refuse(event.query.id, event.reason)
                self._goals.refused(event.query.id, event.reason)
            case Problem():
                self.complain(event.message)
                if event.chunk is not None:  # a lost chunk has a heartbeat too
                    self._heart.beat("error", event.message, event.chunk)
            case Failed() if self._loaded.is_set():
                self.end(event.message)
            case Failed():
                self._failure = event.message
                self._loaded.set()

    def _on_step(self, event: Stepped) -> None:
        step, frame_id = event.step, event.frame.frame_id
        self._recent.step(time.monotonic(), step.step_ms)
        if (r := step.response) is not None:
            age_ms = self.age_ms(r.stamp_ns)
            self._responses.publish(to.response_msg(step, r, frame_id, age_ms))
            for alert in event.alerts:
                msg = to.alert_msg(step, r, alert, frame_id)
                self._alerts.publish(msg)
                self._goals.alerted(msg)
        self._heart.stepped(step, frame_id)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(AssistantNode, args)


if __name__ == "__main__":
    sys.exit(main())
