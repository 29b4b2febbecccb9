"""The action `aura/watch`: a watch with feedback, for nodes that wait for its answers.

goal ─► Host.ask ─► accepted ─► an Alert each time ─► closed: succeeded | canceled | aborted
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent import futures
from dataclasses import dataclass

from rclpy.action import CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from aura_core.errors import AuraError
from aura_core.live.host import Host
from aura_core.stream.attribution import standing_kind
from aura_core.stream.watches import Watch as CoreWatch
from aura_core.types import Kind, Query
from aura_ros import conversions as to
from aura_ros.action import Watch
from aura_ros.goals import serve_action, settle
from aura_ros.msg import Alert
from aura_ros.node import AuraNode
from aura_ros.waiting import done

_OTHERS = "the watch was ended by somebody else"
_CLEANUP = "the assistant was cleaned up"


@dataclass(eq=False)
class Goal:
    """A goal that is being executed. `ended` gets the reason why its watch was closed, or ""."""

    handle: ServerGoalHandle
    ended: Future[str]
    answers: int = 0


class WatchAction:
    """Serves the action while the node is configured.

    `alerted` and `watched` are called on the model's thread.
    """

    def __init__(self, node: AuraNode, host: Host) -> None:
        self._node, self._host = node, host
        self._goals: dict[str, Goal] = {}  # by watch id
        serve_action(
            node, Watch, "aura/watch", self._execute, self._cancel, self._goals, self._abandon
        )

    def alerted(self, alert: Alert) -> None:
        """A watch was answered."""
        if (goal := self._goals.get(alert.watch_id)) is not None:
            goal.answers += 1
            goal.handle.publish_feedback(Watch.Feedback(alert=alert))

    def watched(self, watches: Iterable[CoreWatch]) -> None:
        """The watches have changed."""
        for watch in watches:
            goal = self._goals.get(watch.id)
            if goal is not None and not watch.open:
                settle(goal.ended, _OTHERS if watch.cancelled else "")

    def refused(self, watch_id: str, reason: str) -> None:
        """A watch that was accepted before the model was loaded is refused after all."""
        if (goal := self._goals.get(watch_id)) is not None:
            settle(goal.ended, reason)

    # ---- on the executor's thread ------------------------------------------------------------

    async def _execute(self, handle: ServerGoalHandle) -> Watch.Result:
        result, request = Watch.Result(), handle.request
        goal = Goal(handle, Future(executor=self._node.executor))
        try:
            query = to.query(request, standing_kind(request.text) or Kind.PROACTIVE)
            future = self._host.ask(query, request.camera, source="aura/watch")
            future.add_done_callback(lambda done: self._begin(goal, done))
            asked = await done(self._node, future)
        except AuraError as e:
            result.reason = str(e)
            handle.abort()
            return result
        if handle.is_cancel_requested:  # before the watch had an id
            self._host.unwatch(asked.id)
        reason = await goal.ended
        del self._goals[asked.id]
        result.watch_id, result.answers = asked.id, goal.answers
        if handle.is_cancel_requested:
            handle.canceled()
        elif reason:
            result.reason = reason
            handle.abort()
        else:
            handle.succeed()
        return result

    def _begin(self, goal: Goal, done: futures.Future[Query]) -> None:
        """On the model's thread, so that no alert comes earlier."""
        if done.exception() is None:
            self._goals[done.result().id] = goal

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        for watch_id, goal in list(self._goals.items()):
            if goal.handle is handle:
                asked = self._host.unwatch(watch_id)
                asked.add_done_callback(lambda _, goal=goal: settle(goal.ended, ""))
        return CancelResponse.ACCEPT

    def _abandon(self) -> None:
        for goal in list(self._goals.values()):
            settle(goal.ended, _CLEANUP)
