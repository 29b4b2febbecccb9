"""Behaviours for py_trees: wait for an alert, and ask a question. Optional: the extra `trees`.

    root = Sequence("patrol", memory=True, children=[
        WaitForAlert("fell", node, severity="critical"),
        Ask("look", node, "is somebody lying on the floor?", timeout_s=20.0),
    ])

The node is yours, and you spin it: `update` never waits. Subscriptions and clients are made in
`setup`, and taken away in `shutdown`.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from aura_core.extras import how_to_install
from aura_core.reactions import SEVERITIES, ReactionConfig
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.msg import Alert, Response
from aura_ros.srv import Ask as AskService
from aura_ros.srv import CancelWatch

try:
    from py_trees.behaviour import Behaviour
    from py_trees.common import Access, Status
except ModuleNotFoundError as e:
    raise ModuleNotFoundError(
        f"behaviours for py_trees need py_trees: {how_to_install('trees')}"
    ) from e

_REMEMBERED = 64  # newest alerts, or answers, that may wait for the next tick


class WaitForAlert(Behaviour):
    """RUNNING until an alert comes; then SUCCESS, with the alert on the blackboard.

    Alerts from before it began are not taken.

    Args:
        name: of the behaviour.
        node: which hears `aura/alert`.
        watch_id: only alerts of this watch: its id, or its words; "": of all.
        severity: only alerts of at least this severity: info, warning, critical; "": of any.
        timeout_s: FAILURE after this time; 0: never [s].
        key: of the blackboard, where the `aura_ros/Alert` is put.
    """

    def __init__(
        self,
        name: str,
        node: Node,
        watch_id: str = "",
        severity: str = "",
        timeout_s: float = 0.0,
        key: str = "alert",
    ) -> None:
        super().__init__(name)
        self._node, self._timeout_s, self._key = node, timeout_s, key
        self._which = ReactionConfig(  # the same rules as in reactions_node
            watches=(watch_id,) if watch_id else (),
            severity=severity or SEVERITIES[0],
            type="-",
            name="-",
        )
        self._alerts: deque[Alert] = deque(maxlen=_REMEMBERED)
        self._subscription: Any = None
        self.blackboard = self.attach_blackboard_client(name)
        self.blackboard.register_key(key, access=Access.WRITE)

    def setup(self, **_kwargs: Any) -> None:
        """Subscribe to `aura/alert`."""
        if self._subscription is None:
            self._subscription = self._node.create_subscription(
                Alert, "aura/alert", self._on_alert, qos.EVENTS
            )

    def initialise(self) -> None:
        """Begin to wait."""
        self._alerts.clear()
        self._began_s = time.monotonic()

    def update(self) -> Status:
        """See the class."""
        while self._alerts:
            alert = self._alerts.popleft()
            if self._which.matches(to.seen_alert(alert)):
                self.blackboard.set(self._key, alert)
                self.feedback_message = alert.text
                return Status.SUCCESS
        if self._timeout_s and time.monotonic() - self._began_s >= self._timeout_s:
            self.feedback_message = f"no alert within {self._timeout_s:g} s"
            return Status.FAILURE
        self.feedback_message = "waiting for an alert"
        return Status.RUNNING

    def shutdown(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _on_alert(self, msg: Alert) -> None:
        self._alerts.append(msg)


class Ask(Behaviour):
    """Asks a question. SUCCESS with the answer on the blackboard; FAILURE with the reason.

    It is a FAILURE when the question is refused, and when no answer comes in time. A question that
    the tree gives up, and one that is not answered in time, is taken back. For a standing question
    ("tell me when ...") the promise to tell is not the answer: it runs until the first answer.

    Args:
        name: of the behaviour.
        node: which calls `aura/ask` and hears `aura/response`.
        text: the question.
        timeout_s: most time until the answer [s].
        key: of the blackboard, where the text of the answer is put.
        camera: which camera, where the assistant has several; "": the first.
    """

    def __init__(
        self,
        name: str,
        node: Node,
        text: str,
        timeout_s: float,
        key: str = "answer",
        camera: str = "",
    ) -> None:
        super().__init__(name)
        self._node, self._timeout_s, self._key = node, timeout_s, key
        self._request = AskService.Request(text=text, camera=camera)
        self._asks: Client[Any, Any] | None = None
        self._cancels: Client[Any, Any] | None = None
        self._subscription: Any = None
        self._asked: Future[Any] | None = None
        self._answers: OrderedDict[str, Response] = OrderedDict()
        self.blackboard = self.attach_blackboard_client(name)
        self.blackboard.register_key(key, access=Access.WRITE)

    def setup(self, **_kwargs: Any) -> None:
        """Make the clients and the subscription."""
        if self._asks is None:
            self._asks = self._node.create_client(AskService, "aura/ask")
            self._cancels = self._node.create_client(CancelWatch, "aura/cancel_watch")
            self._subscription = self._node.create_subscription(
                Response, "aura/response", self._on_response, qos.EVENTS
            )

    def initialise(self) -> None:
        """Begin: the question is asked as soon as the assistant is there."""
        self._asked = None
        self._began_s = time.monotonic()

    def update(self) -> Status:
        """See the class."""
        assert self._asks is not None, "setup was not called"
        if self._asked is None and self._asks.service_is_ready():
            self._asked = self._asks.call_async(self._request)
        if self._asked is not None and self._asked.done():
            reply = self._asked.result()
            if reply is None or not reply.accepted:
                return self._fail(f"refused: {reply.reason if reply else self._asked.exception()}")
            if (answer := self._answers.get(reply.query_id)) is not None:
                if answer.refused:
                    return self._fail(f"refused: {answer.text}")
                self._asked = None
                self.blackboard.set(self._key, answer.text)
                self.feedback_message = answer.text
                return Status.SUCCESS
        if time.monotonic() - self._began_s >= self._timeout_s:
            missing = "there is no assistant" if self._asked is None else "no answer"
            self._take_back()
            return self._fail(f"{missing} within {self._timeout_s:g} s")
        self.feedback_message = "waiting for the answer"
        return Status.RUNNING

    def terminate(self, new_status: Status) -> None:
        """Take the question back when the tree gives it up."""
        if new_status == Status.INVALID:
            self._take_back()

    def shutdown(self) -> None:
        """Undo `setup`."""
        if self._asks is not None:
            self._node.destroy_client(self._asks)
            self._node.destroy_client(self._cancels)
            self._node.destroy_subscription(self._subscription)
            self._asks = self._cancels = self._subscription = None

    def _fail(self, why: str) -> Status:
        self._asked = None
        self.feedback_message = why
        return Status.FAILURE

    def _take_back(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.add_done_callback(self._cancel)

    def _cancel(self, asked: Future[Any]) -> None:
        reply = asked.result()
        if self._cancels is not None and reply is not None and reply.accepted:
            self._cancels.call_async(CancelWatch.Request(watch_id=reply.query_id))

    def _on_response(self, msg: Response) -> None:
        if msg.final and not msg.acknowledgment:
            self._answers[msg.query_id] = msg
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
