"""Limits on questions: length, rate of each source, watches that wait. Refusals name the limit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from host_rig import WAIT_S, Make, made_runs
from hypothesis import given
from hypothesis import strategies as st

from aura_core.config import AssistantConfig, GenerationConfig, SamplingConfig, WatchConfig
from aura_core.errors import InputError
from aura_core.live.inbox import Inbox
from aura_core.live.rate import MINUTE_S, Rate
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Kind, Query

WATCH = "Tell me when it is dark."


@pytest.fixture
def runs() -> Iterator[Make]:
    with made_runs() as make:
        yield make


class Clock:
    """Seconds that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_source_has_a_rate_of_its_own() -> None:
    clock = Clock()
    rate = Rate(2, clock)
    for _ in range(2):
        rate.take("asr/text")
        rate.take("aura/ask")
        clock.now += 10
    with pytest.raises(
        InputError,
        match=r"^at most 2 questions a minute are taken from asr/text"
        r" \(generation.questions_per_minute\); ask again in 40 s$",
    ):
        rate.take("asr/text")
    clock.now += 40  # the first one is a minute old, the second one is not
    rate.take("asr/text")
    with pytest.raises(InputError, match=r"ask again in 10 s$"):
        rate.take("asr/text")


def test_refused_questions_do_not_count() -> None:
    clock = Clock()
    rate = Rate(1, clock)
    rate.take("a")
    for _ in range(50):
        clock.now += 1
        with pytest.raises(InputError):
            rate.take("a")
    clock.now += 10
    rate.take("a")


def test_without_a_limit_nothing_is_kept() -> None:
    rate = Rate(0)
    for _ in range(1000):
        rate.take("a")
    assert not rate._taken_s


def test_sources_that_were_quiet_for_a_minute_are_forgotten() -> None:
    clock = Clock()
    rate = Rate(1, clock)
    for i in range(100):
        rate.take(f"source {i}")
    clock.now += MINUTE_S
    rate.take("new")
    assert list(rate._taken_s) == ["new"]


@given(st.lists(st.floats(0.0, 30.0), max_size=60), st.integers(1, 5))
def test_no_minute_has_more_than_the_limit(pauses: list[float], most: int) -> None:
    clock = Clock()
    rate, taken = Rate(most, clock), []
    for pause in pauses:
        clock.now += pause
        before = [t for t in taken if clock.now - t < MINUTE_S]
        try:
            rate.take("a")
        except InputError:
            assert len(before) == most
        else:
            assert len(before) < most
            taken.append(clock.now)


def config(**generation: int) -> AssistantConfig:
    return AssistantConfig(generation=GenerationConfig(**generation))


def test_a_watch_counts_as_a_question_and_sources_do_not_share(runs: Make) -> None:
    run = runs(ScriptedBackend(), config=config(questions_per_minute=2)).start()
    run.second(0)
    run.steps(1)
    assert run.host.ask("what is there?", source="asr/text").result(WAIT_S).id
    assert run.host.ask(WATCH, source="asr/text").result(WAIT_S).id
    for text in ("and now?", WATCH):
        with pytest.raises(InputError, match="at most 2 questions a minute are taken from asr"):
            run.host.ask(text, source="asr/text")
    assert run.host.ask("and now?", source="aura/ask").result(WAIT_S).id


def test_watches_before_the_model_is_loaded_count_too(runs: Make) -> None:
    host = runs(config=config(questions_per_minute=1)).host
    assert host.ask(WATCH).result(0).id
    with pytest.raises(InputError, match=r"^at most 1 questions a minute are taken \("):
        host.ask(WATCH)


def test_questions_that_are_refused_for_other_reasons_do_not_use_up_the_rate(runs: Make) -> None:
    run = runs(ScriptedBackend(), config=config(questions_per_minute=1)).start()
    for text in ("", "what is there?", "x" * 2001):  # no frames come yet
        with pytest.raises(InputError):
            run.host.ask(text)
    assert run.host.ask(WATCH).result(WAIT_S).id


TOO_LONG = (
    r"^the question has 2001 characters; at most 2000 are allowed"
    r" \(generation.max_question_chars\)$"
)


def test_a_question_has_at_most_so_many_characters_live_and_in_replay(runs: Make) -> None:
    run = runs(config=AssistantConfig())
    lockstep = Lockstep(StreamEngine(ScriptedBackend(), config(max_question_tokens=4000)))
    for text in ("x" * 2001, WATCH.ljust(2001, "x")):
        for ask in (run.host.ask, run.inbox.ask, lockstep.ask):
            with pytest.raises(InputError, match=TOO_LONG):
                ask(text)
    assert lockstep.ask("x" * 2000).id
    free = config(max_question_chars=0, max_question_tokens=4000)
    assert Lockstep(StreamEngine(ScriptedBackend(), free)).ask("x" * 2001).id


def test_half_a_surrogate_pair_is_refused_in_words(runs: Make) -> None:
    run = runs(config=AssistantConfig())
    lockstep = Lockstep(StreamEngine(ScriptedBackend()))
    for ask in (run.host.ask, run.inbox.ask, lockstep.ask):
        with pytest.raises(InputError, match=r"^the question has half a surrogate pair"):
            ask("what is \ud83d?")


def test_watches_that_wait_for_the_model_are_bounded() -> None:
    inbox = Inbox(SamplingConfig(), 3, 8, max_watches=2)
    inbox.ask(WATCH)
    inbox.ask(Query("the door", kind=Kind.PROACTIVE))
    with pytest.raises(
        InputError,
        match=r"^2 watches are waiting already; at most 2 may be open \(watch.max_open\)$",
    ):
        inbox.ask(WATCH)
    assert not inbox.ask("what is there?").done()


def test_the_host_bounds_the_watches_that_wait(runs: Make) -> None:
    host = runs(config=AssistantConfig(watch=WatchConfig(max_open=1))).host
    host.ask(WATCH)
    with pytest.raises(InputError, match="at most 1 may be open"):
        host.ask(WATCH)


def test_open_watches_are_bounded_and_the_refusal_names_the_limit() -> None:
    lockstep = Lockstep(
        StreamEngine(ScriptedBackend(), AssistantConfig(watch=WatchConfig(max_open=1)))
    )
    lockstep.ask(WATCH)
    with pytest.raises(
        InputError,
        match=r"^1 watches are open already; at most 1 are allowed \(watch.max_open\); cancel one",
    ):
        lockstep.ask(WATCH)
