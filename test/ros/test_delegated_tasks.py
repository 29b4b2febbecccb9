"""Delegated tasks over DDS: the assistant runs in this process with a scripted model; the helper is
the test's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from aura_ros.msg import Delegate
from aura_ros.srv import Ask, Delegated
from rig import Rig, in_this_process
from sensor_msgs.msg import CompressedImage

from aura_core.models.grammar import FORMS, in_tokens
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_ros import assistant_node, qos

Rigs = Callable[[], tuple[str, Rig]]
TASK = "look up when the shop opens"


def script(moment: Moment) -> str:
    """Hands every question over, after a note."""
    if moment.question:
        return f"</response> Let me see. </delegation> {TASK}"
    return "</silence>"


def model(*_: Any) -> ScriptedBackend:
    backend = ScriptedBackend(script)
    chat = backend.chat
    made = in_tokens(FORMS["joyai"], backend.tokenizer.encode, chat.assistant, "scripted")
    backend.chat = replace(chat, grammar=made, silent_id=made.silent[0])
    return backend


class Helper:
    """Hears the tasks, and gives results."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.tasks: list[Delegate] = []
        self.pictures: list[CompressedImage] = []
        node = rig.node
        node.create_subscription(Delegate, "aura/delegate", self.tasks.append, qos.EVENTS)
        node.create_subscription(
            CompressedImage, "aura/delegate/image/compressed", self.pictures.append, qos.CAMERA
        )
        self._client = node.create_client(Delegated, "aura/delegated")

    def task(self, count: int = 1) -> Delegate:
        self.rig.until(lambda: len(self.tasks) >= count, "the task")
        return self.tasks[count - 1]

    def give(self, **fields: Any) -> Delegated.Response:
        self.rig.until(self._client.service_is_ready, "aura/delegated")
        future = self._client.call_async(Delegated.Request(**fields))
        self.rig.until(future.done, "the answer of aura/delegated")
        return future.result()


@pytest.fixture
def helpers(
    rigs: Rigs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Starts an assistant whose model hands every question over, and a helper."""

    @contextmanager
    def start(**parameters: Any) -> Iterator[tuple[Rig, Helper]]:
        namespace, rig = rigs()
        helper = Helper(rig)
        monkeypatch.setattr(assistant_node, "load", model)
        file = tmp_path / "delegate.yaml"
        parameters = {"watch_file": "", **parameters}
        file.write_text(yaml.safe_dump({"/**/assistant_node": {"ros__parameters": parameters}}))
        with in_this_process(namespace, file) as node:
            rig.matched()
            rig.live_second()
            found = lambda: node.count_subscribers(f"{namespace}/aura/delegate")  # noqa: E731
            rig.until(found, "the subscription")
            yield rig, helper

    yield start


def ask(rig: Rig, text: str = "when does the shop open?") -> str:
    client = rig.node.create_client(Ask, "aura/ask")
    rig.until(client.service_is_ready, "aura/ask")
    future = client.call_async(Ask.Request(text=text))
    rig.until(future.done, "the id of the question")
    rig.node.destroy_client(client)
    assert future.result().accepted, future.result().reason
    return str(future.result().query_id)


def answers(rig: Rig, query_id: str, count: int) -> list[Any]:
    return rig.until(
        lambda: (
            found
            if len(found := [r for r in rig.final() if r.query_id == query_id]) >= count
            else None
        ),
        f"{count} responses",
    )


def test_a_task_goes_out_and_its_result_is_told(helpers: Any) -> None:
    with helpers() as (rig, helper):
        query_id = ask(rig)
        task = helper.task()
        assert (task.task, task.query_id, task.said) == (TASK, query_id, "Let me see.")
        assert task.question == "when does the shop open?" and task.timeout_s == 120.0
        done = helper.give(id=task.id, words="It opens at nine.")
        assert done.accepted and not done.reason
        note, told = answers(rig, query_id, 2)
        assert note.acknowledgment and note.text == "Let me see."
        assert (told.text, told.id, told.acknowledgment) == (
            "It opens at nine.",
            done.response_id,
            False,
        )
        assert told.header.stamp == task.header.stamp == note.header.stamp
        assert not any("<" in r.text for r in rig.responses), "no marker is said"
        rig.until(lambda: helper.pictures, "the evidence")
        assert helper.pictures[0].header.stamp == task.header.stamp


def test_a_result_that_cannot_be_taken_is_refused_in_words(helpers: Any) -> None:
    with helpers() as (rig, helper):
        ask(rig)
        task = helper.task()
        assert "no task with the id 'nobody' is open" in helper.give(id="nobody", words="x").reason
        assert "has no words" in helper.give(id=task.id).reason
        assert helper.give(id=task.id, words="Nine.").accepted
        again = helper.give(id=task.id, words="Ten.")
        assert not again.accepted and "is open" in again.reason


def test_a_task_without_a_result_ends_in_words(helpers: Any) -> None:
    with helpers(delegate_timeout_s=0.5, delegate_failed="Nobody knows.") as (rig, helper):
        query_id = ask(rig)
        task = helper.task()
        assert answers(rig, query_id, 2)[1].text == "Nobody knows."
        assert "its time is over" in helper.give(id=task.id, words="Nine.").reason
