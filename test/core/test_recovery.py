"""After a model broke inside a step: video and cache are gone, nothing that was said or
asked is."""

from __future__ import annotations

import pytest
from engine_rig import cached, chunk, made, recomputed

from aura_core.config import AssistantConfig, WindowConfig
from aura_core.errors import ModelError
from aura_core.models.backend import Video
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.stream.recovery import Lost, Recovery
from aura_core.types import Chunk, Kind, Query


class Breaking(ScriptedBackend):
    """Runs out of memory at the chunks in `broken`."""

    broken: tuple[int, ...] = ()
    error: Exception = RuntimeError("out of memory")

    def encode(self, c: Chunk) -> Video:
        if c.index in self.broken:
            raise self.error
        return super().encode(c)


def watching(policy: str = "shadow", broken: tuple[int, ...] = (3,)) -> Lockstep:
    """Has promised a watch and answered a question, and is about to break."""
    backend = Breaking({0: "okay", 1: "two cups", 4: "yes", 5: "it fell", 6: "yes"})
    backend.broken = broken
    assistant = Lockstep(
        StreamEngine(backend, AssistantConfig(window=WindowConfig(keep=4, max=8, policy=policy)))
    )
    assistant.ask("Tell me every time it falls.")
    chunk(assistant, 0)
    assistant.ask("How many cups?")
    chunk(assistant, 1)
    chunk(assistant, 2)
    return assistant


def break_down(assistant: Lockstep, index: int = 3) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        chunk(assistant, index)


@pytest.mark.parametrize("policy", ["shadow", "floating", "recompute", "fifo", "evict"])
def test_the_conversation_goes_on_behind_its_words(policy):
    assistant = watching(policy)
    assistant.ask("Is it safe?")
    break_down(assistant)
    assert assistant.engine.window.turns == [] and cached(assistant) == recomputed(assistant)
    assert [(g.question, g.answers) for g in assistant.engine.window.prefix.groups] == [
        ("Tell me every time it falls.", ("okay",)),
        ("How many cups?", ("two cups",)),
    ]
    step = chunk(assistant, 4)
    assert step.chunk == 4 and step.question == "Is it safe?" and step.response.text == "yes"
    fell = chunk(assistant, 5).response
    assert (fell.kind, fell.query_id) == (Kind.MULTI_RESPONSE, "run-q1")
    assert [w.id for w in assistant.engine.conversation.watches.list() if w.open] == ["run-q1"]
    assert assistant.ask("And now?").id == "run-q4"
    for index in range(6, 20):
        chunk(assistant, index)
        if policy != "evict":
            assert cached(assistant) == recomputed(assistant)


def test_an_unanswered_watch_is_open_afterwards_and_in_the_text():
    backend = Breaking({})
    backend.broken = (1,)
    assistant = Lockstep(StreamEngine(backend))
    assistant.ask("Warn me if it falls.")
    chunk(assistant, 0)
    break_down(assistant, 1)
    assert [(g.question, g.answers) for g in assistant.engine.window.prefix.groups] == [
        ("Warn me if it falls.", ())
    ]


def test_a_question_over_which_it_breaks_twice_is_given_up():
    assistant = watching(broken=(3, 4))
    assistant.ask("Is it safe?")
    assistant.ask("Is it day?")
    break_down(assistant)
    break_down(assistant, 4)
    assert chunk(assistant, 5).question == "Is it day?"
    entries = assistant.engine.conversation.attribution.entries
    assert "Is it safe?" not in [e.query.text for e in entries]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModelError("the server\nis gone"), "chunk 3 is lost: the server is gone"),
        (
            RuntimeError("no memory"),
            "the model failed at chunk 3, its window is emptied: no memory",
        ),
    ],
)
def test_what_was_lost_is_told_in_one_line(error, message):
    assistant = watching()
    assistant.engine.backend.error = error
    lost = Recovery(assistant.engine).step(made(3), Query("Is it safe?", "x"))
    assert isinstance(lost, Lost) and lost.message == message
    assert lost.again is not None and lost.given_up is None
    assert (assistant.engine.window.turns == []) == lost.emptied == isinstance(error, RuntimeError)


def test_work_ahead_that_breaks_takes_no_question_back():
    assistant = watching()
    assistant.engine.recover()
    assert chunk(assistant, 4).question is None
    assert len(assistant.engine.conversation.attribution.entries) == 2
