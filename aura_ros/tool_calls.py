"""The services that the model may call (`tools`): each call is checked, made, and told back.

    Called ─► refusal (name, arguments, cooldown) ─► service ─► Host.result ─► the model answers

Nothing here waits, and nothing is called on the model's thread: the executor makes the calls, and a
timer of the steady clock looks after their time. Every call is one line in the log.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rclpy.exceptions import NameValidationException
from rclpy.task import Future

from aura_core.errors import AuraError, ConfigError, one_line
from aura_core.live.events import Called, Event
from aura_core.live.host import Host
from aura_core.tools import ToolConfig, error, refusal, tools_of
from aura_core.words import shorten
from aura_ros import conversions as to
from aura_ros.doing import Service
from aura_ros.node import AuraNode
from aura_ros.typed import check_schemas, interface, message, plain, schemas

_TICK_S = 0.05  # how exactly timeouts are kept
_SHOWN = 300  # most characters of arguments and of a result in a log line


@dataclass(eq=False)
class _Call:
    """One call, from the model's answer until its result."""

    event: Called
    began_s: float
    deadline_s: float = 0.0
    future: Future[Any] | None = None  # None: not sent
    ended: bool = False


def with_types(tools: Mapping[str, ToolConfig]) -> dict[str, ToolConfig]:
    """The tools, checked against the types of their services.

    Where `arguments` is empty, they are the fields of the request. Raises `ConfigError` that names
    the tool, the key and what is expected.
    """
    checked = {}
    for name, tool in tools.items():
        try:
            checked[name] = _with_type(tool)
        except ConfigError as e:
            raise ConfigError(f"tool {name}: {e}") from e
    tools_of(checked)
    return checked


def _with_type(tool: ToolConfig) -> ToolConfig:
    request, fixed = interface(tool.type, "srv").Request, tool.fixed_fields
    try:
        message(request, fixed, to.to_time(0))
    except ConfigError as e:
        raise ConfigError(f"fixed: {e}") from e
    if not tool.from_type:
        check_schemas(request, tool.properties, "arguments")
        return tool
    properties = {k: v for k, v in schemas(request).items() if k not in fixed}
    return replace(tool, arguments=json.dumps(properties))


class ToolCalls:
    """Makes the calls of the model, and gives it their results.

    It ends with the stage of the node in which it is made: calls under way then fail.

    Args:
        node: is being configured.
        host: takes the results.
        tools: as `with_types` returns them.
    """

    def __init__(self, node: AuraNode, host: Host, tools: Mapping[str, ToolConfig]) -> None:
        self._node, self._host, self._configs = node, host, tools
        self._tools = {tool.name: tool for tool in tools_of(tools)}
        self._lock = threading.RLock()  # a transition runs beside the executor
        self._calls: list[_Call] = []
        self._last_s: dict[str, float] = {}  # when each tool was called last
        self._services: dict[str, Service] = {}
        for name, tool in tools.items():
            try:
                self._services[name] = Service(node, tool.type, tool.name)
            except (NameValidationException, ValueError) as e:
                raise ConfigError(f"tool {name}: name '{tool.name}': {one_line(e)}") from e
            node.get_logger().info(f"the model may call tool {name}: {self._services[name].what}")
        node.every(_TICK_S, self._tick)
        node.undo(self._close)

    def on_event(self, event: Event) -> None:
        """Listens to the host. The call is made by the executor, not on the model's thread."""
        executor = self._node.executor
        if isinstance(event, Called) and executor is not None:
            executor.create_task(self._begin, event)

    def _begin(self, event: Called) -> None:
        with self._lock:
            call, now_s = event.call, time.monotonic()
            attempt = _Call(event, now_s)
            if reason := refusal(self._tools, call) or self._too_early(call.name, now_s):
                self._end(attempt, "refused", error(reason))
                return
            tool, service = self._configs[call.name], self._services[call.name]
            try:
                if missing := service.missing():
                    self._end(attempt, "failed", error(missing))
                    return
                fields = dict(call.arguments) | tool.fixed_fields
                request = message(service.kind.Request, fields, to.to_time(self._node.now_ns()))
            except AuraError as e:
                self._end(attempt, "refused", error(one_line(e)))
                return
            self._last_s[call.name] = now_s
            attempt.deadline_s = now_s + tool.timeout_s
            self._calls.append(attempt)
            try:
                attempt.future = service.client.call_async(request)
            except Exception as e:  # the middleware refuses it; the node goes on
                self._end(attempt, "failed", error(one_line(e)))
                return
            attempt.future.add_done_callback(lambda done: self._answered(attempt, done))

    def _too_early(self, name: str, now_s: float) -> str:
        last_s, cooldown_s = self._last_s.get(name), self._configs[name].cooldown_s
        if last_s is None or now_s - last_s >= cooldown_s:
            return ""
        wait_s = cooldown_s - (now_s - last_s)
        return f"{name} was called {now_s - last_s:.1f} s ago; it may be called in {wait_s:.1f} s"

    def _answered(self, attempt: _Call, done: Future[Any]) -> None:
        with self._lock:
            if attempt.ended:
                return
            if (failed := done.exception()) is not None:
                self._end(attempt, "failed", error(one_line(failed)))
                return
            response = done.result()
            state = "failed" if getattr(response, "success", True) is False else "done"
            self._end(attempt, state, json.dumps(plain(response), ensure_ascii=False))

    def _tick(self) -> None:
        with self._lock:
            now_s = time.monotonic()
            for attempt in [a for a in self._calls if now_s >= a.deadline_s]:
                timeout_s = self._configs[attempt.event.call.name].timeout_s
                self._give_up(attempt, f"no answer within {timeout_s:g} s")

    def _give_up(self, attempt: _Call, why: str) -> None:
        self._end(attempt, "failed", error(why))
        if attempt.future is not None:
            name = attempt.event.call.name
            self._services[name].client.remove_pending_request(attempt.future)

    def _close(self) -> None:
        with self._lock:
            for attempt in list(self._calls):
                self._give_up(attempt, "the assistant is stopping")

    def _end(self, attempt: _Call, state: str, result: str) -> None:
        """One log line for every call; the result goes to the model."""
        attempt.ended = True
        if attempt in self._calls:
            self._calls.remove(attempt)
        call, query = attempt.event.call, attempt.event.query
        ms = (time.monotonic() - attempt.began_s) * 1e3
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
        line = (
            f"tool {shorten(call.name or 'unreadable')} {shorten(arguments, _SHOWN)} for question"
            f" {query.id} '{shorten(query.text)}': {state} in {ms:.0f} ms:"
            f" {shorten(result, _SHOWN)}"
        )
        if state == "done":
            self._node.get_logger().info(line)
        else:
            self._node.get_logger().error(line)
        self._host.result(call, result, attempt.event.stream)
