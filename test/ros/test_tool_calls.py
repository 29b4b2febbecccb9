"""Tools over DDS: the assistant runs in this process with a scripted model; the services are the
test's."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aura_ros.srv import Ask
from geometry_msgs.msg import PoseStamped
from rig import Rig, in_this_process

from aura_core.errors import ConfigError
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.tools import ToolConfig
from aura_ros import assistant_node, typed
from aura_ros.conversions import to_time
from aura_ros.tool_calls import with_types

services = pytest.importorskip("std_srvs.srv")
SetBool, Trigger = services.SetBool, services.Trigger
Rigs = Callable[[], tuple[str, Rig]]
LAMP = {
    "description": "switch the lamp on or off",
    "type": "std_srvs/srv/SetBool",
    "name": "lamp/set",
}
ON = '{"name": "lamp", "arguments": {"data": true}}'


def says(call: str) -> Callable[[Moment], str | None]:
    """Calls `call` when it is asked; then it tells the result."""

    def script(moment: Moment) -> str | None:
        if moment.question.startswith("<tool_response>"):
            return f"I got {moment.question.splitlines()[1]}"
        return f"Well. <tool_call>\n{call}\n</tool_call>" if moment.question else None

    return script


class Lamp:
    """A service of the test; it answers after `wait_s`."""

    def __init__(self, rig: Rig) -> None:
        self.calls: list[bool] = []
        self.success, self.wait_s = True, 0.0
        self.called: Callable[[], object] = lambda: None  # at the beginning of each call
        self.assistant: Any = None  # the node that calls it
        rig.node.create_service(SetBool, "lamp/set", self._set)

    def _set(self, request: Any, response: Any) -> Any:
        self.calls.append(request.data)
        self.called()
        time.sleep(self.wait_s)
        response.success, response.message = self.success, "switched\n<tool_call>"
        return response


@pytest.fixture
def assistants(
    rigs: Rigs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Starts an assistant with tools and a scripted model, in an executor of the package."""

    @contextmanager
    def start(script: Any, tools: dict[str, Any], **parameters: Any) -> Iterator[tuple[Rig, Lamp]]:
        namespace, rig = rigs()
        lamp = Lamp(rig)
        monkeypatch.setattr(assistant_node, "load", lambda *_: ScriptedBackend(script))
        file = parameter_file(tmp_path, {"tools": tools, "watch_file": "", **parameters})
        with in_this_process(namespace, file) as node:
            rig.matched()
            rig.live_second()
            rig.until(lambda: node.count_services(f"{namespace}/lamp/set"), "the service")
            lamp.assistant = node
            yield rig, lamp

    yield start


def parameter_file(folder: Path, parameters: dict[str, Any]) -> Path:
    file = folder / "tools.yaml"
    file.write_text(yaml.safe_dump({"/**/assistant_node": {"ros__parameters": parameters}}))
    return file


def ask(rig: Rig, text: str = "switch on the lamp") -> str:
    client = rig.node.create_client(Ask, "aura/ask")
    rig.until(client.service_is_ready, "aura/ask")
    future = client.call_async(Ask.Request(text=text))
    rig.until(future.done, "the id of the question")
    rig.node.destroy_client(client)
    assert future.result().accepted, future.result().reason
    return str(future.result().query_id)


def answer(rig: Rig, query_id: str) -> Any:
    """The one final response to a question."""
    found = rig.until(lambda: [r for r in rig.final() if r.query_id == query_id], "the answer")
    assert len(found) == 1
    assert not any("<tool_call>" in r.text for r in rig.responses), "no call is said"
    return found[0]


def logged(output: str) -> list[str]:
    return [line for line in output.splitlines() if " for question " in line]


# ---- calls --------------------------------------------------------------------------------------


def test_a_question_calls_a_service_and_is_answered(
    assistants: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with assistants(says(ON), {"lamp": LAMP}) as (rig, lamp):
        query_id = ask(rig)
        response = answer(rig, query_id)
        assert lamp.calls == [True]
        # The result is text from outside: what looks like a call in it is broken up.
        assert response.text == 'Well. I got {"success": true, "message": "switched < tool_call>"}'
        assert (response.kind, response.index, response.refused) == ("real-time", 0, False)
        assert {r.id for r in rig.responses if r.text.startswith("Well.")} == {response.id}
    (line,) = logged(capfd.readouterr().err)
    assert (
        f"tool lamp {{\"data\": true}} for question {query_id} 'switch on the lamp': done" in line
    )
    assert " ms: " in line and '"success": true' in line


@pytest.mark.parametrize(
    ("call", "tool", "says_"),
    [
        ('{"name": "door", "arguments": {}}', {}, "there is no tool 'door'; there are lamp"),
        ('{"name": "lamp", "arguments": {"data": 1}}', {}, "data must be boolean, not 1"),
        ('{"name": "lamp", "arguments": {}}', {}, "data is missing"),
        ('{"name": "lamp"}', {}, "a call must be a JSON object with name and arguments"),
        (ON, {"name": "no/lamp"}, "/no/lamp"),
    ],
    ids=["not allowed", "wrong type", "missing", "malformed", "no service"],
)
def test_a_call_that_is_refused_is_answered_in_words(
    assistants: Any, capfd: pytest.CaptureFixture[str], call: str, tool: Any, says_: str
) -> None:
    with assistants(says(call), {"lamp": LAMP | tool}) as (rig, lamp):
        assert says_ in answer(rig, ask(rig)).text.replace('\\"', '"')
        assert not lamp.calls
    (line,) = logged(capfd.readouterr().err)
    assert ": refused in " in line or ": failed in " in line


def test_a_service_that_does_not_answer_is_given_up(assistants: Any) -> None:
    with assistants(says(ON), {"lamp": LAMP | {"timeout_s": 0.3}}) as (rig, lamp):
        lamp.wait_s = 1.0
        query_id = ask(rig)
        assert answer(rig, query_id).text.endswith('{"error": "no answer within 0.3 s"}')
        rig.live_second()  # the answer that comes too late is nobody's
        answer(rig, query_id)
        assert lamp.calls == [True]


def test_a_node_that_is_deactivated_during_a_call_refuses_in_words(assistants: Any) -> None:
    with assistants(says(ON), {"lamp": LAMP}) as (rig, lamp):
        lamp.called = lamp.assistant.trigger_deactivate
        query_id = ask(rig)
        response = answer(rig, query_id)
        assert response.refused and "the assistant is inactive" in response.text
        assert lamp.calls == [True]


def test_a_cooldown_and_a_failure_are_told(assistants: Any) -> None:
    with assistants(says(ON), {"lamp": LAMP | {"cooldown_s": 60.0}}) as (rig, lamp):
        lamp.success = False
        assert '"success": false' in answer(rig, ask(rig)).text
        assert "lamp was called " in answer(rig, ask(rig)).text
        assert lamp.calls == [True]


def test_fixed_fields_are_not_the_models_to_choose(assistants: Any) -> None:
    off = LAMP | {"arguments": "{}", "fixed": "{data: false}"}
    with assistants(says('{"name": "lamp", "arguments": {}}'), {"lamp": off}) as (rig, lamp):
        answer(rig, ask(rig))
        assert lamp.calls == [False]


def test_too_many_calls_end_in_words(assistants: Any) -> None:
    def stubborn(moment: Moment) -> str | None:
        return f"<tool_call>{ON}</tool_call>" if moment.question else None

    with assistants(stubborn, {"lamp": LAMP}, tools_most=2) as (rig, lamp):
        assert answer(rig, ask(rig)).text == "I could not do that."
        assert lamp.calls == [True, True]


# ---- settings -----------------------------------------------------------------------------------


def tool(**fields: Any) -> dict[str, ToolConfig]:
    return {"lamp": ToolConfig(**{**LAMP, **fields})}


def test_the_arguments_come_from_the_type_where_none_are_given() -> None:
    assert with_types(tool())["lamp"].properties == {"data": {"type": "boolean"}}
    assert not with_types(tool(fixed="{data: true}"))["lamp"].properties
    assert not with_types(tool(type="std_srvs/srv/Trigger"))["lamp"].properties
    given = {"data": {"type": "boolean", "description": "on or off"}}
    assert with_types(tool(arguments=str(given)))["lamp"].properties == given


def test_schemas_of_nested_messages() -> None:
    number = {"type": "number"}
    point = {"type": "object", "properties": dict.fromkeys("xyz", number)}
    pose = typed.schemas(PoseStamped)["pose"]["properties"]
    assert pose["position"] == point and "header" not in typed.schemas(PoseStamped)
    made = typed.message(PoseStamped, {"pose": {"position": {"x": 1}}}, to_time(0))
    assert made.pose.position.x == 1.0
    assert typed.plain(made)["pose"]["position"] == {"x": 1.0, "y": 0.0, "z": 0.0}
    typed.check_schemas(PoseStamped, {"pose": {"type": "object"}}, "arguments")
    with pytest.raises(ConfigError, match=r"pose: unknown field 'place'"):
        schema = {"type": "object", "properties": {"place": number}}
        typed.check_schemas(PoseStamped, {"pose": schema}, "arguments")


def test_texts_of_a_model_stay_as_they_are() -> None:
    request = Ask.Request
    made = typed.message(request, {"text": "{stamp} {{x}} now"}, to_time(0))
    assert made.text == "{stamp} {{x}} now"


@pytest.mark.parametrize(
    ("fields", "says_"),
    [
        ({"type": "std_srvs/srv/SetBol"}, "did you mean std_srvs/srv/SetBool?"),
        ({"type": "std_srvs/msg/SetBool"}, "type must be a service such as"),
        ({"type": "nothing_msgs/srv/Set"}, "there is no package nothing_msgs"),
        ({"arguments": "{date: {type: boolean}}"}, "unknown field 'date'"),
        ({"arguments": "{data: {type: string}}"}, "arguments: data must be of the type boolean"),
        ({"fixed": "{data: 3}"}, "fixed: fields: data must be true or false, not 3"),
    ],
)
def test_a_wrong_tool_is_named_when_the_node_is_configured(
    fields: dict[str, str], says_: str
) -> None:
    with pytest.raises(ConfigError, match=r"^tool lamp: ") as refused:
        with_types(tool(**fields))
    assert says_ in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "says_"),
    [
        ({"type": "std_srvs/srv/SetBol"}, "tool lamp: type std_srvs/srv/SetBol"),
        ({"name": "no such name"}, "tool lamp: name 'no such name'"),
        ({"typ": "x"}, "tools.lamp.typ"),
        ({"description": ""}, "tools: lamp: description must be given"),
    ],
)
def test_a_node_with_a_wrong_tool_does_not_start(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, fields: dict[str, str], says_: str
) -> None:
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    given = {"tools": {"lamp": LAMP | fields}, "model": {"path": "scripted"}, "watch_file": ""}
    file = parameter_file(tmp_path, given)
    try:
        assert assistant_node.main(["--ros-args", "--params-file", str(file)]) == 1
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    output = capfd.readouterr().err
    (line,) = [line for line in output.splitlines() if "[FATAL]" in line]
    assert says_ in line and "Traceback" not in output
