"""The goals of an action server of a managed node: how they are accepted, and how they end.

A server lives as long as the stage of the node in which it is made. Its goals are ended first, and
their results get a moment to reach the clients.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from aura_ros.node import AuraNode

T = TypeVar("T")
_CLEANUP_S = 0.3


def serve_action(
    node: AuraNode,
    kind: Any,
    name: str,
    execute: Callable[[ServerGoalHandle], Coroutine[Any, Any, Any]],
    cancel: Callable[[ServerGoalHandle], CancelResponse],
    goals: Mapping[str, object],
    abandon: Callable[[], None],
) -> None:
    """Serve an action that accepts every goal.

    Args:
        goals: those that are being executed; `execute` removes its own when it ends.
        abandon: ends all of them.
    """
    server = ActionServer(
        node,
        kind,
        name,
        execute,
        goal_callback=lambda _: GoalResponse.ACCEPT,
        cancel_callback=cancel,
    )

    def close() -> None:
        abandon()
        deadline = time.monotonic() + _CLEANUP_S
        while goals and time.monotonic() < deadline:  # until the executor has sent them
            time.sleep(0.01)

    node.undo(server.destroy)
    node.undo(close)


def settle(ended: Future[T], result: T) -> None:
    """Set the result of a goal that has none yet."""
    if not ended.done():
        ended.set_result(result)
