"""Commands of one thing are made in the order in which they were sent, and others meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from console_rig import WAIT_S, FakeRobot, entered, run, serving

from aura_core.console import protocol as p
from aura_core.console.robot import Result
from aura_core.console.turns import Turns


class Slow(FakeRobot):
    """A robot whose first command waits for `go`; `done` has what was made, when it had ended."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()
        self._first = threading.Lock()

    def _make(self, name: str, value: object) -> Result:
        if self._first.acquire(blocking=False):
            self.begun.set()
            assert self.go.wait(WAIT_S)
        self.done.append((name, value))
        return {"name": "", "place": "", "query_id": "q", "watch": False, "notes": (), "count": 0}

    def listen_to(self, rate: int) -> None:
        self._make("listen_to", rate > 0)

    def look_through(self, command: p.Phone) -> None:
        self._make("look_through", command.on)

    def pause(self, command: p.Pause) -> Result:
        return self._make("pause", command.on)

    def memory_pause(self, command: p.MemoryPause) -> Result:
        return self._make("memory_pause", command.on)

    def record(self, command: p.Record) -> Result:
        return self._make("record", command.on)

    def play(self, command: p.Play) -> Result:
        return self._make("play", command.on)

    def ask(self, command: p.Ask) -> Result:
        return self._make("ask", command.text == "first")

    def recall(self, command: p.Recall) -> Result:
        return self._make("recall", command.text == "first")


ON_OFF: list[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]] = [
    ("microphone", "listen_to", {"on": True}, {"on": False}),
    (
        "phone",
        "look_through",
        {"on": True, "camera": "phone"},
        {"on": False, "camera": "phone"},
    ),
    ("pause", "pause", {"on": True}, {"on": False}),
    ("memory_pause", "memory_pause", {"on": True}, {"on": False}),
    ("record", "record", {"on": True}, {"on": False}),
    ("play", "play", {"on": True}, {"on": False}),
    ("ask", "ask", {"text": "first"}, {"text": "second"}),
    ("recall", "recall", {"text": "first"}, {"text": "second"}),
]


@pytest.mark.parametrize(("kind", "made", "on", "off"), ON_OFF, ids=[one[0] for one in ON_OFF])
def test_what_is_sent_second_does_not_overtake(
    kind: str, made: str, on: Mapping[str, Any], off: Mapping[str, Any]
) -> None:
    robot = Slow()

    async def test() -> None:
        with serving(robot) as server:
            async with entered(server) as page:
                numbers = [await page.send(kind, **on), await page.send(kind, **off)]
                await asyncio.to_thread(robot.begun.wait, WAIT_S)
                # neither waits for the other: this is answered while the first one is being made
                other = ("export", {}) if kind == "ask" else ("add_watch", {"text": "tell me"})
                assert (await page.do(other[0], **other[1]))["ok"]
                robot.go.set()
                answers = [await page.until("answer") for _ in numbers]
                assert [(a["id"], a["ok"]) for a in answers] == [(n, True) for n in numbers]
        pair = [one for one in robot.done if one[0] == made]
        assert pair[:2] == [(made, True), (made, False)]

    run(test)


@pytest.mark.parametrize("kind", ["microphone", "phone"])
@pytest.mark.parametrize("waits", [False, True])
def test_a_device_of_a_page_that_leaves_ends_before_another_one_begins(
    kind: str, waits: bool
) -> None:
    """`waits`: whether the other page asks for it before the first one leaves, or after that."""
    robot = Slow()
    fields = {"on": True, **({"camera": "phone"} if kind == "phone" else {})}

    async def test() -> None:
        with serving(robot) as server:
            async with entered(server) as other:
                async with entered(server) as page:
                    await page.send(kind, **fields)
                    await asyncio.to_thread(robot.begun.wait, WAIT_S)
                    if waits:
                        number = await other.send(kind, **fields)
                        await other.do("add_watch", text="tell me")  # the one before has come, too
                if not waits:
                    number = await other.send(kind, **fields)
                while len(server.hub.pages) > 1:
                    await other.until("status")
                robot.go.set()
                assert (await other.until(lambda m: m.get("id") == number))["ok"]
                made = [on for name, on in robot.done if name in ("listen_to", "look_through")]
                assert made == [True, False, True]

    run(test)


def test_a_microphone_that_has_not_begun_when_its_page_leaves_is_not_begun() -> None:
    robot = Slow()

    async def test() -> None:
        with serving(robot) as server:
            async with entered(server) as other:
                assert other is not None
                async with entered(server) as page:
                    for on in (True, False, True):
                        await page.send("microphone", on=on)
                    await asyncio.to_thread(robot.begun.wait, WAIT_S)
                while len(server.hub.pages) > 1:
                    await other.until("status")
                robot.go.set()
                assert (await other.do("microphone", on=True))["ok"]
                assert robot.done == [("listen_to", on) for on in (True, False, True)]

    run(test)


def test_a_turn_lasts_until_its_work_has_ended_though_nobody_waits() -> None:
    done: list[int] = []

    async def work(number: int, gate: asyncio.Event | None = None) -> None:
        if gate is not None:
            await gate.wait()
        done.append(number)

    async def test() -> None:
        turns, gate = Turns(), asyncio.Event()
        one = asyncio.create_task(turns.take("a", lambda: work(1, gate)))
        await asyncio.sleep(0)
        two = asyncio.create_task(turns.take("a", lambda: work(2)))
        await asyncio.sleep(0)
        await turns.take("b", lambda: work(3))
        one.cancel()
        await asyncio.wait([one])
        assert done == [3]
        gate.set()
        await two
        assert done == [3, 1, 2]

    run(test)
