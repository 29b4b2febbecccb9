"""The memory over DDS: notes on a topic, search, deletion, pause, and files that fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aura_ros.msg import Note
from aura_ros.srv import Forget, Recall
from rig import Process, Rig
from std_srvs.srv import SetBool

from aura_core.memory.store import Store, Wanted
from aura_ros import qos
from aura_ros.conversions import to_ns, to_time

Rigs = Callable[[], tuple[str, Rig]]
_numbers = count()


class Remembering:
    """An assistant with the scripted model and a memory, and the notes that it published."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.notes: list[Note] = []
        namespace = f"/m{os.getpid()}_{next(_numbers)}"
        self.rig = Rig(namespace)
        self.rig._listen(Note, "aura/note", self.notes, qos.EVENTS)
        args = ("model.path:=scripted", f"memory.path:={file}", "watch_file:=''")
        self.process = Process(
            "assistant_node", namespace, *(word for arg in args for word in ("-p", arg))
        )

    def __enter__(self) -> Remembering:
        self.process.__enter__()
        self.rig.matched()
        return self

    def __exit__(self, *failed: Any) -> None:
        self.process.__exit__(*failed)
        self.rig.close()

    def call(self, service: Any, name: str, **fields: Any) -> Any:
        client = self.rig.node.create_client(service, name)
        self.rig.until(client.service_is_ready, name)
        future = client.call_async(service.Request(**fields))
        self.rig.until(future.done, f"the answer of {name}")
        self.rig.node.destroy_client(client)
        return future.result()

    def recall(self, text: str = "", **fields: Any) -> Any:
        return self.call(Recall, "aura/recall", text=text, **fields)

    def forget(self, **fields: Any) -> Any:
        return self.call(Forget, "aura/forget", **fields)

    def pause(self, paused: bool) -> Any:
        return self.call(SetBool, "aura/memory_pause", data=paused)

    def answered(self, question: str) -> Note:
        """Ask, and wait until the question with its answer is a note that can be found."""
        self.rig.ask(question)
        self.rig.live_second()

        def published() -> Note | None:
            return next((n for n in self.notes if n.question == question), None)

        note = self.rig.until(published, "the note")
        self.rig.until(
            lambda: note.id in [n.id for n in self.recall(limit=100).notes], "the note on disk"
        )
        return note


@pytest.fixture
def remembering(tmp_path: Path) -> Iterator[Remembering]:
    with Remembering(tmp_path / "notes.db") as assistant:
        assistant.rig.live_second()
        yield assistant


def test_a_question_becomes_a_note_that_is_found_and_forgotten(remembering: Remembering) -> None:
    note = remembering.answered("how bright is the purple wall?")
    assert note.kind == Note.KIND_QUESTION and note.text and note.query_id and note.response_id

    def answer() -> Any:
        return next((r for r in remembering.rig.final() if r.id == note.response_id), None)

    response = remembering.rig.until(answer, "the answer")  # the note may come before it
    assert (response.text, response.query_id) == (note.text, note.query_id)
    assert response.header.stamp == note.header.stamp
    found = remembering.recall("purple")
    assert found.success and not found.reason
    assert [n.id for n in found.notes] == [note.id]
    assert found.notes[0].question == "how bright is the purple wall?"
    after = to_time(to_ns(note.wall) + 10**9)
    assert remembering.recall("purple", begin=after).notes == []
    assert [n.id for n in remembering.recall("purple", end=after).notes] == [note.id]
    assert remembering.recall("purple", camera="attic").notes == []
    assert len(remembering.recall(limit=1).notes) == 1

    gone = remembering.forget(ids=[note.id])
    assert gone.success and gone.count == 1 and not gone.reason
    assert remembering.recall("purple").notes == []
    assert b"purple" not in remembering.file.read_bytes()
    rest = remembering.forget(everything=True)
    assert rest.success and rest.count >= 1  # the start of the assistant
    assert remembering.recall().notes == []


def test_what_cannot_be_done_is_said(remembering: Remembering) -> None:
    for fields in ({}, {"ids": ["x"], "everything": True}):
        refused = remembering.forget(**fields)
        assert not refused.success
        assert refused.reason == "say what to forget: ids, or begin and end, or everything"
    refused = remembering.forget(begin=to_time(5), end=to_time(4))
    assert refused.reason == "begin must be before end"
    assert remembering.forget(ids=["there is none"]).success
    long = remembering.recall("long " * 1000)
    assert not long.success and long.reason == "the text has 5000 characters, more than 2000"
    assert remembering.recall("what's AND NOT \" * NEAR(").success


def test_while_it_is_paused_nothing_is_written(remembering: Remembering) -> None:
    rig = remembering.rig
    assert rig.heartbeats[-1].memory == "on"
    assert remembering.pause(True).success
    rig.until(lambda: rig.live_second().memory == "paused", "the heartbeat")
    heard = len(remembering.notes)
    rig.ask("how bright is the secret?")
    rig.live_second()
    rig.until(lambda: rig.final(), "the answer")
    assert remembering.pause(False).success
    rig.until(lambda: rig.live_second().memory == "on", "the heartbeat")
    remembering.answered("how bright is the floor?")
    assert "how bright is the secret?" not in [n.question for n in remembering.notes[heard:]]
    assert remembering.recall("secret").notes == []


def test_a_memory_that_fails_is_said_and_the_assistant_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("these are my recipes\n" * 100)
    with Remembering(file) as assistant:
        beat = assistant.rig.live_second()
        assert beat.memory == "failed" and "not a file of notes" in beat.memory_trouble
        recalled = assistant.recall("cup")
        assert not recalled.success and "not a file of notes" in recalled.reason
        assert "not a file of notes" in assistant.forget(everything=True).reason
        told = "the memory fails: see the value 'memory_trouble'"
        rig = assistant.rig
        rig.until(
            lambda: any(
                told in s.message
                for d in rig.diagnostics
                for s in d.status
                if "assistant" in s.name
            ),
            "the diagnostics",
        )


def test_without_a_memory_the_services_say_so(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted"):
        rig.matched()
        assert rig.live_second().memory == "off"
        for kind, name, reason in (
            (Recall, "aura/recall", "reason"),
            (Forget, "aura/forget", "reason"),
            (SetBool, "aura/memory_pause", "message"),
        ):
            client = rig.node.create_client(kind, name)
            rig.until(client.service_is_ready, name)
            request = kind.Request(**({"everything": True} if kind is Forget else {}))
            future = client.call_async(request)
            rig.until(future.done, name)
            assert not future.result().success
            said = getattr(future.result(), reason)
            assert said == "the memory is off: set the parameter memory.path"


def test_notes_are_there_after_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    with Remembering(file) as assistant:
        assistant.rig.live_second()
        note = assistant.answered("how bright is the purple wall?")
        assistant.process.kill()
    with Remembering(file) as assistant:
        assert [n.id for n in assistant.recall("purple").notes] == [note.id]
    store = Store.open(file, read_only=True)
    assert store.count(Wanted(ids=(note.id,))) == 1
    store.close()
