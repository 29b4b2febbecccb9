"""What a reaction can do: call a service, publish a message, or send the goal of an action.

Nothing here waits: `start` sends, and calls back when the other side has answered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.exceptions import NameValidationException
from rclpy.task import Future

from aura_core.errors import ConfigError, one_line
from aura_core.reactions import ReactionConfig
from aura_ros import qos
from aura_ros.node import AuraNode
from aura_ros.typed import Template, interface

Done = Callable[[bool, str], None]  # whether it succeeded, and a detail in words
WORDS = ("text", "watch_id", "severity", "camera", "stamp")  # of an alert, for the fields
_ENDED = {
    GoalStatus.STATUS_SUCCEEDED: "succeeded",
    GoalStatus.STATUS_CANCELED: "was cancelled",
    GoalStatus.STATUS_ABORTED: "was aborted",
}


class Doer(ABC):
    """One service, topic or action, and the fields that are sent to it."""

    what: str  # for people: "service /robot/stop (std_srvs/srv/Trigger)"
    template: Template

    @abstractmethod
    def missing(self) -> str:
        """Why nobody would take it now; "" when somebody is there."""

    @abstractmethod
    def start(self, message: Any, done: Done) -> Callable[[], None]:
        """Send `message`, and call `done` once, from the executor. Returns what cancels it."""


def open_doer(node: AuraNode, config: ReactionConfig) -> Doer:
    """What `config` says. It ends with the stage of the node in which this is called.

    Raises `ConfigError` when the type, the name or the fields are wrong.
    """
    made: dict[str, type[ServiceCall | Publication | ActionGoal]] = {
        "service": ServiceCall,
        "publish": Publication,
        "action": ActionGoal,
    }
    try:
        return made[config.do](node, config)
    except (NameValidationException, ValueError) as e:
        raise ConfigError(f"name '{config.name}': {one_line(e)}") from e


class Service:
    """A client of a service of any type. It ends with the stage of the node in which it is made.

    Raises `ConfigError` when the type is wrong, and what rclpy raises for a wrong name.
    """

    def __init__(self, node: AuraNode, type_: str, name: str) -> None:
        self.kind = interface(type_, "srv")
        self._node, self._type = node, type_
        self.client = client = node.create_client(self.kind, name)
        self._name = node.resolve_service_name(name)
        self.what = f"service {self._name} ({type_})"
        node.undo(lambda: node.destroy_client(client))

    def missing(self) -> str:
        """Why nobody would answer now; "" when somebody is there."""
        if self.client.service_is_ready():
            return ""
        types = dict(self._node.get_service_names_and_types()).get(self._name, [])
        if others := [t for t in types if t != self._type]:  # the client's own type is listed too
            return f"service {self._name} is a {', '.join(others)}, not a {self._type}"
        return f"there is no service {self._name}"


class ServiceCall(Doer):
    """Calls a service. A response whose field `success` is false is a failure."""

    def __init__(self, node: AuraNode, config: ReactionConfig) -> None:
        self.template = Template(interface(config.type, "srv").Request, config.fields, WORDS)
        self._service = Service(node, config.type, config.name)
        self.what = self._service.what

    def missing(self) -> str:
        """See `Doer`."""
        return self._service.missing()

    def start(self, message: Any, done: Done) -> Callable[[], None]:
        """See `Doer`."""
        client = self._service.client
        future = client.call_async(message)

        def answered(answer: Future[Any]) -> None:
            if (error := answer.exception()) is not None:
                done(False, one_line(error))
                return
            response = answer.result()
            words = getattr(response, "message", "")
            detail = words if isinstance(words, str) else ""
            if getattr(response, "success", True) is False:
                done(False, f"the service answered success: false{': ' if detail else ''}{detail}")
            else:
                done(True, detail)

        future.add_done_callback(answered)
        return lambda: client.remove_pending_request(future)


class Publication(Doer):
    """Publishes one message. It is lost when nobody subscribes, so that is a failure."""

    def __init__(self, node: AuraNode, config: ReactionConfig) -> None:
        kind = interface(config.type, "msg")
        self.template = Template(kind, config.fields, WORDS)
        self._publisher = node.publish_on(kind, config.name, qos.EVENTS)
        self.what = f"topic {self._publisher.topic_name} ({config.type})"

    def missing(self) -> str:
        """See `Doer`."""
        if self._publisher.get_subscription_count():
            return ""
        return f"nobody subscribes to {self._publisher.topic_name}"

    def start(self, message: Any, done: Done) -> Callable[[], None]:
        """See `Doer`."""
        count = self._publisher.get_subscription_count()
        self._publisher.publish(message)
        done(True, f"to {count} subscriber{'' if count == 1 else 's'}")
        return lambda: None


class ActionGoal(Doer):
    """Sends a goal, and waits for its end. Cancelling it cancels the goal."""

    def __init__(self, node: AuraNode, config: ReactionConfig) -> None:
        kind = interface(config.type, "action")
        self.template = Template(kind.Goal, config.fields, WORDS)
        self._client = client = ActionClient(node, kind, config.name)
        self._name = node.resolve_topic_name(config.name)
        self.what = f"action {self._name} ({config.type})"
        node.undo(client.destroy)

    def missing(self) -> str:
        """See `Doer`."""
        return "" if self._client.server_is_ready() else f"there is no action {self._name}"

    def start(self, message: Any, done: Done) -> Callable[[], None]:
        """See `Doer`."""
        cancelled, handles = [], []

        def answered(answer: Future[Any]) -> None:
            if (error := answer.exception()) is not None:
                done(False, one_line(error))
                return
            handle = answer.result()
            if not handle.accepted:
                done(False, "the goal was rejected")
                return
            handles.append(handle)
            if cancelled:  # before the server had answered
                handle.cancel_goal_async()
                return
            handle.get_result_async().add_done_callback(ended)

        def ended(result: Future[Any]) -> None:
            if (error := result.exception()) is not None:
                done(False, one_line(error))
                return
            status = result.result().status
            words = _ENDED.get(status, f"ended with the status {status}")
            done(status == GoalStatus.STATUS_SUCCEEDED, f"the goal {words}")

        def cancel() -> None:
            cancelled.append(True)
            for handle in handles:
                handle.cancel_goal_async()

        self._client.send_goal_async(message).add_done_callback(answered)
        return cancel
