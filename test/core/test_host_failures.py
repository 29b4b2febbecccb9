"""Failures in the host: one line each; only a failed load ends it; it stops promptly."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from engine_rig import free
from host_rig import NS, WAIT_S, GatedBackend, Make, frame, made_runs

from aura_core.config import AssistantConfig, GenerationConfig
from aura_core.errors import InputError, ModelError
from aura_core.live.events import Event, Failed, Problem, Refused, Words
from aura_core.models.scripted import ScriptedBackend
from aura_core.types import Frame


@pytest.fixture
def runs() -> Iterator[Make]:
    with made_runs() as make:
        yield make


def test_a_frame_that_cannot_be_converted_is_reported_and_repeated(runs: Make) -> None:
    run = runs().start()

    def bad() -> Frame:
        raise InputError("image data has 3 bytes,\n  too few")

    run.inbox.offer(0, lambda: frame(0))
    run.inbox.offer(NS // 2, bad)
    run.second(1)
    assert run.next(Problem) == Problem("", "image data has 3 bytes, too few")
    assert [s.chunk for s in run.steps(2)] == [0, 1]
    assert run.host.health().errors == 1


@pytest.mark.parametrize("text", ["", "   \n"])
def test_an_empty_question_is_refused_at_once(runs: Make, text: str) -> None:
    with pytest.raises(InputError, match=r"^the question is empty$"):
        runs().inbox.ask(text)


def test_an_overlong_question_is_refused_and_the_next_one_answered(runs: Make) -> None:
    run = runs(ScriptedBackend()).start()
    long = run.inbox.ask("word " * 200)
    run.inbox.ask("short?")
    run.second(0)
    error = str(long.exception(WAIT_S))
    assert error == "the question has 999 tokens; at most 512 are allowed"
    assert run.steps(1)[0].question == "short?"


def test_too_many_questions_are_refused(runs: Make) -> None:
    inbox = runs(config=AssistantConfig(generation=GenerationConfig(max_pending_questions=2))).inbox
    inbox.ask("one?")
    inbox.ask("two?")
    with pytest.raises(InputError, match=r"^2 questions are waiting already"):
        inbox.ask("three?")


def test_a_model_that_fails_in_a_step_goes_on_with_an_empty_window(runs: Make) -> None:
    run = runs(GatedBackend({}, broken=(1,))).start()
    for index in range(3):
        run.second(index)
    first, problem = run.steps(1)[0], run.next(Problem)
    assert problem.message == (
        "the model failed at chunk 1, its window is emptied: out of memory tried to allocate 2 GiB"
    )
    assert problem.chunk == 1
    third = run.steps(1)[0]
    assert (first.chunk, first.window_chunks) == (0, 1)
    assert (third.chunk, third.window_chunks, third.stamp_ns) == (2, 1, 2 * NS + NS // 2)
    assert run.host.health().phase == "ready"


def test_a_model_that_fails_forgets_no_watch_and_no_question(runs: Make) -> None:
    config = free(generation=GenerationConfig(at_once=False))  # questions wait for the next chunk
    run = runs(GatedBackend({4: "yes"}, broken=(1, 2, 3)), config=config, backlog=8).start()
    run.inbox.ask("tell me when it falls")
    run.second(0)
    run.inbox.ask("is it safe?")
    run.inbox.ask("is it day?")
    for index in (1, 2, 3, 4):
        run.second(index)
    run.steps(1)
    refused = run.next(Refused)
    assert (refused.query.text, refused.reason) == ("is it safe?", "the model failed twice on it")
    assert run.steps(1)[0].question == "is it day?"
    assert run.host.health().active_watches == 1


@pytest.mark.parametrize(
    "error",
    [ModelError("no such\nfolder"), OSError("no such folder"), RuntimeError("no such folder")],
)
def test_a_model_that_cannot_be_loaded_ends_the_host_with_one_line(
    runs: Make, error: Exception
) -> None:
    def load() -> ScriptedBackend:
        raise error

    run = runs(load=load)
    run.host.start()
    assert run.next(Failed) == Failed("no such folder")
    assert run.host.stop(WAIT_S)
    assert run.host.health().phase == "failed"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_the_models_thread_ends_the_host(
    runs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs().start()
    monkeypatch.setattr(run.inbox, "take", lambda: {}["bug"])
    run.second(0)
    assert "bug" in run.next(Failed).message
    assert run.host.stop(WAIT_S)


def test_stop_ends_a_long_answer(runs: Make) -> None:
    backend = GatedBackend({0: "word " * 1000})
    run = runs(backend, config=free(generation=GenerationConfig(max_new_tokens=8192))).start()
    texts = threading.Semaphore(0)
    blocked = threading.Event()
    host = run.host

    def on_words(event: Event) -> None:
        if isinstance(event, Words):
            texts.release()
            assert blocked.wait(WAIT_S)

    host.listen(on_words)
    run.second(0)
    assert texts.acquire(timeout=WAIT_S)
    assert not host.stop(0.0)  # the answer is under way
    blocked.set()
    assert host.stop(WAIT_S)
    assert run.steps(1)[0].decode_tokens <= 3
    assert host.health().phase == "stopped"


def test_a_chunk_without_a_usable_frame_is_lost_and_its_question_waits(runs: Make) -> None:
    run = runs(ScriptedBackend()).start()

    def bad() -> Frame:
        raise InputError("no picture")

    run.inbox.ask("what is there?")
    for half in (0, NS // 2):
        run.inbox.offer(half, bad)
    run.second(1)
    step = run.steps(1)[0]
    assert (step.chunk, step.question) == (1, "what is there?")
    assert (run.host.health().chunks_lost, run.host.health().errors) == (1, 2)
