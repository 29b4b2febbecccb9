"""The host's memory: notes on disk, answers from them after a restart, and files that fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_rig import free
from host_rig import WAIT_S, Make, Run, made_runs

from aura_core.config import AssistantConfig, MemoryConfig, ServerConfig
from aura_core.errors import StoreError
from aura_core.live import memory
from aura_core.live.events import Alert, Forgotten, Noted, Problem, Ready, Stepped, Told
from aura_core.live.memory import AssistantMemory, remembering, wall_of_stamps
from aura_core.memory.form import MemoryForm
from aura_core.memory.notes import NoteKind
from aura_core.memory.store import Store, Wanted
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.stream.notes import Block
from aura_core.types import NS, Answered, Delegate, Frame, Kind, Response


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


def test_a_pause_lasts_over_a_restart_until_the_user_ends_it(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    first = runs(ScriptedBackend(script), config=config(path)).start()
    assert first.host.memory is not None
    before_ns = time.time_ns()
    assert first.host.memory.pause(True, WAIT_S) == ""
    first.host.forget(None)  # everything is forgotten, but not what the user has asked for
    assert first.host.stop(WAIT_S)

    second = runs(ScriptedBackend(script), config=config(path), backlog=60)
    second.host.start()
    told = second.next(Problem).message
    assert "it was paused at " in told and "aura/memory_pause with false" in told
    second.next(Ready)
    for i in range(5):
        second.second(i, grey=90)
    second.steps(4)
    health = second.host.health()
    assert health.memory == "paused" and health.memory_paused_ns is not None
    assert before_ns <= health.memory_paused_ns <= time.time_ns()
    assert notes(path) == []
    assert second.host.memory is not None and second.host.memory.pause(False, WAIT_S) == ""
    assert second.host.stop(WAIT_S)

    third = runs(ScriptedBackend(script), config=config(path)).start()
    assert third.host.health().memory == "on" and until(lambda: notes(path))


def test_a_pause_that_cannot_be_kept_holds_and_is_kept_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store, name: str, text: str) -> None:
        raise StoreError("no space left")

    path, told = tmp_path / "memory.db", []
    own = AssistantMemory(MemoryConfig(str(path)), "run", told.append)
    assert "not open" in own.pause(True, 0.1) and own.paused  # nobody knows whether it can be
    own.pause(False)
    own.open()
    assert own.recorder is not None and own.recorder.flush()
    with monkeypatch.context() as broken:
        broken.setattr(Store, "keep", full)
        assert "no space left" in own.pause(True, 0.5)
        assert own.paused and own.recorder.paused
        assert any("no space left" in line for line in told)
    assert own.recorder.flush(WAIT_S)
    own.close()
    again = AssistantMemory(MemoryConfig(str(path)), "again", told.append)
    again.open()
    assert again.paused and again.paused_since_ns == own.paused_since_ns
    again.close()


def test_the_notes_of_a_recording_end_at_its_newest_second(tmp_path: Path) -> None:
    """Regression: the end of the run stood at its beginning, before all that was seen."""
    path, begin_ns = tmp_path / "memory.db", time.time_ns()
    own = AssistantMemory(MemoryConfig(str(path)), "run", print, wall=wall_of_stamps(begin_ns))
    own.open()
    own.stream("", ScriptedBackend(script)).wall_ns(70 * NS)
    own.close()
    store = Store.open(path, read_only=True)
    assert [n.wall_ns - begin_ns for n in store.find(Wanted())] == [0, 70 * NS]
    store.close()


def test_a_file_that_was_removed_while_it_was_paused_is_paused(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    own = AssistantMemory(MemoryConfig(str(path)), "run", print)
    own.open()
    assert own.pause(True, WAIT_S) == ""
    for file in tmp_path.glob("memory.db*"):
        if not file.name.endswith(".lock"):
            file.unlink()
    own.close()
    again = AssistantMemory(MemoryConfig(str(path)), "again", print)
    again.open()
    assert again.paused
    again.close()


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


def test_what_is_forgotten_is_told_no_more(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    run = runs(ScriptedBackend(script), config=config(path), backlog=60).start()
    for i in range(5):
        run.second(i, grey=70)
    run.steps(4)
    assert until(lambda: seen(path))
    assert run.host.forget(None) > 0
    assert seen(path) == []
    run.second(5, grey=90)
    run.steps(1)
    engine = run.host.streams[""].engine
    assert engine is not None and "shines at 70" not in engine.window.prefix.memory
    assert b"shines at 70" not in path.read_bytes()


def test_what_another_process_forgets_leaves_the_window_with_the_next_step(
    runs: Make, tmp_path: Path
) -> None:
    path = tmp_path / "memory.db"
    run = runs(ScriptedBackend(script), config=config(path), backlog=60).start()
    for i in range(5):
        run.second(i, grey=70)
    run.steps(4)
    assert until(lambda: seen(path))
    run.host.ask("when did the lamp last shine?")
    run.second(5, grey=90)
    run.second(6, grey=90)
    while run.next(Stepped).step.question is None:
        pass
    engine = run.host.streams[""].engine
    assert engine is not None
    assert any("shines at 70" in turn.recalled for turn in engine.window.turns)
    command = Store.open(path, alone=False)
    assert command.forget(None) > 0
    command.close()
    run.second(7, grey=90)
    run.next(Forgotten)
    run.steps(1)
    assert not any("shines at 70" in turn.recalled for turn in engine.window.turns)
    assert "shines at 70" not in engine.window.prefix.memory
    run.second(8, grey=90)
    (step,) = run.steps(1)
    assert step.prefill_tokens < step.window_tokens / 2  # it was renewed once


def test_what_another_process_forgets_is_noted_no_more(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    own = AssistantMemory(MemoryConfig(str(path)), "run", print)
    own.open()
    now_ns, picture = time.time_ns(), Frame(np.zeros((8, 8, 3), np.uint8), 0)
    begun = Block(0, 29, 0, 30 * NS, now_ns + 5 * NS, (picture,))
    command = Store.open(path, alone=False)
    command.forget(Wanted(begin_wall_ns=now_ns - 60 * NS))
    command.close()
    own.saw("", begun, "a secret")
    own.saw("", replace(begun, wall_ns=now_ns + 60 * NS), "after it")
    assert own.recorder is not None and own.recorder.flush()
    assert [n.text for n in own.search("") if n.kind is NoteKind.SEEN] == ["after it"]
    own.close()


def test_no_step_waits_for_a_file_that_is_rewritten(tmp_path: Path) -> None:
    """`aura memory forget` holds the file for seconds after its notes are gone."""
    path = tmp_path / "memory.db"
    own = AssistantMemory(MemoryConfig(str(path)), "run", print)
    own.open()
    assert own.recorder is not None and own.recorder.flush() and own.heed() == 0
    command = Store.open(path, alone=False)
    command.forget(Wanted(begin_wall_ns=0))
    assert own.store is not None
    with command._transaction(), own.store._writing:  # both would wait here for the writer
        assert in_another_thread(own.heed) == 1
    assert own.recorder.flush()
    assert own.store.heeded == 1
    command.close()
    own.close()


def in_another_thread(work: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(WAIT_S)


def test_what_was_forgotten_while_no_assistant_ran_is_told_to_the_next_one(
    runs: Make, tmp_path: Path
) -> None:
    path = tmp_path / "memory.db"
    store = Store.open(path)
    store.keep("ended", "run")
    store.forget(None)
    store.close()
    run = runs(ScriptedBackend(script), config=config(path), backlog=60).start()
    run.second(0)
    run.second(1)
    assert run.next(Forgotten)
    assert run.host.stop(WAIT_S)
    again = runs(ScriptedBackend(script), config=config(path), backlog=60).start()
    again.second(0)
    again.second(1)
    again.steps(1)
    assert not any(isinstance(e, Forgotten) for e in again.events.queue)  # told once


def test_where_nothing_is_deleted_no_window_is_computed_again(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    run = runs(ScriptedBackend(script), config=config(path), backlog=60).start()
    for i in range(4):
        run.second(i, grey=70)
    run.steps(4)
    assert until(lambda: seen(path))
    assert run.host.forget(Wanted(ids=("nobody",))) == 0
    run.second(4, grey=70)
    (step,) = run.steps(1)
    assert step.prefill_tokens < step.window_tokens / 2


def test_what_is_forgotten_is_told_no_more_where_its_traces_stay(
    runs: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store) -> None:
        raise StoreError("no space left")

    path = tmp_path / "memory.db"
    run = runs(ScriptedBackend(script), config=config(path), backlog=60).start()
    for i in range(3):
        run.second(i, grey=70)
    run.steps(2)
    assert until(lambda: seen(path))
    engine = run.host.streams[""].engine
    assert engine is not None and engine.memory is not None
    engine.memory.prepare()  # the thread that writes notes does it
    assert until(lambda: "shines at 70" in engine.memory.before())
    monkeypatch.setattr(Store, "_merge", full)
    with pytest.raises(StoreError, match="their traces are still in the file: no space left"):
        run.host.forget(None)
    assert "shines at 70" not in engine.memory.before()


def test_the_result_of_a_task_for_a_watch_is_an_alert() -> None:
    own = AssistantMemory(MemoryConfig(":memory:"), "run", print)
    own.open()
    answered = Answered("w", Kind.PROACTIVE, 0)
    response = Response("it is rex", Kind.PROACTIVE, "w", 0, False, 0, watches=(answered,))
    told = Told(
        "",
        Delegate("d", "name the dog", "w", 0),
        response,
        Frame(np.zeros((8, 8, 3), np.uint8), 0),
        (Alert(answered, "tell me which dog comes"),),
    )
    own.on_event(told)
    own.on_event(replace(told, alerts=(), response=replace(response, watches=())))
    assert own.recorder is not None and own.recorder.flush()
    notes = [(n.kind, n.question) for n in own.search("rex")]
    assert sorted(notes) == [
        (NoteKind.ALERT, "tell me which dog comes"),
        (NoteKind.QUESTION, "name the dog"),
    ]
    own.close()


def test_what_a_command_forgets_is_not_before_the_next_window(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    own = AssistantMemory(MemoryConfig(str(path)), "run", print)
    own.open()
    stream, picture = own.stream("", ScriptedBackend()), Frame(np.zeros((8, 8, 3), np.uint8), 0)
    own.saw("", Block(0, 29, 0, 30 * NS, time.time_ns(), (picture,)), "a secret")
    assert own.recorder is not None and own.recorder.flush()
    assert "a secret" in stream.before()
    command = Store.open(path, alone=False)
    command.forget(None)
    command.close()
    assert stream.before() == ""
    own.close()


def test_a_search_finds_what_was_told_before_it_on_a_slow_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add = Store.add

    def slow(self: Store, *args: object) -> None:
        time.sleep(0.1)
        add(self, *args)  # type: ignore[arg-type]

    own = AssistantMemory(MemoryConfig(":memory:"), "run", print)
    own.open()
    monkeypatch.setattr(Store, "add", slow)
    picture = Frame(np.zeros((8, 8, 3), np.uint8), 0)
    own.saw("", Block(0, 29, 0, 30 * NS, time.time_ns(), (picture,)), "the cat sleeps")
    assert [n.text for n in own.search("cat")] == ["the cat sleeps"]
    own.close()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("a cube appeared; a cube appeared", "a cube appeared"),
        ("A cube appeared. a cube appeared. The cat left.", "A cube appeared; The cat left"),
        ("门开了；门开了；猫来了", "门开了；猫来了"),
        ("the lamp went on; the lamp went off; the lamp went on",) * 2,
    ],
)
def test_a_fact_that_the_model_says_again_is_noted_once(written: str, kept: str) -> None:
    own = AssistantMemory(MemoryConfig(":memory:"), "run", print)
    own.open()
    picture = Frame(np.zeros((8, 8, 3), np.uint8), 0)
    own.saw("", Block(0, 29, 0, 30 * NS, time.time_ns(), (picture,)), written)
    assert [n.text for n in own.search("") if n.kind is NoteKind.SEEN] == [kept]
    own.close()


def test_no_later_note_tells_of_a_time_that_was_forgotten() -> None:
    own = AssistantMemory(MemoryConfig(":memory:"), "run", print)
    own.open()
    now_ns, picture = time.time_ns(), Frame(np.zeros((8, 8, 3), np.uint8), 0)
    old = Block(0, 29, 0, 30 * NS, now_ns - 5 * NS, (picture,))
    begun = Block(30, 59, 30 * NS, 60 * NS, now_ns + 25 * NS, (picture,))
    new = Block(60, 89, 60 * NS, 90 * NS, now_ns + 55 * NS, (picture,))
    own.forget(Wanted(begin_wall_ns=now_ns - 3600 * NS, end_wall_ns=now_ns - 60 * NS))
    own.saw("", old, "after what was forgotten")
    own.forget(Wanted(ids=("run-n1",)))
    own.saw("", begun, "one note is forgotten, and not its time")
    assert own.recorder is not None and own.recorder.flush()
    assert len([n for n in own.search("") if n.kind is NoteKind.SEEN]) == 2
    own.forget(Wanted(begin_wall_ns=now_ns - 3600 * NS))
    for block in (old, begun):
        own.saw("", block, "a secret")
    own.saw("", new, "after it")
    assert own.recorder.flush()
    assert [n.text for n in own.search("")] == ["after it"]
    own.forget(None)
    own.saw("", begun, "a secret")
    assert own.recorder.flush() and own.search("") == []
    own.close()


def test_a_model_that_was_not_trained_for_memory_is_asked_nothing(
    runs: Make, tmp_path: Path
) -> None:
    path = tmp_path / "memory.db"
    asked: list[str] = []

    def listens(moment: Moment) -> str | None:
        asked.append(moment.words)
        return "yes" if moment.question else None

    backend = ScriptedBackend(listens)
    backend.chat = replace(backend.chat, memory=MemoryForm({"en": "note"}, uses=False))
    run = runs(backend, config=config(path), backlog=60)
    run.host.start()
    assert "was not trained to write notes" in run.next(Problem).message
    run.next(Ready)
    assert answers(run, "is the lamp on?", "when did the lamp go on?") == ["yes", "yes"]
    assert until(lambda: [k for k, _ in notes(path)].count(NoteKind.QUESTION) == 2)
    assert not any("From memory" in words or "user\nnote" in words for words in asked)
    assert NoteKind.SEEN not in [k for k, _ in notes(path)]


class Renames(ScriptedBackend):
    """A model that knows no names."""

    def __init__(self, script: object) -> None:
        super().__init__(script)  # type: ignore[arg-type]
        form = MemoryForm(
            {"en": "note"}, renames=True, describes={"en": "what is it?", "en person": "who?"}
        )
        self.chat = replace(self.chat, memory=form)


def room(moment: Moment) -> str | None:
    """Knows a red cube, and nobody by name."""
    answers = {
        "what is it?": "a red cube",
        "who?": "a person",
        "where is the red cube?": "the red cube is on the left",
        "where is the person?": "on the right",
    }
    return answers.get(moment.question, f"unknown: {moment.question}" if moment.question else None)


def answers(run: Run, *questions: str) -> list[str]:
    """The answers to questions, each asked after a second of its own."""
    found = []
    for question in questions:
        run.inbox.counters()
        second = run.host.streams[""].engine.last_chunk + 1  # type: ignore[union-attr]
        run.second(second)
        run.second(second + 1)
        run.steps(1)
        run.host.ask(question)
        while (step := run.next(Stepped).step).question is None:
            pass
        assert step.response is not None
        found.append(step.response.text)
    return found


def test_a_name_stands_for_what_was_seen_with_it(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    run = runs(Renames(room), config=config(path), backlog=60).start()
    assert answers(run, "this is my toy", "that is Ana") == ["a red cube", "a person"]
    assert until(lambda: [k for k, _ in notes(path)].count(NoteKind.NAME) == 2)
    told = answers(run, "where is my toy?", "where is Ana?", "where is my hat?")
    assert told == ["your toy is on the left", "on the right", "unknown: where is my hat?"]
    named = next(text for kind, text in notes(path) if kind is NoteKind.NAME)
    assert named == "my toy: a red cube"
    assert run.host.stop(WAIT_S)

    again = runs(Renames(room), config=config(path), backlog=60).start()  # after a restart
    assert answers(again, "where is my toy?") == ["your toy is on the left"]


def test_a_model_that_knows_names_is_told_them(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"

    def knows(moment: Moment) -> str | None:
        if "has just named" in moment.question:
            return "a blue cup"
        return f"heard {moment.question}" if moment.question else None

    run = runs(ScriptedBackend(knows), config=config(path), backlog=60).start()
    answers(run, "this is my cup")
    assert until(lambda: NoteKind.NAME in [k for k, _ in notes(path)])
    (told,) = answers(run, "what colour does my cup have?")
    assert "my cup: a blue cup, named just now" in told


def test_what_is_nothing_gets_no_name(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    run = runs(Renames(lambda m: "nothing" if m.question else None), config=config(path)).start()
    assert answers(run, "this is my toy") == ["nothing"]
    assert until(lambda: NoteKind.QUESTION in [k for k, _ in notes(path)])
    assert NoteKind.NAME not in [k for k, _ in notes(path)]


def test_of_two_cameras_what_is_recalled_says_which(runs: Make, tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    rooms = ("kitchen", "hall")
    run = runs(ScriptedBackend(script), config=config(path), backlog=60, streams=rooms).start()
    for i in range(5):
        run.second(i, grey=70, stream="kitchen")
        run.second(i, grey=70, stream="hall")
    assert until(lambda: len(seen(path)) >= 2)
    run.host.ask("when did the lamp last shine in the hall?", "kitchen")
    for i in range(5, 8):
        run.second(i, grey=70, stream="kitchen")
    while (response := run.next(Stepped).step.response) is None:
        pass
    assert ", hall): the lamp shines at 70" in response.text
    assert "kitchen)" not in response.text
