"""The fallback takes over while the model fails, and hands back; the conversation goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from engine_rig import cached_by, free, made, recomputed_by
from host_rig import WAIT_S, Make, Run, made_runs

from aura_core.config import (
    AssistantConfig,
    FallbackConfig,
    GenerationConfig,
    ModelConfig,
    WindowConfig,
)
from aura_core.errors import ConfigError, ModelError
from aura_core.live.diagnosis import Now, Recent, diagnose
from aura_core.live.events import Failed, Moved, Problem, Ready, Refused, Stepped
from aura_core.live.inbox import Inbox
from aura_core.models import fallback as opens
from aura_core.models.backend import Video
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.stream.engine import StreamEngine
from aura_core.types import Chunk, Kind, Query

WAITING = GenerationConfig(at_once=False)  # questions wait for the next chunk


class Model(ScriptedBackend):
    """A scripted model that fails while `down` holds an error."""

    def __init__(self, name: str, script: Any = None) -> None:
        super().__init__({} if script is None else script)
        self.name = name
        self.description = f"the model {name}"
        self.down: Exception | None = None

    def encode(self, chunk: Chunk) -> Video:
        if self.down is not None:
            raise self.down
        return super().encode(chunk)


def settings(**sections: Any) -> AssistantConfig:
    """Three failures, two probes, two seconds of video."""
    other = FallbackConfig(ModelConfig("other"), after=3, back=2, probe_s=0.01, chunks=2)
    return free(**{"fallback": other, "generation": WAITING, **sections})


@pytest.fixture
def runs() -> Iterator[Make]:
    with made_runs() as make:
        yield make


def begin(runs: Make, first: Model, second: Model, **more: Any) -> Run:
    config = more.pop("config", settings())
    return runs(first, config=config, fallback=lambda: second, backlog=8, **more).start()


def seconds(run: Run, *indices: int) -> None:
    for index in indices:
        run.second(index)


def leave(run: Run, first: Model, at: int = 1, error: Exception | None = None) -> Moved:
    """The model fails in three seconds from `at` on; the fallback takes over in the fourth."""
    first.down = error or ModelError("http://far/v1: no connection")
    seconds(run, at, at + 1, at + 2)
    for _ in range(3):
        run.next(Problem)
    seconds(run, at + 3)
    return run.next(Moved)


def come_back(run: Run, first: Model, at: int) -> Moved:
    """The model answers its probes, and is handed back to in the second `at`."""
    first.down = None
    until = time.monotonic() + WAIT_S
    while run.host._models.due() is None:
        assert time.monotonic() < until
        time.sleep(0.002)
    seconds(run, at)
    return run.next(Moved)


def answers(name: str) -> Any:
    """A script that answers each question, and tells what was said before."""
    return lambda m: f"{name}: {m.question}" if m.question else None


def test_a_question_that_was_asked_before_is_answered_by_the_fallback(runs: Make) -> None:
    first, second = Model("first", answers("first")), Model("second", answers("second"))
    run = begin(runs, first, second)
    seconds(run, 0)
    run.steps(1)
    run.inbox.ask("is it safe?")
    moved = leave(run, first)
    assert moved == Moved(
        True,
        "the model first failed 3 times in a row, second goes on: http://far/v1: no connection",
    )
    step = run.steps(1)[0]
    assert (step.chunk, step.question) == (4, "is it safe?")
    assert step.response.text == "second: is it safe?"
    health = run.host.health()
    assert health.model_changes == 1
    assert health.fallback.startswith("on the fallback model second since ")
    assert health.fallback.endswith(": http://far/v1: no connection")
    assert run.host.model_path == "other"
    level, words = diagnose(health, Now(frame_age_s=0.1, seen=True), Recent())
    assert level == "warn" and health.fallback in words


def test_it_is_handed_back_when_the_model_answers_its_probes(runs: Make) -> None:
    first, second = Model("first", answers("first")), Model("second", answers("second"))
    run = begin(runs, first, second)
    leave(run, first, 0)
    run.steps(1)
    moved = come_back(run, first, 4)
    assert not moved.away
    assert moved.message.startswith("the model first answers again and goes on, after ")
    run.steps(1)
    run.inbox.ask("and now?")
    seconds(run, 5)
    assert run.steps(1)[0].response.text == "first: and now?"
    health = run.host.health()
    assert (health.fallback, health.model_changes) == ("", 2)
    assert run.host.model_path == "aura_tiny"
    leave(run, first, 6)  # and so on
    assert run.host.health().model_changes == 3


def test_two_failures_or_a_success_between_change_nothing(runs: Make) -> None:
    first, second = Model("first"), Model("second")
    run = begin(runs, first, second)
    for index in range(6):
        first.down = ModelError("no connection") if index % 3 else None
        seconds(run, index)
        run.next(Problem if index % 3 else Stepped)
    assert run.host.health().model_changes == 0
    assert second.encodes == [0]  # the step at the start


def test_what_was_said_and_the_newest_seconds_are_seen_by_the_other_model(runs: Make) -> None:
    heard: list[str] = []

    def listen(moment: Moment) -> str | None:
        heard.append(moment.words)
        return "second speaks" if moment.now.chunk == 6 else None

    first, second = Model("first", {0: "two cups"}), Model("second", listen)
    run = begin(runs, first, second)
    run.inbox.ask("how many cups?")
    for index in range(3):
        seconds(run, index)
        run.steps(1)
    second.encodes.clear()
    leave(run, first, 3)
    run.steps(1)
    assert sorted(second.encodes) == [1, 2, 6]  # the two newest that the first one saw
    assert "how many cups?" in heard[-1] and "two cups" in heard[-1]
    back: list[str] = []
    first._say = lambda m: back.append(m.words)
    come_back(run, first, 7)
    run.steps(1)
    assert "two cups" in back[-1] and "second speaks" in back[-1]


@pytest.mark.parametrize("fires", ["first", "second", "after"])
def test_a_watch_is_told_once_across_the_change(runs: Make, fires: str) -> None:
    says = {"first": ({1: "it fell"}, {5: "it fell"}), "second": ({}, {6: "it fell", 7: "it fell"})}
    scripts = says.get(fires, ({8: "it fell", 9: "it fell"}, {}))
    first, second = (Model(n, s) for n, s in zip(("first", "second"), scripts, strict=True))
    other = settings().fallback
    run = begin(runs, first, second, config=AssistantConfig(fallback=other, generation=WAITING))
    run.inbox.ask(Query("tell me when it falls", id="fall", kind=Kind.PROACTIVE, quiet=True))
    seconds(run, 0, 1)
    told = [run.next(Stepped) for _ in range(2)]
    leave(run, first, 2)
    seconds(run, 6, 7)
    told += [run.next(Stepped) for _ in range(3)]
    come_back(run, first, 8)
    seconds(run, 9)
    told += [run.next(Stepped) for _ in range(2)]
    alerts = [(e.step.chunk, a.watch.query_id) for e in told for a in e.alerts]
    assert alerts == [({"first": 1, "second": 6, "after": 8}[fires], "fall")]
    assert run.host.health().active_watches == 0


def test_a_watch_that_was_cancelled_stays_so(runs: Make) -> None:
    first, second = Model("first"), Model("second", {4: "it fell"})
    run = begin(runs, first, second)
    asked = run.inbox.ask(Query("tell me every time it falls", kind=Kind.MULTI_RESPONSE))
    seconds(run, 0)
    run.steps(1)
    assert run.host.unwatch(asked.result(WAIT_S).id).result(WAIT_S)
    leave(run, first)
    step = run.steps(1)[0]
    assert (step.response, step.suppressed) == (None, "cancelled")
    assert [w.cancelled for _, w in run.host.watches().result(WAIT_S)] == [True]


def test_a_question_that_was_taken_back_is_not_asked_on_the_fallback(runs: Make) -> None:
    first, second = Model("first"), Model("second", answers("second"))
    run = begin(runs, first, second)
    seconds(run, 0)
    run.steps(1)
    first.down = ModelError("no connection")
    asked = run.inbox.ask("is it safe?")
    seconds(run, 1)
    run.next(Problem)
    assert run.host.unwatch(asked.result(WAIT_S).id).result(WAIT_S)
    seconds(run, 2, 3, 4)
    assert run.next(Moved).away
    assert run.steps(1)[0].question is None


def test_a_model_that_fails_in_an_unknown_state_gives_no_question_up(runs: Make) -> None:
    first, second = Model("first"), Model("second", answers("second"))
    run = begin(runs, first, second)
    run.inbox.ask("is it safe?")
    leave(run, first, 0, RuntimeError("out of memory"))
    assert run.steps(1)[0].response.text == "second: is it safe?"


def test_a_question_does_not_expire_while_the_fallback_takes_over(
    runs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(inbox: Inbox, ttl_s: float) -> list[Query]:
        return inbox._intake.expire(time.monotonic_ns() + 10**12, ttl_s)

    first, second = Model("first"), Model("second", answers("second"))
    run = begin(runs, first, second)
    seconds(run, 0)
    run.steps(1)
    first.down = ModelError("no connection")
    seconds(run, 1)
    run.next(Problem)
    monkeypatch.setattr(Inbox, "expire", late)
    run.inbox.ask("is it safe?")
    seconds(run, 2, 3, 4)
    assert run.next(Moved).away
    assert run.steps(1)[0].question == "is it safe?"
    run.inbox.ask("and now?")  # it waits for a chunk that does not come
    assert run.next(Refused).query.text == "and now?"


def test_a_fallback_that_fails_on_the_newest_seconds_gets_the_words(runs: Make) -> None:
    class Picky(Model):
        def encode(self, chunk: Chunk) -> Video:
            if chunk.index == 1:
                raise ValueError("a picture that it cannot read")
            return super().encode(chunk)

    heard: list[str] = []
    first = Model("first", {0: "two cups"})
    second = Picky("second", lambda m: heard.append(m.words))
    run = begin(runs, first, second)
    run.inbox.ask("how many cups?")
    seconds(run, 0, 1)
    run.steps(2)
    leave(run, first, 2)
    assert run.steps(1)[0].window_chunks == 1
    assert "two cups" in heard[-1]


def test_all_cameras_change_together(runs: Make) -> None:
    first, second = Model("first"), Model("second")
    run = begin(runs, first, second, streams=("front", "back"))
    for name in ("front", "back"):
        run.second(0, stream=name)
    run.steps(2)
    first.down = ModelError("no connection")
    for index, name in ((1, "front"), (1, "back"), (2, "front")):
        run.second(index, stream=name)
        run.next(Problem)
    run.second(2, stream="back")
    assert run.next(Moved).away
    run.steps(1)
    assert {s.engine.backend.name for s in run.host.streams.values()} == {"second"}


# ---- the start -------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["load", "first step"])
def test_a_model_that_does_not_start_leaves_the_start_to_the_fallback(
    runs: Make, where: str
) -> None:
    first, second = Model("first", answers("first")), Model("second", answers("second"))
    first.down = ModelError("no connection")
    loads = 0

    def load() -> Model:
        nonlocal loads
        loads += 1
        if where == "load" and first.down is not None:
            raise first.down
        return first

    run = runs(first, config=settings(), load=load, fallback=lambda: second)
    run.host.start()
    assert run.next(Ready).description == "the model second"
    name = "aura_tiny" if where == "load" else "first"
    assert run.next(Moved) == Moved(
        True, f"the model {name} failed once, second goes on: no connection"
    )
    assert not come_back(run, first, 0).away
    run.inbox.ask("who is there?")
    seconds(run, 1, 2)
    assert "first: who is there?" in [s.response and s.response.text for s in run.steps(3)]
    assert loads >= (2 if where == "load" else 1)


def test_neither_starts(runs: Make) -> None:
    first, second = Model("first"), Model("second")
    first.down, second.down = ModelError("no connection"), ModelError("no memory")
    run = runs(first, config=settings(), fallback=lambda: second)
    run.host.start()
    assert run.next(Failed) == Failed("no connection; the fallback model fails too: no memory")


def test_a_fallback_that_cannot_be_loaded_is_told_at_the_start(runs: Make) -> None:
    def broken() -> ScriptedBackend:
        raise ModelError("other: incomplete checkpoint")

    run = runs(Model("first"), config=settings(), fallback=broken)
    run.host.start()
    assert run.next(Failed) == Failed("other: incomplete checkpoint")


def test_a_fallback_that_cannot_do_what_is_set_is_told_at_the_start(runs: Make) -> None:
    class NoEviction(Model):
        def open(self) -> Any:
            session = super().open()
            return type("Plain", (), {"length": 0, "forwards": 0, "session": session})()

    evict = settings(window=WindowConfig(policy="evict"))
    run = runs(Model("first"), config=evict, fallback=lambda: NoEviction("second"))
    run.host.start()
    assert "cannot cut tokens out of its cache" in run.next(Failed).message


def test_a_fallback_that_fails_at_the_start_is_told_and_tried_later(runs: Make) -> None:
    first, second = Model("first"), Model("second")
    second.down = ModelError("no memory")
    run = begin(runs, first, second)
    assert run.next(Problem).message == ("the fallback model second does not work now: no memory")
    second.down = None
    assert leave(run, first, 0).away


def test_nothing_is_probed_after_the_end(runs: Make) -> None:
    first, second = Model("first"), Model("second")
    run = begin(runs, first, second)
    leave(run, first, 0)
    probe = next(t for t in threading.enumerate() if t.name == "aura probe")
    assert run.host.stop(WAIT_S)
    probe.join(WAIT_S)
    assert not probe.is_alive()


def test_a_new_start_begins_with_the_model(runs: Make) -> None:
    first, second = Model("first"), Model("second")
    run = begin(runs, first, second)
    leave(run, first, 0)
    first.down = None
    assert run.host.stop(WAIT_S)
    run.host.start()
    assert run.next(Ready).description == "the model first"
    assert (run.host.health().fallback, run.host.health().model_changes) == ("", 0)


# ---- settings, and the engine ----------------------------------------------------------------


def test_without_a_path_there_is_no_fallback() -> None:
    assert opens(AssistantConfig()) is None
    load = opens(AssistantConfig(fallback=FallbackConfig(ModelConfig("scripted"))))
    assert load is not None and load().name == "scripted"
    wrong = {"fallback": {"model": {"path": "x", "dtype": "int3"}}}
    with pytest.raises(ConfigError, match=r"fallback\.model\.dtype must be one of"):
        AssistantConfig.from_dict(wrong)
    with pytest.raises(ConfigError, match=r"fallback\.after must be in \[1, 1000\], not 0"):
        FallbackConfig(after=0)


@pytest.mark.parametrize("policy", ["shadow", "floating", "recompute", "fifo", "evict"])
def test_the_cache_of_the_other_model_holds_the_conversation(policy: str) -> None:
    config = free(window=WindowConfig(keep=4, max=8, policy=policy))
    old = StreamEngine(ScriptedBackend({2: "two cups", 5: "it fell"}), config)
    for index in range(7):
        query = Query("how many cups?", id="q") if index == 2 else None
        old.step(made(index), query)
    other = ScriptedBackend({9: "again"}, grid=(1, 3))
    new = StreamEngine(other, config)
    new.adopt(old, {index: made(index) for index in range(4, 7)})
    assert [t.chunk for t in new.window.turns] == [4, 5, 6]
    assert other.encodes == [6, 5, 4]
    assert [(g.question, g.answers) for g in new.window.prefix.groups] == [
        ("how many cups?", ("two cups",))
    ]
    assert new.last_chunk == 6
    for index in range(7, 20):
        new.step(made(index))
        new.idle()
        if policy != "evict":
            assert cached_by(new) == recomputed_by(new)
    assert new.conversation.ids is old.conversation.ids
