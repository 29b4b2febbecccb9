"""The host's memory: notes on disk, answers from them after a restart, and files that fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from engine_rig import free
from host_rig import WAIT_S, Make, made_runs

from aura_core.config import AssistantConfig, MemoryConfig, ServerConfig
from aura_core.live import memory
from aura_core.live.events import Noted, Problem, Ready, Stepped
from aura_core.live.memory import remembering
from aura_core.memory.notes import NoteKind
from aura_core.memory.store import Store, Wanted
from aura_core.models.scripted import Moment, ScriptedBackend


@pytest.fixture
def runs() -> Iterator[Make]:
    with made_runs() as make:
        yield make


def script(moment: Moment) -> str | None:
    """Notes tell the brightness; a question is answered with what was recalled."""
    if "Write a note" in moment.question:
        return f"the lamp shines at {moment.now.brightness}"
    if moment.question:
        return moment.question
    return None


def config(path: Path, **own: object) -> AssistantConfig:
    return replace(free(), memory=MemoryConfig(str(path), block_s=2.0, **own))


def notes(path: Path) -> list[tuple[NoteKind, str]]:
    store = Store.open(path, read_only=True)
    try:
        return [(n.kind, n.text) for n in store.find(Wanted())]
    finally:
        store.close()


def until(holds: object) -> bool:
    end = time.monotonic() + WAIT_S
    while not holds() and time.monotonic() < end:  # type: ignore[operator]
        time.sleep(0.02)
    return bool(holds())  # type: ignore[operator]


def seen(path: Path) -> list[str]:
    return [text for kind, text in notes(path) if kind is NoteKind.SEEN]


def test_what_was_seen_is_on_disk_and_answers_after_a_restart(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "day" / "memory.db"
    first = runs(ScriptedBackend(script), config=config(path)).start()
    for i in range(5):
        first.second(i, grey=70)
    noted = first.next(Noted)
    while noted.note.kind is not NoteKind.SEEN:
        noted = first.next(Noted)
    assert noted.note.text == "the lamp shines at 70" and noted.note.run == first.host.run
    assert first.host.health().memory == "on"
    assert first.host.stop(WAIT_S)
    assert seen(path)

    second = runs(ScriptedBackend(script), config=config(path)).start()
    second.second(0)
    second.steps(0)
    second.host.ask("when did the lamp last shine?")
    second.second(1)
    while (response := second.next(Stepped).step.response) is None:
        second.second(2)
    assert "the lamp shines at 70" in response.text
    assert next(e.note_id for e in response.evidence).startswith(first.host.run)
    kinds = [kind for kind, _ in notes(path)]
    assert kinds.count(NoteKind.RUN) == 3  # began, ended, began
    assert until(lambda: NoteKind.QUESTION in [k for k, _ in notes(path)])


def test_a_file_that_cannot_be_used_costs_memory_alone(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(b"this is no database" * 100)
    run = runs(ScriptedBackend(script), config=config(path))
    run.host.start()
    assert str(path) in run.next(Problem).message
    run.next(Ready)
    run.second(0)
    run.second(1)
    run.steps(1)
    run.host.ask("when did the lamp last shine?")
    run.second(2)
    assert run.next(Stepped)
    health = run.host.health()
    assert health.memory == "failed" and str(path) in health.memory_trouble


def test_a_new_run_does_not_end_a_pause(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    run = runs(ScriptedBackend(script), config=config(path))
    assert run.host.memory is not None
    run.host.memory.pause(True)  # before the file is open
    run.start()
    assert run.host.health().memory == "paused"
    assert run.host.stop(WAIT_S)
    run.host.start()
    while run.host.health().phase != "ready":
        time.sleep(0.02)
    assert run.host.memory.paused and run.host.health().memory == "paused"
    assert run.host.stop(WAIT_S)
    assert notes(path) == []
    run.host.memory.pause(False)
    run.host.start()
    assert until(lambda: notes(path))  # that it began


def test_a_file_that_can_be_used_later_is_taken_again(
    runs: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "memory.db"
    other = Store.open(path)
    run = runs(ScriptedBackend(script), config=config(path), backlog=60)
    run.host.start()
    assert "another assistant" in run.next(Problem).message
    run.next(Ready)
    other.close()
    monkeypatch.setattr(memory, "RETRY_S", 0.0)
    run.second(0, grey=70)
    run.second(1, grey=70)
    run.steps(1)
    run.host.ask("when did the lamp last shine?")  # asks memory, which opens the file
    for i in range(2, 8):
        run.second(i, grey=70)
    assert until(lambda: seen(path)) and run.host.health().memory == "on"


def test_pictures_of_notes_are_shown_where_they_are_asked_for(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    run = runs(ScriptedBackend(script), config=config(path, recall_pictures=2), backlog=60).start()
    for i in range(5):
        run.second(i, grey=70)
    run.steps(4)
    assert until(lambda: seen(path))
    before = len(run.backend.encodes)
    run.host.ask("when did the lamp last shine?")
    run.second(5, grey=70)
    run.second(6, grey=70)
    assert until(lambda: run.backend.encodes[before:].count(0))  # a picture is no chunk of now


def test_a_served_model_that_cannot_go_on_is_shown_pictures_instead() -> None:
    server = ServerConfig("http://host:1/v1", dialect="openai", model="m", api_key_env="KEY")
    writer = remembering(AssistantConfig(server=server)).writer
    assert (writer.url, writer.model, writer.api_key_env) == (server.url, "m", "KEY")
    vllm = ServerConfig("http://host:1/v1")
    assert not remembering(AssistantConfig(server=vllm)).writer.url


def test_while_it_is_paused_nothing_is_written(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    run = runs(ScriptedBackend(script), config=config(path), backlog=60).start()
    assert run.host.memory is not None
    run.host.memory.pause(True)
    assert run.host.health().memory == "paused"
    for i in range(6):
        run.second(i, grey=90)
    run.steps(5)
    run.second(6, grey=140)
    run.second(7, grey=140)
    run.steps(2)
    run.host.memory.pause(False)
    for i in range(8, 12):
        run.second(i, grey=140)
    assert until(lambda: seen(path))
    assert {"the lamp shines at 140"} == set(seen(path))


def test_two_assistants_do_not_share_a_file(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    one = runs(ScriptedBackend(script), config=config(path)).start()
    other = runs(ScriptedBackend(script), config=config(path)).start()
    assert one.host.health().memory == "on"
    assert "another assistant" in other.host.health().memory_trouble


def test_a_crash_is_noted_by_the_next_run(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    store = Store.open(path)
    store.keep("ended", "")  # as a run that was killed leaves it
    store.close()
    run = runs(ScriptedBackend(script), config=config(path))
    run.host.start()
    assert "ended unexpectedly" in run.next(Noted).note.text
