"""The pictures that the assistant publishes: what it decided, and the evidence of alerts and tasks.

    Stepped, Told, Delegated -> slot (model's thread) -> draw, encode, publish (a thread of its own)

The model's thread only stores. Nothing is drawn or encoded while nobody subscribes.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace

from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage

from aura_core.errors import one_line
from aura_core.live.events import Delegated, Event, Stepped, Told
from aura_core.live.host import Host
from aura_core.live.overlay import HISTORY, Decided, Overlay, draw
from aura_core.types import NS, Frame
from aura_ros import qos
from aura_ros.conversions import jpeg_msg
from aura_ros.node import AuraNode

DEBUG_QUALITY, EVIDENCE_QUALITY = 80, 95  # of JPEG, of 100
_POLL_S = 0.2  # most time until the end of the node is noticed
_WAITING = 8  # most frames of evidence that may wait; they come at most once a second


class Pictures:
    """Publishes `aura/debug_image/compressed`, `aura/alert/image/compressed` and, of tasks that are
    handed over, `aura/delegate/image/compressed`.

    A listener of the host. A debug image that was not drawn yet when the next one comes is left
    out.

    Args:
        node: has the publishers and the thread.
        camera: name of the camera, which is a part of the debug image's topic; "" where there is
            one.
        host: the host.
        window_max: chunks at which the window is cut back.
    """

    def __init__(self, node: AuraNode, camera: str, host: Host, window_max: int) -> None:
        self._node, self._camera, self._host = node, camera, host
        self._window_max = window_max
        self._history: deque[Decided] = deque(maxlen=HISTORY)
        self._words, self._words_ns = "", 0
        self._changed = threading.Condition()
        self._evidence: deque[tuple[Publisher, Frame]] = deque(maxlen=_WAITING)
        self._newest: tuple[Frame, Overlay] | None = None

    def open(self) -> None:
        """Make the publishers, and start the thread. The node undoes both, as all that it makes."""
        make = self._node.publish_on
        topic = "/".join(filter(None, ("aura/debug_image", self._camera, "compressed")))
        self._debug = make(CompressedImage, topic, qos.CAMERA)
        self._alerts = make(CompressedImage, "aura/alert/image/compressed", qos.CAMERA)
        self._tasks = make(CompressedImage, "aura/delegate/image/compressed", qos.CAMERA)
        self._node.work("pictures", self._main)

    def on_event(self, event: Event) -> None:
        """Take a decided chunk, a task or its result; for `Host.listen`. Returns at once."""
        if not isinstance(event, Stepped | Told | Delegated) or event.stream != self._camera:
            return
        if isinstance(event, Delegated):
            self._store(self._tasks, event.frame)
            return
        response = event.response if isinstance(event, Told) else event.step.response
        if response is not None:
            self._words, self._words_ns = response.text, response.stamp_ns
        if event.alerts:
            self._store(self._alerts, event.frame)
        if isinstance(event, Told):
            return
        self._history.append(Decided(event.step.decision.p_silent, response is not None))
        if self._debug.get_subscription_count() > 0:
            overlay = self._overlay(event)
            with self._changed:
                self._newest = (event.frame, overlay)
                self._changed.notify()

    def _store(self, publisher: Publisher, evidence: Frame) -> None:
        """Let the thread publish a frame, where somebody wants it."""
        if publisher.get_subscription_count() > 0:
            with self._changed:
                self._evidence.append((publisher, evidence))
                self._changed.notify()

    def _overlay(self, event: Stepped) -> Overlay:
        step, health = event.step, self._host.health(self._camera)
        return Overlay(
            state="silent" if step.response is None else "speaking",
            p_silent=step.decision.p_silent,
            stamp_ns=step.stamp_ns,
            words=self._words,
            words_age_s=max(0, step.stamp_ns - self._words_ns) / NS,
            watches=health.active_watches,
            window_chunks=step.window_chunks,
            window_max=self._window_max,
            step_ms=step.step_ms,
            dropped=health.chunks_dropped,
            history=tuple(self._history),
        )

    # ---- on the thread of the pictures -------------------------------------------------------

    def _main(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            picture = self._next()
            if picture is None:
                continue
            publisher, frame, overlay = picture
            try:
                if overlay is None:
                    publisher.publish(jpeg_msg(frame, EVIDENCE_QUALITY))
                else:
                    drawn = replace(frame, image=draw(frame.image, overlay))
                    publisher.publish(jpeg_msg(drawn, DEBUG_QUALITY))
            except Exception as e:  # a font or an encoder may raise anything; it costs this picture
                self._node.complain(f"a picture could not be published: {one_line(e)}")

    def _next(self) -> tuple[Publisher, Frame, Overlay | None] | None:
        """The next picture, evidence (without an overlay) first; None when none comes soon."""
        with self._changed:
            self._changed.wait_for(lambda: self._evidence or self._newest, _POLL_S)
            if self._evidence:
                return *self._evidence.popleft(), None
            newest, self._newest = self._newest, None
            return None if newest is None else (self._debug, *newest)
